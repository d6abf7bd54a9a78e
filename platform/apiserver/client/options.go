package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"breakbank/platform/registry"
)

const (
	// dialTimeout bounds a connection attempt: within a data centre one takes
	// milliseconds.
	dialTimeout = 2 * time.Second
	// handshakeTimeout bounds the TLS handshake after it.
	handshakeTimeout = 5 * time.Second
	// maxIdleConns is per client: one for requests, one to spare.
	maxIdleConns = 2
)

// AllNamespaces in Options reads the objects of every namespace.
const AllNamespaces = "*"

// Options says how an API server is reached and as whom. The zero value suits
// the API servers of this module, which ask nobody who they are.
type Options struct {
	// Namespace whose objects are read and written: "" is registry.Namespace,
	// AllNamespaces every one.
	Namespace string
	// Token is the bearer token of each request, TokenFile a file that holds
	// it. The file is read for every request: a projected service account
	// token is replaced while it is in use.
	Token, TokenFile string
	// CAFile holds the certificates, in PEM, of those who may sign the
	// server's; "" trusts whom the system trusts.
	CAFile string
	// CertFile and KeyFile are the client's own certificate and key in PEM,
	// read for every handshake: they are replaced before they expire. "" shows
	// none.
	CertFile, KeyFile string
}

// NewWith returns a client for an API server, such as
// "https://10.0.0.1:6443" or one behind a path. It fails if a file that the
// options name cannot be used.
func NewWith(base string, o Options) (*Client, error) {
	c := New(base)
	c.options = o
	transport := newTransport()
	var err error
	if transport.TLSClientConfig, err = o.tls(); err != nil {
		return nil, fmt.Errorf("API server %s: %w", base, err)
	}
	if _, err := o.bearer(); err != nil {
		return nil, fmt.Errorf("API server %s: %w", base, err)
	}
	c.http.Transport = transport
	return c, nil
}

// newTransport speaks HTTP/1.1 only: each watch then has a connection of its
// own, and one that goes dark takes no list with it.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &http.Transport{
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: handshakeTimeout,
		MaxIdleConnsPerHost: maxIdleConns,
		// Inside a data centre compression costs more than it saves; what is
		// compressed all the same is read (body.go).
		DisableCompression: true,
	}
}

func (o Options) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the CA certificates: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in PEM in the CA file %s", o.CAFile)
		}
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("a client certificate needs both its file and its key's")
	}
	if o.CertFile == "" {
		return config, nil
	}
	load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load the client certificate: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(nil); err != nil {
		return nil, err
	}
	config.GetClientCertificate = load
	return config, nil
}

// bearer returns the token to send, "" for none.
func (o Options) bearer() (string, error) {
	if o.TokenFile == "" {
		return o.Token, nil
	}
	token, err := os.ReadFile(o.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the bearer token: %w", err)
	}
	return strings.TrimSpace(string(token)), nil
}

// namespacePath is the part of a URL that names the namespace; none for
// objects of every namespace.
func (o Options) namespacePath() string {
	switch o.Namespace {
	case "":
		return "/namespaces/" + registry.Namespace
	case AllNamespaces:
		return ""
	default:
		return "/namespaces/" + o.Namespace
	}
}
