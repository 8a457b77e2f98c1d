//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestAuthorisationOfOthers runs every route that names an object as every actor, on the objects of other users.
func TestAuthorisationOfOthers(t *testing.T) {
	t.Parallel()
	newTroupe(t).perform(t, policyTable{
		name:    "foreign",
		policy:  foreignPolicy,
		covers:  func(path string) bool { return strings.Contains(path, ":") },
		foreign: true,
	})
}

// foreignPolicy lists, for each route with a parameter, the status that each actor must get when the request is about
// objects of other users. These objects are a box in which the actor is not a member, and the account and the API key
// of another user. POST /boxes/:box uses the name of that box.
const foreignPolicy = `
	DELETE /api-keys/:apiKey                             401 404 404 404 404 404 404 204 204 401 401 401

	GET    /users/:username                              401 403 403 403 403 403 403 200 200 401 401 401
	PUT    /users/:username                              401 403 403 403 403 403 403 204 204 401 401 401
	DELETE /users/:username                              401 403 403 403 403 403 403 204 204 401 401 401
	DELETE /invitations/:username                        401 403 403 403 403 403 403 204 204 401 401 401
	POST   /users/:username/totp                         401 403 403 403 403 403 403 403 403 401 401 401
	POST   /users/:username/totp/confirm                 401 403 403 403 403 403 403 403 403 401 401 401
	DELETE /users/:username/totp                         401 403 403 403 403 403 403 204 204 401 401 401

	GET    /users/:username/identity                     401 200 200 200 200 200 200 200 200 401 401 401
	PUT    /users/:username/identity                     401 403 403 403 403 403 403 403 403 401 401 401
	GET    /users/:username/identity/locked              401 403 403 403 403 403 403 403 403 401 401 401
	PUT    /users/:username/identity/locked              401 403 403 403 403 403 403 403 403 401 401 401
	DELETE /users/:username/identity/locked              401 403 403 403 403 403 403 403 403 401 401 401
	GET    /identities/:fingerprint                      401 200 200 200 200 200 200 200 200 401 401 401

	POST   /boxes/:box                                   401 409 409 409 409 409 409 409 409 401 401 401
	GET    /boxes/:box                                   401 404 404 404 404 404 404 200 200 401 401 401
	PUT    /boxes/:box                                   401 404 404 404 404 404 404 204 204 401 401 401
	DELETE /boxes/:box                                   401 404 404 404 404 404 404 204 204 401 401 401
	POST   /boxes/:box/offer/accept                      401 404 404 404 404 404 404 404 404 401 401 401
	DELETE /boxes/:box/offer                             401 404 404 404 404 404 404 204 204 401 401 401

	GET    /boxes/:box/users                             401 404 404 404 404 404 404 200 200 401 401 401
	POST   /boxes/:box/users                             401 404 404 404 404 404 404 201 201 401 401 401
	GET    /boxes/:box/users/:username                   401 404 404 404 404 404 404 200 200 401 401 401
	PUT    /boxes/:box/users/:username                   401 404 404 404 404 404 404 204 204 401 401 401
	DELETE /boxes/:box/users/:username                   401 404 404 404 404 404 404 204 204 401 401 401
	GET    /boxes/:box/users/:username/permissions       401 404 404 404 404 404 404 200 200 401 401 401
	PUT    /boxes/:box/users/:username/permissions       401 404 404 404 404 404 404 204 204 401 401 401
	DELETE /boxes/:box/users/:username/permissions       401 404 404 404 404 404 404 204 204 401 401 401

	GET    /boxes/:box/keyring                           401 404 404 404 404 404 404 200 200 401 401 401
	PUT    /boxes/:box/keyring                           401 404 404 404 404 404 404 403 403 401 401 401

	GET    /boxes/:box/entries                           401 404 404 404 404 404 404 403 403 401 401 401
	POST   /boxes/:box/entries                           401 404 404 404 404 404 404 403 403 401 401 401
	GET    /boxes/:box/entries/:key                      401 404 404 404 404 404 404 403 403 401 401 401
	DELETE /boxes/:box/entries/:key                      401 404 404 404 404 404 404 403 403 401 401 401
	GET    /boxes/:box/entries/:key/versions             401 404 404 404 404 404 404 403 403 401 401 401
	POST   /boxes/:box/entries/:key/restore              401 404 404 404 404 404 404 403 403 401 401 401

	GET    /boxes/:box/audit                             401 404 404 404 404 404 404 200 200 401 401 401

	DELETE /api/v1/user/auth/revoke/:user                401 401 401 401 401 401 401 401 200 401 401 401
	GET    /api/v1/user/auth/setup/:user                 401 403 403 403 403 403 403 403 200 401 401 401
	DELETE /api/v1/user/delete/:user                     401 403 403 403 403 403 403 403 200 401 401 401

	PATCH  /api/v1/droplet/start/:droplet                401 403 403 403 403 403 403 403 503 401 401 401
	PATCH  /api/v1/droplet/stop/:droplet                 401 403 403 403 403 403 403 403 503 401 401 401
	PATCH  /api/v1/droplet/restart/:droplet              401 403 403 403 403 403 403 403 503 401 401 401
	DELETE /api/v1/droplet/delete/:droplet               401 403 403 403 403 403 403 403 503 401 401 401
`
