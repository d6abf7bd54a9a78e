package peers

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"breakbank/bench/peers/comparison"
)

// Names of peers that the bars speak of.
const (
	direct   = "direct"
	relay    = "relay"
	frames   = "frames"
	rawCodec = "raw-codec"
	haproxy  = "haproxy"
)

// Peer is something that can stand between a caller and the echo service.
type Peer struct {
	Name string
	// About says in a few words what it is.
	About string
	// Package is what apt-get calls it, empty for what breakbank brings along.
	Package string

	// program is the executable's name, empty for breakbank itself.
	program string
	// versionArgs make the program print its version.
	versionArgs []string
	// env is added to its environment.
	env []string
	// files are the configuration templates that it is given (configs.go).
	files []string
	// args start it in the foreground at a site; nil for direct, which is
	// nothing at all.
	args func(s site) []string
	// checkArgs make the program check its configuration; nil where it cannot.
	checkArgs func(s site) []string
}

// Peers is the table of all peers, from the least to the most that is done to
// a request. HAProxy is what the ratios refer to.
var Peers = []Peer{
	{Name: direct, About: "no proxy"},
	{
		Name: relay, About: "bytes from socket to socket, in Go: the floor",
		args: func(s site) []string {
			return []string{"peers", "relay", "--listen", s.Listen, "--to", strings.Join(s.Backends, ",")}
		},
	},
	{
		Name: frames, About: "breakbank router, HTTP/2 frames", files: routerFiles, args: routerArgs,
	},
	{
		Name: haproxy, About: "HAProxy", Package: "haproxy", program: "haproxy",
		versionArgs: []string{"-v"}, files: []string{"haproxy.cfg"},
		args:      func(s site) []string { return []string{"-db", "-f", s.path("haproxy.cfg")} },
		checkArgs: func(s site) []string { return []string{"-c", "-f", s.path("haproxy.cfg")} },
	},
	{
		Name: "nginx", About: "nginx", Package: "nginx", program: "nginx",
		versionArgs: []string{"-v"}, files: []string{"nginx.conf"},
		args: func(s site) []string {
			return []string{"-p", s.Dir, "-e", "stderr", "-c", s.path("nginx.conf")}
		},
		checkArgs: func(s site) []string {
			return []string{"-t", "-p", s.Dir, "-e", "stderr", "-c", s.path("nginx.conf")}
		},
	},
	{
		Name: "caddy", About: "Caddy", Package: "caddy", program: "caddy",
		versionArgs: []string{"version"}, files: []string{"Caddyfile"},
		env: []string{"GOGC=400"}, // as breakbank's router sets it for itself
		args: func(s site) []string {
			return []string{"run", "--adapter", "caddyfile", "--config", s.path("Caddyfile")}
		},
		checkArgs: func(s site) []string {
			return []string{"validate", "--adapter", "caddyfile", "--config", s.path("Caddyfile")}
		},
	},
	{
		Name: rawCodec, About: "breakbank router, grpc-go on both sides", files: routerFiles, args: routerArgs,
	},
}

// routerFiles and routerArgs are those of our own router, whose data plane has
// the peer's name.
var routerFiles = []string{"seed.yaml", "arm.yaml"}

func routerArgs(s site) []string {
	return []string{
		"router", "--listen", s.Listen, "--seed", s.path("seed.yaml"), "--arm", s.path("arm.yaml"),
		"--default-service", Service, "--admin", s.Admin, "--log-level", "error",
	}
}

// Names lists the peers in the order of the table.
func Names() []string { return comparison.Names(Peers, Peer.name) }

// ByNames finds peers, in the order of the table; no names, and it is all of
// them. An unknown name is an error that lists the known ones.
func ByNames(names []string) ([]Peer, error) {
	return comparison.ByNames("peer", Peers, Peer.name, names)
}

func (p Peer) name() string { return p.Name }

// Missing is a peer that could not be measured.
type Missing struct {
	Peer string `json:"peer"`
	// Why says in one line what is wrong.
	Why string `json:"why"`
	// Install is the command that mends it, empty where none is known.
	Install string `json:"install,omitempty"`
}

func (m Missing) String() string {
	if m.Install == "" {
		return m.Peer + ": " + m.Why
	}
	return fmt.Sprintf("%s: %s (%s)", m.Peer, m.Why, m.Install)
}

// missing says that a peer's program is not on this machine.
func (p Peer) missing() Missing {
	return Missing{Peer: p.Name, Why: "not installed", Install: "apt-get install " + p.Package}
}

// sbin is where Debian and others put servers, which is not on the path of
// everybody.
const sbin = "/usr/sbin/"

// find looks the program up, on the path and among the servers.
func (p Peer) find() (path string, found bool) {
	if path, err := exec.LookPath(p.program); err == nil {
		return path, true
	}
	path, err := exec.LookPath(sbin + p.program)
	return path, err == nil
}

// versionNumber is a number with dots, and what packagers add to it.
var versionNumber = regexp.MustCompile(`\d+\.\d+[\w.+~-]*`)

// version asks a program for its version, empty if it does not tell.
func (p Peer) version(path string) string {
	said, err := exec.Command(path, p.versionArgs...).CombinedOutput()
	if err != nil {
		return ""
	}
	return versionNumber.FindString(string(said))
}
