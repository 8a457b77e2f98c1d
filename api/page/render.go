package main

import (
	"bytes"
	_ "embed" // for the template and its style
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
)

//go:embed page.gohtml
var layout string

//go:embed style.css
var style string

// render returns the HTML page of a description. The result is deterministic, so a test can compare it with docs.html.
func render(text []byte) ([]byte, error) {
	description, err := parse(text)
	if err != nil {
		return nil, err
	}
	built, err := build(description)
	if err != nil {
		return nil, err
	}
	built.Style = template.CSS(style) //nolint:gosec // style.css is trusted
	parsed, err := template.New("page").Funcs(template.FuncMap{"lower": strings.ToLower}).Parse(layout)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := parsed.Execute(&page, built); err != nil {
		return nil, err
	}
	return page.Bytes(), nil
}

// markdown converts CommonMark to HTML, without the <p> around a single paragraph. goldmark drops raw HTML.
func markdown(text string) template.HTML {
	var made bytes.Buffer
	_ = goldmark.Convert([]byte(text), &made) // cannot fail: it writes to memory
	html := strings.TrimSpace(made.String())
	if strings.Count(html, "<p>") == 1 && strings.HasPrefix(html, "<p>") && strings.HasSuffix(html, "</p>") {
		html = strings.TrimSuffix(strings.TrimPrefix(html, "<p>"), "</p>")
	}
	return template.HTML(html) //nolint:gosec // the input is openapi.yaml, and goldmark escapes it
}
