package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newCluster is an API server as clusters have them: TLS, client certificates
// where shown, bearer tokens, behind a path. It answers with the path asked.
func newCluster(t *testing.T, token *string) (server *httptest.Server, caFile string) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := len(r.TLS.PeerCertificates) > 0
		if r.Header.Get("Authorization") != "Bearer "+*token && !shown {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"kind":"Status","reason":"Unauthorized","message":"Unauthorized","code":401}`)
			return
		}
		fmt.Fprintf(w, `{"metadata":{"resourceVersion":"1"},"items":[{"path":%q,"proto":%q}]}`, r.URL.Path, r.Proto)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, writePEM(t, "ca.crt", "CERTIFICATE", server.Certificate().Raw)
}

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	return writeFile(t, name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func clientPair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "router"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "tls.crt", "CERTIFICATE", cert), writePEM(t, "tls.key", "EC PRIVATE KEY", der)
}

func TestAnyClusterCanBeRead(t *testing.T) {
	token := "secret"
	server, ca := newCluster(t, &token)
	tokenFile := writeFile(t, "token", "secret\n")
	cert, key := clientPair(t)
	for what, o := range map[string]Options{
		"token":       {CAFile: ca, Token: "secret"},
		"token file":  {CAFile: ca, TokenFile: tokenFile},
		"certificate": {CAFile: ca, CertFile: cert, KeyFile: key},
	} {
		c, err := NewWith(server.URL+"/k8s/clusters/c-1/", o)
		if err != nil {
			t.Fatal(err)
		}
		list, err := c.List(t.Context(), "endpoints", "")
		c.Close()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else if want := `{"path":"/k8s/clusters/c-1/api/v1/namespaces/default/endpoints","proto":"HTTP/1.1"}`; string(list.Items[0]) != want {
			t.Errorf("%s: asked %s", what, list.Items[0])
		}
	}

	// A token that is replaced is sent from the next request on.
	c, err := NewWith(server.URL, Options{CAFile: ca, TokenFile: tokenFile})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	token = "newer"
	var status *StatusError
	if _, err := c.List(t.Context(), "endpoints", ""); !errors.As(err, &status) || status.Code != http.StatusUnauthorized {
		t.Errorf("with the old token: %v", err)
	}
	if err := os.WriteFile(tokenFile, []byte("newer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.List(t.Context(), "endpoints", ""); err != nil {
		t.Errorf("with the new token: %v", err)
	}

	// Whom nobody vouches for is not talked to.
	c, err = NewWith(server.URL, Options{Token: "newer"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.List(t.Context(), "endpoints", ""); err == nil {
		t.Error("a server of an unknown CA was believed")
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	empty := writeFile(t, "empty", "")
	for want, o := range map[string]Options{
		"CA certificates":        {CAFile: "/nowhere"},
		"no certificate in PEM":  {CAFile: empty},
		"bearer token":           {TokenFile: "/nowhere"},
		"both its file":          {CertFile: empty},
		"the client certificate": {CertFile: empty, KeyFile: empty},
	} {
		if _, err := NewWith("https://10.0.0.1", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestNamespaces(t *testing.T) {
	token := ""
	server, ca := newCluster(t, &token)
	token = "x"
	for namespace, want := range map[string]string{
		"":            "/api/v1/namespaces/default/endpoints",
		"prod":        "/api/v1/namespaces/prod/endpoints",
		AllNamespaces: "/api/v1/endpoints",
	} {
		c, err := NewWith(server.URL, Options{CAFile: ca, Token: "x", Namespace: namespace})
		if err != nil {
			t.Fatal(err)
		}
		list, err := c.List(t.Context(), "endpoints", "")
		c.Close()
		if err != nil || !strings.Contains(string(list.Items[0]), `"`+want+`"`) {
			t.Errorf("%q: %s, %v", namespace, list.Items, err)
		}
	}
}
