package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/api"
)

// TestDescriptionAndPage verifies that the server serves the API description and the page without a token. Both must be
// equal to the files in the repository and must support conditional requests.
func TestDescriptionAndPage(t *testing.T) {
	t.Parallel()
	s := start(t)
	for path, want := range map[string]struct{ kind, content string }{
		"/openapi.yaml": {"application/yaml", string(api.Description)},
		"/docs":         {"text/html; charset=utf-8", string(api.Page)},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			anonymous := s.as("").in(t)
			got := anonymous.do("GET", path, nil).expect(200)
			require.Equal(t, want.content, string(got.Body))
			require.Equal(t, []string{want.kind}, got.Header["Content-Type"])
			require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
			require.Equal(t, "no-cache", got.Header.Get("Cache-Control"))
			tag := got.Header.Get("ETag")
			for _, known := range []string{tag, `W/` + tag, `"other", ` + tag} {
				require.Empty(t, anonymous.do("GET", path, nil, "If-None-Match", known).expect(304).Body)
			}
			anonymous.do("GET", path, nil, "If-None-Match", `"other"`).expect(200)
			head := anonymous.do("HEAD", path, nil).expect(200)
			require.Empty(t, head.Body)
			require.Equal(t, tag, head.Header.Get("ETag"))
			anonymous.do("POST", path, nil).refuses(405, "method_not_allowed")
		})
	}
}

// TestPageSecurityPolicy verifies that the content security policy of the page permits only the inline style of the
// page and data: images. The policy forbids scripts and all requests.
func TestPageSecurityPolicy(t *testing.T) {
	t.Parallel()
	got := start(t).as("").do("GET", "/docs", nil).expect(200)
	require.Equal(t, "default-src 'none'; style-src '"+api.StyleDigest()+
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		got.Header.Get("Content-Security-Policy"))
	require.Equal(t, "no-referrer", got.Header.Get("Referrer-Policy"))
	require.NotContains(t, string(got.Body), "<script")
	require.NotContains(t, string(got.Body), " style=")
	require.Equal(t, 1, strings.Count(string(got.Body), "<style>"))
}

// TestServerPaths requests each path in httpapi.ServerPaths without a token. Every request must succeed.
func TestServerPaths(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range httpapi.ServerPaths() {
		s.as("").do("GET", path, nil).expect(200)
	}
}
