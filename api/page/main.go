// Command page generates the HTML page of the API description. The page has no scripts and no external resources. Only
// "go generate ./api" runs this command; the server embeds its output.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	description := flag.String("description", "openapi.yaml", "the OpenAPI description to read")
	page := flag.String("page", "docs.html", "the page to write")
	flag.Parse()
	if err := run(*description, *page); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(description, page string) error {
	text, err := os.ReadFile(description) //nolint:gosec // the path is a flag of this command
	if err != nil {
		return err
	}
	html, err := render(text)
	if err != nil {
		return err
	}
	return os.WriteFile(page, html, 0o644) //nolint:gosec // the page is public
}
