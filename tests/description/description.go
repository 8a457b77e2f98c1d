// Package description validates the HTTP requests and responses of tests against api/openapi.yaml. A test fails if it
// receives a response that api/openapi.yaml does not allow.
package description

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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

// accountsPath is the path prefix of the accounts API.
const accountsPath = "/api/v1"

// unlisted contains names, or beginnings of names, of response headers that the description need not list. HTTP itself
// defines some of these headers, and the server adds the others to every response.
var unlisted = []string{
	"Date", "Content-Type", "Content-Length", "Connection", "X-Content-Type-Options", "Vary", "Access-Control-",
}

// Description is a parsed API description. It is safe for concurrent use.
type Description struct {
	Document  *openapi3.T
	templates []template
}

// Exchange is a request and its response.
type Exchange struct {
	Request *http.Request
	// Sent is the request body. If SentUnknown is set, the request body could not be copied, and Check does not check
	// the request.
	Sent        []byte
	SentUnknown bool
	Status      int
	Header      http.Header
	Body        []byte
}

// Load returns the description in api/openapi.yaml. It parses the file once. It returns an error if the description is
// not valid OpenAPI or one of its examples is wrong.
var Load = sync.OnceValues(func() (*Description, error) {
	for _, asText := range []string{"text/html", "application/yaml"} {
		openapi3filter.RegisterBodyDecoder(asText, openapi3filter.FileBodyDecoder)
	}
	openapi3filter.RegisterBodyDecoder("application/json", decodeJSON)
	return Parse(api.Description)
})

// decodeJSON accepts an object in which a name occurs twice. A response can contain such an object, because Lockbox
// returns a value exactly as the client wrote it.
func decodeJSON(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
	var value any
	decoder := json.NewDecoder(body)
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, &openapi3filter.ParseError{Kind: openapi3filter.KindInvalidFormat, Cause: err}
	}
	return value, nil
}

// Parse parses and validates a description.
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

// Check compares an exchange with the description. It returns an error that names the first difference, or nil if there
// is none. If the server refused the request, Check examines only the response, because tests send invalid requests on
// purpose.
func (d *Description) Check(e Exchange) error {
	route, parameters := d.find(e.Request)
	input := &openapi3filter.RequestValidationInput{
		Request:    e.Request,
		PathParams: parameters,
		Route:      route,
		Options: &openapi3filter.Options{
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
			IncludeResponseStatus: true,
			SkipSettingDefaults:   true,
			ExcludeResponseBody:   e.Request.Method == http.MethodHead,
		},
	}
	if err := checkRequest(e, input); err != nil {
		return fmt.Errorf("%s %s: the request does not match the description, but the status is %d: %w",
			e.Request.Method, route.Path, e.Status, err)
	}
	if err := checkResponse(e, input); err != nil {
		return fmt.Errorf("%s %s: the response with status %d does not match the description: %w\n%s",
			e.Request.Method, route.Path, e.Status, err, e.Body)
	}
	return nil
}

func checkResponse(e Exchange, input *openapi3filter.RequestValidationInput) error {
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 e.Status,
		Header:                 e.Header,
		Options:                input.Options,
	}
	response.SetBodyBytes(e.Body)
	if err := openapi3filter.ValidateResponse(e.Request.Context(), response); err != nil {
		return err
	}
	described := input.Route.Operation.Responses.Status(e.Status)
	if described == nil {
		return fmt.Errorf("the description does not contain the status %d", e.Status)
	}
	if err := checkHeaders(e.Header, described.Value); err != nil {
		return err
	}
	if len(described.Value.Content) == 0 && (len(e.Body) > 0 || e.Header.Get("Content-Type") != "") {
		return fmt.Errorf("it has a body of type %q, but the description of this response contains no body",
			e.Header.Get("Content-Type"))
	}
	return nil
}

// checkHeaders returns an error for a response header that is not described. ValidateResponse has already checked that
// the required headers are present.
func checkHeaders(got http.Header, described *openapi3.Response) error {
	for name := range got {
		known := slices.ContainsFunc(unlisted, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		for other := range described.Headers {
			known = known || http.CanonicalHeaderKey(other) == name
		}
		if !known {
			return fmt.Errorf("the description does not contain the header %s", name)
		}
	}
	return nil
}

// find returns the route for a request, and the values of the path parameters. If the path or the method is unknown,
// find returns a route with a single response: the error that the description defines for this case.
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
			Operation: each.item.GetOperation(described(r.Method)),
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

// described returns the method whose operation describes a request. For HEAD, this is GET: the description has no HEAD
// operations, but states once that every GET operation accepts HEAD.
func described(method string) string {
	if method == http.MethodHead {
		return http.MethodGet
	}
	return method
}

// withoutMethod returns an operation for a request whose method the path does not support.
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

// The always method returns an operation whose only response has the given status. The argument named response is the
// name of the response under components/responses in the description.
func (d *Description) always(status int, response string) *openapi3.Operation {
	return &openapi3.Operation{Responses: openapi3.NewResponses(
		openapi3.WithName(strconv.Itoa(status), d.Document.Components.Responses[response].Value))}
}

// inAccountsAPI returns the argument yes for a request of the accounts API, and the argument no for any other request.
// The accounts API has its own error format.
func inAccountsAPI[T any](r *http.Request, yes, no T) T {
	if r.URL.Path == accountsPath || strings.HasPrefix(r.URL.Path, accountsPath+"/") {
		return yes
	}
	return no
}
