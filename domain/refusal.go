package domain

// The errors that several use cases or rules return. An error about a single value is defined where that value is
// parsed.
//
// The messages name no headers and no settings. Adapters add the names, because only they know how a value was sent.
var (
	ErrUnauthenticated = Refuse(Unauthenticated, "unauthenticated",
		"the token is missing, malformed, expired or revoked, or its user is inactive")
	// ErrWrongCredentials does not reveal which credential is wrong, so it does not reveal which usernames exist.
	ErrWrongCredentials = Refuse(Unauthenticated, "wrong_credentials", "the username or the password is wrong")
	ErrCodeRequired     = Refuse(Unauthenticated, "totp_required",
		"this account uses two-factor authentication: send a TOTP code or a recovery code in the code field")
	ErrRefreshToken = Refuse(Unauthenticated, "refresh_token_not_found",
		"the refresh token is unknown, used, expired or revoked: sign in again")

	// ErrInvitationInvalid covers all reasons to refuse an invitation, so a guessed code reveals nothing about existing
	// invitations.
	ErrInvitationInvalid = Refuse(Unauthenticated, "invitation_invalid",
		"the invitation is unknown, expired, revoked or already used: "+
			"sign in if you have joined, or ask for a new invitation")

	ErrAlreadyInitialized = Refuse(Conflict, "already_initialized", "this Lockbox already has an owner")
	ErrAdminOnly          = Refuse(Forbidden, "admin_only", "only an admin may do this")
	ErrOwnerProtected     = Refuse(Forbidden, "owner_protected",
		"only the owner of the system may change the owner's password, API keys, role or state")
	ErrOwnerOnly  = Refuse(Forbidden, "owner_only", "only the owner of the system may do this")
	ErrOwnerStays = Refuse(Conflict, "owner_stays",
		"the owner of the system must stay an active admin and cannot be deleted")

	ErrNewOwnerInactive = Refuse(Conflict, "new_owner_inactive", "the new owner of the system must be an active user")
	ErrSecondOwner      = Refuse(Conflict, "second_owner", "the system has an owner and cannot have two")
	ErrUnknownGroup     = InvalidField("group", "unknown_group", "group must be viewer, manager or owner")
	ErrGroupTooLow      = Refuse(Forbidden, "group_too_low", "your group does not permit this")
	ErrRevokeOthers     = Refuse(Forbidden, "revoke_owner_only",
		"only the owner of the system may revoke the sessions of other users")

	// ErrCodeInvalid covers all reasons to refuse a sign-in with a code, so it does not reveal which usernames exist.
	ErrCodeInvalid = Refuse(Invalid, "code_invalid",
		"the username, the password or the TOTP code is wrong, or the code was used before")
	ErrItselfOnly = Refuse(Forbidden, "itself_only",
		"users can enrol and confirm two-factor authentication only for their own account")
	ErrWrongCode = Refuse(Forbidden, "code_wrong", "the code is wrong or was used before")
	// ErrPasswordForTOTP keeps the holder of a stolen token from enrolling an authenticator app of their own.
	ErrPasswordForTOTP = Refuse(Forbidden, "totp_password_required",
		"a change of two-factor authentication needs your password: send it in the currentPassword field")
	// ErrCodeForPassword keeps the holder of a stolen token from setting the first password.
	ErrCodeForPassword = Refuse(Forbidden, "password_code_required",
		"your account has no password yet: to set the first password, also send a TOTP code in the code field")
	ErrNoCode = Refuse(NotFound, "totp_not_found",
		"the user has no two-factor authentication to confirm or remove")
	ErrSecretHidden = Refuse(Forbidden, "totp_secret_hidden", "the TOTP secret is in use and is not shown again")

	ErrIdentityItself = Refuse(Forbidden, "itself_only",
		"users can change, lock and unlock only their own identity")
	// ErrRecentSignIn protects identities from the holder of a stolen API key or of an old session.
	ErrRecentSignIn = Refuse(Forbidden, "recent_sign_in_required",
		"this request needs a sign-in with your password within the last ten minutes: sign in again")
	ErrIdentityTaken    = Refuse(Conflict, "identity_taken", "another user has or had this public key")
	ErrIdentityNotFound = Refuse(NotFound, "identity_not_found", "there is no such identity")
	ErrLockedNotFound   = Refuse(NotFound, "locked_identity_not_found", "the user has no locked identity")

	ErrUserNotFound       = Refuse(NotFound, "user_not_found", "there is no such user")
	ErrInvitationNotFound = Refuse(NotFound, "invitation_not_found", "there is no open invitation for that username")

	ErrPasswordChanged = Refuse(Conflict, "password_changed",
		"another request changed the password at the same time; try again")

	ErrUserExists     = Refuse(Conflict, "user_exists", "the username is taken")
	ErrAPIKeyNotFound = Refuse(NotFound, "api_key_not_found", "there is no such API key")
	ErrLastAPIKey     = Refuse(Conflict, "last_api_key",
		"this is the user's last usable API key: create another API key before you delete this one")

	// ErrBoxNotFound covers missing boxes and boxes of other users, so it does not reveal which boxes exist.
	ErrBoxNotFound      = Refuse(NotFound, "box_not_found", "there is no such box, or you are not a member of it")
	ErrBoxExists        = Refuse(Conflict, "box_exists", "the name of the box is taken")
	ErrBoxAdminOnly     = Refuse(Forbidden, "box_admin_only", "only a boxadmin of this box or an admin may do this")
	ErrBoxOwnerOnly     = Refuse(Forbidden, "box_owner_only", "only the owner of the box or an admin may do this")
	ErrBoxOwnerStays    = Refuse(Conflict, "box_owner_stays", "the owner of a box must stay an active boxadmin")
	ErrLastBoxAdmin     = Refuse(Conflict, "last_box_admin", "this is the last boxadmin of the box")
	ErrBoxUserNotFound  = Refuse(NotFound, "box_user_not_found", "the box has no such user")
	ErrBoxUserExists    = Refuse(Conflict, "box_user_exists", "the user is already in the box")
	ErrNewOwnerNotInBox = Refuse(Conflict, "new_owner_not_in_box", "the new owner must be an active user of the box")
	ErrBoxOfferNotFound = Refuse(NotFound, "box_offer_not_found",
		"the ownership of the box is not offered to you, or the offer has expired")
	ErrPermissionMissing = Refuse(Forbidden, "permission_missing", "your permissions in this box do not permit this")

	ErrEntryNotFound   = Refuse(NotFound, "entry_not_found", "the box has no such entry")
	ErrVersionNotFound = Refuse(NotFound, "version_not_found",
		"the entry has no such version, or the version was deleted")
	ErrPrecondition = Refuse(Precondition, "precondition_failed",
		"the version of the entry does not satisfy the condition of the request")
	ErrEncryptionKeyRequired = InvalidField(FieldEncryptionKey, "encryption_key_required",
		"the encryption key is missing: send the key that the entry is encrypted with")
	ErrKeyMismatch = Refuse(Forbidden, "encryption_key_mismatch", "the entry is encrypted with another key")

	ErrNoDropletHost          = Refuse(Unavailable, "no_droplet_host", "no droplet host is configured")
	ErrDropletHostUnavailable = Refuse(Unavailable, "droplet_host_unavailable",
		"the droplet host does not answer: list the droplets, then try again")
	ErrDropletAbandoned = Refuse(Conflict, "droplet_abandoned", "the droplet was deleted while it was being created")

	ErrBusy = Refuse(Unavailable, "busy", "the server is busy: try again in a moment")
)

// LimitReached returns the error for a change that would exceed a limit. The what argument states which limit is
// reached.
func LimitReached(what string) *Error {
	return Refuse(Conflict, "limit_reached", "the limit is reached: "+what)
}
