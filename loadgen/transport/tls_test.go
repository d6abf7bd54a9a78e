package transport_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/loadgen/transport"
)

func TestTLS(t *testing.T) {
	certificate, pool := selfSigned(t)
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0", withTLS(certificate))
		config := one(address, 1)
		config.TLS = &tls.Config{RootCAs: pool, ServerName: "test"}
		tr := open(t, name, config)
		if err := tr.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c := ask(t, tr, &transport.Call{Head: &transport.Head{Path: unary, Authority: "test"}}); c.Code != codes.OK {
			t.Errorf("code %v %q", c.Code, c.Message)
		}
		clear := open(t, name, one(address, 1))
		if err := clear.Settle(t.Context()); err == nil || !strings.Contains(err.Error(), "TLS") {
			t.Errorf("in clear to a server of TLS: %v", err)
		}
	})
}

func TestTLSToAServerInClear(t *testing.T) {
	_, address := serve(t, newService(), "127.0.0.1:0")
	config := one(address, 1)
	config.TLS = &tls.Config{ServerName: "test"}
	if err := open(t, "wire", config).Settle(t.Context()); err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("settled with %v", err)
	}
}

// selfSigned makes a certificate for the name test.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}
