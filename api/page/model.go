package main

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// page is what the template shows.
type page struct {
	Title string
	Intro template.HTML
	Style template.CSS
	Tags  []*tag
}

// tag is a group of requests.
type tag struct {
	Name, ID   string
	Text       template.HTML
	Operations []operation
}

// operation is one request.
type operation struct {
	ID, Method, Summary string
	// Path is cut where a line may break.
	Path  []segment
	Text  template.HTML
	Token string
	// Parameters are of the path, the query and the headers, Fields of the body.
	Parameters, Fields []field
	BodyOptional       bool
	Examples           []example
	Answers            []answer
	Errors             []failure
	Curl               string
}

type segment struct {
	Text      string
	Parameter bool
}

// field is a line of a table of what may be sent, or comes back.
type field struct {
	Name, In, Type string
	Required       bool
	Text           template.HTML
}

type example struct {
	Title, Text string
}

// answer is a success.
type answer struct {
	Status, Title, Type string
	Text                template.HTML
	Headers, Fields     []field
	Examples            []example
}

// failure is a status with all that it can mean.
type failure struct {
	Status, Title string
	Codes         []code
}

type code struct {
	Name, Says string
	When       template.HTML
}

// common are the headers that the introduction describes once for all answers.
var common = []string{"X-Request-Id", "Cache-Control", "Vary"}

func build(description node) (*page, error) {
	made := &page{Title: description.at("info", "title").text(),
		Intro: markdown(description.at("info", "description").text())}
	for _, each := range description.at("tags").items() {
		name := each.at("name").text()
		made.Tags = append(made.Tags, &tag{Name: name, ID: slug(name), Text: markdown(each.at("description").text())})
	}
	for path, item := range description.at("paths").pairs() {
		for method, described := range item.pairs() {
			if method == "parameters" {
				continue
			}
			built := buildOperation(path, strings.ToUpper(method), item, described)
			at := slices.IndexFunc(made.Tags,
				func(t *tag) bool { return slices.Contains(described.at("tags").words(), t.Name) })
			if at < 0 {
				return nil, fmt.Errorf("%s %s has no tag that is listed", strings.ToUpper(method), path)
			}
			made.Tags[at].Operations = append(made.Tags[at].Operations, built)
		}
	}
	return made, nil
}

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
		made.Fields = []field{{Name: "(the body)", Type: typeOf(media.at("schema"))}}
	}
	made.Examples = examplesOf(media)
	for status, response := range described.at("responses").pairs() {
		response = response.resolved()
		if status < "400" {
			made.Answers = append(made.Answers, buildAnswer(status, response))
		} else {
			made.Errors = append(made.Errors, buildFailure(status, response))
		}
	}
	made.Curl = curl(path, method, item, described)
	return made
}

// tokenOf says in words whether a token is wanted.
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

func buildAnswer(status string, response node) answer {
	made := answer{Status: status, Title: statusText(status), Text: markdown(response.at("description").text())}
	for name, header := range response.at("headers").pairs() {
		if slices.Contains(common, name) && header.reference() == name {
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
	for kind, media := range response.at("content").pairs() {
		made.Type = kind
		made.Fields, made.Examples = fieldsOf(media.at("schema")), examplesOf(media)
	}
	return made
}

func buildFailure(status string, response node) failure {
	made := failure{Status: status, Title: statusText(status)}
	for _, media := range response.at("content").pairs() {
		for name, shown := range media.at("examples").pairs() {
			shown = shown.resolved()
			one := code{Name: name, Says: shown.at("value", "detail").text(),
				When: markdown(shown.at("summary").text())}
			if id := shown.at("value", "errorId"); id.exists() {
				one.Name, one.Says = id.text(), shown.at("value", "error").text()
			}
			made.Codes = append(made.Codes, one)
		}
	}
	return made
}

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

// shown is an example as it is read: text as it stands, what is short on one line.
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
