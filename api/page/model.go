package main

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// page is the input of the template.
type page struct {
	Title string
	Intro template.HTML
	Style template.CSS
	Tags  []*tag
}

// tag is a group of requests, which form one section of the page.
type tag struct {
	Name, ID   string
	Text       template.HTML
	Operations []operation
}

// operation is one request, a method on a path.
type operation struct {
	ID, Method, Summary string
	// Path is split at the places where a line can break.
	Path  []segment
	Text  template.HTML
	Token string
	// Parameters come from the path, the query and the headers. Fields come from the body.
	Parameters, Fields []field
	BodyOptional       bool
	Examples           []example
	Responses          []response
	Errors             []failure
	Curl               string
}

// segment is a part of a path.
type segment struct {
	Text      string
	Parameter bool
}

// field is a row in a list of parameters or of JSON fields.
type field struct {
	Name, In, Type string
	Required       bool
	Text           template.HTML
}

// example is an example of a body. Title is empty if the body has only one example.
type example struct {
	Title, Text string
}

// response is a successful response.
type response struct {
	Status, Title, Type string
	Text                template.HTML
	Headers, Fields     []field
	Examples            []example
}

// failure is an error status with its error codes.
type failure struct {
	Status, Title string
	Codes         []code
}

// code is an error code or errorId. When describes its cause.
type code struct {
	Name string
	When template.HTML
}

// common lists the headers that the introduction describes once for all responses.
var common = []string{"X-Request-Id", "Cache-Control", "Vary"}

// build converts a description to a page. Sections and operations keep the order of the description. build fails if no
// tag of an operation is in the list of tags, because the operation would then be in no section.
func build(description node) (*page, error) {
	built := &page{Title: description.at("info", "title").text(),
		Intro: markdown(description.at("info", "description").text())}
	for _, each := range description.at("tags").items() {
		name := each.at("name").text()
		built.Tags = append(built.Tags, &tag{Name: name, ID: slug(name), Text: markdown(each.at("description").text())})
	}
	for path, item := range description.at("paths").pairs() {
		for method, described := range item.pairs() {
			if method == "parameters" {
				continue
			}
			at := slices.IndexFunc(built.Tags,
				func(t *tag) bool { return slices.Contains(described.at("tags").words(), t.Name) })
			if at < 0 {
				return nil, fmt.Errorf(`%s %s: no tag of this operation is in the list "tags" of the description`,
					strings.ToUpper(method), path)
			}
			built.Tags[at].Operations = append(built.Tags[at].Operations,
				buildOperation(path, strings.ToUpper(method), item, described))
		}
	}
	return built, nil
}

// buildOperation converts one operation. The argument item is the path item that contains the operation. The parameters
// of the path item apply to all its operations.
func buildOperation(path, method string, item, described node) operation {
	made := operation{
		ID:      described.at("operationId").text(),
		Method:  method,
		Path:    segments(path),
		Summary: described.at("summary").text(),
		Text:    markdown(described.at("description").text()),
		Token:   tokenOf(described),
	}
	for _, parameter := range append(item.at("parameters").items(), described.at("parameters").items()...) {
		made.Parameters = append(made.Parameters, parameterField(parameter))
	}
	body := described.at("requestBody")
	media := body.at("content", "application/json")
	made.Fields, made.BodyOptional = fieldsOf(media.at("schema")), body.exists() && !body.at("required").isTrue()
	if body.exists() && len(made.Fields) == 0 {
		// The body is a list or a scalar, which has a type but no fields.
		made.Fields = []field{{Name: "(the body)", Type: typeOf(media.at("schema"))}}
	}
	made.Examples = examplesOf(media)
	for status, response := range described.at("responses").pairs() {
		response = response.resolved()
		if status < "400" {
			made.Responses = append(made.Responses, buildResponse(status, response))
		} else {
			made.Errors = append(made.Errors, buildFailure(status, response))
		}
	}
	made.Curl = curl(path, method, item, described)
	return made
}

// tokenOf describes whether the request needs a token.
func tokenOf(described node) string {
	security := described.at("security")
	switch {
	case !security.exists():
		return "with a token"
	case len(security.items()) == 0:
		return "without a token"
	case len(security.items()[0].yaml.Content) == 0:
		return "with or without a token"
	default:
		return "with a token"
	}
}

// buildResponse converts a successful response. It omits the headers that the introduction of the page describes.
func buildResponse(status string, described node) response {
	made := response{Status: status, Title: statusText(status), Text: markdown(described.at("description").text())}
	for name, header := range described.at("headers").pairs() {
		if slices.Contains(common, name) && header.reference() == name { // the introduction describes it
			continue
		}
		header = header.resolved()
		made.Headers = append(made.Headers, field{
			Name:     name,
			Type:     typeOf(header.at("schema")),
			Required: header.at("required").isTrue(),
			Text:     markdown(header.at("description").text()),
		})
	}
	for kind, media := range described.at("content").pairs() {
		made.Type = kind
		made.Fields, made.Examples = fieldsOf(media.at("schema")), examplesOf(media)
	}
	return made
}

// buildFailure returns the error codes of a status. It reads the codes from the examples, because the API description
// has one example for each code.
func buildFailure(status string, response node) failure {
	made := failure{Status: status, Title: statusText(status)}
	for _, media := range response.at("content").pairs() {
		for name, shown := range media.at("examples").pairs() {
			shown = shown.resolved()
			one := code{Name: name, When: markdown(shown.at("summary").text())}
			if id := shown.at("value", "errorId"); id.exists() {
				one.Name = id.text()
			}
			made.Codes = append(made.Codes, one)
		}
	}
	return made
}

// examplesOf returns the examples of a media type, from "example" or "examples".
func examplesOf(media node) []example {
	var found []example
	if one := media.at("example"); one.exists() {
		found = append(found, example{Text: shown(one)})
	}
	for _, each := range media.at("examples").pairs() {
		found = append(found, example{Title: each.at("summary").text(), Text: shown(each.at("value"))})
	}
	return found
}

// shown formats an example. Text with several lines and text that begins with "<" stay unchanged. Other examples are
// JSON. Short JSON is on one line, and longer JSON is indented.
func shown(value node) string {
	if text := value.text(); strings.Contains(text, "\n") || strings.HasPrefix(text, "<") {
		return strings.TrimSuffix(text, "\n")
	}
	const line = 60
	if text := value.json(); len(text) <= line {
		return text
	}
	return value.indented()
}
