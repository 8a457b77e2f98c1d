package load

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// Size is the amount of data in a Lockbox.
type Size struct {
	Boxes   int `json:"boxes"`
	Entries int `json:"entries"` // in each box
	Users   int `json:"users"`   // of each box
}

// ValueBytes is the length of a value as JSON text.
const ValueBytes = 1024

// passphrases is the number of entries that are encrypted under a passphrase.
const passphrases = 10

const passphraseBox = "passphrase"

// BoxName returns the name of a numbered box.
func BoxName(box int) string { return "box-" + strconv.Itoa(box) }

// EntryKey returns the key of a numbered entry. The alphabetical order of the keys is the order of the numbers.
func EntryKey(entry int) string { return fmt.Sprintf("entry-%07d", entry) }

// UserName returns the name of a numbered user.
func UserName(user int) string { return "user-" + strconv.Itoa(user) }

func password(user int) string { return "password-of-" + strconv.Itoa(user) }

// AppendValue appends the JSON value that a write stores. The value depends on the entry and on the number of the
// write, so each write stores a different value.
func AppendValue(to []byte, box, entry int, write uint64) []byte {
	begin := len(to)
	to = append(append(append(append(append(to, `{"of":"`...), BoxName(box)...), '/'), EntryKey(entry)...),
		`","write":`...)
	to = append(strconv.AppendUint(to, write, 10), `,"pad":"`...)
	for end := begin + ValueBytes - len(`"}`); len(to) < end; {
		to = append(to, 'x')
	}
	return append(to, `"}`...)
}

// Place describes a filled Lockbox for a load.
type Place struct {
	Size
	// Key is the generated key that encrypts the entries.
	Key string `json:"key"`
	// Tokens holds one API key per user.
	Tokens []string `json:"tokens"`
	// Root is the owner's API key.
	Root string `json:"root"`
}

// world is a filled Lockbox as the load driver expects it: a Place, and the entries after all changes that the driver
// has made.
type world struct {
	Place
	entries []entry
	writes  atomic.Uint64
	reads   atomic.Uint64 // reads that returned a value
	// paths contains the URL path of each entry.
	paths []string
	lists []string
	keys  []byte // the answer of listing a box
}

// entry is the expected state of an entry. The field version is the newest acknowledged version, write identifies the
// write that created this version, and acks counts the acknowledged writes.
type entry struct {
	mu       sync.Mutex
	version  uint64
	write    uint64
	acks     uint64
	unknowns uint64 // writes that were answered with an error
}

// The method wrote counts an acknowledged write and stores the version from the server's answer.
func (e *entry) wrote(version, write uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.acks++; version > e.version {
		e.version, e.write = version, write
	}
}

// newest returns the newest acknowledged version and the number of the write that created it.
func (e *entry) newest() (version, write uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.version, e.write
}

// newWorld assumes that every entry has only version 1, which write number 0 has created.
func newWorld(place Place) *world {
	w := &world{Place: place, entries: make([]entry, place.Boxes*place.Entries),
		paths: make([]string, place.Boxes*place.Entries)}
	keys := make([]string, place.Entries)
	for i := range keys {
		keys[i] = EntryKey(i)
	}
	w.keys, _ = json.Marshal(keys) // the quotes of a JSON string
	for box := range place.Boxes {
		w.lists = append(w.lists, "/boxes/"+BoxName(box)+"/entries")
		for i := range place.Entries {
			at := box*place.Entries + i
			w.entries[at].version, w.entries[at].acks = 1, 1
			w.paths[at] = w.lists[box] + "/" + keys[i]
		}
	}
	return w
}

// checkVersions compares the newest version of each entry with the number of writes. Each acknowledged write creates
// one version. A write that failed creates one version or none.
func (w *world) checkVersions() error {
	for at := range w.entries {
		e := &w.entries[at]
		if e.version < e.acks || e.version > e.acks+e.unknowns {
			return fmt.Errorf("%s: %d writes were acknowledged and %d failed, but the newest version is %d",
				w.paths[at], e.acks, e.unknowns, e.version)
		}
	}
	return nil
}

// fill fills a new Lockbox over HTTP. It begins with the creation of the owner.
func (d *Driver) fill(size Size, key string) error {
	place := Place{Size: size, Key: key, Tokens: make([]string, size.Users)}
	var made struct{ APIKey string }
	first := d.workers[0]
	got, err := first.conn.do(request{method: "POST", path: "/init",
		body: []byte(`{"username":"root","password":"root-password"}`)})
	if err := expect(got, err, http.StatusOK); err != nil {
		return err
	}
	if err := json.Unmarshal(got.body, &made); err != nil {
		return err
	}
	place.Root = made.APIKey
	d.world = newWorld(place)
	// Create only a few users at a time. Each creation hashes a password, and the server rejects requests if too many
	// of them wait to hash one.
	if err := d.each(4, size.Users, d.makeUser); err != nil {
		return err
	}
	if err := d.each(4, size.Boxes+1, d.makeBox); err != nil {
		return err
	}
	if err := d.each(8, (size.Boxes+1)*size.Users, d.makeBoxUser); err != nil {
		return err
	}
	if err := d.each(len(d.workers), size.Boxes*size.Entries, d.makeEntry); err != nil {
		return err
	}
	return d.each(4, passphrases, d.makePassphraseEntry)
}

func (d *Driver) makeUser(w *worker, user int) error {
	got, err := w.root("POST", "/users", fmt.Sprintf(`{"username":%q,"password":%q}`, UserName(user), password(user)),
		http.StatusCreated)
	if err == nil {
		d.world.Tokens[user] = got.apiKey
	}
	return err
}

// fillBox returns the name of a box to fill. The last box contains the entries that are encrypted under a passphrase.
func (d *Driver) fillBox(box int) string {
	if box == d.world.Boxes {
		return passphraseBox
	}
	return BoxName(box)
}

func (d *Driver) makeBox(w *worker, box int) error {
	_, err := w.root("POST", "/boxes/"+d.fillBox(box), "", http.StatusCreated)
	return err
}

func (d *Driver) makeBoxUser(w *worker, i int) error {
	users, user := "/boxes/"+d.fillBox(i/d.world.Users)+"/users", UserName(i%d.world.Users)
	if _, err := w.root("POST", users, fmt.Sprintf(`{"username":%q}`, user), http.StatusCreated); err != nil {
		return err
	}
	_, err := w.root("PUT", users+"/"+user+"/permissions", `["readEntryKeys","readEntry","createEntry"]`,
		http.StatusNoContent)
	return err
}

func (d *Driver) makeEntry(w *worker, at int) error {
	got, err := w.put(at, d.world.Root, 0)
	if err := expect(got, err, http.StatusCreated); err != nil {
		return err
	}
	if got.version != 1 {
		return fmt.Errorf("%s: the first write created version %d instead of version 1", d.world.paths[at], got.version)
	}
	return nil
}

func passphrase(i int) string { return fmt.Sprintf("correct horse battery staple %d", i) }

func (d *Driver) makePassphraseEntry(w *worker, i int) error {
	body := append(w.body[:0], `{"key":"`+EntryKey(i)+`","value":`...)
	w.body = append(AppendValue(body, 0, i, 0), '}')
	got, err := w.conn.do(request{
		method: "POST",
		path:   "/boxes/" + passphraseBox + "/entries",
		token:  d.world.Root,
		key:    passphrase(i),
		body:   w.body,
	})
	return expect(got, err, http.StatusCreated)
}
