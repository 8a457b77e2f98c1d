package keys

import (
	"slices"

	"github.com/lockbox-go/lockbox/client"
)

const (
	anchorForm = "lba1_"
	anchorLen  = len(ID{}) + 1 + len(KeyID{})
)

// Anchor is what a client must know about a box to recognize its keyring. An anchor is not secret, but it must come
// from a member of the box over a channel that the server does not control.
type Anchor struct {
	Box  ID
	Mode Mode
	Key  KeyID
}

// ParseAnchor parses the text of Anchor.String. It returns ErrAnchorInvalid for any other text.
func ParseAnchor(text string) (Anchor, error) {
	raw, ok := parseForm(anchorForm, text, anchorLen)
	if !ok || !Mode(raw[len(ID{})]).valid() {
		return Anchor{}, fault(client.ErrAnchorInvalid,
			"the anchor is damaged: copy all 55 characters again, including lba1_ at the beginning", nil)
	}
	return Anchor{
		Box:  ID(raw[:len(ID{})]),
		Mode: Mode(raw[len(ID{})]),
		Key:  KeyID(raw[len(ID{})+1:]),
	}, nil
}

// String returns the text form, "lba1_…".
func (a Anchor) String() string {
	return writeForm(anchorForm, slices.Concat(a.Box[:], []byte{byte(a.Mode)}, a.Key[:]))
}
