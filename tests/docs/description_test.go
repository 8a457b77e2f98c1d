package docs

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/description"
)

func described(t *testing.T) *openapi3.T {
	t.Helper()
	loaded, err := description.Load()
	require.NoError(t, err)
	return loaded.Document
}

// operations returns the described operations by method and path.
func operations(t *testing.T) map[string]*openapi3.Operation {
	t.Helper()
	found := map[string]*openapi3.Operation{}
	for path, item := range described(t).Paths.Map() {
		for method, operation := range item.Operations() {
			found[method+" "+path] = operation
		}
	}
	require.NotEmpty(t, found)
	return found
}

// TestDescriptionHasAllRequests verifies that the description and the routes of the server contain the same requests
// with the same required credentials.
func TestDescriptionHasAllRequests(t *testing.T) {
	t.Parallel()
	parameter := regexp.MustCompile(`:(\w+)`)
	want := map[string]string{}
	for _, route := range httpapi.Routes() {
		auth := map[httpapi.Auth]string{httpapi.AuthNone: "none", httpapi.AuthOptional: "none or bearer",
			httpapi.AuthToken: "bearer"}[route.Auth]
		if route.AccountsAPI() && route.Auth == httpapi.AuthToken {
			auth = "bearer or bearerHeader"
		}
		want[route.Method+" "+parameter.ReplaceAllString(route.Path, "{$1}")] = auth
	}
	for _, path := range httpapi.ServerPaths() {
		want["GET "+path] = "none"
	}
	got := map[string]string{}
	for request, operation := range operations(t) {
		got[request] = security(described(t), operation)
	}
	assert.Equal(t, want, got)
}

// security returns the credentials that an operation accepts.
func security(document *openapi3.T, operation *openapi3.Operation) string {
	required := document.Security
	if operation.Security != nil {
		required = *operation.Security
	}
	text := ""
	for _, one := range required {
		if text != "" {
			text += " or "
		}
		if len(one) == 0 {
			text += "none"
		}
		for _, name := range slices.Sorted(maps.Keys(one)) {
			text += name
		}
	}
	if text == "" {
		return "none"
	}
	return text
}

// TestDescriptionHasAllCodes compares the error codes in the description with the codes in the sources, and the error
// numbers with the errors of the accounts API. The description and the code must contain exactly the same errors.
func TestDescriptionHasAllCodes(t *testing.T) {
	t.Parallel()
	codes := map[string]string{}
	numbers := map[float64][]string{}
	collect := func(status string, response *openapi3.Response) {
		for _, media := range response.Content {
			if media.Schema == nil {
				continue
			}
			for _, part := range media.Schema.Value.AllOf {
				for _, code := range enum(part.Value, "code") {
					if other, twice := codes[code.(string)]; twice {
						assert.Equal(t, other, status, "%s has two statuses", code)
					}
					codes[code.(string)] = status
				}
				for _, number := range enum(part.Value, "errorId") {
					if statuses := numbers[number.(float64)]; !slices.Contains(statuses, status) {
						numbers[number.(float64)] = append(statuses, status)
					}
				}
			}
		}
	}
	for _, operation := range operations(t) {
		for status, response := range operation.Responses.Map() {
			collect(status, response.Value)
		}
	}
	for name, status := range map[string]string{"RouteNotFound": "404", "MethodNotAllowed": "405",
		"AccountsRouteNotFound": "404", "MalformedRequest": "400", "ExpectationFailed": "417", "HeaderTooLarge": "431",
		"ClientClosedRequest": "499", "UnsupportedTransferEncoding": "501", "UnsupportedVersion": "505"} {
		collect(status, described(t).Components.Responses[name].Value)
	}
	assert.Equal(t, problemCodes(t), codes)

	assert.NotEmpty(t, numbers[0], "0 stands for all that has no number")
	delete(numbers, 0)
	want := map[float64][]string{}
	for _, line := range httpapi.AccountsErrors() {
		want[float64(line.ID)] = []string{strconv.Itoa(line.Status)}
	}
	assert.Equal(t, want, numbers)
}

func enum(schema *openapi3.Schema, property string) []any {
	if described := schema.Properties[property]; described != nil {
		return described.Value.Enum
	}
	return nil
}

// TestDescriptionIsWhole verifies that each operation has a summary, a description and examples.
func TestDescriptionIsWhole(t *testing.T) {
	t.Parallel()
	document, ids := described(t), map[string]string{}
	for request, operation := range operations(t) {
		assert.NotEmpty(t, operation.OperationID, request)
		assert.Empty(t, ids[operation.OperationID], "%s has the operationId of another", request)
		ids[operation.OperationID] = request
		assert.NotEmpty(t, operation.Summary, request)
		assert.NotEmpty(t, operation.Description, request)
		require.Len(t, operation.Tags, 1, request)
		assert.NotNil(t, document.Tags.Get(operation.Tags[0]), request)
		for _, parameter := range append(document.Paths.Find(pathOf(request)).Parameters, operation.Parameters...) {
			assert.NotEmpty(t, parameter.Value.Description, "%s: %s", request, parameter.Value.Name)
			assert.NotNil(t, parameter.Value.Example, "%s: %s", request, parameter.Value.Name)
		}
		if body := operation.RequestBody; body != nil {
			hasExamples(t, request, body.Value.Content)
		}
		for status, response := range operation.Responses.Map() {
			hasExamples(t, request+" "+status, response.Value.Content)
			namesItsErrors(t, request+" "+status, status, response.Value)
		}
	}
}

func pathOf(request string) string {
	_, path, _ := strings.Cut(request, " ")
	return path
}

// hasExamples requires an example for each content type that has a schema. Two answers have the content type of JSON
// but an empty body, so they have no schema.
func hasExamples(t *testing.T, where string, content openapi3.Content) {
	t.Helper()
	for kind, media := range content {
		if media.Schema != nil {
			assert.True(t, media.Example != nil || len(media.Examples) > 0, "%s has no example of %s", where, kind)
		}
	}
}

// namesItsErrors verifies that an error response lists its codes and has an example for each code.
func namesItsErrors(t *testing.T, where, status string, response *openapi3.Response) {
	t.Helper()
	if status < "400" {
		return
	}
	require.Len(t, response.Content, 1, where)
	for _, media := range response.Content {
		require.Len(t, media.Schema.Value.AllOf, 2, where)
		listed := append(enum(media.Schema.Value.AllOf[1].Value, "code"),
			enum(media.Schema.Value.AllOf[1].Value, "errorId")...)
		require.NotEmpty(t, listed, where)
		var shown []any
		for _, example := range media.Examples {
			assert.NotEmpty(t, example.Value.Summary, where)
			value := example.Value.Value.(map[string]any)
			if code, ok := value["code"]; ok {
				shown = append(shown, code)
			} else {
				shown = append(shown, value["errorId"])
			}
		}
		assert.ElementsMatch(t, listed, shown, where)
	}
}

// TestDescribedAnswersAreClosed verifies that the description forbids undescribed fields in answers.
func TestDescribedAnswersAreClosed(t *testing.T) {
	t.Parallel()
	for request, operation := range operations(t) {
		for status, response := range operation.Responses.Map() {
			for _, media := range response.Value.Content {
				if media.Schema != nil {
					closed(t, request+" "+status, media.Schema.Value)
				}
			}
		}
	}
}

func closed(t *testing.T, where string, schema *openapi3.Schema) {
	t.Helper()
	if more := schema.AdditionalProperties; schema.Type.Is("object") && more.Schema != nil {
		closed(t, where+".*", more.Schema.Value) // objects whose field names are data
	} else if schema.Type.Is("object") {
		assert.True(t, more.Has != nil && !*more.Has, "%s: an object may have more fields than are described", where)
	}
	for name, property := range schema.Properties {
		closed(t, where+"."+name, property.Value)
	}
	for _, part := range schema.AllOf {
		closed(t, where, part.Value)
	}
	if schema.Items != nil {
		closed(t, where+"[]", schema.Items.Value)
	}
}

func TestDescribedActions(t *testing.T) {
	t.Parallel()
	var want []any
	for _, action := range domain.Actions() {
		want = append(want, action.String())
	}
	assert.Equal(t, want, described(t).Components.Schemas["Action"].Value.Enum)
}
