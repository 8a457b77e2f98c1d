// Package api holds the description of the requests: openapi.yaml for programs, and the page that is made of it for
// people. Both are embedded, and come out as they stand in the repository.
package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the two files
	"encoding/base64"
)

//go:generate go run ./page -description openapi.yaml -page docs.html

// Description is the OpenAPI description, YAML. It is not to be changed.
//
//go:embed openapi.yaml
var Description []byte

// Page is the description as one HTML page that loads nothing and runs no script. It is not to be changed.
//
//go:embed docs.html
var Page []byte

// StyleDigest returns the digest of the page's style, as a Content-Security-Policy names it.
func StyleDigest() string {
	_, rest, _ := bytes.Cut(Page, []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	digest := sha256.Sum256(style)
	return "sha256-" + base64.StdEncoding.EncodeToString(digest[:])
}
