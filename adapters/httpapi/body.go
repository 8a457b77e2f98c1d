package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// maxAnonymousBody is the largest body of a request without a token, in bytes. Names and passwords fit into it. A
// larger body is a "large body" and needs a share of the memory for such bodies.
const maxAnonymousBody = 16 << 10

// errBodyTooLarge does not name the limit, because the limit depends on the route and on the caller.
var errBodyTooLarge = domain.Refuse(domain.TooLarge, "body_too_large",
	"the request body is larger than this server accepts")

// body is the body of a request. It is read at most once. A second call of readBody returns the same text or the same
// error as the first.
type body struct {
	// The field limit is the size of the largest body that is accepted, in bytes.
	limit int64
	// The field begin is the part of the body that request.peekBody has read.
	begin []byte
	// The field held is the size of the request's share of the memory for large bodies, in bytes.
	held int64

	read bool
	text []byte
	err  error
	// unreadable is true if err has the code body_unreadable. In this case, the context of the request may be
	// cancelled.
	unreadable bool
}

// isLarge reports whether the body of a request is or may be larger than maxAnonymousBody.
func isLarge(r *http.Request) bool { return r.ContentLength < 0 || r.ContentLength > maxAnonymousBody }

// readBody returns the body. The result is empty if the request has no body. readBody returns one of these errors:
//
//   - TooLarge if the body exceeds the limit
//   - RateLimited if the user or address has used up its share of the memory for large bodies
//   - Unavailable if all memory for large bodies is used up
//   - Invalid with the code body_unreadable if the body ends early
//   - errClientClosed if the client has disconnected
func (r *request) readBody() ([]byte, error) {
	if !r.body.read {
		r.body.read = true
		r.body.text, r.body.err = r.readFrom(r.Request(), r.Response())
	}
	return r.body.text, r.body.err
}

// readFrom reads the body and takes a share of the memory if the body is large. The share is held until the request
// ends, because the decoded values are in memory until then.
func (r *request) readFrom(from *http.Request, w http.ResponseWriter) ([]byte, error) {
	if from.ContentLength > r.body.limit {
		r.closeAfterResponse()
		return nil, errBodyTooLarge
	}
	done := connOf(from.Context()).awaitBody()
	defer done()
	if isLarge(from) && r.body.limit > maxAnonymousBody {
		size := from.ContentLength
		if size < 0 {
			size = r.body.limit // a body of unknown length may be as large as the limit
		}
		if err := r.admission.bodies.acquire(from.Context(), r.key, bodyFactor*size); err != nil {
			r.closeAfterResponse()
			return nil, err
		}
		r.body.held = bodyFactor * size
	}
	defer excludeBody(from.Context())()
	text, err := readAll(http.MaxBytesReader(w, r.body.rest(from.Body), r.body.limit), from.ContentLength)
	return text, r.bodyError(err)
}

// releaseBody frees the request's share of the memory for large bodies.
func (r *request) releaseBody() {
	if r.body.held > 0 {
		r.admission.bodies.release(r.key, r.body.held)
		r.body.held = 0
	}
}

// peekBody reads the beginning of a body, at most maxAnonymousBody+1 bytes. whole is true if the body has at most
// maxAnonymousBody bytes. readBody can still return the whole body afterwards. The errors are those of bodyError.
func (r *request) peekBody() (begin []byte, whole bool, err error) {
	done := connOf(r.Request().Context()).awaitBody()
	defer done()
	defer excludeBody(r.Request().Context())()
	begin, err = io.ReadAll(io.LimitReader(r.Request().Body, maxAnonymousBody+1))
	if err = r.bodyError(err); err != nil || len(begin) <= maxAnonymousBody {
		r.body.read, r.body.text, r.body.err = true, begin, err
		return begin, true, err
	}
	r.body.begin = begin
	return begin, false, nil
}

// awaitIgnoredBody waits for the body of a request whose handler may ignore the body, such as a handler of DELETE.
// Without this wait, the handler could act on a request that did not arrive completely. awaitIgnoredBody reads at most
// the first 16 KiB. It reads nothing if the request announces no body.
//
// awaitIgnoredBody returns only errors of the transfer: body_unreadable and errClientClosed. A body that is too large
// causes no error here, because the handler returns this error if it decodes the body.
func (r *request) awaitIgnoredBody() error {
	size := r.Request().ContentLength
	if !r.route.ignoresBody || size == 0 || r.body.read && size <= r.body.limit {
		return nil // an earlier reader has already reported any error
	}
	begin, whole, err := r.peekBody()
	if err == nil && whole && int64(len(begin)) > r.body.limit {
		r.body.text, r.body.err = nil, errBodyTooLarge
	}
	return err
}

// rest returns a reader of the whole body: first the part that has already been read, then the rest of the stream.
func (b *body) rest(stream io.ReadCloser) io.ReadCloser {
	if len(b.begin) == 0 {
		return stream
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b.begin), stream), stream}
}

// readAll works like io.ReadAll, with one difference: for a large body, it allocates the memory for the whole text
// before it reads. For a small body, the memory grows as the body arrives, because an unverified client may never send
// the body that it announced. The size argument is the announced size, or negative if the client announced no size.
func readAll(from io.Reader, size int64) ([]byte, error) {
	if size <= maxAnonymousBody {
		return io.ReadAll(from)
	}
	text := make([]byte, size)
	n, err := io.ReadFull(from, text)
	return text[:n], err
}

// bodyError converts an error of reading the body into one of the errors of readBody.
func (r *request) bodyError(err error) error {
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return errBodyTooLarge
	}
	switch {
	case err == nil:
		return nil
	case disconnected(r.Request(), err):
		return errClientClosed.Because(err)
	}
	r.body.unreadable = true
	return domain.Refuse(domain.Invalid, "body_unreadable",
		"the request body ended early or did not arrive in time: send the request again").Because(err)
}

// disconnected reports whether reading a body failed because the client reset its connection or its HTTP/2 stream. Such
// a client cannot read a response. If the body merely ended early, the client may still wait for a response.
func disconnected(r *http.Request, err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || r.ProtoMajor == 2 && r.Context().Err() != nil
}

// bind decodes the JSON body of a request. A request without a body is refused with body_required.
func bind[T any](r *request) (T, error) {
	value, present, err := decodeBody[T](r)
	if err == nil && !present {
		err = domain.Refuse(domain.Invalid, "body_required", "the request needs a JSON body")
	}
	return value, err
}

// bindOptional decodes the JSON body of a request, or returns the zero T if the body is empty.
func bindOptional[T any](r *request) (T, error) {
	value, _, err := decodeBody[T](r)
	return value, err
}

// decodeBody decodes the body and overwrites its text, which may hold secrets. An empty body of any content type counts
// as absent. If decodeBody returns an error, value may be partly decoded.
func decodeBody[T any](r *request) (value T, present bool, err error) {
	text, err := r.readBody()
	if err != nil || len(text) == 0 {
		return value, false, err
	}
	defer clear(text)
	value, err = decodeJSON[T](r, text)
	return value, err == nil, err
}

// decodeJSON decodes a body that is not empty. Its errors contain no part of the body.
func decodeJSON[T any](r *request, text []byte) (value T, err error) {
	if !isJSON(r.Request().Header.Get(echo.HeaderContentType)) {
		return value, domain.Refuse(domain.Unsupported, "unsupported_media_type",
			"the body must be sent as Content-Type: application/json")
	}
	// encoding/json would silently replace invalid UTF-8 and so change a value.
	if !utf8.Valid(text) {
		return value, domain.Refuse(domain.Invalid, "malformed_json", "the body is not UTF-8")
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, malformed(err, reflect.TypeFor[T]())
	}
	return value, checkSurrogates(text, value)
}

// checkSurrogates refuses a body with a lone surrogate in a string, such as "\ud800". Decoding replaces a lone
// surrogate with U+FFFD, so two different passwords or names could become equal. The value of an entry may contain a
// lone surrogate, because the JSON is stored and returned verbatim.
func checkSurrogates(text []byte, decoded any) error {
	lone := domain.LoneSurrogates(text)
	if lone > 0 {
		if body, ok := decoded.(entryBody); ok {
			lone -= domain.LoneSurrogates(body.Value)
		}
	}
	if lone > 0 {
		return domain.Refuse(domain.Invalid, "malformed_json",
			`a string in the body contains half of a surrogate pair, such as \ud800: send the whole character`)
	}
	return nil
}

// isJSON accepts application/json, text/json and application/*+json. It ignores parameters, even malformed or repeated
// ones.
func isJSON(contentType string) bool {
	contentType, _, _ = strings.Cut(contentType, ";")
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	return media == "application/json" || media == "text/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// malformed describes a decoding error without repeating any part of the body. The body argument is the Go type into
// which the JSON was decoded.
func malformed(err error, body reflect.Type) error {
	wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return domain.Refuse(domain.Invalid, "malformed_json",
			"the body must be exactly one JSON value, and must not be nested too deeply")
	// wrongType.Field is the JSON path of the field with the wrong type, with names as the client sent them. The error
	// does not contain the value of the field. The path is empty if the body itself has the wrong type. If an element
	// of a list has the wrong type, the path is the index of the element (Go 1.27).
	case strings.Trim(wrongType.Field, "0123456789") == "":
		return domain.Refuse(domain.Invalid, "wrong_type", "the body must be "+jsonType(body))
	default:
		return domain.InvalidField(wrongType.Field, "wrong_type", wrongType.Field+" must be "+jsonType(wrongType.Type))
	}
}

// jsonType describes the JSON values that can be decoded into the given Go type.
func jsonType(wanted reflect.Type) string {
	switch wanted.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		if wanted.Elem().Kind() == reflect.Struct {
			return "a list of JSON objects"
		}
		return "a list of strings"
	case reflect.Uint64:
		return "a whole number"
	default:
		return "a JSON object"
	}
}
