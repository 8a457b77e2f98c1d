package httpapi_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/domain"
)

// serve runs an API on loopback and returns its address.
func serve(t *testing.T, api *httpapi.API, config *tls.Config, change func(*http.Server)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := api.Server()
	if change != nil {
		change(server)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(api.Listener(listener, config)) })
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// send writes the raw bytes of a request and reads one response.
func send(t *testing.T, conn net.Conn, request string) (*http.Response, []byte) {
	t.Helper()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	go func() { _, _ = io.WriteString(conn, request) }() // the server may answer before it has read everything
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response, body
}

// unhandledRequests lists requests that the HTTP server refuses before a handler runs. %s stands for a path.
var unhandledRequests = map[string]struct {
	request string
	status  int
	code    string
}{
	"path encoding": {
		request: "GET %s/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		status:  400,
		code:    "malformed_request",
	},
	"request line": {
		request: "GET %s\r\n\r\n",
		status:  400,
		code:    "malformed_request",
	},
	"no host": {
		request: "GET %s HTTP/1.1\r\n\r\n",
		status:  400,
		code:    "malformed_request",
	},
	"header name": {
		request: "GET %s HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
		status:  400,
		code:    "malformed_request",
	},
	"content length": {
		request: "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: a\r\n\r\n",
		status:  400,
		code:    "malformed_request",
	},
	"two lengths": {
		request: "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		status:  400,
		code:    "malformed_request",
	},
	"expectation": {
		request: "POST %s HTTP/1.1\r\nHost: x\r\nExpect: coffee\r\nContent-Length: 2\r\n\r\n{}",
		status:  417,
		code:    "expectation_failed",
	},
	"old expectation": {
		request: "POST %s HTTP/1.0\r\nExpect: coffee\r\nContent-Length: 2\r\n\r\n{}",
		status:  417,
		code:    "expectation_failed",
	},
	"transfer encoding": {
		request: "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n",
		status:  501,
		code:    "unsupported_transfer_encoding",
	},
	"version": {
		request: "GET %s HTTP/3.0\r\nHost: x\r\n\r\n",
		status:  505,
		code:    "unsupported_http_version",
	},
	"header size": {
		request: "GET %s HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
		status:  431,
		code:    "header_too_large",
	},
	"size of path": {
		request: "GET %s/" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		status:  431,
		code:    "header_too_large",
	},
	"path of a response": {
		request: "GET %s/%2 HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n",
		status:  400,
		code:    "malformed_request",
	},
}

// TestUnhandledRequests verifies that a request that reaches no handler gets an error of the API with a request id.
// The server logs and counts the request. The test covers TLS, plain HTTP, and connections that served a request
// before.
func TestUnhandledRequests(t *testing.T) {
	t.Parallel()
	api, log := failing(func() error { return domain.ErrUnauthenticated })
	plain, secured := serve(t, api, nil, nil), serve(t, api, certificate(t), nil)
	for name, test := range unhandledRequests {
		for path, accounts := range map[string]bool{"/boxes": false, "/api/v1/user/list": true} {
			for _, reused := range []bool{false, true} {
				for _, withTLS := range []bool{false, true} {
					conn := dial(t, plain, secured, withTLS)
					if reused {
						got, _ := send(t, conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
						require.Equal(t, 200, got.StatusCode)
					}
					got, body := send(t, conn, strings.Replace(test.request, "%s", path, 1))
					require.Equal(t, test.status, got.StatusCode, name)
					require.NotEmpty(t, got.Header.Get("X-Request-Id"), name)
					require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
					require.True(t, got.Close, name)
					requireShape(t, accounts, got, body, test.code)
				}
			}
		}
	}
	metrics, body := send(t, dial(t, plain, secured, false), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Equal(t, 200, metrics.StatusCode)
	require.Contains(t, string(body), `lockbox_http_requests_total{method="POST",route="(none)",status="417"} 16`)
	require.NotContains(t, log.String(), "/boxes/", "a path is not logged")
	require.Zero(t, failures(log))
}

func dial(t *testing.T, plain, secured string, withTLS bool) net.Conn {
	t.Helper()
	var conn net.Conn
	var err error
	if withTLS {
		config := &tls.Config{InsecureSkipVerify: true}
		conn, err = tls.Dial("tcp", secured, config)
	} else {
		conn, err = net.Dial("tcp", plain)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// requireShape checks the Content-Type and the fields of an error response. The response comes from the accounts API if
// the argument accounts is true, and from the Lockbox API otherwise.
func requireShape(t *testing.T, accounts bool, got *http.Response, body []byte, code string) {
	t.Helper()
	var fields struct {
		Code, Instance, Error string
		ErrorID               *int `json:"errorId"`
		Status                int
	}
	require.NoError(t, json.Unmarshal(body, &fields), "%s", body)
	if accounts {
		require.Equal(t, "application/json", got.Header.Get("Content-Type"))
		require.NotEmpty(t, fields.Error)
		require.Zero(t, *fields.ErrorID)
		return
	}
	require.Equal(t, "application/problem+json", got.Header.Get("Content-Type"))
	require.Equal(t, code, fields.Code)
	require.Equal(t, got.StatusCode, fields.Status)
	require.Equal(t, "urn:lockbox:request:"+got.Header.Get("X-Request-Id"), fields.Instance)
}

// TestHeadOfAnUnhandledRequest verifies that the response to an unhandled HEAD request has no body.
func TestHeadOfAnUnhandledRequest(t *testing.T) {
	t.Parallel()
	api, _ := failing(func() error { return nil })
	conn := dial(t, serve(t, api, nil, nil), "", false)
	_, err := io.WriteString(conn, "HEAD /%zz HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	all, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(all, []byte("HTTP/1.1 400 Bad Request\r\n")), "%s", all)
	require.True(t, bytes.HasSuffix(all, []byte("\r\n\r\n")), "%s", all)
	require.Contains(t, string(all), "X-Request-Id: ")
}

// TestPlainHTTPOnTLS verifies that a client that speaks HTTP to an HTTPS server gets an error of the API.
func TestPlainHTTPOnTLS(t *testing.T) {
	t.Parallel()
	api, _ := failing(func() error { return nil })
	address := serve(t, api, certificate(t), nil)
	got, body := send(t, dial(t, address, "", false), "GET /boxes HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Equal(t, 400, got.StatusCode)
	requireShape(t, false, got, body, "https_required")
}

// TestHTTP2 verifies that the server serves a client over HTTP/2 if the client negotiates it. A client that does not
// finish its TLS handshake must not delay other clients.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	api, _ := failing(func() error { return nil })
	config := certificate(t)
	address := serve(t, api, config, nil)
	_ = dial(t, address, "", false) // sends nothing
	roots := x509.NewCertPool()
	roots.AddCert(config.Certificates[0].Leaf)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	response, err := client.Get("https://" + address + "/healthz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, 2, response.ProtoMajor)
}

// TestOptionsOfTheServer verifies that the response to OPTIONS * has the headers that every response has.
func TestOptionsOfTheServer(t *testing.T) {
	t.Parallel()
	api, _ := failing(func() error { return nil })
	got, body := send(t, dial(t, serve(t, api, nil, nil), "", false), "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Equal(t, 204, got.StatusCode)
	require.Empty(t, body)
	require.NotEmpty(t, got.Header.Get("X-Request-Id"))
	require.Equal(t, "OPTIONS, GET, HEAD, POST, PUT, PATCH, DELETE", got.Header.Get("Allow"))
}

// certificate returns a TLS configuration with a new certificate for 127.0.0.1.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	text, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(text)
	require.NoError(t, err)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{text}, PrivateKey: key, Leaf: leaf}},
		NextProtos:   []string{"h2", "http/1.1"},
		MinVersion:   tls.VersionTLS12,
	}
}
