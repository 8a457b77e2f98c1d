package boot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificateCheck is how often a server reads its certificate files again. A renewal replaces two files, the
// certificate and the key. A read that happens between the two replacements fails, but the next read succeeds. A
// renewal thus takes effect within a minute.
const certificateCheck = 30 * time.Second

// certificateFiles are the files of the settings TLS_CERT and TLS_KEY. A name is "" if the setting contains the PEM
// text itself instead of naming a file.
type certificateFiles struct{ chain, key string }

// certificate holds the server's TLS certificate. A reload can replace it while the server runs. It is safe for
// concurrent use.
type certificate struct {
	files certificateFiles
	// chain and key are the PEM texts at the start of the server. A reload uses such a text again if its setting does
	// not name a file.
	chain, key []byte

	mu      sync.Mutex // serializes reloads and guards digest
	digest  [sha256.Size]byte
	current atomic.Pointer[loadedCertificate]
	failed  atomic.Bool // whether the last reload failed
}

// loadedCertificate is a certificate with its key.
type loadedCertificate struct {
	pair tls.Certificate
	// expires is the earliest expiry in the chain. From then on, clients refuse the chain.
	expires time.Time
}

// newCertificate parses a certificate chain and its key.
func newCertificate(chain, key []byte, files certificateFiles) (*certificate, error) {
	c := &certificate{files: files, chain: chain, key: key}
	loaded, err := loadCertificate(chain, key)
	if err != nil {
		return nil, err
	}
	c.current.Store(loaded)
	c.digest = digestCertificate(chain, key)
	return c, nil
}

// loadCertificate parses PEM texts. Its errors contain no part of the key.
func loadCertificate(chain, key []byte) (*loadedCertificate, error) {
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	loaded := &loadedCertificate{pair: pair, expires: pair.Leaf.NotAfter}
	for i, der := range pair.Certificate[1:] {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("parse certificate %d of the chain: %w", i+2, err)
		}
		if parsed.NotAfter.Before(loaded.expires) {
			loaded.expires = parsed.NotAfter
		}
	}
	return loaded, nil
}

// digestCertificate returns a digest of the chain and the key. It hashes the chain first. The hash of the chain has a
// fixed length, so the boundary between this hash and the key is unambiguous.
func digestCertificate(chain, key []byte) [sha256.Size]byte {
	first := sha256.Sum256(chain)
	return sha256.Sum256(append(first[:], key...))
}

// hasFiles reports whether the certificate or its key comes from a file. Without such a file, a reload cannot find a
// new certificate.
func (c *certificate) hasFiles() bool { return c.files != certificateFiles{} }

// tlsConfig returns the configuration of a listener. Each handshake uses the current certificate. An established
// connection keeps the certificate of its handshake.
func (c *certificate) tlsConfig() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.current.Load().pair, nil },
		// All versions before TLS 1.2 have known weaknesses.
		MinVersion: tls.VersionTLS12,
		// The program wraps the listener with TLS itself, so this configuration must offer HTTP/2.
		NextProtos: []string{"h2", "http/1.1"},
	}
}

// reload reads the files. If a file has changed, the server uses the new certificate. On an error, the current
// certificate stays in use.
func (c *certificate) reload() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.failed.Store(err != nil) }()
	chain, err := readOr(c.files.chain, c.chain)
	if err != nil {
		return false, err
	}
	key, err := readOr(c.files.key, c.key)
	if err != nil {
		return false, err
	}
	digest := digestCertificate(chain, key)
	if digest == c.digest {
		return false, nil
	}
	loaded, err := loadCertificate(chain, key)
	if err != nil {
		return false, err
	}
	c.current.Store(loaded)
	c.digest = digest
	return true, nil
}

// readOr returns the setting that the file at path contains. If path is "", it returns text.
func readOr(path string, text []byte) ([]byte, error) {
	if path == "" {
		return text, nil
	}
	return readSetting(path)
}

// readSetting reads a file that contains a setting. It removes the final line end, which editors add.
func readSetting(path string) ([]byte, error) {
	content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r")), nil
}

// register adds the metrics of the certificate to the registry.
func (c *certificate) register(registry *prometheus.Registry) {
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "lockbox_tls_certificate_expiry_timestamp_seconds",
			Help: "Time of the earliest expiry in the TLS certificate chain of the server, in seconds since 1970.",
		}, func() float64 { return float64(c.current.Load().expires.Unix()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "lockbox_tls_certificate_reload_failed",
			Help: "1 if the last reload of the TLS certificate failed and the previous certificate is in use; " +
				"otherwise 0.",
		}, func() float64 {
			if c.failed.Load() {
				return 1
			}
			return 0
		}),
	)
}

// watchCertificate reloads certificate files at each signal from App.Reload, and regularly at the interval
// certificateCheck. If no files are configured, it logs at each signal that there is nothing to reload. It returns when
// ctx ends.
func (a *App) watchCertificate(ctx context.Context) {
	c := a.config.derived.certificate
	var tick <-chan time.Time // never receives if there is no file to read
	if c != nil && c.hasFiles() {
		ticker := time.NewTicker(certificateCheck)
		defer ticker.Stop()
		tick = ticker.C
	}
	var reported string // the last error; a repeated error is logged only once
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.Reload:
			reported = ""
			if c == nil || !c.hasFiles() {
				a.log.Info("nothing to reload: LOCKBOX_TLS_CERT_FILE and LOCKBOX_TLS_KEY_FILE are not set")
				continue
			}
			a.log.Info("reloading the TLS certificate")
		case <-tick:
		}
		reported = a.reloadCertificate(c, reported)
	}
}

// reloadCertificate reloads the certificate. It logs each replacement of the certificate. It logs an error only if the
// text of the error differs from reported, the text of the previous error. reloadCertificate returns the text of its
// error, or "".
func (a *App) reloadCertificate(c *certificate, reported string) string {
	changed, err := c.reload()
	if err != nil {
		if err.Error() != reported {
			a.log.Warn("loading the TLS certificate failed; the previous certificate stays in use",
				slog.Any("error", err))
		}
		return err.Error()
	}
	if changed {
		a.log.Info("the TLS certificate was replaced", slog.Time("expires", c.current.Load().expires))
	}
	return ""
}
