package description

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// checkRequest validates a request that succeeded. Before that, it normalizes the body, because the server accepts
// spellings that the schema does not.
func checkRequest(e Exchange, input *openapi3filter.RequestValidationInput) error {
	if e.Status >= http.StatusMultipleChoices || e.SentUnknown {
		return nil
	}
	request := e.Request.Clone(e.Request.Context())
	body := e.Sent
	if described := input.Route.Operation.RequestBody; described != nil && len(body) > 0 {
		if isJSON(request.Header.Get("Content-Type")) {
			request.Header.Set("Content-Type", "application/json")
		}
		body = plain(body, described.Value.Content["application/json"].Schema.Value)
	}
	request.Body, request.GetBody, request.ContentLength = io.NopCloser(bytes.NewReader(body)), nil, int64(len(body))
	checked := *input
	checked.Request = request
	return openapi3filter.ValidateRequest(request.Context(), &checked)
}

// isJSON reports whether the server reads a content type as JSON.
func isJSON(contentType string) bool {
	contentType, _, _ = strings.Cut(contentType, ";") // the server ignores parameters
	media, _, _ := mime.ParseMediaType(contentType)
	return media == "text/json" || media == "application/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// plain normalizes a body by three rules. Field names are case-insensitive. Enum values are case-insensitive. A field
// counts as absent if its value is null, or if it requires an enum value and contains an empty string. The description
// states these rules in prose, because a schema cannot express them. plain changes nothing else in a body, so
// validation finds every fault in the rest of the body.
func plain(body []byte, schema *openapi3.Schema) []byte {
	var value any
	if json.Unmarshal(body, &value) != nil {
		return body
	}
	switch sent := value.(type) {
	case nil:
		if !schema.Nullable {
			return nil
		}
	case []any:
		for i := range sent {
			sent[i] = plainWord(sent[i], schema.Items.Value)
		}
	case map[string]any:
		value = plainObject(sent, schema)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return body
	}
	return text
}

// plainObject applies the rules of plain to the fields of an object.
func plainObject(sent map[string]any, schema *openapi3.Schema) map[string]any {
	object := make(map[string]any, len(sent))
	for name, value := range sent {
		property := schema.Properties[name]
		for described, other := range schema.Properties {
			if property == nil && strings.EqualFold(described, name) {
				name, property = described, other
			}
		}
		if property != nil {
			if value = plainWord(value, property.Value); value == nil && !property.Value.Nullable {
				continue
			}
			if value == "" && len(property.Value.Enum) > 0 {
				continue
			}
		}
		object[name] = value
	}
	return object
}

// plainWord returns an enum value in the spelling of the schema. It returns any other value unchanged.
func plainWord(value any, schema *openapi3.Schema) any {
	word, ok := value.(string)
	for _, listed := range schema.Enum {
		if text, isText := listed.(string); ok && isText && strings.EqualFold(text, word) {
			return text
		}
	}
	return value
}
