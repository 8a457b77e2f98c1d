package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
)

// Alone is the scenario of one client that reads. Where many wait for the processor, a delay that holds it up less than
// the others do hardly shows; here it does.
const Alone = "read-alone"

// scenarios are what can be run, by name.
var scenarios = map[string]func(*worker) error{
	"read":       (*worker).read,
	Alone:        (*worker).read,
	"write":      (*worker).write,
	"list":       (*worker).list,
	"passphrase": (*worker).readPassphrase,
	"sign-in":    (*worker).signIn,
	"revoke":     (*worker).revoke,
}

// worker makes one request after the other on a connection of its own.
type worker struct {
	world  *world
	conn   conn
	random *rand.Rand
	number int
	of     int // workers
	turn   int
	body   []byte
	wanted []byte
}

// expect is an error for an answer with another status.
func expect(got *answer, err error, status int) error {
	if err != nil {
		return err
	}
	if got.status != status {
		return fmt.Errorf("the status is %d and not %d: %.200s", got.status, status, got.body)
	}
	return nil
}

func (w *worker) token() string { return w.world.Tokens[w.random.IntN(len(w.world.Tokens))] }

// entry draws an entry of any box.
func (w *worker) entry() (at int) { return w.random.IntN(len(w.world.entries)) }

// root makes a request as the owner.
func (w *worker) root(method, path, body string, status int) (*answer, error) {
	r := request{method: method, path: path, token: w.world.Root}
	if body != "" {
		r.body = []byte(body)
	}
	got, err := w.conn.do(r)
	if err := expect(got, err, status); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return got, nil
}

func (w *worker) read() error { return w.readAs(w.token()) }

// readAs reads an entry and compares it with what was written last.
func (w *worker) readAs(token string) error {
	at := w.entry()
	known := &w.world.entries[at]
	version, write := known.newest()
	got, err := w.conn.do(request{method: "GET", path: w.world.paths[at], token: token, key: w.world.Key})
	if err := expect(got, err, http.StatusOK); err != nil {
		return err
	}
	if now, _ := known.newest(); now != version {
		return nil // written meanwhile, which is looked at the next time
	}
	w.wanted = AppendValue(w.wanted[:0], at/w.world.Entries, at%w.world.Entries, write)
	switch {
	case got.version != version:
		return fmt.Errorf("%s is at version %d and not %d", w.world.paths[at], got.version, version)
	case !bytes.Equal(got.body, w.wanted):
		return fmt.Errorf("%s at version %d has another value than was written", w.world.paths[at], version)
	}
	return nil
}

// put writes an entry with the value of a write, by its number.
func (w *worker) put(at int, token string, write uint64) (*answer, error) {
	box, number := at/w.world.Entries, at%w.world.Entries
	body := append(append(append(w.body[:0], `{"key":"`...), EntryKey(number)...), `","value":`...)
	w.body = append(AppendValue(body, box, number, write), '}')
	return w.conn.do(request{method: "POST", path: w.world.lists[box], token: token, key: w.world.Key, body: w.body})
}

func (w *worker) write() error {
	at, write := w.entry(), w.world.writes.Add(1)
	known := &w.world.entries[at]
	before, _ := known.newest()
	got, err := w.put(at, w.token(), write)
	if err := expect(got, err, http.StatusCreated); err != nil {
		known.mu.Lock()
		known.unknowns++
		known.mu.Unlock()
		return err
	}
	if got.version <= before {
		return fmt.Errorf("%s was at version %d, and a write made %d", w.world.paths[at], before, got.version)
	}
	known.wrote(got.version, write)
	return nil
}

func (w *worker) list() error {
	box := w.random.IntN(w.world.Boxes)
	got, err := w.conn.do(request{method: "GET", path: w.world.lists[box], token: w.token()})
	if err := expect(got, err, http.StatusOK); err != nil {
		return err
	}
	if !bytes.Equal(bytes.TrimSpace(got.body), w.world.keys) {
		return fmt.Errorf("%s: these are not the keys of the box", w.world.lists[box])
	}
	return nil
}

func (w *worker) readPassphrase() error {
	i := w.random.IntN(passphrases)
	got, err := w.conn.do(request{method: "GET", path: "/boxes/" + passphraseBox + "/entries/" + EntryKey(i), token: w.token(), key: passphrase(i)})
	if err := expect(got, err, http.StatusOK); err != nil {
		return err
	}
	if w.wanted = AppendValue(w.wanted[:0], 0, i, 0); got.version != 1 || !bytes.Equal(got.body, w.wanted) {
		return fmt.Errorf("entry %d under a passphrase has another value than was written", i)
	}
	return nil
}

// signIn goes round the users that are this worker's alone, since attempts at one account that are under way count
// as failed ones until they are through.
func (w *worker) signIn() error {
	users := len(w.world.Tokens)
	user := w.number % users
	if own := (users - user + w.of - 1) / w.of; own > 1 {
		user += (w.turn % own) * w.of
	}
	w.turn++
	w.body = fmt.Appendf(w.body[:0], `{"username":%q,"password":%q}`, UserName(user), password(user))
	got, err := w.conn.do(request{method: "POST", path: "/authenticate", body: w.body})
	if err := expect(got, err, http.StatusOK); err != nil {
		return err
	}
	var made struct{ Token string }
	if err := json.Unmarshal(got.body, &made); err != nil || made.Token == "" {
		return fmt.Errorf("signing in gave no token: %.100s", got.body)
	}
	return nil
}

// revoke takes an API key, reads with it, revokes it, and must be refused by the very next request.
func (w *worker) revoke() error {
	owner := w.token()
	got, err := w.conn.do(request{method: "POST", path: "/api-keys", token: owner})
	if err := expect(got, err, http.StatusOK); err != nil {
		return err
	}
	var made struct{ APIKey string }
	if err := json.Unmarshal(got.body, &made); err != nil {
		return err
	}
	if err := w.readAs(made.APIKey); err != nil {
		return err
	}
	got, err = w.conn.do(request{method: "DELETE", path: "/api-keys/" + made.APIKey, token: owner})
	if err := expect(got, err, http.StatusNoContent); err != nil {
		return err
	}
	got, err = w.conn.do(request{method: "GET", path: w.world.paths[w.entry()], token: made.APIKey, key: w.world.Key})
	if err := expect(got, err, http.StatusUnauthorized); err != nil {
		return fmt.Errorf("a token that was just revoked: %w", err)
	}
	return nil
}
