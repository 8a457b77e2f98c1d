// Command page writes the API description as one HTML page, for people. The page needs no script and loads nothing.
// Nothing of this is part of the program that serves it.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	description := flag.String("description", "openapi.yaml", "the description")
	page := flag.String("page", "docs.html", "the page to write")
	flag.Parse()
	if err := run(*description, *page); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(description, page string) error {
	text, err := os.ReadFile(description) //nolint:gosec // a file that whoever runs this names
	if err != nil {
		return err
	}
	made, err := render(text)
	if err != nil {
		return err
	}
	return os.WriteFile(page, made, 0o644) //nolint:gosec // it is for everybody to read
}
