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

// render makes the page of a description. The same description gives the same page, to the byte.
func render(text []byte) ([]byte, error) {
	description, err := parse(text)
	if err != nil {
		return nil, err
	}
	made, err := build(description)
	if err != nil {
		return nil, err
	}
	made.Style = template.CSS(style) //nolint:gosec // it stands beside this file
	parsed, err := template.New("page").Funcs(template.FuncMap{"lower": strings.ToLower}).Parse(layout)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := parsed.Execute(&page, made); err != nil {
		return nil, err
	}
	return page.Bytes(), nil
}

// markdown turns the CommonMark of a description into HTML; goldmark leaves raw HTML out.
func markdown(text string) template.HTML {
	var made bytes.Buffer
	_ = goldmark.Convert([]byte(text), &made) // into memory
	html := strings.TrimSpace(made.String())
	if strings.Count(html, "<p>") == 1 && strings.HasPrefix(html, "<p>") && strings.HasSuffix(html, "</p>") {
		html = strings.TrimSuffix(strings.TrimPrefix(html, "<p>"), "</p>")
	}
	return template.HTML(html) //nolint:gosec // made by goldmark, of what stands in the repository
}
