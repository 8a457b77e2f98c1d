//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/pgtest"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// maxKeyringBody is the largest body of PUT /boxes/{box}/keyring, in bytes.
const maxKeyringBody = 4 << 20

// paddedKeyring returns the body of a plan, padded to a size in bytes.
func paddedKeyring(t testing.TB, plan usecases.KeyringPlan, size int) string {
	t.Helper()
	body, err := json.Marshal(keyringBody(t, plan))
	require.NoError(t, err)
	require.LessOrEqual(t, len(body), size)
	return strings.Repeat(" ", size-len(body)) + string(body)
}

// TestLargestKeyringBody verifies that a server with little memory accepts the largest body. One user sends this body
// in two concurrent requests, and then in a request without Content-Length. On a server with less than 384 MiB of
// memory, the body is larger than the share of the memory that one user may use.
func TestLargestKeyringBody(t *testing.T) {
	t.Parallel()
	for _, memory := range []string{"64m", "256m", "1g"} {
		t.Run(memory, func(t *testing.T) {
			t.Parallel()
			k := startKeyed(t, "MEMORY_LIMIT="+memory)
			next := k.anna.rekeyed(k.plan, k.boris)
			body := paddedKeyring(t, next, maxKeyringBody)
			k.anna.do("PUT", keyringPath, body+" ", "If-Match", k.tag).refuses(413, "body_too_large")
			var requests sync.WaitGroup
			var statuses [2]int
			for i := range statuses {
				requests.Go(func() { statuses[i] = k.anna.do("PUT", keyringPath, body, "If-Match", k.tag).Status })
			}
			requests.Wait()
			require.ElementsMatch(t, []int{200, 412}, statuses[:], "the server reads both and stores one")

			body = paddedKeyring(t, k.anna.granted(next), maxKeyringBody)
			request, err := http.NewRequestWithContext(t.Context(), "PUT", k.server.url+keyringPath,
				io.MultiReader(strings.NewReader(body)))
			require.NoError(t, err)
			for name, value := range map[string]string{
				"Authorization": "Bearer " + k.anna.token,
				"Content-Type":  jsonType,
				"If-Match":      "*",
			} {
				request.Header.Set(name, value)
			}
			require.Zero(t, request.ContentLength, "unknown")
			response, err := httpClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, 200, response.StatusCode)
			k.server.awaitUse(t, "body_bytes", "0")
		})
	}
}

// TestLargeKeyring stores a keyring with 1000 recipients and the longest possible chain of earlier keys. The request
// has the largest possible body, and the server has 256 MiB of memory.
func TestLargeKeyring(t *testing.T) {
	t.Parallel()
	k := startKeyed(t, "MEMORY_LIMIT=256m")
	run(t, k.server.db, `INSERT INTO users (id, name, role, is_active, created_at, updated_at)
		SELECT gen_random_uuid(), 'user-' || n, 'user', true, now(), now() FROM generate_series(1, 998) n`)
	run(t, k.server.db, `INSERT INTO box_users (box_id, user_id, role, is_active, permissions)
		SELECT b.id, u.id, 'boxuser', true, 0 FROM boxes b, users u WHERE u.name LIKE 'user-%'`)
	built, identities := k.anna.rekeyed(k.plan, k.boris), make([]usecases.KeyHolder, 998)
	users := pgtest.Column(t, k.server.db, `SELECT id::text FROM users WHERE name LIKE 'user-%'`)
	fingerprints, publics := make([][]byte, len(users)), make([][]byte, len(users))
	for i := range identities {
		user, ok := domain.ParseID[domain.User](users[i])
		require.True(t, ok)
		identities[i] = usecases.RandomKeyHolder(t, user)
		fingerprint := identities[i].Fingerprint()
		fingerprints[i], publics[i] = fingerprint[:], identities[i].Public[:]
	}
	run(t, k.server.db, `INSERT INTO identities (fingerprint, user_id, public, is_current, created_at)
		SELECT fingerprint, user_id, public, true, now()
		FROM unnest($1::bytea[], $2::uuid[], $3::bytea[]) AS new (fingerprint, user_id, public)`,
		fingerprints, users, publics)
	built.Recipients = append(built.Recipients, identities...)
	built.Earlier = make([][32]byte, domain.MaxChainKeys)
	tag := k.anna.do("PUT", keyringPath, paddedKeyring(t, built, maxKeyringBody), "If-Match", k.tag).expect(200).tag()
	built.Sequence++
	k.anna.replace("prod", built, tag).expect(200)
	view := read[keyringView](k.boris.do("GET", keyringPath+"?recipients=all", nil).expect(200))
	require.Len(t, view.Recipients, 1000)
	require.Equal(t, built.Key, k.boris.opened(view))
	built.Sequence++
	built.Earlier = append(built.Earlier, [32]byte{})
	k.anna.replace("prod", built, `"other"`).refuses(412, "precondition_failed")
	k.anna.replace("prod", built, "*").refuses(400, "keyring_invalid").about("chain")
}
