package httpapi

import (
	"net/http"

	"github.com/lockbox-go/lockbox/domain"
)

// Auth states whether a route reads the token of a request, and whether the route requires a token.
type Auth uint8

const (
	// AuthNone ignores tokens.
	AuthNone Auth = iota
	// AuthOptional accepts requests without a token. If a request contains a token, the token must be valid.
	AuthOptional
	// AuthToken requires a valid token. If the token is missing or invalid, the response is 401.
	AuthToken
)

// handler answers the requests of one route. It returns errors and does not write error responses.
type handler func(*API, *request) error

// Route is an entry of the route table.
type Route struct {
	Method string
	// Path is the path template. A parameter (:name) matches one segment and is decoded once.
	Path string
	Auth Auth
	// Group is the lowest group whose members may use the route. The zero Group admits every caller.
	Group domain.Group
	// MaxBody is the largest body in bytes. It replaces the configured limit. 0 means that the configured limit
	// applies.
	MaxBody  int64
	contract contract
	handler  handler
	// acceptsRefreshToken is true if the opaque token of a request may be a refresh token.
	acceptsRefreshToken bool
	// ignoresBody is true if the handler can succeed without reading the body; see request.awaitIgnoredBody.
	ignoresBody bool
	// isSlow is true if the time limit for requests is slowRequestTime.
	isSlow bool
}

// AccountsAPI reports whether the route belongs to the accounts API, under /api/v1.
func (r Route) AccountsAPI() bool {
	_, ok := r.contract.(accountsAPI)
	return ok
}

// Routes returns the table of all routes. The authorization tests, the API description and docs/http.md are checked
// against this table.
func Routes() []Route {
	routes := append(lockboxRoutes(), accountsRoutes()...)
	for i := range routes {
		routes[i].contract = contractOf(routes[i].Path)
	}
	return routes
}

// lockboxRoutes are the routes of the Lockbox API. Their use cases authorise the caller, so no route requires a group.
func lockboxRoutes() []Route {
	return []Route{
		open(http.MethodGet, "/", (*API).welcome),
		open(http.MethodPost, "/init", (*API).initialize),
		open(http.MethodPost, "/authenticate", (*API).authenticate),
		withToken(http.MethodGet, "/whoami", (*API).whoAmI),

		withToken(http.MethodGet, "/api-keys", (*API).listAPIKeys),
		withToken(http.MethodPost, "/api-keys", (*API).issueAPIKey),
		withToken(http.MethodDelete, "/api-keys/:apiKey", (*API).revokeAPIKey),

		withToken(http.MethodGet, "/users", (*API).listUsers),
		optionalToken(http.MethodPost, "/users", (*API).createUser),
		withToken(http.MethodGet, "/users/:username", (*API).describeUser),
		withToken(http.MethodPut, "/users/:username", (*API).updateUser),
		slow(withToken(http.MethodDelete, "/users/:username", (*API).deleteUser)),

		withToken(http.MethodGet, "/invitations", (*API).listInvitations),
		withToken(http.MethodPost, "/invitations", (*API).inviteUser),
		open(http.MethodPost, "/invitations/accept", (*API).acceptInvitation),
		withToken(http.MethodDelete, "/invitations/:username", (*API).revokeInvitation),

		withToken(http.MethodPost, "/users/:username/totp", (*API).enrolTOTP),
		withToken(http.MethodPost, "/users/:username/totp/confirm", (*API).confirmTOTP),
		withToken(http.MethodDelete, "/users/:username/totp", (*API).removeTOTP),

		withToken(http.MethodGet, "/users/:username/identity", (*API).describeIdentity),
		withToken(http.MethodPut, "/users/:username/identity", (*API).putIdentity),
		withToken(http.MethodGet, "/users/:username/identity/locked", (*API).unlockIdentity),
		withToken(http.MethodPut, "/users/:username/identity/locked", (*API).lockIdentity),
		withToken(http.MethodDelete, "/users/:username/identity/locked", (*API).deleteLockedIdentity),
		withToken(http.MethodGet, "/identities/:fingerprint", (*API).findIdentity),

		withToken(http.MethodGet, "/boxes", (*API).listBoxes),
		withoutBody(withToken(http.MethodPost, "/boxes/:box", (*API).createBox)),
		withToken(http.MethodGet, "/boxes/:box", (*API).describeBox),
		withToken(http.MethodPut, "/boxes/:box", (*API).transferBox),
		slow(withToken(http.MethodDelete, "/boxes/:box", (*API).deleteBox)),
		withoutBody(withToken(http.MethodPost, "/boxes/:box/offer/accept", (*API).acceptBox)),
		withToken(http.MethodDelete, "/boxes/:box/offer", (*API).endBoxOffer),

		withToken(http.MethodGet, "/boxes/:box/users", (*API).listBoxUsers),
		withToken(http.MethodPost, "/boxes/:box/users", (*API).addBoxUser),
		withToken(http.MethodGet, "/boxes/:box/users/:username", (*API).describeBoxUser),
		withToken(http.MethodPut, "/boxes/:box/users/:username", (*API).updateBoxUser),
		withToken(http.MethodDelete, "/boxes/:box/users/:username", (*API).removeBoxUser),
		withToken(http.MethodGet, "/boxes/:box/users/:username/permissions", (*API).listPermissions),
		withToken(http.MethodPut, "/boxes/:box/users/:username/permissions", (*API).setPermissions),
		withToken(http.MethodDelete, "/boxes/:box/users/:username/permissions", (*API).clearPermissions),

		withToken(http.MethodGet, "/boxes/:box/keyring", (*API).readKeyring),
		slow(withLargeBody(withToken(http.MethodPut, "/boxes/:box/keyring", (*API).writeKeyring))),

		withToken(http.MethodGet, "/boxes/:box/entries", (*API).listEntries),
		withToken(http.MethodPost, "/boxes/:box/entries", (*API).writeEntry),
		withToken(http.MethodGet, "/boxes/:box/entries/:key", (*API).readEntry),
		withToken(http.MethodDelete, "/boxes/:box/entries/:key", (*API).deleteEntry),
		withToken(http.MethodGet, "/boxes/:box/entries/:key/versions", (*API).listVersions),
		withToken(http.MethodPost, "/boxes/:box/entries/:key/restore", (*API).restoreEntry),

		withToken(http.MethodGet, "/audit", (*API).listEvents),
		withToken(http.MethodGet, "/boxes/:box/audit", (*API).listBoxEvents),
	}
}

// accountsRoutes are the routes of the accounts API. Each use case checks the group of the caller. The table repeats
// the required group for refuseInput, which checks the group if the input is invalid.
func accountsRoutes() []Route {
	viewer, manager, owner := domain.GroupViewer, domain.GroupManager, domain.GroupOwner
	return []Route{
		open(http.MethodPost, accountsPath+"/user/auth", (*API).signInWithCode),
		open(http.MethodPost, accountsPath+"/user/auth/refresh", (*API).refreshTokens),
		withAnyToken(http.MethodDelete, accountsPath+"/user/auth/revoke/:user", (*API).revokeSessions),
		inGroup(owner, http.MethodGet, accountsPath+"/user/auth/setup/:user", (*API).showTOTP),
		inGroup(owner, http.MethodGet, accountsPath+"/user/list", (*API).listAccounts),
		inGroup(owner, http.MethodPost, accountsPath+"/user/add", (*API).addAccount),
		slow(inGroup(owner, http.MethodDelete, accountsPath+"/user/delete/:user", (*API).deleteAccount)),

		inGroup(viewer, http.MethodGet, accountsPath+"/droplet/list", (*API).listDroplets),
		slow(inGroup(manager, http.MethodPost, accountsPath+"/droplet/add", (*API).addDroplet)),
		slow(withoutBody(inGroup(manager, http.MethodPatch, accountsPath+"/droplet/start/:droplet",
			(*API).startDroplet))),
		slow(withoutBody(inGroup(manager, http.MethodPatch, accountsPath+"/droplet/stop/:droplet",
			(*API).stopDroplet))),
		slow(withoutBody(inGroup(manager, http.MethodPatch, accountsPath+"/droplet/restart/:droplet",
			(*API).restartDroplet))),
		slow(inGroup(manager, http.MethodDelete, accountsPath+"/droplet/delete/:droplet", (*API).deleteDroplet)),
	}
}

// open returns a route that requires no token.
func open(method, path string, handler handler) Route {
	return Route{
		Method:      method,
		Path:        path,
		handler:     handler,
		ignoresBody: method == http.MethodGet || method == http.MethodDelete,
	}
}

// withoutBody marks a route whose handler ignores the body. Routes for GET and DELETE do not need it: the function
// open has already marked them.
func withoutBody(route Route) Route {
	route.ignoresBody = true
	return route
}

// slow raises the time limit of a route to slowRequestTime.
func slow(route Route) Route {
	route.isSlow = true
	return route
}

// optionalToken returns a route that accepts requests with or without a token.
func optionalToken(method, path string, handler handler) Route {
	route := open(method, path, handler)
	route.Auth = AuthOptional
	return route
}

// withToken returns a route that every user with a valid token may use. The use case decides what the user may do.
func withToken(method, path string, handler handler) Route {
	route := open(method, path, handler)
	route.Auth = AuthToken
	return route
}

// withAnyToken works like withToken, but the route also accepts refresh tokens.
func withAnyToken(method, path string, handler handler) Route {
	route := withToken(method, path, handler)
	route.acceptsRefreshToken = true
	return route
}

// maxKeyringBody is the largest body with a keyring, in bytes. A keyring with 1,000 recipients and 4,096 earlier keys
// fits into it.
const maxKeyringBody = 4 << 20

// withLargeBody raises the limit of a route's body to maxKeyringBody.
func withLargeBody(route Route) Route {
	route.MaxBody = maxKeyringBody
	return route
}

// inGroup returns a route that members of the given group or of a higher group may use.
func inGroup(group domain.Group, method, path string, handler handler) Route {
	route := withToken(method, path, handler)
	route.Group = group
	return route
}
