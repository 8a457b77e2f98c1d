package domain

import (
	"crypto/rand"
	"strconv"
	"time"
)

// InvitationID identifies an Invitation.
type InvitationID = ID[Invitation]

const (
	// defaultInvitationTTL is how long an invitation is open if the request specifies no expiry.
	defaultInvitationTTL = 7 * 24 * time.Hour
	// maxInvitationTTL is the longest time for which an invitation can be open. The limit exists so that an invitation
	// that is forgotten in a mailbox does not stay usable.
	maxInvitationTTL = 30 * 24 * time.Hour
	// MaxInvitations is the maximum number of open invitations of an installation.
	MaxInvitations = 1000
)

// Invitation permits its holder to create one user and to choose the password of this user. It is open until it expires
// or is accepted, revoked or replaced. The holder proves the right to accept it with the InvitationCode, which is not
// stored.
type Invitation struct {
	ID   InvitationID
	Name UserName
	// Spelling is the name as the inviter typed it; Name is in lower case.
	Spelling string
	Role     Role
	// Inviter is the admin who made the invitation. InviterName is for display.
	Inviter     UserID
	InviterName UserName
	CreatedAt   time.Time
	ExpiresAt   time.Time
	// Proof is the keyed digest of Terms.
	Proof Digest
	// SignedBy is the server key that the Proof was made with. It is zero if an older release made the Proof. That
	// release used a server key with the purpose KeyForThrottle.
	SignedBy ServerKeyID
}

// InvitationCode is the code that the holder of an invitation sends. Until it is used, it is as secret as a password.
type InvitationCode struct {
	// ID identifies the stored invitation. Storage looks the invitation up by ID, so no SQL statement contains the
	// secret.
	ID     InvitationID
	Secret [32]byte
}

// NewInvitationCode returns a code with a new secret.
func NewInvitationCode(id InvitationID) InvitationCode {
	code := InvitationCode{ID: id}
	_, _ = rand.Read(code.Secret[:]) // never fails: crypto/rand ends the program instead
	return code
}

// String returns 64 characters of base64url.
func (c InvitationCode) String() string {
	return canonical.EncodeToString(append(c.ID[:], c.Secret[:]...))
}

// ParseInvitationCode parses the text that String returns; ok is false if text does not have this form.
func ParseInvitationCode(text string) (code InvitationCode, ok bool) {
	raw, err := canonical.DecodeString(text)
	if err != nil || len(raw) != len(code.ID)+len(code.Secret) {
		return InvitationCode{}, false
	}
	copy(code.ID[:], raw)
	copy(code.Secret[:], raw[len(code.ID):])
	if code.String() != text { // the decoder ignores line ends
		return InvitationCode{}, false
	}
	return code, true
}

// Terms returns the content of the Proof: the secret of the code, and everything that the invitation grants. The Proof
// is a keyed digest, so an attacker who can write to the database cannot create an invitation or change its name, role
// or expiry.
func (i Invitation) Terms(code InvitationCode) []string {
	return []string{
		string(code.Secret[:]),
		i.ID.String(),
		string(i.Name),
		i.Spelling,
		i.Role.String(),
		i.Inviter.String(),
		strconv.FormatInt(i.ExpiresAt.UnixMicro(), 10),
	}
}

// CheckAcceptable decides whether the invitation can be accepted at the given time. The inviter argument is the present
// state of the user who made the invitation. The invitation is invalid if this user is deactivated, deleted or no
// longer an admin.
func (i Invitation) CheckAcceptable(inviter User, now time.Time) error {
	if inviter.ID != i.Inviter || !inviter.Active || inviter.Role != RoleAdmin || !now.Before(i.ExpiresAt) {
		return ErrInvitationInvalid
	}
	return nil
}

// InvitationState is the state of an invitation that has not expired. Either the invitation is open, or the state names
// the reason why it cannot be accepted at present. Clients depend on the texts.
type InvitationState string

// The states.
const (
	InvitationOpen            InvitationState = "open"
	InvitationNameTaken       InvitationState = "name-taken"
	InvitationInviterNotAdmin InvitationState = "inviter-not-admin"
)

// State returns the state of an invitation at the given time. The inviter argument is the present state of the user who
// made the invitation. The nameTaken argument reports whether a user with the name exists.
func (i Invitation) State(inviter User, nameTaken bool, now time.Time) InvitationState {
	switch {
	case i.CheckAcceptable(inviter, now) != nil:
		return InvitationInviterNotAdmin
	case nameTaken:
		return InvitationNameTaken
	}
	return InvitationOpen
}

// ParseInvitationExpiry parses the expiry of an invitation. It accepts the texts that ParseExpiry accepts, up to 30
// days from now. An empty text means seven days from now. Errors: Invalid.
func ParseInvitationExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now.Add(defaultInvitationTTL).Truncate(time.Second), nil
	}
	expiry, err := ParseExpiry(text, now)
	if err != nil {
		return time.Time{}, err
	}
	// ParseExpiry rounds up to a whole second, so 30 days may become up to a second longer.
	if expiry.After(now.Add(maxInvitationTTL + time.Second)) {
		return time.Time{}, InvalidField("expiry", "invalid_expiry",
			"expiry of an invitation must be at most 30 days from now")
	}
	return expiry, nil
}

// CheckInvitationQuota decides whether another invitation may be created. The argument is the present number of open
// invitations.
func CheckInvitationQuota(open int) error {
	if open >= MaxInvitations {
		return LimitReached("there cannot be more open invitations; revoke an invitation first")
	}
	return nil
}
