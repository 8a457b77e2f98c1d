package httpapi

import (
	"net/http"
	"strings"

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
	// Group is the least that the caller must be in, where the route is for members of a group.
	Group domain.Group
}

// AccountsAPI reports whether the route is of contract B, which has its own places for a token and its own errors.
func (r Route) AccountsAPI() bool { return strings.HasPrefix(r.Path, accountsPath+"/") }

// Routes is the table of all requests. The authorisation tests and the documentation are checked against it.
func Routes() []Route {
	anyone := domain.Group{}
	return append([]Route{
		{http.MethodGet, "/", AuthNone, (*API).welcome, anyone},
		{http.MethodPost, "/init", AuthNone, (*API).initialize, anyone},
		{http.MethodPost, "/authenticate", AuthNone, (*API).authenticate, anyone},
		{http.MethodGet, "/whoami", AuthToken, (*API).whoAmI, anyone},

		{http.MethodGet, "/api-keys", AuthToken, (*API).listAPIKeys, anyone},
		{http.MethodPost, "/api-keys", AuthToken, (*API).issueAPIKey, anyone},
		{http.MethodDelete, "/api-keys/:apiKey", AuthToken, (*API).revokeAPIKey, anyone},

		{http.MethodGet, "/users", AuthToken, (*API).listUsers, anyone},
		{http.MethodPost, "/users", AuthOptional, (*API).createUser, anyone},
		{http.MethodGet, "/users/:username", AuthToken, (*API).describeUser, anyone},
		{http.MethodPut, "/users/:username", AuthToken, (*API).updateUser, anyone},
		{http.MethodDelete, "/users/:username", AuthToken, (*API).deleteUser, anyone},

		{http.MethodPost, "/users/:username/totp", AuthToken, (*API).enrolTOTP, anyone},
		{http.MethodPost, "/users/:username/totp/confirm", AuthToken, (*API).confirmTOTP, anyone},
		{http.MethodDelete, "/users/:username/totp", AuthToken, (*API).removeTOTP, anyone},

		{http.MethodGet, "/boxes", AuthToken, (*API).listBoxes, anyone},
		{http.MethodPost, "/boxes/:box", AuthToken, (*API).createBox, anyone},
		{http.MethodGet, "/boxes/:box", AuthToken, (*API).describeBox, anyone},
		{http.MethodPut, "/boxes/:box", AuthToken, (*API).transferBox, anyone},
		{http.MethodDelete, "/boxes/:box", AuthToken, (*API).deleteBox, anyone},

		{http.MethodGet, "/boxes/:box/users", AuthToken, (*API).listBoxUsers, anyone},
		{http.MethodPost, "/boxes/:box/users", AuthToken, (*API).addBoxUser, anyone},
		{http.MethodGet, "/boxes/:box/users/:username", AuthToken, (*API).describeBoxUser, anyone},
		{http.MethodPut, "/boxes/:box/users/:username", AuthToken, (*API).updateBoxUser, anyone},
		{http.MethodDelete, "/boxes/:box/users/:username", AuthToken, (*API).removeBoxUser, anyone},
		{http.MethodGet, "/boxes/:box/users/:username/permissions", AuthToken, (*API).listPermissions, anyone},
		{http.MethodPut, "/boxes/:box/users/:username/permissions", AuthToken, (*API).setPermissions, anyone},
		{http.MethodDelete, "/boxes/:box/users/:username/permissions", AuthToken, (*API).clearPermissions, anyone},

		{http.MethodGet, "/boxes/:box/entries", AuthToken, (*API).listEntries, anyone},
		{http.MethodPost, "/boxes/:box/entries", AuthToken, (*API).writeEntry, anyone},
		{http.MethodGet, "/boxes/:box/entries/:key", AuthToken, (*API).readEntry, anyone},
		{http.MethodDelete, "/boxes/:box/entries/:key", AuthToken, (*API).deleteEntry, anyone},
		{http.MethodGet, "/boxes/:box/entries/:key/versions", AuthToken, (*API).listVersions, anyone},
		{http.MethodPost, "/boxes/:box/entries/:key/restore", AuthToken, (*API).restoreEntry, anyone},

		{http.MethodGet, "/audit", AuthToken, (*API).listEvents, anyone},
		{http.MethodGet, "/boxes/:box/audit", AuthToken, (*API).listBoxEvents, anyone},
	}, accountsRoutes()...)
}

// accountsRoutes are those of contract B.
func accountsRoutes() []Route {
	anyone, viewer, manager, owner := domain.Group{}, domain.GroupViewer, domain.GroupManager, domain.GroupOwner
	return []Route{
		{http.MethodPost, accountsPath + "/user/auth", AuthNone, (*API).signInWithCode, anyone},
		{http.MethodPost, accountsPath + "/user/auth/refresh", AuthNone, (*API).refresh, anyone},
		{http.MethodDelete, accountsPath + "/user/auth/revoke/:user", AuthToken, (*API).revokeSessions, anyone},
		{http.MethodGet, accountsPath + "/user/auth/setup/:user", AuthToken, (*API).showTOTP, owner},
		{http.MethodGet, accountsPath + "/user/list", AuthToken, (*API).listAccounts, owner},
		{http.MethodPost, accountsPath + "/user/add", AuthToken, (*API).addAccount, owner},
		{http.MethodDelete, accountsPath + "/user/delete/:user", AuthToken, (*API).deleteAccount, owner},

		{http.MethodGet, accountsPath + "/droplet/list", AuthToken, (*API).listDroplets, viewer},
		{http.MethodPost, accountsPath + "/droplet/add", AuthToken, (*API).addDroplet, manager},
		{http.MethodPatch, accountsPath + "/droplet/start/:droplet", AuthToken, (*API).startDroplet, manager},
		{http.MethodPatch, accountsPath + "/droplet/stop/:droplet", AuthToken, (*API).stopDroplet, manager},
		{http.MethodPatch, accountsPath + "/droplet/restart/:droplet", AuthToken, (*API).restartDroplet, manager},
		{http.MethodDelete, accountsPath + "/droplet/delete/:droplet", AuthToken, (*API).deleteDroplet, manager},
	}
}
