package client_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// TestDropletResponses decodes responses in the format of the API description. Tests with a Docker host are in
// tests/e2e.
func TestDropletResponses(t *testing.T) {
	t.Parallel()
	const list = `[{"id":"0123456789ab","name":"droplet01","created":"9 minutes ago","status":"Up 8 minutes",` +
		`"ports":{"22":{"type":"tcp","from":{"ip":"0.0.0.0","port":2201}}},"privateKey":"canary-3f9b"}]`
	type arrived struct{ method, path, key, body string }
	requests := make(chan arrived, 10)
	url, _ := broken(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- arrived{r.Method, r.URL.Path, r.Header.Get("X-Encryption-Key"), string(body)}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, list)
	})
	c := connect(t, at(url))
	got, err := c.AddDroplet(t.Context(),
		&client.DropletOptions{Image: "lockbox/droplet", Box: "prod", Env: map[string]string{"TOKEN": "app/token"}})
	require.NoError(t, err)
	require.Equal(t, arrived{"POST", "/api/v1/droplet/add", encryption.Reveal(),
		`{"image":"lockbox/droplet","box":"prod","env":{"TOKEN":"app/token"}}`}, <-requests)
	require.Equal(t, canary, got[0].PrivateKey.Reveal())
	got[0].PrivateKey = client.Secret{}
	require.Equal(t, client.Droplet{
		ID:      "0123456789ab",
		Name:    "droplet01",
		Created: "9 minutes ago",
		Status:  "Up 8 minutes",
		Ports:   map[string]client.Port{"22": {Type: "tcp", From: client.PortFrom{IP: "0.0.0.0", Port: 2201}}},
	}, got[0])
	text, err := json.Marshal(got[0])
	require.NoError(t, err)
	require.NotContains(t, string(text), "privateKey")

	_, err = c.AddDroplet(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, arrived{"POST", "/api/v1/droplet/add", "", `{}`}, <-requests,
		"without a box no encryption key is needed")
	_, err = c.WithEncryptionKey(client.EncryptionKey{}).AddDroplet(t.Context(), &client.DropletOptions{Box: "prod"})
	require.ErrorIs(t, err, client.ErrEncryptionKeyRequired)
}

func TestDropletErrors(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]struct {
		code string
		kind error
	}{
		`{"error":"Error response from daemon: No such container: droplet07","errorId":900}`: {"droplet_not_found",
			client.ErrNotFound},
		`{"error":"no space left on device","errorId":900}`: {"droplet_host_refused", client.ErrConflict},
		`{"error":"Access denied","errorId":912}`:           {"group_too_low", client.ErrForbidden},
	} {
		url, _ := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, answer)
		})
		_, err := connect(t, at(url)).StopDroplet(t.Context(), "droplet07")
		require.ErrorIs(t, err, want.kind)
		require.Equal(t, want.code, failure(t, err).Code)
	}
}
