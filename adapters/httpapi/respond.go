package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// contentTypeJSON has no charset, because JSON is UTF-8 (RFC 8259).
	contentTypeJSON = "application/json"
	// wholeSeconds is the format of times in the descriptions of users and boxes, in UTC.
	wholeSeconds = "2006-01-02 15:04:05"
)

// json answers 200 with the result of a use case, or returns its error.
func (r *request) json(body any, err error) error {
	if err != nil {
		return err
	}
	return r.jsonStatus(http.StatusOK, body)
}

// jsonStatus answers with a JSON body. Encoding cannot fail for the types of the responses.
func (r *request) jsonStatus(status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	release, err := r.holdAnswer(len(text))
	if err != nil {
		return err
	}
	defer release()
	return blob(r, status, contentTypeJSON, text)
}

// holdAnswer takes a share of the memory for large responses. The caller must give the share back with release after
// the client has read the response. A slow client can therefore occupy this memory for a long time.
//
// holdAnswer returns RateLimited if the user or address has used up its share of this memory. It returns Unavailable if
// all of this memory is used up. After an error, the caller must not send the response.
func (r *request) holdAnswer(size int) (release func(), err error) {
	if size <= smallAnswer {
		return func() {}, nil
	}
	done := connOf(r.Request().Context()).awaitBody() // the connection may be closed meanwhile
	defer done()
	if err := r.admission.answers.acquire(r.Request().Context(), r.key, int64(size)); err != nil {
		return nil, err
	}
	return func() { r.admission.answers.release(r.key, int64(size)) }, nil
}

// blob writes a complete response. It sets Content-Length, so that the responses to HEAD and GET have the same headers.
// Without Content-Length, the HTTP server would chunk a long body.
func blob(c echo.Context, status int, contentType string, body []byte) error {
	c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	// SetWriteDeadline fails only for a response that a test records in memory, so the error is ignored. The HTTP
	// server sets a new deadline for the next request.
	now := time.Now()
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(now.Add(answerTimeout(len(body))))
	conn := connOf(c.Request().Context())
	conn.beginWrite(now)
	defer conn.endWrite()
	return c.Blob(status, contentType, body)
}

// answerTimeout is how long a client may take to read a response of the given size.
func answerTimeout(size int) time.Duration {
	return writeTime + time.Duration(size)*time.Second/writeRate
}

// plainText answers 200 with plain text.
func plainText(c echo.Context, body string) error {
	return blob(c, http.StatusOK, echo.MIMETextPlainCharsetUTF8, []byte(body))
}

// noContent answers 204, or returns the error of a use case.
func (r *request) noContent(err error) error {
	if err != nil {
		return err
	}
	return r.NoContent(http.StatusNoContent)
}

// noContentJSON is noContent with the header Content-Type. Two responses need this header, because clients expect it
// even without a body.
func (r *request) noContentJSON(err error) error {
	if err == nil {
		r.Response().Header().Set(echo.HeaderContentType, contentTypeJSON)
	}
	return r.noContent(err)
}

// created answers 201 for a new resource. The segments form the path of the resource in the Location header.
func (r *request) created(segments ...string) error {
	location := ""
	for _, segment := range segments {
		location += "/" + url.PathEscape(segment)
	}
	r.Response().Header().Set(echo.HeaderLocation, location)
	return r.NoContent(http.StatusCreated)
}

// rfc3339 formats a time in UTC. For the zero time, it returns nil, which is null in JSON.
func rfc3339(at time.Time) *string {
	if at.IsZero() {
		return nil
	}
	text := at.UTC().Format(time.RFC3339)
	return &text
}

// orNull returns a pointer to text. For an empty text, it returns nil, which is null in JSON.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// idOrNull formats an identifier. For the zero identifier, it returns nil, which is null in JSON.
func idOrNull[T any](id domain.ID[T]) *string {
	if id.IsZero() {
		return nil
	}
	return orNull(id.String())
}
