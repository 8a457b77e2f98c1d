package keys

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/lockbox-go/lockbox/client"
)

// remembered is the newest keyring that the client accepted for a box, in the form in which the server sends it. A new
// process loads it from the memory, so the server need not send an unchanged keyring again. Repair uses it after the
// database was restored from an older backup.
type remembered struct {
	ETag      string        `json:"etag"`
	Head      client.Base64 `json:"head"`
	Chain     client.Base64 `json:"chain"`
	Signature client.Base64 `json:"signature"`
	Author    string        `json:"author"`
	Wrapped   client.Base64 `json:"wrapped"`
	// Recipients is empty if the client has seen only the short form of the keyring.
	Recipients []client.KeyringRecipient `json:"recipients,omitempty"`
}

// keep stores a keyring. The caller may ignore the error: if the keyring is not stored, the client fetches it again
// later.
func (m *Memory) keep(place Place, r remembered) error {
	if m.dir == "" {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.keyrings == nil {
			m.keyrings = map[ID]remembered{}
		}
		m.keyrings[place.Box] = r
		return nil
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	return writeFile(m.keyringPath(place.Installation, place.Box), r)
}

// kept returns the stored keyring of a box. It is not verified.
func (m *Memory) kept(in, box ID) (r remembered, ok bool) {
	if m.dir == "" {
		m.mu.Lock()
		defer m.mu.Unlock()
		r, ok = m.keyrings[box]
		return r, ok
	}
	text, err := os.ReadFile(m.keyringPath(in, box))
	if err != nil || json.Unmarshal(text, &r) != nil {
		return remembered{}, false
	}
	return r, true
}

func (m *Memory) keyringPath(in, box ID) string {
	return filepath.Join(m.dir, in.String()+"-"+box.String()+".json")
}

// stored returns the keyring as the server sends it.
func (r remembered) stored() *client.StoredKeyring {
	return &client.StoredKeyring{
		Head:       r.Head,
		Chain:      r.Chain,
		Signature:  r.Signature,
		Author:     client.PublicIdentity{Public: r.Author},
		Wrapped:    r.Wrapped,
		ETag:       r.ETag,
		Recipients: r.Recipients,
	}
}

// rememberedOf converts a keyring to the form in which the client stores it. If s has no recipients, but the argument
// old holds the same keyring, rememberedOf copies the recipients from old.
func rememberedOf(s *client.StoredKeyring, old remembered) remembered {
	r := remembered{
		ETag:       s.ETag,
		Head:       s.Head,
		Chain:      s.Chain,
		Signature:  s.Signature,
		Author:     s.Author.Public,
		Wrapped:    s.Wrapped,
		Recipients: s.Recipients,
	}
	if len(r.Recipients) == 0 && string(old.Head) == string(r.Head) {
		r.Recipients = old.Recipients
	}
	return r
}

// equal reports whether two remembered values hold the same keyring. If only one of them has recipients, they are not
// equal.
func (r remembered) equal(other remembered) bool {
	return r.ETag == other.ETag && string(r.Head) == string(other.Head) && string(r.Wrapped) == string(other.Wrapped) &&
		len(r.Recipients) == len(other.Recipients)
}
