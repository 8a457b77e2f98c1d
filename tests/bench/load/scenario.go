package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// Alone is the name of a scenario with a single reader. It reveals delays that other scenarios hide, because their many
// clients wait for the CPU anyway.
const Alone = "read-alone"

// scenarios maps names to functions that send one request.
var scenarios = map[string]func(*worker) error{
	"read":       (*worker).read,
	"mixed":      (*worker).readOrWrite,
	Alone:        (*worker).read,
	"write":      (*worker).write,
	"list":       (*worker).list,
	"passphrase": (*worker).readPassphrase,
	"sign-in":    (*worker).signIn,
	"revoke":     (*worker).revoke,
}

// worker sends requests one at a time on its own connection.
type worker struct {
	world  *world
	conn   conn
	random *rand.Rand
	number int
	of     int // number of workers
	turn   int
	body   []byte
	wanted []byte
}

// expect returns an error if the answer does not have the given status.
func expect(got *answer, err error, status int) error {
	if err != nil {
		return err
	}
	if got.status != status {
		return fmt.Errorf("the status is %d instead of %d: %.200s", got.status, status, got.body)
	}
	return nil
}

func (w *worker) token() string { return w.world.Tokens[w.random.IntN(len(w.world.Tokens))] }

// entry selects an entry of any box at random.
func (w *worker) entry() (at int) { return w.random.IntN(len(w.world.entries)) }

// root sends a request with the owner's API key.
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

func (w *worker) readAs(token string) error { return w.readAt(w.entry(), token) }

// readAt reads an entry and compares its value with the last write. No other worker may write at the same time.
func (w *worker) readAt(at int, token string) error {
	version, write := w.world.entries[at].newest()
	got, err := w.get(at, token)
	if err != nil {
		return err
	}
	w.wanted = AppendValue(w.wanted[:0], at/w.world.Entries, at%w.world.Entries, write)
	switch {
	case got.version != version:
		return fmt.Errorf("%s is at version %d instead of %d", w.world.paths[at], got.version, version)
	case !bytes.Equal(got.body, w.wanted):
		return fmt.Errorf("the value of %s at version %d is not the value that was written", w.world.paths[at], version)
	}
	return nil
}

// get reads an entry.
func (w *worker) get(at int, token string) (*answer, error) {
	got, err := w.conn.do(request{
		method: "GET",
		path:   w.world.paths[at],
		token:  token,
		key:    w.world.Key,
	})
	if err := expect(got, err, http.StatusOK); err != nil {
		return nil, err
	}
	w.world.reads.Add(1)
	return got, nil
}

// readOrWrite writes in one of ten calls and reads in the others.
func (w *worker) readOrWrite() error {
	if w.turn++; w.turn%10 == 0 {
		return w.write()
	}
	return w.readWhileWritten()
}

// readWhileWritten reads an entry while other workers write. The value must come from a write to the same entry. It
// must be at least as new as the last write that was acknowledged before the read.
func (w *worker) readWhileWritten() error {
	at := w.entry()
	version, _ := w.world.entries[at].newest()
	got, err := w.get(at, w.token())
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(got.body, []byte(`"write":`))
	digits, _, _ := bytes.Cut(rest, []byte(","))
	write, err := strconv.ParseUint(string(digits), 10, 64)
	w.wanted = AppendValue(w.wanted[:0], at/w.world.Entries, at%w.world.Entries, write)
	switch {
	case got.version < version:
		return fmt.Errorf("%s is at version %d, but had already reached version %d", w.world.paths[at], got.version,
			version)
	case err != nil || write > w.world.writes.Load() || !bytes.Equal(got.body, w.wanted):
		return fmt.Errorf("%s at version %d has a value that no write contained", w.world.paths[at], got.version)
	}
	return nil
}

// put writes an entry. The number of the write determines the value.
func (w *worker) put(at int, token string, write uint64) (*answer, error) {
	box, number := at/w.world.Entries, at%w.world.Entries
	body := append(append(append(w.body[:0], `{"key":"`...), EntryKey(number)...), `","value":`...)
	w.body = append(AppendValue(body, box, number, write), '}')
	return w.conn.do(request{
		method: "POST",
		path:   w.world.lists[box],
		token:  token,
		key:    w.world.Key,
		body:   w.body,
	})
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
		return fmt.Errorf("%s was at version %d, but a later write created version %d", w.world.paths[at], before,
			got.version)
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
		return fmt.Errorf("%s: the response does not list the keys of the box", w.world.lists[box])
	}
	return nil
}

func (w *worker) readPassphrase() error {
	i := w.random.IntN(passphrases)
	got, err := w.conn.do(request{
		method: "GET",
		path:   "/boxes/" + passphraseBox + "/entries/" + EntryKey(i),
		token:  w.token(),
		key:    passphrase(i),
	})
	if err := expect(got, err, http.StatusOK); err != nil {
		return err
	}
	w.world.reads.Add(1)
	if w.wanted = AppendValue(w.wanted[:0], 0, i, 0); got.version != 1 || !bytes.Equal(got.body, w.wanted) {
		return fmt.Errorf("the value of entry %d under a passphrase is not the value that was written", i)
	}
	return nil
}

// signIn signs in as one of the worker's own users, each in turn. Workers do not share users, because the server counts
// an attempt as failed until it completes: concurrent attempts could lock the account.
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

// revoke creates an API key, reads an entry with the key, and revokes the key. The server must refuse the next request
// with the key.
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
	got, err = w.conn.do(request{
		method: "GET",
		path:   w.world.paths[w.entry()],
		token:  made.APIKey,
		key:    w.world.Key,
	})
	if err := expect(got, err, http.StatusUnauthorized); err != nil {
		return fmt.Errorf("request with a token that was just revoked: %w", err)
	}
	return nil
}
