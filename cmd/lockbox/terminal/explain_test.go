package terminal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/lockbox-go/lockbox/client"
)

// explained sends a request to a server that returns the given response. The result is the message of Explain for this
// response.
func explained(t *testing.T, method string, status int, retryAfter, contentType, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		if retryAfter != "" && (status == 429 || status >= 500) {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))
	defer server.Close()
	c, err := client.New(client.Config{URL: server.URL, Token: client.NewSecret("token")})
	require.NoError(t, err)
	if method == http.MethodGet {
		_, err = c.WhoAmI(t.Context())
	} else {
		err = c.CreateBox(t.Context(), "prod")
	}
	require.Error(t, err)
	return Explain(err)
}

// requireOneRemedy checks that a message gives no advice twice.
func requireOneRemedy(t *testing.T, message string) {
	t.Helper()
	for _, advice := range []string{"try again", "try again in", "check before", "sign in", "report this"} {
		assert.LessOrEqual(t, strings.Count(strings.ToLower(message), advice), 1, message)
	}
	words := strings.FieldsFunc(strings.ToLower(message), func(r rune) bool { return strings.ContainsRune(" ,;:.", r) })
	seen := map[string]bool{}
	for i := range len(words) - 2 {
		run := strings.Join(words[i:i+3], " ")
		assert.False(t, seen[run], "%q twice in: %s", run, message)
		seen[run] = true
	}
}

// TestOneRemedy checks the message of the terminal for each error in the API description: no message may state the same
// remedy twice. Each key of the map remedies must also be an error code of the API description or of package client.
func TestOneRemedy(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../api/openapi.yaml")
	require.NoError(t, err)
	var description struct {
		Components struct {
			Examples map[string]struct {
				Value struct {
					Status       int
					Code, Detail string
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &description))
	checked := map[string]bool{}
	for _, example := range description.Components.Examples {
		if example.Value.Status < 400 {
			continue
		}
		checked[example.Value.Code] = true
		body, err := json.Marshal(example.Value)
		require.NoError(t, err)
		lower := strings.NewReplacer(`"Status"`, `"status"`, `"Code"`, `"code"`, `"Detail"`, `"detail"`)
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			requireOneRemedy(t, explained(t, method, example.Value.Status, "29", "application/problem+json",
				lower.Replace(string(body))))
		}
	}
	require.Greater(t, len(checked), 50)
	// These are codes of the package client for errors of the accounts API.
	fromClient := []string{"droplet_not_found", "group_too_low", "refresh_token_not_found", "token_expired"}
	for code := range remedies {
		if slices.Contains(fromClient, code) {
			continue
		}
		assert.True(t, checked[code], "%s is in the API description", code)
	}
}

// TestOneRemedyOfProxies checks the messages for responses that a proxy wrote.
func TestOneRemedyOfProxies(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404, 407, 413, 429, 500, 502, 503, 504} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			message := explained(t, method, status, "29", "text/html", "<html>no")
			requireOneRemedy(t, message)
			if method == http.MethodGet && (status == 429 || status >= 500) {
				assert.Contains(t, message, "try again in 29s")
			}
		}
	}
}

// TestOneRemedyWithoutTime checks the message for a proxy that does not state when to try again. It uses POST, because
// the client never retries such a request.
func TestOneRemedyWithoutTime(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 502, 504} {
		message := explained(t, http.MethodPost, status, "", "text/html", "<html>no")
		requireOneRemedy(t, message)
		assert.Contains(t, message, "check before you try again")
	}
}
