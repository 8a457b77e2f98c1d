package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRestOfALargeBodyIsNotParsed sends a body of unknown length that exceeds the limit. It verifies that the server
// does not parse the part beyond the limit.
func TestRestOfALargeBodyIsNotParsed(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	body := strings.Repeat(" ", 64<<10+1) + `{"username":"smuggled","group":"manager"}`
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url+"/api/v1/user/add",
		io.MultiReader(strings.NewReader(body)))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+root.token)
	response, err := httpClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
	require.NotContains(t, string(root.do("GET", "/users", nil).expect(200).Body), "smuggled")
}
