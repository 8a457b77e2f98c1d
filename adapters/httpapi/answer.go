package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

const contentTypeJSON = "application/json" // with no charset: JSON is UTF-8 (RFC 8259)

// wholeSeconds is how the original service wrote times, in UTC.
const wholeSeconds = "2006-01-02 15:04:05"

func answer(c echo.Context, body any) error { return answerStatus(c, http.StatusOK, body) }

func answerStatus(c echo.Context, status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.Blob(status, contentTypeJSON, text)
}

// created answers 201 with the place of what was made, given by its segments.
func created(c echo.Context, segments ...string) error {
	location := ""
	for _, segment := range segments {
		location += "/" + url.PathEscape(segment)
	}
	c.Response().Header().Set(echo.HeaderLocation, location)
	return c.NoContent(http.StatusCreated)
}

// noContentJSON is the 204 of the two requests that clients expect to be marked as JSON all the same.
func noContentJSON(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, contentTypeJSON)
	return c.NoContent(http.StatusNoContent)
}

func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// rfc3339 writes a time; the zero one is null.
func rfc3339(at time.Time) *string {
	if at.IsZero() {
		return nil
	}
	text := at.UTC().Format(time.RFC3339)
	return &text
}
