package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// maxAnonymousBody bounds, in bytes, what somebody without a token may send: names and passwords need no more.
	maxAnonymousBody = 16 << 10
	// largeBodies is how many bodies of the largest size may be read at once.
	largeBodies = 64
)

// bind reads a JSON body that must be there.
func (a *API) bind(c echo.Context, into any) error {
	present, err := a.bindOptional(c, into)
	if err == nil && !present {
		return domain.Refuse(domain.Invalid, "body_required", "the request needs a body in JSON")
	}
	return err
}

// bindOptional reads a JSON body if there is one. An empty body is none, whatever its type is said to be.
func (a *API) bindOptional(c echo.Context, into any) (present bool, err error) {
	body, err := a.readBody(c)
	if err != nil || len(body) == 0 {
		return false, err
	}
	defer clear(body)
	return decodeJSON(c, body, into)
}

// decodeJSON reads a body that is there.
func decodeJSON(c echo.Context, body []byte, into any) (present bool, err error) {
	if !isJSON(c.Request().Header.Get(echo.HeaderContentType)) {
		return false, domain.Refuse(domain.Unsupported, "unsupported_media_type",
			"the body must be sent as Content-Type: application/json")
	}
	if !utf8.Valid(body) {
		return false, domain.Refuse(domain.Invalid, "malformed_json", "the body is not UTF-8")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return false, malformed(err, reflect.TypeOf(into).Elem())
	}
	return true, nil
}

func (a *API) readBody(c echo.Context) ([]byte, error) {
	tooLarge := domain.Refuse(domain.TooLarge, "body_too_large", "the body is larger than this server accepts")
	if err, failed := c.Get(bodyFailed).(error); failed {
		return nil, err
	}
	r := c.Request()
	limit := a.MaxBodyBytes
	if isAccountsAPI(c) {
		limit = min(limit, maxAccountsBody)
	}
	if c.Get(isNobody) != nil {
		limit = min(limit, maxAnonymousBody)
	}
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	if r.ContentLength < 0 || r.ContentLength > maxAnonymousBody {
		// Large bodies share a budget, so that many at once cannot fill the memory. handle gives it back.
		if err := a.holdBody(c, limit); err != nil {
			return nil, err
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, limit))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge
	}
	if err != nil {
		return nil, domain.Refuse(domain.Invalid, "body_unreadable", "the body did not arrive whole").Because(err)
	}
	return body, nil
}

// holdBody takes a share of the budget for large bodies, once for a request whose body is read again.
func (a *API) holdBody(c echo.Context, size int64) error {
	if c.Get(heldBody) != nil {
		return nil
	}
	if !a.bodies.TryAcquire(size) {
		return domain.ErrBusy.Because(errors.New("too many large bodies at once"))
	}
	c.Set(heldBody, size)
	return nil
}

func (a *API) releaseBody(c echo.Context) {
	if held, ok := c.Get(heldBody).(int64); ok {
		a.bodies.Release(held)
	}
}

// isJSON: application/json, text/json and application/*+json, with any parameters.
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	return media == "application/json" || media == "text/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// malformed says what is wrong with a body, which should have been of a type, without repeating any of it.
func malformed(err error, body reflect.Type) error {
	wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return domain.Refuse(domain.Invalid, "malformed_json", "the body is not one JSON value, or is nested too deep")
	case wrongType.Field == "":
		// or an element of a list is wrong
		return domain.Refuse(domain.Invalid, "wrong_type", "the body must be "+jsonType(body))
	default:
		return domain.InvalidField(wrongType.Field, "wrong_type", wrongType.Field+" must be "+jsonType(wrongType.Type))
	}
}

func jsonType(wanted reflect.Type) string {
	switch wanted.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list of strings"
	case reflect.Uint64:
		return "a whole number"
	default:
		return "a JSON object"
	}
}

// param returns a parameter of the path, decoded once. What cannot be decoded is nobody's name.
func param(c echo.Context, name string) string {
	text, err := url.PathUnescape(c.Param(name))
	if err != nil {
		return ""
	}
	return text
}

// takeHeader returns a header that holds a secret and takes it out of the request. Two of them are refused, since which
// one is meant cannot be known.
func takeHeader(c echo.Context, name string) (string, error) {
	values := c.Request().Header.Values(name)
	c.Request().Header.Del(name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", domain.InvalidField(name, "header_repeated", "the header "+name+" is there more than once")
	}
}

// condition reads If-Match and If-None-Match.
func condition(c echo.Context) (domain.Condition, error) {
	header := c.Request().Header
	match, err := domain.ParseVersions("If-Match", strings.Join(header.Values("If-Match"), ","))
	if err != nil {
		return domain.Condition{}, err
	}
	noneMatch, err := domain.ParseVersions("If-None-Match", strings.Join(header.Values("If-None-Match"), ","))
	return domain.Condition{IfMatch: match, IfNoneMatch: noneMatch}, err
}
