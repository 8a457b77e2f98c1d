package domain

import "time"

// Action is the operation that an event describes. The set of actions is closed. The audit log stores the name of the
// action.
type Action struct{ name string }

// The actions.
var (
	ActionInitialize     = Action{"system.initialize"}
	ActionSignIn         = Action{"session.create"}
	ActionCreateAPIKey   = Action{"api-key.create"}
	ActionShowAPIKeys    = Action{"api-key.show"}
	ActionDeleteAPIKey   = Action{"api-key.delete"}
	ActionCreateUser     = Action{"user.create"}
	ActionUpdateUser     = Action{"user.update"}
	ActionSetPassword    = Action{"user.password"}
	ActionDeleteUser     = Action{"user.delete"}
	ActionCreateBox      = Action{"box.create"}
	ActionTransferBox    = Action{"box.transfer"}
	ActionOfferBox       = Action{"box.offer"}
	ActionEndBoxOffer    = Action{"box.offer-end"}
	ActionDeleteBox      = Action{"box.delete"}
	ActionAddBoxUser     = Action{"box-user.add"}
	ActionUpdateBoxUser  = Action{"box-user.update"}
	ActionSetPermissions = Action{"box-user.permissions"}
	ActionRemoveBoxUser  = Action{"box-user.remove"}
	ActionWriteEntry     = Action{"entry.write"}
	ActionReadEntry      = Action{"entry.read"}
	ActionRestoreEntry   = Action{"entry.restore"}
	ActionDeleteEntry    = Action{"entry.delete"}
	ActionRotateSecret   = Action{"secret.rotate"}
	ActionRekey          = Action{"secret.rekey"}
	ActionRefresh        = Action{"session.refresh"}
	ActionRevoke         = Action{"session.revoke"}
	ActionShowTOTP       = Action{"totp.show"}
	ActionEnrolTOTP      = Action{"totp.enrol"}
	ActionConfirmTOTP    = Action{"totp.confirm"}
	ActionRemoveTOTP     = Action{"totp.remove"}
	ActionInvite         = Action{"user.invite"}
	ActionJoin           = Action{"user.join"}
	ActionUninvite       = Action{"invitation.revoke"}
	ActionHandOver       = Action{"system.hand-over"}
	ActionUnlock         = Action{"user.unlock"}
	ActionAddDroplet     = Action{"droplet.add"}
	ActionStartDroplet   = Action{"droplet.start"}
	ActionStopDroplet    = Action{"droplet.stop"}
	ActionRestartDroplet = Action{"droplet.restart"}
	ActionDeleteDroplet  = Action{"droplet.delete"}
	ActionWriteIdentity  = Action{"identity.write"}
	ActionLockIdentity   = Action{"identity.lock"}
	ActionUnlockIdentity = Action{"identity.unlock"}
	ActionDeleteLocked   = Action{"identity.lock-delete"}
	ActionWriteKeyring   = Action{"keyring.write"}

	ActionConvertRecoveryCodes = Action{"recovery-code.convert"}
	ActionDeleteRecoveryCodes  = Action{"recovery-code.delete"}
)

// Actions lists all actions.
func Actions() []Action {
	return []Action{ActionInitialize, ActionSignIn, ActionCreateAPIKey, ActionShowAPIKeys, ActionDeleteAPIKey,
		ActionCreateUser, ActionUpdateUser, ActionSetPassword, ActionDeleteUser, ActionCreateBox, ActionTransferBox,
		ActionOfferBox, ActionEndBoxOffer, ActionDeleteBox, ActionAddBoxUser, ActionUpdateBoxUser,
		ActionSetPermissions, ActionRemoveBoxUser, ActionWriteEntry, ActionReadEntry, ActionRestoreEntry,
		ActionDeleteEntry, ActionRotateSecret, ActionRekey, ActionRefresh, ActionRevoke, ActionShowTOTP,
		ActionEnrolTOTP, ActionConfirmTOTP, ActionRemoveTOTP, ActionInvite, ActionJoin, ActionUninvite,
		ActionHandOver, ActionUnlock, ActionAddDroplet, ActionStartDroplet, ActionStopDroplet, ActionRestartDroplet,
		ActionDeleteDroplet, ActionWriteIdentity, ActionLockIdentity, ActionUnlockIdentity, ActionDeleteLocked,
		ActionWriteKeyring, ActionConvertRecoveryCodes, ActionDeleteRecoveryCodes}
}

// String returns the action's name.
func (a Action) String() string { return a.name }

// ParseAction parses an action's name.
func ParseAction(text string) (Action, error) {
	for _, action := range Actions() {
		if action.name == text {
			return action, nil
		}
	}
	return Action{}, InvalidField("action", "unknown_action",
		"action must be the name of an action, such as entry.read")
}

// Outcome is the result of an action. The set of outcomes is closed. The audit log stores the name of the outcome.
type Outcome struct{ name string }

// The outcomes.
var (
	// OutcomeSuccess: the action succeeded.
	OutcomeSuccess = Outcome{"success"}
	// OutcomeDenied: the action was refused because of the caller, the credential or the encryption key.
	OutcomeDenied = Outcome{"denied"}
	// OutcomeTampered: stored data failed authentication. The data was changed outside the program, and an operator
	// should investigate.
	OutcomeTampered = Outcome{"tampered"}
	// OutcomeRateLimited: the action was refused during a lockout. One event stands for all attempts of a lockout.
	OutcomeRateLimited = Outcome{"throttled"}
	// OutcomeFailed: the action was allowed, and the droplet host refused it or did not answer.
	OutcomeFailed = Outcome{"failed"}
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	return []Outcome{OutcomeSuccess, OutcomeDenied, OutcomeRateLimited, OutcomeTampered, OutcomeFailed}
}

// String returns the outcome's name.
func (o Outcome) String() string { return o.name }

// RestoreOutcome rebuilds an outcome from storage.
func RestoreOutcome(name string) Outcome { return Outcome{name} }

// RestoreAction rebuilds an action from storage. It accepts every name, because an older release may have stored an
// action that this release no longer has.
func RestoreAction(name string) Action { return Action{name} }

// OperatorActor is the actor of the commands that an operator runs on the database. No user can have this name.
const OperatorActor = "(terminal)"

// ServiceActor is the actor of actions that Lockbox takes on its own. An example is the cleanup of a droplet whose
// creation failed.
const ServiceActor = "(service)"

// TargetUnmodified is the Target of the event of a read that returned no value because the caller already has the
// version.
const TargetUnmodified = "unmodified"

// Requester describes the sender of a request. It contains only what the request and its connection show. The sender is
// not authenticated yet; see [Caller].
type Requester struct {
	// Credential is zero for a request without a token.
	Credential Credential
	RequestID  string
	Address    string
	// SharedAddress is set if the request came through a proxy that is not trusted. Address is then the address of this
	// proxy, which other clients may share.
	SharedAddress bool
}

// Event is an event of the audit log. It never contains a value, a key or a token. It contains names in addition to
// identifiers, because an event is kept after the box or the user is deleted.
type Event struct {
	ID      EventID
	At      time.Time
	Action  Action
	Outcome Outcome
	// Actor is zero for an unknown actor, for an operator and for the service.
	Actor      UserID
	ActorName  string
	Credential CredentialID
	Box        BoxID
	BoxName    BoxName
	Key        EntryKey
	// Target is the object of the action, if the object is not the box or the entry itself. It is the name of a user or
	// of a droplet, the id of an API key, the fingerprint of an identity, the summary of a keyring, or
	// TargetUnmodified.
	Target    string
	RequestID string
	Address   string
	// Suppressed is the number of refusals that this event summarises. These refusals have no events of their own.
	// Suppressed is 0 for every event of a single action.
	Suppressed int
	// Changes lists the properties that the action has changed. It is nil if the action has changed none.
	Changes []Change
}

// NewEvent returns the event of a successful action. The caller is zero for a request without a valid credential.
func NewEvent(id EventID, action Action, by Requester, caller Caller, now time.Time) Event {
	return Event{
		ID:         id,
		At:         now,
		Action:     action,
		Outcome:    OutcomeSuccess,
		Actor:      caller.UserID,
		ActorName:  string(caller.Name),
		Credential: caller.Credential.ID,
		RequestID:  by.RequestID,
		Address:    by.Address,
	}
}

// About returns the event with the given box as its Box and BoxName.
func (e Event) About(box Box) Event {
	e.Box, e.BoxName = box.ID, box.Name
	return e
}

// On returns the event with the given key of an entry.
func (e Event) On(key EntryKey) Event {
	e.Key = key
	return e
}

// To returns the event with the given target.
func (e Event) To(target string) Event {
	e.Target = target
	return e
}

// Ended returns the event with the given outcome.
func (e Event) Ended(outcome Outcome) Event {
	e.Outcome = outcome
	return e
}
