package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/client"
)

type request struct {
	method string // of Client, or of Accounts with its prefix
	send   func(context.Context, *client.Client) error
}

// requests maps each route to the client method that sends it. Each function passes the parameter names in the route's
// template as the arguments of the method.
var requests = map[string]request{
	"GET /": {"Welcome", func(ctx context.Context, c *client.Client) error { return second(c.Welcome(ctx)) }},
	"POST /init": {"Initialize", func(ctx context.Context, c *client.Client) error {
		return second(c.Initialize(ctx, client.FirstUser{}))
	}},
	"POST /authenticate": {"SignIn",
		func(ctx context.Context, c *client.Client) error { return second(c.SignIn(ctx, client.Credentials{})) }},
	"GET /whoami": {"WhoAmI", func(ctx context.Context, c *client.Client) error { return second(c.WhoAmI(ctx)) }},

	"GET /api-keys": {"ListAPIKeys",
		func(ctx context.Context, c *client.Client) error { return second(c.ListAPIKeys(ctx)) }},
	"POST /api-keys": {"IssueAPIKey",
		func(ctx context.Context, c *client.Client) error { return second(c.IssueAPIKey(ctx, nil)) }},
	"DELETE /api-keys/:apiKey": {"RevokeAPIKey",
		func(ctx context.Context, c *client.Client) error { return c.RevokeAPIKey(ctx, "apiKey") }},

	"GET /users": {"ListUsers",
		func(ctx context.Context, c *client.Client) error { return second(c.ListUsers(ctx)) }},
	"POST /users": {"CreateUser",
		func(ctx context.Context, c *client.Client) error { return second(c.CreateUser(ctx, client.NewUser{})) }},
	"GET /users/:username": {"DescribeUser",
		func(ctx context.Context, c *client.Client) error { return second(c.DescribeUser(ctx, "username")) }},
	"PUT /users/:username": {"UpdateUser", func(ctx context.Context, c *client.Client) error {
		return c.UpdateUser(ctx, "username", client.UserChange{})
	}},
	"DELETE /users/:username": {"DeleteUser",
		func(ctx context.Context, c *client.Client) error { return c.DeleteUser(ctx, "username") }},

	"GET /users/:username/identity": {"DescribeIdentity",
		func(ctx context.Context, c *client.Client) error { return second(c.DescribeIdentity(ctx, "username")) }},
	"PUT /users/:username/identity": {"WriteIdentity", func(ctx context.Context, c *client.Client) error {
		return second(c.WriteIdentity(ctx, "username", client.NewIdentity{}))
	}},
	"GET /users/:username/identity/locked": {"ReadLockedIdentity",
		func(ctx context.Context, c *client.Client) error {
			return second(c.ReadLockedIdentity(ctx, "username"))
		}},
	"PUT /users/:username/identity/locked": {"WriteLockedIdentity", func(ctx context.Context, c *client.Client) error {
		return c.WriteLockedIdentity(ctx, "username", []byte("locked"))
	}},
	"DELETE /users/:username/identity/locked": {"DeleteLockedIdentity",
		func(ctx context.Context, c *client.Client) error { return c.DeleteLockedIdentity(ctx, "username") }},
	"GET /identities/:fingerprint": {"FindIdentity",
		func(ctx context.Context, c *client.Client) error { return second(c.FindIdentity(ctx, "fingerprint")) }},
	"GET /boxes/:box/keyring": {"ReadKeyring",
		func(ctx context.Context, c *client.Client) error { return second(c.ReadKeyring(ctx, "box", nil)) }},
	"PUT /boxes/:box/keyring": {"WriteKeyring", func(ctx context.Context, c *client.Client) error {
		return second(c.WriteKeyring(ctx, "box", client.KeyringChange{}))
	}},

	"GET /invitations": {"ListInvitations",
		func(ctx context.Context, c *client.Client) error { return second(c.ListInvitations(ctx)) }},
	"POST /invitations": {"InviteUser", func(ctx context.Context, c *client.Client) error {
		return second(c.InviteUser(ctx, client.NewInvitation{}))
	}},
	"POST /invitations/accept": {"AcceptInvitation", func(ctx context.Context, c *client.Client) error {
		return second(c.AcceptInvitation(ctx, code, client.Secret{}))
	}},
	"DELETE /invitations/:username": {"RevokeInvitation",
		func(ctx context.Context, c *client.Client) error { return c.RevokeInvitation(ctx, "username") }},

	"POST /users/:username/totp": {"EnrolTOTP",
		func(ctx context.Context, c *client.Client) error {
			return second(c.EnrolTOTP(ctx, "username", client.TOTPProof{Code: code}))
		}},
	"POST /users/:username/totp/confirm": {"ConfirmTOTP",
		func(ctx context.Context, c *client.Client) error {
			return c.ConfirmTOTP(ctx, "username", client.TOTPProof{Code: code})
		}},
	"DELETE /users/:username/totp": {"RemoveTOTP",
		func(ctx context.Context, c *client.Client) error { return c.RemoveTOTP(ctx, "username", code) }},

	"POST /boxes/:box/offer/accept": {"AcceptBox",
		func(ctx context.Context, c *client.Client) error { return c.AcceptBox(ctx, "box") }},
	"DELETE /boxes/:box/offer": {"EndBoxOffer",
		func(ctx context.Context, c *client.Client) error { return c.EndBoxOffer(ctx, "box") }},
	"GET /boxes": {"ListBoxes",
		func(ctx context.Context, c *client.Client) error { return second(c.ListBoxes(ctx)) }},
	"POST /boxes/:box": {"CreateBox",
		func(ctx context.Context, c *client.Client) error { return c.CreateBox(ctx, "box") }},
	"GET /boxes/:box": {"DescribeBox",
		func(ctx context.Context, c *client.Client) error { return second(c.DescribeBox(ctx, "box")) }},
	"PUT /boxes/:box": {"TransferBox",
		func(ctx context.Context, c *client.Client) error { return c.TransferBox(ctx, "box", "anna") }},
	"DELETE /boxes/:box": {"DeleteBox",
		func(ctx context.Context, c *client.Client) error { return c.DeleteBox(ctx, "box") }},

	"GET /boxes/:box/users": {"ListBoxUsers",
		func(ctx context.Context, c *client.Client) error { return second(c.ListBoxUsers(ctx, "box")) }},
	"POST /boxes/:box/users": {"AddBoxUser",
		func(ctx context.Context, c *client.Client) error { return c.AddBoxUser(ctx, "box", "anna", "") }},
	"GET /boxes/:box/users/:username": {"DescribeBoxUser", func(ctx context.Context, c *client.Client) error {
		return second(c.DescribeBoxUser(ctx, "box", "username"))
	}},
	"PUT /boxes/:box/users/:username": {"UpdateBoxUser", func(ctx context.Context, c *client.Client) error {
		return c.UpdateBoxUser(ctx, "box", "username", client.BoxUserChange{})
	}},
	"DELETE /boxes/:box/users/:username": {"RemoveBoxUser", func(ctx context.Context, c *client.Client) error {
		return c.RemoveBoxUser(ctx, "box", "username")
	}},
	"GET /boxes/:box/users/:username/permissions": {"ListPermissions",
		func(ctx context.Context, c *client.Client) error {
			return second(c.ListPermissions(ctx, "box", "username"))
		}},
	"PUT /boxes/:box/users/:username/permissions": {"SetPermissions",
		func(ctx context.Context, c *client.Client) error {
			return c.SetPermissions(ctx, "box", "username", nil)
		}},
	"DELETE /boxes/:box/users/:username/permissions": {"ClearPermissions",
		func(ctx context.Context, c *client.Client) error {
			return c.ClearPermissions(ctx, "box", "username")
		}},

	"GET /boxes/:box/entries": {"ListEntries",
		func(ctx context.Context, c *client.Client) error { return second(c.ListEntries(ctx, "box", "")) }},
	"POST /boxes/:box/entries": {"WriteEntry", func(ctx context.Context, c *client.Client) error {
		return second(c.WriteEntry(ctx, "box", "key", 1, nil))
	}},
	"GET /boxes/:box/entries/:key": {"ReadEntry", func(ctx context.Context, c *client.Client) error {
		return second(c.ReadEntry(ctx, "box", "key", nil))
	}},
	"DELETE /boxes/:box/entries/:key": {"DeleteEntry", func(ctx context.Context, c *client.Client) error {
		return c.DeleteEntry(ctx, "box", "key", nil)
	}},
	"GET /boxes/:box/entries/:key/versions": {"ListVersions", func(ctx context.Context, c *client.Client) error {
		return second(c.ListVersions(ctx, "box", "key"))
	}},
	"POST /boxes/:box/entries/:key/restore": {"RestoreEntry", func(ctx context.Context, c *client.Client) error {
		return second(c.RestoreEntry(ctx, "box", "key", 1, nil))
	}},

	"GET /audit": {"ListEvents",
		func(ctx context.Context, c *client.Client) error { return second(c.ListEvents(ctx, nil)) }},
	"GET /boxes/:box/audit": {"ListBoxEvents", func(ctx context.Context, c *client.Client) error {
		return second(c.ListBoxEvents(ctx, "box", nil))
	}},

	"POST /api/v1/user/auth": {"Accounts.SignIn", func(ctx context.Context, c *client.Client) error {
		return second(c.Accounts().SignIn(ctx, client.Credentials{}))
	}},
	"POST /api/v1/user/auth/refresh": {"Accounts.Refresh",
		func(ctx context.Context, c *client.Client) error { return second(c.Accounts().Refresh(ctx, code)) }},
	"DELETE /api/v1/user/auth/revoke/:user": {"Accounts.RevokeSessions",
		func(ctx context.Context, c *client.Client) error { return c.Accounts().RevokeSessions(ctx, "user") }},
	"GET /api/v1/user/auth/setup/:user": {"Accounts.ShowTOTP",
		func(ctx context.Context, c *client.Client) error { return second(c.Accounts().ShowTOTP(ctx, "user")) }},
	"GET /api/v1/user/list": {"Accounts.ListUsers",
		func(ctx context.Context, c *client.Client) error { return second(c.Accounts().ListUsers(ctx)) }},
	"POST /api/v1/user/add": {"Accounts.AddUser",
		func(ctx context.Context, c *client.Client) error {
			return second(c.Accounts().AddUser(ctx, "anna", "viewer"))
		}},
	"DELETE /api/v1/user/delete/:user": {"Accounts.DeleteUser",
		func(ctx context.Context, c *client.Client) error { return second(c.Accounts().DeleteUser(ctx, "user")) }},

	"GET /api/v1/droplet/list": {"ListDroplets",
		func(ctx context.Context, c *client.Client) error { return second(c.ListDroplets(ctx)) }},
	"POST /api/v1/droplet/add": {"AddDroplet",
		func(ctx context.Context, c *client.Client) error { return second(c.AddDroplet(ctx, nil)) }},
	"PATCH /api/v1/droplet/start/:droplet": {"StartDroplet", func(ctx context.Context, c *client.Client) error {
		return second(c.StartDroplet(ctx, "droplet"))
	}},
	"PATCH /api/v1/droplet/stop/:droplet": {"StopDroplet", func(ctx context.Context, c *client.Client) error {
		return second(c.StopDroplet(ctx, "droplet"))
	}},
	"PATCH /api/v1/droplet/restart/:droplet": {"RestartDroplet", func(ctx context.Context, c *client.Client) error {
		return second(c.RestartDroplet(ctx, "droplet"))
	}},
	"DELETE /api/v1/droplet/delete/:droplet": {"DeleteDroplet", func(ctx context.Context, c *client.Client) error {
		return second(c.DeleteDroplet(ctx, "droplet"))
	}},

	"GET /healthz": {"Healthy", func(ctx context.Context, c *client.Client) error { return c.Healthy(ctx) }},
	"GET /readyz":  {"Ready", func(ctx context.Context, c *client.Client) error { return c.Ready(ctx) }},
}

var code = client.NewSecret("123456")

func second[T any](_ T, err error) error { return err }

// forPeople lists the routes that people open in a browser. The client has no methods for these routes.
var forPeople = []string{"GET /openapi.yaml", "GET /docs"}

// The variable named local lists the methods that send no request themselves.
var local = []string{"Unmarshal", "UnmarshalEntry", "Events", "BoxEvents", "WithToken", "WithEncryptionKey",
	"WithIdentity",
	"URL", "Format", "Accounts", "Accounts.Format"}

func TestEachRouteHasAMethod(t *testing.T) {
	t.Parallel()
	for _, route := range httpapi.Routes() {
		name := route.Method + " " + route.Path
		_, known := requests[name]
		assert.True(t, known || slices.Contains(forPeople, name),
			"%s has no client method: add one, and a line to requests", name)
	}
}

func TestEachMethodIsOfARoute(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, request := range requests {
		want = append(want, request.method)
	}
	for method := range reflect.TypeFor[*client.Client]().Methods() {
		got = append(got, method.Name)
	}
	for method := range reflect.TypeFor[client.Accounts]().Methods() {
		got = append(got, "Accounts."+method.Name)
	}
	require.ElementsMatch(t, append(want, local...), got)
}

// TestEachMethodSendsItsRequest calls each method and compares the request that the server receives.
func TestEachMethodSendsItsRequest(t *testing.T) {
	t.Parallel()
	for name, request := range requests {
		t.Run(request.method, func(t *testing.T) {
			t.Parallel()
			var arrived string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				arrived = r.Method + " " + r.URL.EscapedPath()
				w.WriteHeader(http.StatusTeapot)
			}))
			defer server.Close()
			err := request.send(t.Context(), connect(t, func(config *client.Config) { config.URL = server.URL }))
			require.Equal(t, regexp.MustCompile(`:(\w+)`).ReplaceAllString(name, "$1"), arrived)
			require.Equal(t, regexp.MustCompile(`:(\w+)`).ReplaceAllString(name, "{$1}"), failure(t, err).Request)
		})
	}
}
