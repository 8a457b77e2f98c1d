package domain

// The refusals that are the same wherever they arise. Those that are about one value are made where that value is read.
var (
	ErrUnauthenticated = Refuse(Unauthenticated, "unauthenticated",
		"the token is missing, malformed, expired or revoked, or its user is inactive")
	ErrWrongCredentials = Refuse(Unauthenticated, "wrong_credentials", "the username or the password is wrong")
	ErrCodeRequired     = Refuse(Unauthenticated, "totp_required",
		"this account wants a one-time code too: send it, or a recovery code, as code")
	ErrRefreshToken = Refuse(Unauthenticated, "refresh_token_not_found",
		"the refresh token is unknown, spent, expired or revoked: sign in again")

	ErrAlreadyInitialized = Refuse(Conflict, "already_initialized", "this Lockbox has an owner already")
	ErrAdminOnly          = Refuse(Forbidden, "admin_only", "only an admin may do this")
	ErrOwnerProtected     = Refuse(Forbidden, "owner_protected",
		"only the owner of the system may change the owner's password, API keys, role or state")
	ErrOwnerOnly  = Refuse(Forbidden, "owner_only", "only the owner of the system may do this")
	ErrOwnerStays = Refuse(Conflict, "owner_stays",
		"the owner of the system stays an active admin and cannot be deleted")

	ErrNewOwnerInactive = Refuse(Conflict, "new_owner_inactive", "the new owner of the system must be an active user")
	ErrSecondOwner      = Refuse(Conflict, "second_owner", "the system has an owner, and cannot have two")
	ErrUnknownGroup     = InvalidField("group", "unknown_group", "group must be viewer, manager or owner")
	ErrGroupTooLow      = Refuse(Forbidden, "group_too_low", "your group does not include this")
	ErrRevokeOthers     = Refuse(Forbidden, "revoke_owner_only",
		"only the owner of the system may end the sessions of others")

	ErrCodeInvalid = Refuse(Invalid, "code_invalid",
		"the name, the password or the one-time code is wrong, or the code was used before")
	ErrItselfOnly = Refuse(Forbidden, "itself_only",
		"a user enrols and confirms its own one-time codes, and nobody else's")
	ErrWrongCode    = Refuse(Forbidden, "code_wrong", "the one-time code is wrong, or was used before")
	ErrNoCode       = Refuse(NotFound, "totp_not_found", "the user has no one-time code to confirm or remove")
	ErrSecretHidden = Refuse(Forbidden, "totp_secret_hidden", "the secret is in use and is not shown again")

	ErrUserNotFound   = Refuse(NotFound, "user_not_found", "there is no such user")
	ErrUserExists     = Refuse(Conflict, "user_exists", "the username is taken")
	ErrAPIKeyNotFound = Refuse(NotFound, "api_key_not_found", "there is no such API key")
	ErrLastAPIKey     = Refuse(Conflict, "last_api_key",
		"this is the user's last usable API key: create another one before deleting it")

	ErrBoxNotFound       = Refuse(NotFound, "box_not_found", "there is no such box, or you have no part in it")
	ErrBoxExists         = Refuse(Conflict, "box_exists", "the name of the box is taken")
	ErrBoxAdminOnly      = Refuse(Forbidden, "box_admin_only", "only a boxadmin of this box or an admin may do this")
	ErrBoxOwnerOnly      = Refuse(Forbidden, "box_owner_only", "only the owner of the box or an admin may do this")
	ErrBoxOwnerStays     = Refuse(Conflict, "box_owner_stays", "the owner of a box stays an active boxadmin of it")
	ErrLastBoxAdmin      = Refuse(Conflict, "last_box_admin", "this is the last boxadmin of the box")
	ErrBoxUserNotFound   = Refuse(NotFound, "box_user_not_found", "the box has no such user")
	ErrBoxUserExists     = Refuse(Conflict, "box_user_exists", "the user is in the box already")
	ErrNewOwnerNotInBox  = Refuse(Conflict, "new_owner_not_in_box", "the new owner must be an active user of the box")
	ErrPermissionMissing = Refuse(Forbidden, "permission_missing", "your permissions in this box do not include this")

	ErrEntryNotFound   = Refuse(NotFound, "entry_not_found", "the box has no such entry")
	ErrVersionNotFound = Refuse(NotFound, "version_not_found", "the entry has no such version, or it is no longer kept")
	ErrPrecondition    = Refuse(Precondition, "precondition_failed",
		"the entry's version is not the one that If-Match or If-None-Match asks for")
	ErrKeyMismatch = Refuse(Forbidden, "encryption_key_mismatch",
		"the entry was encrypted under another key than the one in X-Encryption-Key")

	ErrNoDropletHost = Refuse(Unavailable, "no_droplet_host",
		"no droplet host is set up: whoever runs this server can name one in LOCKBOX_DOCKER_HOST")
	ErrDropletHostUnavailable = Refuse(Unavailable, "droplet_host_unavailable",
		"the droplet host does not answer; try again in a moment, and look at the list first")
	ErrDropletAbandoned = Refuse(Conflict, "droplet_abandoned", "the droplet was deleted while it was being made")

	ErrBusy = Refuse(Unavailable, "busy", "too much work is waiting; try again in a moment")
)

// LimitReached is the refusal of one more of something that is limited.
func LimitReached(what string) *Error {
	return Refuse(Conflict, "limit_reached", "the limit is reached: "+what)
}
