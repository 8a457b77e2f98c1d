package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

func TestWelcome(t *testing.T) {
	t.Parallel()
	got := start(t).as("").do("GET", "/", nil).expect(200)
	require.Equal(t, "text/plain; charset=UTF-8", got.Header.Get("Content-Type"))
	require.Contains(t, string(got.Body), "Welcome to Lockbox")
	require.Contains(t, string(got.Body), "/docs", "where the docs are")
	require.Contains(t, string(got.Body), "/openapi.yaml")
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	for _, path := range []string{"/nothing", "/a/b/c/d/e/f", "/boxes/", "/boxes/a/b", "/boxes/a/entries/",
		"/boxes/a/entries/b/c",
		"/users/", "/INIT", "//", "/%2e%2e/etc", "/%00", "/%ff", "/.."} {
		root.do("GET", path, nil).refuses(404, "route_not_found")
		s.as("").do("GET", path, nil).refuses(404, "route_not_found")
	}
	for method, path := range map[string]string{"GET": "/init", "PUT": "/boxes", "PATCH": "/boxes/default",
		"POST":   "/whoami",
		"DELETE": "/boxes/a/entries", "PURGE": "/users", "HEAD": "/init", "TRACE": "/"} {
		got := root.do(method, path, nil).expect(405)
		require.NotEmpty(t, got.Header.Get("Allow"), "RFC 9110 wants the methods that there are")
		if method != "HEAD" {
			got.refuses(405, "method_not_allowed")
		}
	}
	require.Equal(t, "OPTIONS, GET, HEAD", root.do("POST", "/whoami", nil).Header.Get("Allow"))
}

// TestOptions verifies that OPTIONS is answered without a token and reveals nothing about stored data.
func TestOptions(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.initialize()
	for _, path := range []string{"/boxes/nothing", "/users", "/init"} {
		got := s.as("").do("OPTIONS", path, nil).expect(204).isEmpty("")
		require.NotEmpty(t, got.Header.Get("Allow"))
		require.Empty(t, got.Header.Get("Access-Control-Allow-Origin"))
	}
	s.as("").do("OPTIONS", "/nothing", nil).refuses(404, "route_not_found")
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	session := s.signIn("root", "root-password")
	for _, good := range []string{"Bearer " + root.token, "bearer " + root.token, "BEARER " + root.token,
		"Bearer  " + root.token + " ", "Bearer " + session.token} {
		s.as("").do("GET", "/whoami", nil, "Authorization", good).expect(200)
	}
	parts := strings.Split(root.token, ".")
	flipped := "A"
	if strings.HasPrefix(parts[2], "A") {
		flipped = "B"
	}
	bad := map[string]string{
		"empty":                 "",
		"no scheme":             root.token,
		"another scheme":        "Basic " + root.token,
		"scheme alone":          "Bearer",
		"scheme and a space":    "Bearer ",
		"scheme with a colon":   "Bearer: " + root.token,
		"two tokens":            "Bearer " + root.token + " " + root.token,
		"not a token":           "Bearer nonsense",
		"a part missing":        "Bearer " + parts[0] + "." + parts[1],
		"no signature":          "Bearer " + parts[0] + "." + parts[1] + ".",
		"another signature":     "Bearer " + parts[0] + "." + parts[1] + "." + flipped + parts[2][1:],
		"another header's part": "Bearer eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"padded":                "Bearer " + root.token + "=",
		"over 4 KiB":            "Bearer " + strings.Repeat("a", 5000),
		"not ASCII":             "Bearer \xff\xfe",
	}
	for name, header := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.as("").in(t).do("GET", "/whoami", nil, "Authorization", header).refuses(401, "unauthenticated")
		})
	}
	t.Run("of another Lockbox", func(t *testing.T) {
		t.Parallel()
		other := start(t).initialize()
		s.as(other.token).in(t).do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		request, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/whoami", nil)
		require.NoError(t, err)
		request.Header["Authorization"] = []string{"Bearer " + root.token, "Bearer " + session.token}
		response, err := httpClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, 401, response.StatusCode, "which of them is meant cannot be known")
	})
}

// TestBadInputWithoutAuthorisation verifies that an unauthorised caller learns nothing about errors in its input.
func TestBadInputWithoutAuthorisation(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.user("user1")
	revoked := s.as(root.do("POST", "/api-keys", nil).string("apiKey"))
	root.do("DELETE", "/api-keys/"+revoked.token, nil).expect(204)
	for name, c := range map[string]client{"anonymous": s.as(""), "revoked": revoked} {
		for _, route := range bodyRoutes() {
			if slices.Contains([]string{"/init", "/authenticate", "/invitations/accept"}, route.template) {
				continue
			}
			t.Run(name+" "+route.method+" "+route.template, func(t *testing.T) {
				t.Parallel()
				c.in(t).do(route.method, route.path, `{`).refuses(401, "unauthenticated")
				c.in(t).do(route.method, route.path, `{}`, "Content-Type", "text/plain").refuses(401, "unauthenticated")
				c.in(t).do(route.method, route.path, strings.Repeat(" ", 1<<20+1)).refuses(401, "unauthenticated")
			})
		}
	}
	s.signIn("user1", "user1-password").do("POST", "/users", `{`).refuses(403, "admin_only")
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, kept := range []string{"a", "0", "Az09._-", strings.Repeat("x", 128)} {
		got := s.as("").do("GET", "/", nil, "X-Request-Id", kept)
		require.Equal(t, []string{kept}, got.Header["X-Request-Id"])
	}
	for _, replaced := range []string{"", strings.Repeat("x", 129), "a b", "a/b", "a\tb", "ä", "a,b", `"`, "%41"} {
		got := s.as("").do("GET", "/", nil, "X-Request-Id", replaced).Header.Get("X-Request-Id")
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, got, replaced)
	}
	for _, path := range []string{"/", "/nothing", "/whoami", "/healthz", "/readyz", "/metrics"} {
		require.NotEmpty(t, s.as("").do("GET", path, nil).Header.Get("X-Request-Id"), path)
	}
	got := s.as("").do("GET", "/whoami", nil, "X-Request-Id", "mine").refuses(401, "unauthenticated")
	require.Equal(t, "urn:lockbox:request:mine", got.problem().Instance)
}

// TestNoCaching verifies that every answer forbids caching. The header Vary of each answer must list Authorization and
// X-Encryption-Key.
func TestNoCaching(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	for _, c := range []client{root, s.as("")} {
		for _, route := range httpapi.Routes() {
			got := c.do(route.Method,
				strings.NewReplacer(":box", "none", ":username", "none", ":key", "none", ":apiKey",
					"none").Replace(route.Path), nil)
			require.Equal(t, []string{"no-store"}, got.Header["Cache-Control"], got.request)
			require.Equal(t, []string{"Authorization, X-Encryption-Key"}, got.Header["Vary"], got.request)
			require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"), got.request)
		}
	}
}

func TestCORSIsOffByDefault(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	for _, method := range []string{"GET", "OPTIONS"} {
		got := root.do(method, "/boxes", nil, "Origin", "https://app.example.org", "Access-Control-Request-Method",
			"GET")
		for name := range got.Header {
			require.False(t, strings.HasPrefix(name, "Access-Control-"), name)
		}
	}
}

func TestCORSWhenConfigured(t *testing.T) {
	t.Parallel()
	root := start(t, "CORS_ORIGINS=https://app.example.org,https://other.example.org").initialize()
	const origin = "https://app.example.org"
	const exposed = "X-API-Key,Location,ETag"

	preflight := root.server.as("").do("OPTIONS", "/boxes/default/entries", nil, "Origin", origin,
		"Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "authorization,x-encryption-key").expect(204)
	require.Equal(t, origin, preflight.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "Authorization,Content-Type,X-Encryption-Key,If-Match,If-None-Match",
		preflight.Header.Get("Access-Control-Allow-Headers"))
	require.Equal(t, "GET,POST,PUT,PATCH,DELETE", preflight.Header.Get("Access-Control-Allow-Methods"))
	require.Empty(t, preflight.Header.Get("Access-Control-Allow-Credentials"), "there are no cookies")

	for _, path := range []string{"/boxes", "/boxes/nothing"} {
		got := root.do("GET", path, nil, "Origin", origin)
		require.Equal(t, origin, got.Header.Get("Access-Control-Allow-Origin"), "an error can be read as well")
		require.Equal(t, exposed, got.Header.Get("Access-Control-Expose-Headers"))
		require.ElementsMatch(t, []string{"Origin", "Authorization, X-Encryption-Key"}, got.Header.Values("Vary"),
			"an answer for one origin is not for another")
	}
	foreign := root.do("GET", "/boxes", nil, "Origin", "https://evil.example.org").expect(200)
	require.Empty(t, foreign.Header.Get("Access-Control-Allow-Origin"))
	require.Empty(t, root.do("GET", "/boxes", nil).expect(200).Header.Get("Access-Control-Allow-Origin"))
	anonymous := root.server.as("").do("OPTIONS", "/boxes", nil, "Origin", "https://evil.example.org",
		"Access-Control-Request-Method", "GET").expect(204)
	require.Empty(t, anonymous.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, root.server.as("").do("GET", "/whoami", nil, "Origin", origin).refuses(401,
		"unauthenticated").Header.Values("Vary"), "Origin")
}

func TestCORSForEveryOrigin(t *testing.T) {
	t.Parallel()
	root := start(t, "CORS_ORIGINS=*").initialize()
	require.Equal(t, "*", root.do("GET", "/boxes", nil, "Origin",
		"https://any.example.org").expect(200).Header.Get("Access-Control-Allow-Origin"))
}

func TestOperations(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	require.Equal(t, "alive\n", string(s.as("").do("GET", "/healthz", nil).expect(200).Body))
	require.Equal(t, "ready\n", string(s.as("").do("GET", "/readyz", nil).expect(200).Body))
	root.do("GET", "/boxes/secret-project", nil).expect(404)
	s.as("").do("BREW", "/no-such-path", nil).expect(404)
	metrics := string(s.as("").do("GET", "/metrics", nil).expect(200).Body)
	require.Contains(t, metrics, `lockbox_http_requests_total{method="GET",route="/boxes/:box",status="404"} 1`)
	require.Contains(t, metrics, `lockbox_http_requests_total{method="OTHER",route="(none)",status="404"} 1`)
	require.NotContains(t, metrics, "secret-project", "a path is not a label")
}

// TestLogHoldsRouteTemplates sends requests whose path contains an API key. The log must contain the template of the
// path instead of the path.
func TestLogHoldsRouteTemplates(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	key := root.do("POST", "/api-keys", nil).expect(200).string("apiKey")
	root.do("DELETE", "/api-keys/"+key, nil, "X-Request-Id", "the-deletion").expect(204)
	root.do("DELETE", "/api-key/"+key, nil).expect(404)
	s.stop()
	require.Contains(t, s.log.String(), "/api-keys/:apiKey")
	require.Contains(t, s.log.String(), "the-deletion")
	require.NotContains(t, s.log.String(), key)
	require.NotContains(t, s.log.String(), root.token)
}
