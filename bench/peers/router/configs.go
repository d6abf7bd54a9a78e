package peers

import (
	"embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"
)

// Service is the name of the echo service, as routers know it.
const Service = "echo"

// What the configurations allow a peer: more than any case asks for, so that no
// limit of a default is what is measured.
const (
	connectionsMax = 4096
	streamsMax     = 1024
	// windowBytes is HTTP/2's window of a stream, where it can be set: 16 of the
	// larger messages.
	windowBytes = 16 * largeBytes
	// bufferBytes is HAProxy's default (tune.bufsize). A larger one makes it
	// dearer where messages are small, by a tenth to a quarter as measured here,
	// and cheaper by as much where they do not fit; so it is made to fit, with
	// headerBytes to spare.
	bufferBytes = 16 << 10
	headerBytes = 4 << 10
	// configMode: the peers' configuration is read by whom they become, which
	// for nginx's workers is nobody.
	configMode = 0o644
)

//go:embed configs
var configFiles embed.FS

// site is where a peer is set up.
type site struct {
	// Peer is its name.
	Peer string
	// Listen is the address it takes requests at, Host and Port its parts.
	Listen, Host, Port string
	// Admin is an address for whoever serves metrics.
	Admin string
	// Backends are the addresses of the echo service.
	Backends []string
	// Service is the echo service's name.
	Service string
	// Threads is how many cores there are.
	Threads int
	// Dir is the peer's own.
	Dir string

	Connections, Streams, WindowBytes, BufferBytes int
}

// newSite says where a peer is to be.
func newSite(peer, listen, admin string, backends []string, threads, messageBytes int, dir string) (site, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return site{}, fmt.Errorf("set up a peer: %w", err)
	}
	return site{
		Peer: peer, Listen: listen, Host: host, Port: port, Admin: admin, Backends: backends, Service: Service, Threads: threads, Dir: dir,
		Connections: connectionsMax, Streams: streamsMax, WindowBytes: windowBytes,
		BufferBytes: max(bufferBytes, messageBytes+headerBytes),
	}, nil
}

// path is a file of the peer's.
func (s site) path(file string) string { return filepath.Join(s.Dir, file) }

// write renders the peer's configuration into its directory.
func (s site) write(files []string) error {
	for _, name := range files {
		t, err := template.New(name+".tmpl").Option("missingkey=error").ParseFS(configFiles, "configs/"+name+".tmpl")
		if err != nil {
			return fmt.Errorf("read the configuration of %s: %w", s.Peer, err)
		}
		file, err := os.OpenFile(s.path(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, configMode)
		if err != nil {
			return fmt.Errorf("write the configuration of %s: %w", s.Peer, err)
		}
		if err := t.Execute(file, s); err != nil {
			file.Close()
			return fmt.Errorf("write the configuration of %s: %w", s.Peer, err)
		}
		if err := file.Close(); err != nil {
			return fmt.Errorf("write the configuration of %s: %w", s.Peer, err)
		}
	}
	return nil
}
