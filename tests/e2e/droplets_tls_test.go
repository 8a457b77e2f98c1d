//go:build e2e && linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/engine"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// authority signs certificates.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test"},
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	a.certificate, a.key = template, nil
	var certificate string
	certificate, _, a.key = a.sign(template)
	block, _ := pem.Decode([]byte(certificate))
	var err error
	a.certificate, err = x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	a.pem = certificate
	return a
}

// sign returns a certificate and its key in PEM. The authority's own certificate is self-signed.
func (a *authority) sign(template *x509.Certificate) (certificate, key string, private *ecdsa.PrivateKey) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	signer := a.key
	if signer == nil {
		signer = private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &private.PublicKey, signer)
	require.NoError(a.t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(a.t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), private
}

// leaf signs a certificate for 127.0.0.1 that is valid for servers and clients.
func (a *authority) leaf() (certificate, key string) {
	certificate, key, _ = a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return certificate, key
}

// listenTLS forwards connections to the engine. Like a Docker engine with --tlsverify, it accepts only clients with a
// certificate that the authority has signed.
func listenTLS(t *testing.T, a *authority, e *engine.Engine) string {
	t.Helper()
	certificate, key := a.leaf()
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	require.NoError(t, err)
	clients := x509.NewCertPool()
	clients.AddCert(a.certificate)
	listener, err := tls.Listen("tcp", "127.0.0.1:0",
		&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs: clients})
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			outer, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer outer.Close()
				inner, err := net.Dial("unix", strings.TrimPrefix(e.Host, "unix://"))
				if err != nil {
					return
				}
				defer inner.Close()
				go func() { _, _ = io.Copy(inner, outer); _ = inner.Close() }()
				_, _ = io.Copy(outer, inner)
			}()
		}
	}()
	return "tcp://" + listener.Addr().String()
}

// TestDropletsOverTLS verifies that both sides reject a certificate of another authority before any request is sent.
func TestDropletsOverTLS(t *testing.T) {
	e := engine.Start(t, engine.Bridge)
	good, other := newAuthority(t), newAuthority(t)
	host := listenTLS(t, good, e)
	for _, each := range []struct {
		name          string
		trusted, mine *authority
		status        int
	}{{"as it should be", good, good, 200}, {"another host", other, good, 503}, {"another client", good, other, 503}} {
		t.Run(each.name, func(t *testing.T) {
			certificate, key := each.mine.leaf()
			dir := t.TempDir()
			for name, text := range map[string]string{"ca": each.trusted.pem, "cert": certificate, "key": key} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
			}
			s := startOn(t, pgtest.New(t), "DOCKER_HOST="+host, "DROPLET_IMAGES="+engine.Image,
				"DOCKER_TLS_CA_FILE="+filepath.Join(dir, "ca"),
				"DOCKER_TLS_CERT_FILE="+filepath.Join(dir, "cert"), "DOCKER_TLS_KEY_FILE="+filepath.Join(dir, "key"))
			got := s.initialize().do("GET", "/api/v1/droplet/list", nil).expect(each.status)
			if each.status == 200 {
				got.is(`[]`)
			}
		})
	}
}
