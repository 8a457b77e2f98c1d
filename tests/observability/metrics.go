package observability

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/live"
)

// Family describes a metric of a running server.
type Family struct {
	Help, Type string
	// Labels maps the name of each label to the set of the label's values.
	Labels map[string]map[string]bool
}

// scrape starts a server, sends it a request, and returns its metrics. The settings of the server enable all metrics
// that exist.
func scrape(t *testing.T) map[string]*Family {
	t.Helper()
	chain, key := selfSigned(t)
	server := live.Start(t, "METRICS_ADDR=127.0.0.1:0", "TLS_CERT="+chain, "TLS_KEY="+key, "EVENT_RETENTION=8760h",
		"BACKUP_DIR="+t.TempDir(),
		"AUDIT_STREAM=file:"+filepath.Join(t.TempDir(), "audit.jsonl"))
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the certificate is self-signed
	}}
	defer client.CloseIdleConnections()
	get(t, client, strings.Replace(server.URL, "http:", "https:", 1)+"/readyz")
	return parse(get(t, client, server.MetricsURL+"/metrics"))
}

// get sends a GET request and returns the body of the response. The test fails if the status is not 200.
func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", url, body)
	return string(body)
}

var (
	samplePattern = regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? \S+$`)
	labelPattern  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// parse reads metrics in the text format of Prometheus. The result contains a histogram several times: under its own
// name, and under the names of its series, such as name_bucket.
func parse(text string) map[string]*Family {
	families := map[string]*Family{}
	family := func(name string) *Family {
		if families[name] == nil {
			families[name] = &Family{Labels: map[string]map[string]bool{}}
		}
		return families[name]
	}
	for line := range strings.SplitSeq(text, "\n") {
		if rest, found := strings.CutPrefix(line, "# HELP "); found {
			name, help, _ := strings.Cut(rest, " ")
			family(name).Help = help
		}
		if rest, found := strings.CutPrefix(line, "# TYPE "); found {
			name, kind, _ := strings.Cut(rest, " ")
			family(name).Type = kind
		}
	}
	for _, sample := range samplePattern.FindAllStringSubmatch(text, -1) {
		names := []string{sample[1]}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, found := strings.CutSuffix(sample[1], suffix); found && families[base] != nil {
				names = append(names, base)
			}
		}
		for _, name := range names {
			for _, label := range labelPattern.FindAllStringSubmatch(sample[2], -1) {
				labels := family(name).Labels
				if labels[label[1]] == nil {
					labels[label[1]] = map[string]bool{}
				}
				labels[label[1]][label[2]] = true
			}
			family(name)
		}
	}
	return families
}

// selfSigned returns a certificate and its key in PEM.
func selfSigned(t *testing.T) (chain, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}
