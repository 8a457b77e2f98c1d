package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// invite makes an invitation and returns its code.
func (c client) invite(name string) string {
	c.server.t.Helper()
	return c.do("POST", "/invitations", `{"username":"`+name+`"}`).expect(201).string("code")
}

// accept accepts an invitation.
func (s *server) accept(code, password string) *answer {
	s.t.Helper()
	return s.as("").do("POST", "/invitations/accept", `{"code":"`+code+`","password":"`+password+`"}`)
}

// TestInvitationPath verifies that an invited user chooses a password, signs in, and has the role of the invitation.
func TestInvitationPath(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	code := root.do("POST", "/invitations", `{"username":"Anna","role":"admin","expiry":"P1D"}`).
		expect(201).string("code")
	root.do("GET", "/users/anna", nil).expect(404)
	s.accept(code, "her-password").expect(201).at("/users/anna")
	token := s.as("").do("POST", "/authenticate", `{"username":"anna","password":"her-password"}`).expect(200).
		string("token")
	me := read[whoAmI](s.as(token).do("GET", "/whoami", nil).expect(200))
	require.Equal(t, "anna", me.Username)
	require.Equal(t, "admin", me.Role)
	require.Equal(t, "invitation_invalid", s.accept(code, "her-password").expect(401).string("code"))
	require.JSONEq(t, `[]`, string(root.do("GET", "/invitations", nil).expect(200).Body))
}

// TestInvitationBadInput verifies that an invalid request creates no invitation. An invitation must still be valid
// after an invalid request to accept it.
func TestInvitationBadInput(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	for body, code := range map[string]string{
		`{}`:                                     "username_required",
		`{"username":"no name"}`:                 "invalid_username",
		`{"username":"anna","role":"king"}`:      "unknown_role",
		`{"username":"anna","expiry":"P31D"}`:    "invalid_expiry",
		`{"username":"anna","expiry":"00:00"}`:   "invalid_expiry",
		`{"username":"anna","expiry":"tuesday"}`: "invalid_expiry",
		`{"username":["anna"]}`:                  "wrong_type",
		``:                                       "body_required",
	} {
		require.Equal(t, code, root.do("POST", "/invitations", body).expect(400).string("code"), body)
	}
	require.Equal(t, "user_exists", root.do("POST", "/invitations", `{"username":"ROOT"}`).expect(409).string("code"))
	require.JSONEq(t, `[]`, string(root.do("GET", "/invitations", nil).expect(200).Body))
	code := root.invite("anna")
	for password, refusal := range map[string]string{
		"":                       "password_required",
		"short":                  "invalid_password",
		strings.Repeat("x", 101): "invalid_password",
	} {
		require.Equal(t, refusal, s.accept(code, password).expect(400).string("code"), password)
	}
	s.accept(code, strings.Repeat("x", 17<<10)).expect(413)
	s.accept(code, "password").expect(201)
}

// TestInvitationOnReplicas sends concurrent requests to two replicas. Exactly one of the requests may accept the
// invitation. An invitation that was revoked on one replica must also be refused on the other.
func TestInvitationOnReplicas(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{readCommitted, serializable} {
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, isolation)
			code := c.root.invite("anna")
			statuses := make([]int, 8)
			var group sync.WaitGroup
			for i := range statuses {
				group.Go(func() {
					replica := c.a
					if i%2 == 1 {
						replica = c.b
					}
					statuses[i] = replica.accept(code, fmt.Sprint("password-", i)).Status
				})
			}
			group.Wait()
			joined := 0
			for i, status := range statuses {
				if status == 201 {
					joined++
					c.b.as("").do("POST", "/authenticate",
						fmt.Sprintf(`{"username":"anna","password":"password-%d"}`, i)).expect(200)
					continue
				}
				require.True(t, status == 401 || c.mayRefuse && status == 503, status)
			}
			require.Equal(t, 1, joined)

			revoked := c.root.invite("boris")
			c.b.as(c.root.token).do("DELETE", "/invitations/boris", nil).expect(204)
			c.a.accept(revoked, "password").expect(401)
		})
	}
}
