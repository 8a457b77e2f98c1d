package keys

import (
	"slices"
	"sync"

	"github.com/lockbox-go/lockbox/client"
)

// Memory holds what a client remembers about installations, users and boxes. It lets the client notice a server that
// shows another box, another user, or an older or forged keyring. If several processes accept keyrings of a box at the
// same time, the memory keeps the newest of these keyrings.
//
// Nothing in the memory is secret, but a program that can change the memory can deceive the client. A Memory is safe
// for concurrent use. Several processes can share the same directory.
type Memory struct {
	dir string // "" means in this process only

	mu       sync.Mutex
	known    known             // in this process only
	keyrings map[ID]remembered // in this process only
}

// OpenMemory returns the memory in a directory, such as "known" next to the profile file. The first change creates the
// directory. Only the user can read the files in it.
func OpenMemory(dir string) *Memory { return &Memory{dir: dir} }

// MemoryInProcess returns a memory that is lost when the process ends. After each start, the program remembers nothing
// and accepts any keyring of a box, so it should have an anchor of the box.
func MemoryInProcess() *Memory { return &Memory{keyrings: map[ID]remembered{}} }

// known is the content of the memory file.
type known struct {
	Installations map[ID]*installation `json:"installations"`
}

// installation holds what the client remembers about one installation.
type installation struct {
	URL   string               `json:"url"`
	Users map[string]KnownUser `json:"users,omitempty"`
	Boxes map[string]KnownBox  `json:"boxes,omitempty"`
	// Anchors contains the trusted anchors of boxes that the client has not read yet. The map is indexed by the ids of
	// these boxes.
	Anchors map[ID]string `json:"anchors,omitempty"`
}

// KnownUser is a user whose fingerprint was typed or confirmed.
type KnownUser struct {
	ID           ID            `json:"id"`
	Fingerprints []Fingerprint `json:"fingerprints"`
}

// KnownBox is what the client remembers about a box after it has accepted a keyring or an anchor of the box.
type KnownBox struct {
	ID       ID     `json:"id"`
	Mode     Mode   `json:"mode"`
	Key      KeyID  `json:"keyId"`
	Sequence uint64 `json:"sequence"`
	// Digest identifies the bytes of the keyring. It is zero if the client has only an anchor of the box.
	Digest Fingerprint `json:"digest,omitzero"`
}

// The at method returns the installation with the given id, and creates this installation if necessary.
func (k *known) at(id ID) *installation {
	if k.Installations == nil {
		k.Installations = map[ID]*installation{}
	}
	in := k.Installations[id]
	if in == nil {
		in = &installation{}
		k.Installations[id] = in
	}
	if in.Users == nil {
		in.Users = map[string]KnownUser{}
	}
	if in.Boxes == nil {
		in.Boxes = map[string]KnownBox{}
	}
	if in.Anchors == nil {
		in.Anchors = map[ID]string{}
	}
	return in
}

// urlOf returns the installation that is known at a URL.
func (k *known) urlOf(url string) (ID, bool) {
	for id, in := range k.Installations {
		if in.URL == url {
			return id, true
		}
	}
	return ID{}, false
}

// checkPlace returns an error if the client knows another installation at the URL, or knows the installation under
// another URL. The second check detects a server with a restored copy of the database. The copy contains the same
// installation id and the same keys as the original.
func (k *known) checkPlace(url string, id ID) error {
	if at, ok := k.urlOf(url); ok && at != id {
		return fault(client.ErrInstallationChanged,
			"the installation at this URL is not the one that this client knows: "+
				"ask the operator of the server whether the database was set up anew; "+
				"only if it was, run lockbox login --accept-installation", nil)
	}
	if in := k.Installations[id]; in != nil && in.URL != "" && in.URL != url {
		return fault(client.ErrInstallationElsewhere, "this installation is known under "+in.URL+
			": if the server moved, run lockbox login --accept-installation; "+
			"if the server uses a copy of the database, do not sign in", nil)
	}
	return nil
}

// SignIn remembers which installation is at a URL. It returns ErrInstallationChanged if the client knows another
// installation at this URL, and ErrInstallationElsewhere if the client knows the installation under another URL.
func (m *Memory) SignIn(url string, id ID) error {
	return m.change(func(k *known) error {
		if err := k.checkPlace(url, id); err != nil {
			return err
		}
		k.at(id).URL = url
		return nil
	})
}

// Move records that an installation is now at another URL. Call it only after the user has confirmed the move.
func (m *Memory) Move(url string, id ID) error {
	return m.change(func(k *known) error {
		if old, ok := k.urlOf(url); ok && old != id {
			k.at(old).URL = ""
		}
		k.at(id).URL = url
		return nil
	})
}

// Installation returns the id of the installation that is known at a URL.
func (m *Memory) Installation(url string) (_ ID, ok bool, err error) {
	k, err := m.load()
	if err != nil {
		return ID{}, false, err
	}
	id, ok := k.urlOf(url)
	return id, ok, nil
}

// User returns what the client remembers about the user of the given name.
func (m *Memory) User(in ID, name string) (_ KnownUser, ok bool, err error) {
	k, err := m.load()
	if err != nil {
		return KnownUser{}, false, err
	}
	user, ok := k.at(in).Users[name]
	return user, ok, nil
}

// PinUser remembers a fingerprint that was typed or confirmed. It returns ErrUserReplaced if the client knows another
// user by this name.
func (m *Memory) PinUser(in ID, name string, user ID, fingerprint Fingerprint) error {
	return m.change(func(k *known) error {
		pinned, ok := k.at(in).Users[name]
		if ok && pinned.ID != user {
			return userReplaced(name)
		}
		pinned.ID = user
		if !slices.Contains(pinned.Fingerprints, fingerprint) {
			pinned.Fingerprints = append(slices.Clone(pinned.Fingerprints), fingerprint)
		}
		k.at(in).Users[name] = pinned
		return nil
	})
}

func userReplaced(name string) error {
	return fault(client.ErrUserReplaced,
		"the user "+name+" is not the user that you confirmed under this name before: "+
			"ask the user, and confirm the new fingerprint", nil)
}

// ForgetUser deletes everything that the client remembers about a user.
func (m *Memory) ForgetUser(in ID, name string) error {
	return m.change(func(k *known) error {
		delete(k.at(in).Users, name)
		return nil
	})
}

// Box returns what the client remembers about the box of the given name.
func (m *Memory) Box(in ID, name string) (_ KnownBox, ok bool, err error) {
	k, err := m.load()
	if err != nil {
		return KnownBox{}, false, err
	}
	box, ok := k.at(in).Boxes[name]
	return box, ok, nil
}

// Forget deletes everything that the client remembers about a box. The next keyring is then accepted as the first
// keyring of the box. Call it only after the user confirmed that the box was created anew or that its keyring was
// reset.
func (m *Memory) Forget(in ID, name string) error {
	return m.change(func(k *known) error {
		delete(k.at(in).Boxes, name)
		return nil
	})
}

// Trust remembers an anchor. If name is not empty, the anchor applies only to the box of that name. Trust returns
// ErrKeyringNotContinued if the client already knows a box of that name and the anchor does not match it. If the anchor
// is right, call Forget before Trust.
func (m *Memory) Trust(in ID, name string, anchor Anchor) error {
	return m.change(func(k *known) error {
		at := k.at(in)
		if name == "" {
			at.Anchors[anchor.Box] = anchor.String()
			return nil
		}
		box, ok := at.Boxes[name]
		if ok && (box.ID != anchor.Box || box.Mode != anchor.Mode || box.Key != anchor.Key) {
			return fault(client.ErrKeyringNotContinued,
				"the anchor does not match what this client knows about the box "+name+
					": if the anchor is right, run lockbox box forget "+name+" first", nil)
		}
		if !ok {
			at.Boxes[name] = KnownBox{ID: anchor.Box, Mode: anchor.Mode, Key: anchor.Key}
		}
		return nil
	})
}
