package e2e

// The columns of the tables:
//
//	nobody    no token
//	stranger  a user without a part in the box
//	without   a box user without the permission
//	inactive  an inactive box user, with the role boxadmin and all permissions
//	with      a box user with exactly the permissions that the route needs
//	boxadmin  a boxadmin without permissions over entries
//	boxowner  the owner of the box, as creating it made it
//	admin     an admin of the system who is not in the box
//	owner     the owner of the system, who is not in the box
//	revoked   an admin who is boxadmin with all permissions, by a key that was deleted
//	expired   the same, by a key that has ended
//	disabled  the same, who was deactivated
const actors = `nobody stranger without inactive with boxadmin boxowner admin owner revoked expired disabled`

// ownPolicy is each route about what the actor has a part in: the box that its column says, a colleague in it, its own
// account and its own API key. POST /boxes/:box takes a free name. Here there is no droplet host: 503 is let in.
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
	POST   /users/:username/totp                         401 201 201 201 201 201 201 201 201 401 401 401
	POST   /users/:username/totp/confirm                 401 400 400 400 400 400 400 400 400 401 401 401
	DELETE /users/:username/totp                         401 204 204 204 204 204 204 204 204 401 401 401

	GET    /boxes                                        401 200 200 200 200 200 200 200 200 401 401 401
	POST   /boxes/:box                                   401 201 201 201 201 201 201 201 201 401 401 401
	GET    /boxes/:box                                   401 404 200 404 200 200 200 200 200 401 401 401
	PUT    /boxes/:box                                   401 404 403 404 403 403 204 204 204 401 401 401
	DELETE /boxes/:box                                   401 404 403 404 403 204 204 204 204 401 401 401

	GET    /boxes/:box/users                             401 404 403 404 403 200 200 200 200 401 401 401
	POST   /boxes/:box/users                             401 404 403 404 403 201 201 201 201 401 401 401
	GET    /boxes/:box/users/:username                   401 404 403 404 403 200 200 200 200 401 401 401
	PUT    /boxes/:box/users/:username                   401 404 403 404 403 204 204 204 204 401 401 401
	DELETE /boxes/:box/users/:username                   401 404 403 404 403 204 204 204 204 401 401 401
	GET    /boxes/:box/users/:username/permissions       401 404 403 404 403 200 200 200 200 401 401 401
	PUT    /boxes/:box/users/:username/permissions       401 404 403 404 403 204 204 204 204 401 401 401
	DELETE /boxes/:box/users/:username/permissions       401 404 403 404 403 204 204 204 204 401 401 401

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

// foreignPolicy is each route with a parameter about what is somebody else's: a box in which the actor, whatever it is
// in another one, has no part, and somebody else's account and API key. The name of that box is taken.
const foreignPolicy = `
	DELETE /api-keys/:apiKey                             401 404 404 404 404 404 404 204 204 401 401 401

	GET    /users/:username                              401 403 403 403 403 403 403 200 200 401 401 401
	PUT    /users/:username                              401 403 403 403 403 403 403 204 204 401 401 401
	DELETE /users/:username                              401 403 403 403 403 403 403 204 204 401 401 401
	POST   /users/:username/totp                         401 403 403 403 403 403 403 403 403 401 401 401
	POST   /users/:username/totp/confirm                 401 403 403 403 403 403 403 403 403 401 401 401
	DELETE /users/:username/totp                         401 403 403 403 403 403 403 204 204 401 401 401

	POST   /boxes/:box                                   401 409 409 409 409 409 409 409 409 401 401 401
	GET    /boxes/:box                                   401 404 404 404 404 404 404 200 200 401 401 401
	PUT    /boxes/:box                                   401 404 404 404 404 404 404 204 204 401 401 401
	DELETE /boxes/:box                                   401 404 404 404 404 404 404 204 204 401 401 401

	GET    /boxes/:box/users                             401 404 404 404 404 404 404 200 200 401 401 401
	POST   /boxes/:box/users                             401 404 404 404 404 404 404 201 201 401 401 401
	GET    /boxes/:box/users/:username                   401 404 404 404 404 404 404 200 200 401 401 401
	PUT    /boxes/:box/users/:username                   401 404 404 404 404 404 404 204 204 401 401 401
	DELETE /boxes/:box/users/:username                   401 404 404 404 404 404 404 204 204 401 401 401
	GET    /boxes/:box/users/:username/permissions       401 404 404 404 404 404 404 200 200 401 401 401
	PUT    /boxes/:box/users/:username/permissions       401 404 404 404 404 404 404 204 204 401 401 401
	DELETE /boxes/:box/users/:username/permissions       401 404 404 404 404 404 404 204 204 401 401 401

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

// itselfPolicy is each route about a box user when that is the actor itself. Admins who are not in the box are no
// users of it.
const itselfPolicy = `
	GET    /boxes/:box/users/:username                   401 404 200 404 200 200 200 404 404 401 401 401
	PUT    /boxes/:box/users/:username                   401 404 403 404 403 204 204 404 404 401 401 401
	DELETE /boxes/:box/users/:username                   401 404 403 404 403 204 409 404 404 401 401 401
	GET    /boxes/:box/users/:username/permissions       401 404 200 404 200 200 200 404 404 401 401 401
	PUT    /boxes/:box/users/:username/permissions       401 404 403 404 403 204 204 404 404 401 401 401
	DELETE /boxes/:box/users/:username/permissions       401 404 403 404 403 204 204 404 404 401 401 401
`
