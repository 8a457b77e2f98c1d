package domain

import "time"

// Action is what was done, or tried. The set is closed.
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
	ActionHandOver       = Action{"system.hand-over"}
	ActionUnlock         = Action{"user.unlock"}
	ActionAddDroplet     = Action{"droplet.add"}
	ActionStartDroplet   = Action{"droplet.start"}
	ActionStopDroplet    = Action{"droplet.stop"}
	ActionRestartDroplet = Action{"droplet.restart"}
	ActionDeleteDroplet  = Action{"droplet.delete"}
)

// Actions lists all actions.
func Actions() []Action {
	return []Action{ActionInitialize, ActionSignIn, ActionCreateAPIKey, ActionShowAPIKeys, ActionDeleteAPIKey,
		ActionCreateUser, ActionUpdateUser, ActionSetPassword, ActionDeleteUser, ActionCreateBox, ActionTransferBox,
		ActionDeleteBox, ActionAddBoxUser, ActionUpdateBoxUser, ActionSetPermissions, ActionRemoveBoxUser,
		ActionWriteEntry, ActionReadEntry, ActionRestoreEntry, ActionDeleteEntry, ActionRotateSecret, ActionRekey,
		ActionRefresh, ActionRevoke, ActionShowTOTP, ActionEnrolTOTP, ActionConfirmTOTP, ActionRemoveTOTP,
		ActionHandOver, ActionUnlock,
		ActionAddDroplet, ActionStartDroplet, ActionStopDroplet, ActionRestartDroplet, ActionDeleteDroplet}
}

// String returns the action's name.
func (a Action) String() string { return a.name }

// ParseAction reads an action's name.
func ParseAction(text string) (Action, error) {
	for _, action := range Actions() {
		if action.name == text {
			return action, nil
		}
	}
	return Action{}, InvalidField("action", "unknown_action", "action must be the name of one, such as entry.read")
}

// Outcome is how an action ended.
type Outcome struct{ name string }

// The outcomes.
var (
	OutcomeSuccess = Outcome{"success"}
	// OutcomeDenied: refused, because of who asked or of the key that was sent.
	OutcomeDenied = Outcome{"denied"}
	// OutcomeTampered: what is stored does not authenticate. Somebody should look at once.
	OutcomeTampered = Outcome{"tampered"}
	// OutcomeRateLimited: not even looked at, after too many wrong attempts. One such line stands for all of a pause.
	OutcomeRateLimited = Outcome{"throttled"}
	// OutcomeFailed: allowed and tried, and the droplet host refused or did not answer.
	OutcomeFailed = Outcome{"failed"}
)

// String returns the outcome's name.
func (o Outcome) String() string { return o.name }

// RestoreOutcome rebuilds an outcome from storage.
func RestoreOutcome(name string) Outcome { return Outcome{name} }

// RestoreAction rebuilds an action from storage, where older releases may have left ones that this one has not.
func RestoreAction(name string) Action { return Action{name} }

// OperatorActor is the actor's name of what was done on the server's own command line.
const OperatorActor = "(terminal)"

// ServiceActor is the actor's name of what the service does on its own authority, such as taking back what a request left
// behind.
const ServiceActor = "(service)"

// Requester is who asks, and from where, as far as the request itself says.
type Requester struct {
	Credential Credential
	RequestID  string
	Address    string
	// SharedAddress: the address is that of somebody who forwards for others without being trusted to say for whom.
	SharedAddress bool
}

// Event is a line of the record. It never holds a value, a key or a token, and it outlives the box and the user that
// it is about, which is why it carries names.
type Event struct {
	ID      EventID
	At      time.Time
	Action  Action
	Outcome Outcome
	// Actor is zero for somebody unknown and for the terminal.
	Actor      UserID
	ActorName  string
	Credential CredentialID
	Box        BoxID
	BoxName    BoxName
	Key        EntryKey
	// Target is what else the action was about: the name of a user, the id of an API key.
	Target    string
	RequestID string
	Address   string
}

// NewEvent starts the record of an action by a caller.
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

// About adds the box.
func (e Event) About(box Box) Event {
	e.Box, e.BoxName = box.ID, box.Name
	return e
}

// On adds the entry's key.
func (e Event) On(key EntryKey) Event {
	e.Key = key
	return e
}

// To adds the target.
func (e Event) To(target string) Event {
	e.Target = target
	return e
}

// Ended sets how it ended.
func (e Event) Ended(outcome Outcome) Event {
	e.Outcome = outcome
	return e
}
