package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// call is one request of the contract.
type call struct {
	method string
	// path is the template; a parameter is one segment.
	path   string
	params []string
	query  url.Values
	header http.Header
	body   any // to be sent as JSON; []byte is JSON already; nil is no body
	want   int // the status of success
	// again says that sending it a second time does no harm when it is unknown whether the first one worked.
	again bool
	// gone are the codes that, when it is sent again, say that the first one worked.
	gone []string
	// once says that it is sent once and no more, whatever becomes of it.
	once bool
	// nobody says that the token is not sent.
	nobody bool
}

// answer is what came back with the status that was wanted.
type answer struct {
	header http.Header
	body   []byte
}

func get(path string, params ...string) call {
	return call{
		method: http.MethodGet,
		path:   path,
		params: params,
		want:   http.StatusOK,
		again:  true,
	}
}

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
		method: http.MethodPut,
		path:   path,
		params: params,
		body:   body,
		want:   http.StatusNoContent,
		again:  true,
	}
}

func remove(path, gone string, params ...string) call {
	return call{
		method: http.MethodDelete,
		path:   path,
		params: params,
		want:   http.StatusNoContent,
		again:  true,
		gone:   []string{gone},
	}
}

func (k call) name() string { return k.method + " " + k.path }

// reads reports whether the request changes nothing.
func (k call) reads() bool { return k.method == http.MethodGet }

// account reports whether the request is one of those that have errors of their own.
func (k call) account() bool { return strings.HasPrefix(k.path, accounts+"/") }

// fill puts the parameters into the template, each encoded as one segment. Those that would change the path's meaning
// are no names of anything.
func (k call) fill() (string, *Error) {
	path, params := k.path, k.params
	var filled strings.Builder
	for {
		before, rest, found := strings.Cut(path, "{")
		filled.WriteString(before)
		if !found {
			return filled.String(), nil
		}
		name, after, _ := strings.Cut(rest, "}")
		if params[0] == "" || params[0] == "." || params[0] == ".." {
			return "", invalid(name+"_required", name, name+` is empty, or one of "." and ".."`)
		}
		filled.WriteString(url.PathEscape(params[0]))
		path, params = after, params[1:]
	}
}

// parcel is a call that is ready to be sent, as often as it takes.
type parcel struct {
	call
	url string
	out []byte
	id  string // the same for all attempts, so that the server's log shows that they belong together
}

func (c *Client) pack(k call) (*parcel, *Error) {
	path, mistake := k.fill()
	if mistake != nil {
		mistake.Request = k.name()
		return nil, mistake
	}
	p := &parcel{call: k, url: c.base + path, id: strings.ToLower(rand.Text())}
	if len(k.query) > 0 {
		p.url += "?" + k.query.Encode()
	}
	switch body := k.body.(type) {
	case nil:
	case []byte:
		p.out = body
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return nil, &Error{Request: k.name(), Message: "the request cannot be written as JSON",
				kinds: []error{ErrInvalid}}
		}
		p.out = text
	}
	return p, nil
}

// request makes the request anew, for an attempt.
func (c *Client) request(ctx context.Context, p *parcel) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, p.method, p.url, bytes.NewReader(p.out))
	if err != nil {
		return nil, err
	}
	for name, values := range p.header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", c.config.UserAgent)
	request.Header.Set("X-Request-Id", p.id)
	request.Header.Set("Accept", "application/json, application/problem+json")
	if p.out != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if !c.config.Token.IsZero() && !p.nobody {
		request.Header.Set("Authorization", "Bearer "+c.config.Token.Reveal())
	}
	return request, nil
}

// run sends a request whose answer has no body that matters.
func (c *Client) run(ctx context.Context, k call) error {
	_, err := c.do(ctx, k)
	return err
}

// fetch sends a request and reads its answer, which is JSON.
func fetch[T any](ctx context.Context, c *Client, k call) (T, error) {
	var into, none T
	got, err := c.do(ctx, k)
	if err != nil {
		return none, err
	}
	if mistake := got.checkJSON(k); mistake != nil {
		return none, mistake
	}
	if json.Unmarshal(got.body, &into) != nil {
		return none, badAnswer(k,
			"the answer is not the JSON that this request has: client and server may be of different versions")
	}
	return into, nil
}

// checkJSON refuses what a proxy, or another program at this address, answers in place of Lockbox.
func (a *answer) checkJSON(k call) *Error {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if media != "application/json" || !json.Valid(a.body) {
		return badAnswer(k, "the answer is not JSON: is URL the address of a Lockbox server?")
	}
	return nil
}

// badAnswer is about an answer with the status of success.
func badAnswer(k call, message string) *Error {
	failure := &Error{
		Request: k.name(),
		Status:  k.want,
		Message: message,
		kinds:   []error{ErrBadAnswer},
	}
	if !k.reads() {
		failure.kinds = append(failure.kinds, ErrOutcomeUnknown)
	}
	return failure
}
