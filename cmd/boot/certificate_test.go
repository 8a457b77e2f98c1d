package boot

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// certificateFolder is a folder with the files cert and key.
type certificateFolder struct {
	t   *testing.T
	dir string
}

func (f certificateFolder) path(name string) string { return filepath.Join(f.dir, name) }

func (f certificateFolder) write(name, text string) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(f.path(name), []byte(text), 0o600))
}

// issue writes a self-signed certificate and its key.
func (f certificateFolder) issue(serial int64, expires time.Time) {
	f.t.Helper()
	chain, key := selfSigned(f.t, serial, expires)
	f.write("cert", chain)
	f.write("key", key)
}

// settings returns the settings TLS_CERT_FILE and TLS_KEY_FILE with the paths of the files.
func (f certificateFolder) settings() []string {
	return []string{"LOCKBOX_TLS_CERT_FILE=" + f.path("cert"), "LOCKBOX_TLS_KEY_FILE=" + f.path("key")}
}

// selfSigned returns a self-signed certificate and its key in PEM.
func selfSigned(t *testing.T, serial int64, expires time.Time) (chain, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: expires}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// presented returns the serial number of the certificate that a handshake presents.
func presented(t *testing.T, c *certificate) int64 {
	t.Helper()
	pair, err := c.tlsConfig().GetCertificate(nil)
	require.NoError(t, err)
	return pair.Leaf.SerialNumber.Int64()
}

// gaugeValue returns the value of a metric.
func gaugeValue(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	require.Fail(t, "no metric "+name)
	return 0
}

// TestCertificateReload reloads a certificate after each kind of change that a complete or failed renewal can make to
// the certificate files.
func TestCertificateReload(t *testing.T) {
	t.Parallel()
	hour := time.Now().Add(time.Hour).Truncate(time.Second)
	otherChain, otherKey := selfSigned(t, 2, hour)
	for name, c := range map[string]struct {
		replace func(f certificateFolder)
		serial  int64 // of the certificate that is used afterwards
		fails   bool
	}{
		"nothing":          {func(certificateFolder) {}, 1, false},
		"both files":       {func(f certificateFolder) { f.issue(2, hour) }, 2, false},
		"an early expiry":  {func(f certificateFolder) { f.issue(3, hour.Add(-time.Minute)) }, 3, false},
		"only one file":    {func(f certificateFolder) { f.write("cert", otherChain) }, 1, true},
		"only the key":     {func(f certificateFolder) { f.write("key", otherKey) }, 1, true},
		"an empty file":    {func(f certificateFolder) { f.write("cert", "") }, 1, true},
		"a missing file":   {func(f certificateFolder) { require.NoError(f.t, os.Remove(f.path("key"))) }, 1, true},
		"a damaged file":   {func(f certificateFolder) { f.write("key", "-----BEGIN PRIVATE KEY-----\n") }, 1, true},
		"a damaged issuer": {func(f certificateFolder) { f.issue(2, hour); f.append("cert", brokenIssuer) }, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := certificateFolder{t, t.TempDir()}
			files.issue(1, hour)
			config, _, err := ReadEnvironment(files.settings())
			require.NoError(t, err)
			loaded, registry := config.derived.certificate, prometheus.NewRegistry()
			loaded.register(registry)
			c.replace(files)
			changed, err := loaded.reload()
			require.Equal(t, c.fails, err != nil, "%v", err)
			require.Equal(t, c.serial != 1, changed)
			require.Equal(t, c.serial, presented(t, loaded))
			require.Equal(t, c.fails, gaugeValue(t, registry, "lockbox_tls_certificate_reload_failed") == 1)
			expires := hour
			if c.serial == 3 {
				expires = hour.Add(-time.Minute)
			}
			require.InDelta(t, float64(expires.Unix()),
				gaugeValue(t, registry, "lockbox_tls_certificate_expiry_timestamp_seconds"), 0)
			// A complete renewal repairs every failure.
			files.issue(4, hour)
			changed, err = loaded.reload()
			require.NoError(t, err)
			require.True(t, changed)
			require.Equal(t, int64(4), presented(t, loaded))
			require.Zero(t, gaugeValue(t, registry, "lockbox_tls_certificate_reload_failed"))
		})
	}
}

// brokenIssuer is a PEM block that is not a certificate.
const brokenIssuer = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

// append adds text to a file.
func (f certificateFolder) append(name, text string) {
	f.t.Helper()
	content, err := os.ReadFile(f.path(name))
	require.NoError(f.t, err)
	f.write(name, string(content)+text)
}

// TestCertificateExpiryIsTheEarliestOfItsChain verifies that the expiry is that of the certificate in the chain that
// expires first.
func TestCertificateExpiryIsTheEarliestOfItsChain(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	leaf, key := selfSigned(t, 1, now.Add(time.Hour))
	early, _ := selfSigned(t, 2, now.Add(time.Minute))
	late, _ := selfSigned(t, 3, now.Add(2*time.Hour))
	for chain, want := range map[string]time.Time{
		leaf:                now.Add(time.Hour),
		leaf + late:         now.Add(time.Hour),
		leaf + early:        now.Add(time.Minute),
		leaf + late + early: now.Add(time.Minute),
	} {
		c, err := newCertificate([]byte(chain), []byte(key), certificateFiles{})
		require.NoError(t, err)
		require.True(t, c.current.Load().expires.Equal(want))
	}
}

// watch runs watchCertificate on a simulated clock until the returned function is called. The function returns the log.
func watch(t *testing.T, reload <-chan os.Signal, settings ...string) (c *certificate, stop func() string) {
	t.Helper()
	config, _, err := ReadEnvironment(settings)
	require.NoError(t, err)
	var log bytes.Buffer
	app := &App{config: config, log: slog.New(slog.NewTextHandler(&log, nil)), Reload: reload}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		app.watchCertificate(ctx)
	}()
	return config.derived.certificate, func() string {
		cancel()
		<-done
		return log.String()
	}
}

// TestCertificateChangesAreNoticed verifies that a server uses a new certificate within a minute without a signal, and
// logs a repeated failure only once.
func TestCertificateChangesAreNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files := certificateFolder{t, t.TempDir()}
		files.issue(1, time.Now().Add(time.Hour))
		c, stop := watch(t, nil, files.settings()...)
		files.write("key", "")
		time.Sleep(10 * time.Minute) // of the clock of synctest
		synctest.Wait()
		require.Equal(t, int64(1), presented(t, c))
		files.issue(2, time.Now().Add(time.Hour))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, int64(2), presented(t, c))
		log := stop()
		require.Equal(t, 1, strings.Count(log, "loading the TLS certificate failed"), log)
		require.Equal(t, 1, strings.Count(log, "the TLS certificate was replaced"), log)
	})
}

// TestReloadSignal verifies that a signal reloads the certificate immediately, and is harmless if there are no files.
func TestReloadSignal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files := certificateFolder{t, t.TempDir()}
		files.issue(1, time.Now().Add(time.Hour))
		reload := make(chan os.Signal)
		c, stop := watch(t, reload, files.settings()...)
		files.issue(2, time.Now().Add(time.Hour))
		reload <- syscall.SIGHUP
		synctest.Wait()
		require.Equal(t, int64(2), presented(t, c))
		require.NotContains(t, stop(), "nothing to reload")

		chain, key := selfSigned(t, 3, time.Now().Add(time.Hour))
		for _, settings := range [][]string{nil, {"LOCKBOX_TLS_CERT=" + chain, "LOCKBOX_TLS_KEY=" + key}} {
			_, stop := watch(t, reload, settings...)
			reload <- syscall.SIGHUP
			reload <- syscall.SIGHUP
			synctest.Wait()
			require.Contains(t, stop(), "nothing to reload")
		}
	})
}
