package httpapi

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// The HTTP server of the standard library answers some requests by itself, before any handler runs. It does this if it
// cannot parse the request, if the headers are too large, or if it does not support the Expect header of the request.
// Those responses are plain text without a request id. answeringConn replaces these responses with errors of the API,
// and logs and counts the requests.
//
// Over HTTP/2, the HTTP server sends only one such response, which answeringConn does not replace. It has status 431
// and is for a client that ignores the announced limit for headers.

const (
	codeMalformedRequest    = "malformed_request"
	codeHTTPSRequired       = "https_required"
	codeExpectation         = "expectation_failed"
	codeHeaderTooLarge      = "header_too_large"
	codeUnsupportedEncoding = "unsupported_transfer_encoding"
	codeUnsupportedVersion  = "unsupported_http_version"
)

// unhandled maps the statuses of the HTTP server to errors. Any other status means a malformed request.
var unhandled = map[int]*domain.Error{
	http.StatusExpectationFailed: domain.Refuse(domain.Invalid, codeExpectation,
		"the only supported value of the header Expect is 100-continue: remove the header"),
	http.StatusRequestHeaderFieldsTooLarge: domain.Refuse(domain.Invalid, codeHeaderTooLarge,
		"the request line and the headers are larger than 8 KiB"),
	http.StatusNotImplemented: domain.Refuse(domain.Invalid, codeUnsupportedEncoding,
		"Transfer-Encoding may only be chunked"),
	http.StatusHTTPVersionNotSupported: domain.Refuse(domain.Invalid, codeUnsupportedVersion,
		"this server supports HTTP/1.0, HTTP/1.1 and, with TLS, HTTP/2"),
}

var (
	errMalformedRequest = domain.Refuse(domain.Invalid, codeMalformedRequest,
		"the request is not valid HTTP: check the encoding of the path and the headers")
	errHTTPSRequired = domain.Refuse(domain.Invalid, codeHTTPSRequired,
		"this server supports HTTPS only: use https:// in the URL")
)

// unhandledStatus returns the status in output if output is an error response that no handler wrote. Otherwise ok is
// false. A response with X-Request-Id comes from a handler. A part of a JSON body never looks like a response, because
// a JSON string contains no line breaks.
func unhandledStatus(output []byte) (status int, ok bool) {
	// Most output is a part of a body, or a successful response, whose status begins with 2 or 3.
	const digit = len("HTTP/1.1 ")
	if len(output) <= digit || !bytes.HasPrefix(output, []byte("HTTP/1.")) || output[digit] < '4' {
		return 0, false
	}
	head, _, complete := bytes.Cut(output, []byte("\r\n\r\n"))
	line, headers, _ := bytes.Cut(head, []byte("\r\n"))
	words := bytes.SplitN(line, []byte(" "), 3)
	if !complete || len(words) < 3 || bytes.Contains(headers, []byte(echo.HeaderXRequestID+":")) {
		return 0, false
	}
	status, err := strconv.Atoi(string(words[1]))
	return status, err == nil && status >= http.StatusBadRequest
}

// answerUnhandled logs and counts a request that reached no handler, and returns the response to it. The output
// argument is the response of the HTTP server. The begin argument is the stored beginning of the request.
func (a *API) answerUnhandled(status int, output, begin string, remote net.Addr) []byte {
	refusal, known := unhandled[status]
	switch {
	case strings.Contains(output, "HTTP request to an HTTPS server"):
		refusal = errHTTPSRequired
	case !known:
		refusal = errMalformedRequest
	}
	method, rest, _ := strings.Cut(begin, " ")
	path, _, _ := strings.Cut(rest, " ")
	request := &http.Request{
		Method:     method,
		URL:        &url.URL{Path: path}, // decides which API the error belongs to, and is not logged
		Header:     http.Header{},
		RemoteAddr: remote.String(),
	}
	answer := &answer{header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}}
	// observe sets the headers of every response, and never fails.
	_ = a.observe(func(echo.Context) error { return refusal })(a.echo.NewContext(request, answer))
	return answer.bytes(request)
}

// answer is a response in memory. It implements http.ResponseWriter.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// bytes returns the encoded response. The response contains the header "Connection: close".
func (a *answer) bytes(request *http.Request) []byte {
	var text bytes.Buffer
	response := &http.Response{
		StatusCode:    a.status,
		ProtoMajor:    1,
		ProtoMinor:    1,
		Request:       request, // a response to HEAD has no body
		Header:        a.header,
		Body:          io.NopCloser(&a.body),
		ContentLength: int64(a.body.Len()),
		Close:         true,
	}
	_ = response.Write(&text) // a buffer accepts everything
	return text.Bytes()
}
