package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// Auth is what a route demands of the header Authorization.
type Auth uint8

const (
	// AuthNone means: no token is looked at.
	AuthNone Auth = iota
	// AuthOptional means: a token counts when there is one, and must be good then.
	AuthOptional
	// AuthToken means: without a good token the answer is 401.
	AuthToken
)

// Route is a request that is answered.
type Route struct {
	Method string
	// Path is the template; a parameter is one segment and is decoded once.
	Path   string
	Auth   Auth
	action func(*API, echo.Context, domain.Requester) error
}

// Routes is the table of all requests. The authorisation tests and the documentation are checked against it.
func Routes() []Route {
	return []Route{
		{http.MethodGet, "/", AuthNone, (*API).welcome},
		{http.MethodPost, "/init", AuthNone, (*API).initialize},
		{http.MethodPost, "/authenticate", AuthNone, (*API).authenticate},
		{http.MethodGet, "/whoami", AuthToken, (*API).whoAmI},

		{http.MethodGet, "/api-keys", AuthToken, (*API).listAPIKeys},
		{http.MethodPost, "/api-keys", AuthToken, (*API).issueAPIKey},
		{http.MethodDelete, "/api-keys/:apiKey", AuthToken, (*API).revokeAPIKey},

		{http.MethodGet, "/users", AuthToken, (*API).listUsers},
		{http.MethodPost, "/users", AuthOptional, (*API).createUser},
		{http.MethodGet, "/users/:username", AuthToken, (*API).describeUser},
		{http.MethodPut, "/users/:username", AuthToken, (*API).updateUser},
		{http.MethodDelete, "/users/:username", AuthToken, (*API).deleteUser},

		{http.MethodGet, "/boxes", AuthToken, (*API).listBoxes},
		{http.MethodPost, "/boxes/:box", AuthToken, (*API).createBox},
		{http.MethodGet, "/boxes/:box", AuthToken, (*API).describeBox},
		{http.MethodPut, "/boxes/:box", AuthToken, (*API).transferBox},
		{http.MethodDelete, "/boxes/:box", AuthToken, (*API).deleteBox},

		{http.MethodGet, "/boxes/:box/users", AuthToken, (*API).listBoxUsers},
		{http.MethodPost, "/boxes/:box/users", AuthToken, (*API).addBoxUser},
		{http.MethodGet, "/boxes/:box/users/:username", AuthToken, (*API).describeBoxUser},
		{http.MethodPut, "/boxes/:box/users/:username", AuthToken, (*API).updateBoxUser},
		{http.MethodDelete, "/boxes/:box/users/:username", AuthToken, (*API).removeBoxUser},
		{http.MethodGet, "/boxes/:box/users/:username/permissions", AuthToken, (*API).listPermissions},
		{http.MethodPut, "/boxes/:box/users/:username/permissions", AuthToken, (*API).setPermissions},
		{http.MethodDelete, "/boxes/:box/users/:username/permissions", AuthToken, (*API).clearPermissions},

		{http.MethodGet, "/boxes/:box/entries", AuthToken, (*API).listEntries},
		{http.MethodPost, "/boxes/:box/entries", AuthToken, (*API).putEntry},
		{http.MethodGet, "/boxes/:box/entries/:key", AuthToken, (*API).readEntry},
		{http.MethodDelete, "/boxes/:box/entries/:key", AuthToken, (*API).deleteEntry},
		{http.MethodGet, "/boxes/:box/entries/:key/versions", AuthToken, (*API).listVersions},
		{http.MethodPost, "/boxes/:box/entries/:key/restore", AuthToken, (*API).restoreEntry},

		{http.MethodGet, "/audit", AuthToken, (*API).listEvents},
		{http.MethodGet, "/boxes/:box/audit", AuthToken, (*API).listBoxEvents},
	}
}
