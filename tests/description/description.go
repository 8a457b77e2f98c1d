// Package description checks exchanges over HTTP against the API description, so that it says what the server does: an
// answer that is not described, or described otherwise, fails the test that got it.
package description

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/lockbox-go/lockbox/api"
)

// accountsPath is what the paths of contract B begin with.
const accountsPath = "/api/v1"

// unlisted are headers that an answer may have without being described: those of HTTP itself, and those that the whole
// server sets.
var unlisted = []string{"Date", "Content-Type", "Content-Length", "Connection", "X-Content-Type-Options", "Vary",
	"Access-Control-"}

// Description is the description as exchanges are checked against it. It is safe for concurrent use.
type Description struct {
	Document  *openapi3.T
	templates []template
}

// Exchange is a request, without its body, and what was answered.
type Exchange struct {
	Request *http.Request
	// Sent is the body of the request; SentUnknown says that it cannot be told.
	Sent        []byte
	SentUnknown bool
	Status      int
	Header      http.Header
	Body        []byte
}

// Load returns the description that ships, read once. Errors: it is no valid OpenAPI, examples included.
var Load = sync.OnceValues(func() (*Description, error) {
	for _, asText := range []string{"text/html", "application/yaml"} {
		openapi3filter.RegisterBodyDecoder(asText, openapi3filter.FileBodyDecoder)
	}
	return Parse(api.Description)
})

// Parse reads a description.
func Parse(text []byte) (*Description, error) {
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, err
	}
	d := &Description{Document: document}
	for path, item := range document.Paths.Map() {
		d.templates = append(d.templates, template{path: path, segments: strings.Split(path, "/"), item: item})
	}
	slices.SortFunc(d.templates, template.compare)
	return d, nil
}

// Check returns what an exchange has that is not described; nil when there is no such thing. The request is checked
// only if it succeeded: the server says what it wants of those that it refuses.
func (d *Description) Check(e Exchange) error {
	route, parameters := d.find(e.Request)
	input := &openapi3filter.RequestValidationInput{
		Request:    e.Request,
		PathParams: parameters,
		Route:      route,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
			SkipSettingDefaults: true,
		},
	}
	if err := checkRequest(e, input); err != nil {
		return fmt.Errorf("%s %s was answered %d, and the request is not as described: %w", e.Request.Method,
			route.Path, e.Status, err)
	}
	if err := checkAnswer(e, input); err != nil {
		return fmt.Errorf("%s %s: the answer %d is not as described: %w\n%s", e.Request.Method, route.Path, e.Status,
			err, e.Body)
	}
	return nil
}

func checkAnswer(e Exchange, input *openapi3filter.RequestValidationInput) error {
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 e.Status,
		Header:                 e.Header,
		Options:                input.Options,
	}
	answer.SetBodyBytes(e.Body)
	if err := openapi3filter.ValidateResponse(e.Request.Context(), answer); err != nil {
		return err
	}
	described := input.Route.Operation.Responses.Status(e.Status)
	if described == nil {
		return fmt.Errorf("the status %d is not described", e.Status)
	}
	if err := checkHeaders(e.Header, described.Value); err != nil {
		return err
	}
	if len(described.Value.Content) == 0 && (len(e.Body) > 0 || e.Header.Get("Content-Type") != "") {
		return fmt.Errorf("it has a body, of the type %q", e.Header.Get("Content-Type"))
	}
	return nil
}

// checkHeaders looks for headers that are not described; that those described are there, ValidateResponse has seen.
func checkHeaders(got http.Header, described *openapi3.Response) error {
	for name := range got {
		known := slices.ContainsFunc(unlisted, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		for other := range described.Headers {
			known = known || http.CanonicalHeaderKey(other) == name
		}
		if !known {
			return fmt.Errorf("its header %s is not described", name)
		}
	}
	return nil
}

// find returns the operation that a request is meant for. One that nothing is described for has the answer that is
// described for all such requests.
func (d *Description) find(r *http.Request) (*routers.Route, map[string]string) {
	for _, each := range d.templates {
		parameters, ok := each.match(r.URL.EscapedPath())
		if !ok {
			continue
		}
		route := &routers.Route{
			Spec:      d.Document,
			Path:      each.path,
			PathItem:  each.item,
			Method:    r.Method,
			Operation: each.item.GetOperation(r.Method),
		}
		if route.Operation == nil {
			route.Operation = d.withoutMethod(r)
		}
		return route, parameters
	}
	return &routers.Route{
		Spec:      d.Document,
		Path:      "(none)",
		PathItem:  &openapi3.PathItem{},
		Method:    r.Method,
		Operation: d.always(http.StatusNotFound, inAccountsAPI(r, "AccountsRouteNotFound", "RouteNotFound")),
	}, nil
}

// withoutMethod is what is described for a method that a path has not.
func (d *Description) withoutMethod(r *http.Request) *openapi3.Operation {
	switch {
	case r.Method == http.MethodOptions:
		return d.always(http.StatusNoContent, "Options")
	case inAccountsAPI(r, true, false):
		return d.always(http.StatusNotFound, "AccountsRouteNotFound")
	default:
		return d.always(http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

// always is an operation with one answer, which stands among the components.
func (d *Description) always(status int, response string) *openapi3.Operation {
	return &openapi3.Operation{Responses: openapi3.NewResponses(
		openapi3.WithName(strconv.Itoa(status), d.Document.Components.Responses[response].Value))}
}

// inAccountsAPI chooses by whether a request is of contract B, which has errors of its own.
func inAccountsAPI[T any](r *http.Request, yes, no T) T {
	if r.URL.Path == accountsPath || strings.HasPrefix(r.URL.Path, accountsPath+"/") {
		return yes
	}
	return no
}
