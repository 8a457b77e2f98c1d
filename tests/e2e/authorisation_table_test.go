package e2e

// The columns of the tables:
//
//	anonymous no token
//	stranger  a user who is not a member of the box
//	without   a member without the permission
//	inactive  an inactive member with the role boxadmin and all permissions
//	with      a member with exactly the permissions that the route needs
//	boxadmin  a boxadmin without permissions over entries
//	boxowner  the owner of the box, with the default role and permissions
//	admin     a system admin who is not a member of the box
//	owner     the owner of the system, who is not a member of the box
//	revoked   an admin who is boxadmin with all permissions, with a revoked API key
//	expired   like revoked, but with an expired API key
//	disabled  like revoked, but with a deactivated account
const actors = `anonymous stranger without inactive with boxadmin boxowner admin owner revoked expired disabled`

// ownPolicy lists, for each route, the status that each actor must get when the request is about the actor's own
// objects. These objects are the actor's account, an API key of that account, a box, and a colleague in that box. The
// comment of the constant actors describes the actor's role in the box. POST /boxes/:box uses a name that no box has.
// No droplet host is configured, so 503 means that the request was authorised.
const ownPolicy = `
	GET    /                                             200 200 200 200 200 200 200 200 200 200 200 200
	POST   /init                                         409 409 409 409 409 409 409 409 409 409 409 409
	POST   /authenticate                                 200 200 200 200 200 200 200 200 200 200 200 200
	GET    /whoami                                       401 200 200 200 200 200 200 200 200 401 401 401

	GET    /api-keys                                     401 200 200 200 200 200 200 200 200 401 401 401
	POST   /api-keys                                     401 200 200 200 200 200 200 200 200 401 401 401
	DELETE /api-keys/:apiKey                             401 204 204 204 204 204 204 204 204 401 401 401

	GET    /users                                        401 403 403 403 403 403 403 200 200 401 401 401
	POST   /users                                        401 403 403 403 403 403 403 201 201 401 401 401
	GET    /users/:username                              401 200 200 200 200 200 200 200 200 401 401 401
	PUT    /users/:username                              401 204 204 204 204 204 204 204 204 401 401 401
	DELETE /users/:username                              401 403 403 403 403 403 403 204 409 401 401 401
	GET    /invitations                                  401 403 403 403 403 403 403 200 200 401 401 401
	POST   /invitations                                  401 403 403 403 403 403 403 201 201 401 401 401
	POST   /invitations/accept                           201 201 201 201 201 201 201 201 201 201 201 201
	DELETE /invitations/:username                        401 403 403 403 403 403 403 204 204 401 401 401
	POST   /users/:username/totp                         401 201 201 201 201 201 201 201 201 401 401 401
	POST   /users/:username/totp/confirm                 401 400 400 400 400 400 400 400 400 401 401 401
	DELETE /users/:username/totp                         401 204 204 204 204 204 204 204 204 401 401 401

	GET    /users/:username/identity                     401 200 200 200 200 200 200 200 200 401 401 401
	PUT    /users/:username/identity                     401 200 200 200 200 200 200 200 200 401 401 401
	GET    /users/:username/identity/locked              401 200 200 200 200 200 200 200 200 401 401 401
	PUT    /users/:username/identity/locked              401 204 204 204 204 204 204 204 204 401 401 401
	DELETE /users/:username/identity/locked              401 204 204 204 204 204 204 204 204 401 401 401
	GET    /identities/:fingerprint                      401 200 200 200 200 200 200 200 200 401 401 401

	GET    /boxes                                        401 200 200 200 200 200 200 200 200 401 401 401
	POST   /boxes/:box                                   401 201 201 201 201 201 201 201 201 401 401 401
	GET    /boxes/:box                                   401 404 200 404 200 200 200 200 200 401 401 401
	PUT    /boxes/:box                                   401 404 403 404 403 403 204 204 204 401 401 401
	DELETE /boxes/:box                                   401 404 403 404 403 204 204 204 204 401 401 401
	POST   /boxes/:box/offer/accept                      401 404 204 404 204 204 404 404 404 401 401 401
	DELETE /boxes/:box/offer                             401 404 403 404 204 403 204 204 204 401 401 401

	GET    /boxes/:box/users                             401 404 403 404 403 200 200 200 200 401 401 401
	POST   /boxes/:box/users                             401 404 403 404 403 201 201 201 201 401 401 401
	GET    /boxes/:box/users/:username                   401 404 403 404 403 200 200 200 200 401 401 401
	PUT    /boxes/:box/users/:username                   401 404 403 404 403 204 204 204 204 401 401 401
	DELETE /boxes/:box/users/:username                   401 404 403 404 403 204 204 204 204 401 401 401
	GET    /boxes/:box/users/:username/permissions       401 404 403 404 403 200 200 200 200 401 401 401
	PUT    /boxes/:box/users/:username/permissions       401 404 403 404 403 204 204 204 204 401 401 401
	DELETE /boxes/:box/users/:username/permissions       401 404 403 404 403 204 204 204 204 401 401 401

	GET    /boxes/:box/keyring                           401 404 200 404 200 200 200 200 200 401 401 401
	PUT    /boxes/:box/keyring                           401 404 403 404 403 200 200 403 403 401 401 401

	GET    /boxes/:box/entries                           401 404 403 404 200 403 200 403 403 401 401 401
	POST   /boxes/:box/entries                           401 404 403 404 201 403 201 403 403 401 401 401
	GET    /boxes/:box/entries/:key                      401 404 403 404 200 403 200 403 403 401 401 401
	DELETE /boxes/:box/entries/:key                      401 404 403 404 204 403 204 403 403 401 401 401
	GET    /boxes/:box/entries/:key/versions             401 404 403 404 200 403 200 403 403 401 401 401
	POST   /boxes/:box/entries/:key/restore              401 404 403 404 201 403 201 403 403 401 401 401

	GET    /audit                                        401 403 403 403 403 403 403 200 200 401 401 401
	GET    /boxes/:box/audit                             401 404 403 404 403 200 200 200 200 401 401 401

	POST   /api/v1/user/auth                             400 400 400 400 400 400 400 400 400 400 400 400
	POST   /api/v1/user/auth/refresh                     401 401 401 401 401 401 401 401 401 401 401 401
	DELETE /api/v1/user/auth/revoke/:user                401 200 200 200 200 200 200 200 200 401 401 401
	GET    /api/v1/user/auth/setup/:user                 401 403 403 403 403 403 403 403 200 401 401 401
	GET    /api/v1/user/list                             401 403 403 403 403 403 403 403 200 401 401 401
	POST   /api/v1/user/add                              401 403 403 403 403 403 403 403 200 401 401 401
	DELETE /api/v1/user/delete/:user                     401 403 403 403 403 403 403 403 403 401 401 401

	GET    /api/v1/droplet/list                          401 403 403 403 403 403 403 403 503 401 401 401
	POST   /api/v1/droplet/add                           401 403 403 403 403 403 403 403 503 401 401 401
	PATCH  /api/v1/droplet/start/:droplet                401 403 403 403 403 403 403 403 503 401 401 401
	PATCH  /api/v1/droplet/stop/:droplet                 401 403 403 403 403 403 403 403 503 401 401 401
	PATCH  /api/v1/droplet/restart/:droplet              401 403 403 403 403 403 403 403 503 401 401 401
	DELETE /api/v1/droplet/delete/:droplet               401 403 403 403 403 403 403 403 503 401 401 401
`

// itselfPolicy lists the status that each actor must get when the request is about the actor as a user of the box. An
// admin who is not a member of the box is not a user of the box.
const itselfPolicy = `
	GET    /boxes/:box/users/:username                   401 404 200 404 200 200 200 404 404 401 401 401
	PUT    /boxes/:box/users/:username                   401 404 403 404 403 204 204 404 404 401 401 401
	DELETE /boxes/:box/users/:username                   401 404 204 404 204 204 409 404 404 401 401 401
	GET    /boxes/:box/users/:username/permissions       401 404 200 404 200 200 200 404 404 401 401 401
	PUT    /boxes/:box/users/:username/permissions       401 404 403 404 403 204 204 404 404 401 401 401
	DELETE /boxes/:box/users/:username/permissions       401 404 403 404 403 204 204 404 404 401 401 401
`
