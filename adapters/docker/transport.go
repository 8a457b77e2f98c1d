package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// These constants limit the memory that a response of the engine can use. Another program may answer at the engine's
// address, and its response must not exhaust the server's memory.
const (
	// maxList is the maximum size of the list of containers, in bytes. It allows about 20 KiB for each of 99 droplets.
	// The labels of their images take most of that space.
	maxList = 2 << 20
	// maxListed is the maximum number of containers in the list. The engine lists only containers with the label of the
	// installation. These are at most 99 droplets, plus any containers that other programs gave the same label.
	maxListed = 1000
	// maxResponse is the maximum size of every other response, including error messages, in bytes.
	maxResponse = 64 << 10
	// maxHeaders is the maximum size of the header of a response, in bytes.
	maxHeaders = 64 << 10
)

// These errors report a response that exceeds a limit or has the wrong format. They mean that the answer cannot be
// used. They do not mean that the engine refused the request, because the operation may have taken effect.
var (
	errTooLong = fmt.Errorf("its response is longer than %d KiB, or its list of containers is longer than %d MiB",
		maxResponse>>10, maxList>>20)
	errTooMany = errors.New("it lists more than " + strconv.Itoa(maxListed) + " containers of this installation")
	errNoList  = errors.New("its list of containers is not a JSON array")
	errNoID    = errors.New("it created a container with an invalid identifier")
)

// unusable lists the errors for answers that cannot be used.
var unusable = []error{errTooLong, errTooMany, errNoList, errNoID}

// boundedTransport limits the responses of the engine.
type boundedTransport struct{ base http.RoundTripper }

// RoundTrip returns a response with a limited body: reading more than the limit fails with errTooLong. If the request's
// context comes from withVisitor, RoundTrip decodes the list itself and returns an empty list. If the client library
// decoded the list, it would read the whole list into memory, where it is many times larger than the response.
func (t boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	visit, isList := request.Context().Value(visitorKey{}).(func(listed))
	if !isList || response.StatusCode >= http.StatusBadRequest {
		response.Body = &boundedBody{ReadCloser: response.Body, left: maxResponse}
		return response, nil
	}
	body := &boundedBody{ReadCloser: response.Body, left: maxList}
	defer func() { _ = body.Close() }()
	if err := eachListed(body, visit); err != nil {
		return nil, err
	}
	_, _ = io.CopyN(io.Discard, body, 64) // read to the end to make the connection reusable
	response.Body = io.NopCloser(strings.NewReader("[]"))
	response.ContentLength = -1
	return response, nil
}

// boundedBody is a body of limited length.
type boundedBody struct {
	io.ReadCloser
	left int
}

// Read returns errTooLong when the body has more bytes than the limit. It never truncates a body, because a truncated
// error message could end in the middle of a secret. The check for secrets in messages would not find such a partial
// secret.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		return 0, errTooLong
	}
	b.left -= n
	return n, err
}

// visitorKey is the context key of the callback for listed containers.
type visitorKey struct{}

// withVisitor returns a context for a request that lists containers. The transport calls the function visit for each
// container in the response.
func withVisitor(ctx context.Context, visit func(listed)) context.Context {
	return context.WithValue(ctx, visitorKey{}, visit)
}

// eachListed decodes the containers of a list one by one, so only one of them is in memory at a time. A null list
// counts as empty.
func eachListed(body io.Reader, visit func(listed)) error {
	decoder := json.NewDecoder(body)
	switch begin, err := decoder.Token(); {
	case err != nil:
		return notList(err)
	case begin == nil:
		return nil
	case begin != json.Delim('['):
		return errNoList
	}
	for count := 0; decoder.More(); count++ {
		if count == maxListed {
			return errTooMany
		}
		var each listed
		if err := decoder.Decode(&each); err != nil {
			return notList(err)
		}
		visit(each)
	}
	_, err := decoder.Token()
	return notList(err)
}

// notList returns errNoList for a syntax error or a wrong type. It returns other errors, such as errTooLong or a broken
// connection, unchanged.
func notList(err error) error {
	_, isSyntax := errors.AsType[*json.SyntaxError](err)
	_, isType := errors.AsType[*json.UnmarshalTypeError](err)
	if isSyntax || isType {
		return errNoList
	}
	return err
}
