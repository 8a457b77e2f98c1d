package httpapi

import (
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
	"golang.org/x/sync/semaphore"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// maxAnonymousBody is the largest body without a token, in bytes. Names and passwords fit into it. A larger body is
	// a "large body" and needs a share of the budget.
	maxAnonymousBody = 16 << 10
	// maxLargeBodies is how many bodies of the largest size may be in memory at once.
	maxLargeBodies = 64
)

// errBodyTooLarge does not name the limit, because the limit depends on the route and on the caller.
var errBodyTooLarge = domain.Refuse(domain.TooLarge, "body_too_large",
	"the request body is larger than this server accepts")

// body is the body of a request. It is read at most once; a second reader gets the same text or the same error.
type body struct {
	// limit is the largest body, in bytes.
	limit int64
	// budget is shared by all requests, so that many large bodies at once cannot fill the memory. held is the share of
	// this request, in bytes.
	budget *semaphore.Weighted
	held   int64

	read bool
	text []byte
	err  error
	// unreadable is true if err has the code body_unreadable. The HTTP server has then cancelled the context of the
	// request.
	unreadable bool
}

// release returns the share of the request to the budget.
func (b *body) release() {
	if b.held > 0 {
		b.budget.Release(b.held)
		b.held = 0
	}
}

// isLarge reports whether the body of a request may be larger than one without a token.
func isLarge(r *http.Request) bool { return r.ContentLength < 0 || r.ContentLength > maxAnonymousBody }

// readBody returns the body, empty if there is none. Errors: TooLarge over the limit, Unavailable when the budget for
// large bodies is used up, Invalid with code body_unreadable when the body ends early, and errClientClosed.
func (r *request) readBody() ([]byte, error) {
	if !r.body.read {
		r.body.read = true
		r.body.text, r.body.err = r.body.readFrom(r.Request(), r.Response())
	}
	return r.body.text, r.body.err
}

// readFrom reads the body and takes a share of the budget if the body is large. The share is held until the request
// ends, because the decoded values are in memory until then.
func (b *body) readFrom(r *http.Request, w http.ResponseWriter) ([]byte, error) {
	if r.ContentLength > b.limit {
		return nil, errBodyTooLarge
	}
	if isLarge(r) {
		// The length may be unknown, so the request takes the maximum size of a body.
		if !b.budget.TryAcquire(b.limit) {
			return nil, domain.ErrBusy.Because(errors.New("the budget for large request bodies is used up"))
		}
		b.held = b.limit
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, b.limit))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, errBodyTooLarge
	}
	switch {
	case err == nil:
		return text, nil
	case disconnected(r, err):
		return nil, errClientClosed.Because(err)
	}
	b.unreadable = true
	return nil, domain.Refuse(domain.Invalid, "body_unreadable",
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
// as absent. After an error, the value may be partly decoded.
func decodeBody[T any](r *request) (value T, present bool, err error) {
	text, err := r.readBody()
	if err != nil || len(text) == 0 {
		return value, false, err
	}
	defer clear(text)
	value, err = decodeJSON[T](r, text)
	return value, err == nil, err
}

// decodeJSON decodes a body that is not empty. Its errors repeat no part of the body.
func decodeJSON[T any](r *request, text []byte) (value T, err error) {
	if !isJSON(r.Request().Header.Get(echo.HeaderContentType)) {
		return value, domain.Refuse(domain.Unsupported, "unsupported_media_type",
			"the body must be sent as Content-Type: application/json")
	}
	// encoding/json would replace invalid UTF-8, and change a value without notice.
	if !utf8.Valid(text) {
		return value, domain.Refuse(domain.Invalid, "malformed_json", "the body is not UTF-8")
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, malformed(err, reflect.TypeFor[T]())
	}
	return value, checkSurrogates(text, value)
}

// checkSurrogates refuses a body with a lone surrogate in a string, such as "\ud800". No text can hold one: decoding
// replaces it by U+FFFD, so that two different passwords or names would be equal. JSON that is stored verbatim may
// contain a lone surrogate, because the caller gets the same JSON back.
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

// malformed describes a decoding error without repeating any of the body. The body was decoded into a value of type
// body.
func malformed(err error, body reflect.Type) error {
	wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return domain.Refuse(domain.Invalid, "malformed_json",
			"the body must be exactly one JSON value, and not nested too deeply")
	// The decoder's error names the JSON path of the field, which the client sent. It does not repeat the value.
	case wrongType.Field == "": // the body itself, or an element of a list
		return domain.Refuse(domain.Invalid, "wrong_type", "the body must be "+jsonType(body))
	default:
		return domain.InvalidField(wrongType.Field, "wrong_type", wrongType.Field+" must be "+jsonType(wrongType.Type))
	}
}

// jsonType names the JSON type that a field of a Go type is decoded from.
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
