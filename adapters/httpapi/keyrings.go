package httpapi

import (
	"net/http"
	"strings"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
)

// keyringSummary is the keyring in the description of a box.
type keyringSummary struct {
	KeyID        string `json:"keyId"`
	Sequence     uint64 `json:"sequence"`
	KeyChangeDue bool   `json:"keyChangeDue"`
}

func summaryOf(keyring vault.KeyringSummary) *keyringSummary {
	return &keyringSummary{keyring.Key.String(), keyring.Sequence, keyring.ChangeDue}
}

// keyringBody is a keyring in a response. Wrapped is absent if the caller is not a recipient. The fields of
// recipientsBody are present only if the query parameter "recipients" is "all".
type keyringBody struct {
	Head      string     `json:"head"`
	Chain     string     `json:"chain"`
	Signature string     `json:"signature"`
	Author    authorBody `json:"author"`
	Wrapped   string     `json:"wrapped,omitempty"`
	*recipientsBody
}

type authorBody struct {
	Public      string `json:"public"`
	Fingerprint string `json:"fingerprint"`
	User        string `json:"user,omitempty"`
}

type recipientsBody struct {
	Recipients   []recipientLine `json:"recipients"`
	Waiting      []memberLine    `json:"waiting"`
	KeyChangeDue bool            `json:"keyChangeDue"`
	Due          []memberLine    `json:"due"`
	Past         []pastLine      `json:"past"`
}

// memberLine is a user with a fingerprint. User is absent if the user was deleted. Fingerprint is absent if the member
// has no identity.
type memberLine struct {
	User        string `json:"user,omitempty"`
	UserID      string `json:"userId"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

type recipientLine struct {
	memberLine
	Wrapped string `json:"wrapped"`
}

type pastLine struct {
	Sequence uint64  `json:"sequence"`
	KeyID    string  `json:"keyId"`
	At       *string `json:"at"`
	Author   string  `json:"author,omitempty"`
}

// keyringTag returns the entity tag of a keyring. The tag is the same for all callers and for all forms of the
// response.
func keyringTag(tag domain.Digest) string { return `"` + domain.FormatBytes(tag[:]) + `"` }

// readKeyring answers GET /boxes/{box}/keyring.
func (a *API) readKeyring(r *request) error {
	in := vault.ReadKeyring{
		Box:   r.param("box"),
		Known: func(tag domain.Digest) bool { return unmodified(r.Request().Header, keyringTag(tag)) },
	}
	switch recipients := r.QueryParam("recipients"); recipients {
	case "", "all":
		in.All = recipients == "all"
	default:
		return domain.InvalidField("recipients", "invalid_recipients", `recipients must be "all" or absent`)
	}
	if text := r.QueryParam("sequence"); text != "" {
		var err error
		if in.Sequence, err = parseVersion("sequence", text); err != nil {
			return err
		}
	}
	view, err := a.vault.ReadKeyring(r.ctx(), r.by, in)
	if err != nil {
		return err
	}
	r.Response().Header().Set(headerETag, keyringTag(view.Tag))
	if view.Unmodified {
		return r.NoContent(http.StatusNotModified)
	}
	return r.json(keyringOf(view, in.All), nil)
}

func keyringOf(view vault.KeyringView, all bool) keyringBody {
	body := keyringBody{
		Head:      domain.FormatBytes(view.Keyring.KeyringHead.Bytes()),
		Chain:     domain.FormatBytes(view.Keyring.Chain),
		Signature: domain.FormatBytes(view.Keyring.Signature),
		Author: authorBody{
			Public:      view.Author.Public.String(),
			Fingerprint: view.Author.Fingerprint.String(),
			User:        string(view.Author.Name),
		},
		Wrapped: domain.FormatBytes(view.Wrapped),
	}
	if all {
		body.recipientsBody = recipientsOf(view)
	}
	return body
}

func recipientsOf(view vault.KeyringView) *recipientsBody {
	body := &recipientsBody{
		Recipients:   make([]recipientLine, len(view.Keyring.Recipients)),
		Waiting:      make([]memberLine, len(view.Waiting)),
		KeyChangeDue: len(view.Due) > 0,
		Due:          make([]memberLine, len(view.Due)),
		Past:         make([]pastLine, len(view.Past)),
	}
	for i, recipient := range view.Keyring.Recipients {
		body.Recipients[i] = recipientLine{lineOf(recipient), domain.FormatBytes(recipient.Wrapped)}
	}
	for i, recipient := range view.Due {
		body.Due[i] = lineOf(recipient)
	}
	for i, member := range view.Waiting {
		body.Waiting[i] = memberLine{User: string(member.Name), UserID: member.User.String()}
		if !member.Fingerprint.IsZero() {
			body.Waiting[i].Fingerprint = member.Fingerprint.String()
		}
	}
	for i, past := range view.Past {
		body.Past[i] = pastLine{
			Sequence: past.Sequence,
			KeyID:    past.Key.String(),
			At:       rfc3339(past.CreatedAt),
			Author:   string(past.Author),
		}
	}
	return body
}

func lineOf(recipient domain.KeyRecipient) memberLine {
	return memberLine{
		User:        string(recipient.Name),
		UserID:      recipient.User.String(),
		Fingerprint: recipient.Fingerprint.String(),
	}
}

// newKeyringBody is the body of PUT /boxes/{box}/keyring.
type newKeyringBody struct {
	Head       string             `json:"head"`
	Chain      string             `json:"chain"`
	Signature  string             `json:"signature"`
	Recipients []newRecipientLine `json:"recipients"`
	Remove     []string           `json:"remove"`
	Reset      bool               `json:"reset"`
}

type newRecipientLine struct {
	UserID      string `json:"userId"`
	Fingerprint string `json:"fingerprint"`
	Wrapped     string `json:"wrapped"`
}

// writeKeyring answers PUT /boxes/{box}/keyring. The status is 201 for the first keyring of the box, and 200 for a
// later keyring.
func (a *API) writeKeyring(r *request) error {
	body, err := bind[newKeyringBody](r)
	if err != nil {
		return err
	}
	condition, err := r.keyringCondition()
	if err != nil {
		return err
	}
	in, err := body.decode()
	if err != nil {
		return err
	}
	in.Box, in.Condition = r.param("box"), condition
	written, err := a.vault.WriteKeyring(r.ctx(), r.by, in)
	if err != nil {
		return err
	}
	r.Response().Header().Set(headerETag, keyringTag(written.Tag))
	status := http.StatusOK
	if written.First {
		status = http.StatusCreated
	}
	return r.jsonStatus(status, struct {
		KeyID    string `json:"keyId"`
		Sequence uint64 `json:"sequence"`
	}{written.Key.String(), written.Sequence})
}

// keyringCondition reads If-None-Match and If-Match. The only valid value of If-None-Match is *. One of these headers
// is required. The header prevents the author of a new keyring from replacing a keyring that the author has not read.
func (r *request) keyringCondition() (vault.KeyringCondition, error) {
	header := r.Request().Header
	var condition vault.KeyringCondition
	if lines := header.Values(headerIfNoneMatch); len(lines) > 0 {
		if _, all, ok := parseEntityTags(strings.Join(lines, ",")); !ok || !all {
			return condition, domain.InvalidField(headerIfNoneMatch, "invalid_precondition",
				"the value of If-None-Match must be *; send this header only for the first keyring of a box")
		}
		condition.First = true
	}
	lines := header.Values(headerIfMatch)
	if len(lines) == 0 {
		if !condition.First {
			return condition, domain.Refuse(domain.Invalid, codeConditionRequired,
				"send If-None-Match: * for the first keyring of the box; "+
					"to replace a keyring, send its ETag in If-Match")
		}
		return condition, nil
	}
	tags, all, ok := parseEntityTags(strings.Join(lines, ","))
	if !ok {
		return condition, domain.InvalidField(headerIfMatch, "invalid_precondition",
			"If-Match must be * or entity tags in quotes")
	}
	condition.Any = all
	for _, tag := range tags {
		// The entity tag of a keyring consists of 32 bytes in base64url, like a fingerprint.
		if digest, ok := domain.ParseFingerprint(strings.Trim(tag.quoted, `"`)); ok && !tag.weak {
			condition.Tags = append(condition.Tags, domain.Digest(digest))
		}
	}
	return condition, nil
}

// decode decodes the binary fields.
func (b newKeyringBody) decode() (vault.WriteKeyring, error) {
	in := vault.WriteKeyring{Remove: b.Remove, Reset: b.Reset}
	for _, field := range []struct {
		name, text string
		to         *[]byte
	}{{"head", b.Head, &in.Head}, {"chain", b.Chain, &in.Chain}, {"signature", b.Signature, &in.Signature}} {
		raw, ok := domain.ParseBytes(field.text)
		if !ok {
			return in, domain.InvalidField(field.name, "keyring_invalid",
				field.name+" must be base64url without padding")
		}
		*field.to = raw
	}
	malformed := domain.InvalidField("recipients", "keyring_invalid",
		`each recipient must have the field "userId" (a UUID) `+
			`and the fields "fingerprint" and "wrapped" (base64url without padding)`)
	// At most one recipient more than allowed is decoded. The use case refuses such a list, so decoding the rest would
	// only cost memory.
	for _, line := range b.Recipients[:min(len(b.Recipients), domain.MaxKeyRecipients+1)] {
		user, isID := domain.ParseID[domain.User](line.UserID)
		fingerprint, isFingerprint := domain.ParseFingerprint(line.Fingerprint)
		wrapped, ok := domain.ParseBytes(line.Wrapped)
		if !ok || !isID || !isFingerprint {
			return in, malformed
		}
		in.Recipients = append(in.Recipients,
			domain.KeyRecipient{User: user, Fingerprint: fingerprint, Wrapped: wrapped})
	}
	return in, nil
}
