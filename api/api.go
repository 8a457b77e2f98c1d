// Package api embeds the API description in two forms: openapi.yaml for programs, and an HTML page for people. The page
// is generated from openapi.yaml.
package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // embeds the two files below
	"encoding/base64"
)

//go:generate go run ./page -description openapi.yaml -page docs.html

// Description is the OpenAPI 3.0 description, in YAML. Callers must not modify it.
//
//go:embed openapi.yaml
var Description []byte

// Page is the description as one HTML page without scripts or external resources. Callers must not modify it.
//
//go:embed docs.html
var Page []byte

// StyleDigest returns the digest of the page's inline style in the form of a Content-Security-Policy source, such as
// "sha256-…". With this digest, the policy can forbid all other styles.
func StyleDigest() string {
	_, rest, _ := bytes.Cut(Page, []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	digest := sha256.Sum256(style)
	return "sha256-" + base64.StdEncoding.EncodeToString(digest[:])
}
