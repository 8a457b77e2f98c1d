package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFirstFiveMinutes covers the sequence of requests in the README.
func TestFirstFiveMinutes(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	const value = `{"email":"my@email.com","password":"secret"}`
	root.put("default", "my-entry", value).expect(201)
	require.Equal(t, value, string(root.get("default", "my-entry").expect(200).Body))

	user := root.user("user1")
	user.get("default", "my-entry").expect(404)
	root.do("POST", "/boxes/default/users", `{"username":"user1"}`).expect(201)
	require.Equal(t, value, string(user.get("default", "my-entry").expect(200).Body))
	root.do("DELETE", "/boxes/default/users/user1/permissions", nil).expect(204)
	user.get("default", "my-entry").expect(403)

	s.stop()
	again := startOn(t, s.db)
	require.Equal(t, value, string(again.as(root.token).get("default", "my-entry").expect(200).Body))
}
