package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// call describes one API request before it is encoded.
type call struct {
	method string
	// path is the path template. Each {parameter} is one path segment.
	path   string
	params []string // the values of the template's parameters, in order
	query  url.Values
	header http.Header
	body   any // encoded as JSON; a []byte is already JSON, nil means no body
	want   int // the status code of a success
	orWant int // another status code of a success, or 0
	// If idempotent is set, the request may be retried after an attempt that may have taken effect.
	idempotent bool
	// alreadyDone lists error codes. A retry that fails with one of these codes shows that an earlier attempt has taken
	// effect, so the call succeeds.
	alreadyDone []string
	// If noRetry is set, the request is sent only once, even if it fails.
	noRetry bool
	// If anonymous is set, the request is sent without the client's token.
	anonymous bool
}

func get(path string, params ...string) call {
	return call{
		method:     http.MethodGet,
		path:       path,
		params:     params,
		want:       http.StatusOK,
		idempotent: true,
	}
}

// post returns a call that is not idempotent.
func post(path string, body any, want int, params ...string) call {
	return call{
		method: http.MethodPost,
		path:   path,
		params: params,
		body:   body,
		want:   want,
	}
}

func put(path string, body any, params ...string) call {
	return call{
		method:     http.MethodPut,
		path:       path,
		params:     params,
		body:       body,
		want:       http.StatusNoContent,
		idempotent: true,
	}
}

// remove returns an idempotent deletion. The argument notFound is the error code for a missing object. If a retry fails
// with this code, the deletion counts as a success.
func remove(path, notFound string, params ...string) call {
	return call{
		method:      http.MethodDelete,
		path:        path,
		params:      params,
		want:        http.StatusNoContent,
		idempotent:  true,
		alreadyDone: []string{notFound},
	}
}

// name returns the method and the path template. Unlike the path itself, the template is safe to log.
func (k call) name() string { return k.method + " " + k.path }

func (k call) readOnly() bool { return k.method == http.MethodGet }

// accountsAPI reports whether the server returns errors in the format of /api/v1.
func (k call) accountsAPI() bool { return strings.HasPrefix(k.path, accountsPrefix+"/") }

// expandPath fills in the path template and escapes each parameter as one segment. It refuses the parameters "", "."
// and "..", because they would turn the path into that of another resource.
func (k call) expandPath() (string, *Error) {
	path, params := k.path, k.params
	var expanded strings.Builder
	for {
		before, rest, found := strings.Cut(path, "{")
		expanded.WriteString(before)
		if !found {
			return expanded.String(), nil
		}
		name, after, _ := strings.Cut(rest, "}")
		if params[0] == "" || params[0] == "." || params[0] == ".." {
			return "", invalid(name+"_required", name, name+` must not be empty, "." or ".."`)
		}
		expanded.WriteString(url.PathEscape(params[0]))
		path, params = after, params[1:]
	}
}

// preparedCall is a call that is encoded and can be sent more than once.
type preparedCall struct {
	call
	url     string
	payload []byte // nil means no body
	id      string // X-Request-Id; the same for all attempts, to correlate them in the server's log
}

func (c *Client) prepare(k call) (*preparedCall, *Error) {
	path, failure := k.expandPath()
	if failure != nil {
		failure.Request = k.name()
		return nil, failure
	}
	p := &preparedCall{
		call: k,
		url:  c.base + path,
		id:   strings.ToLower(rand.Text()),
	}
	if len(k.query) > 0 {
		p.url += "?" + k.query.Encode()
	}
	switch body := k.body.(type) {
	case nil:
	case []byte:
		p.payload = body
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return nil, &Error{
				Request: k.name(),
				Message: "the request body cannot be encoded as JSON",
				kinds:   []error{ErrInvalid},
			}
		}
		p.payload = text
	}
	if failure := c.exposes(p); failure != nil {
		return nil, failure
	}
	return p, nil
}

// newRequest builds the HTTP request of one attempt.
func (c *Client) newRequest(ctx context.Context, p *preparedCall) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, p.method, p.url, bytes.NewReader(p.payload))
	if err != nil {
		return nil, err
	}
	for name, values := range p.header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", c.config.UserAgent)
	request.Header.Set("X-Request-Id", p.id)
	request.Header.Set("Accept", "application/json, application/problem+json")
	if p.payload != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if !c.config.Token.IsZero() && !p.anonymous {
		request.Header.Set("Authorization", "Bearer "+c.config.Token.Reveal())
	}
	return request, nil
}

// run sends a request and ignores the response body.
func (c *Client) run(ctx context.Context, k call) error {
	_, err := c.do(ctx, k)
	return err
}

// fetch sends a request and decodes its JSON response into T. On an error it returns the zero T.
func fetch[T any](ctx context.Context, c *Client, k call) (T, error) {
	got, err := c.do(ctx, k)
	if err != nil {
		return *new(T), err
	}
	return decode[T](got, k)
}

// decode decodes a JSON response into T. On an error it returns the zero T.
func decode[T any](got *response, k call) (T, error) {
	var into, zero T
	if failure := got.checkJSON(k); failure != nil {
		return zero, failure
	}
	if json.Unmarshal(got.body, &into) != nil {
		return zero, badResponse(k,
			"the response does not have the expected JSON fields: check that client and server versions match")
	}
	return into, nil
}
