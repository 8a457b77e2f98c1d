package load

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/lockbox-go/lockbox/domain"
)

// check reads every entry once, compares it with the last write, and sends requests that must be refused. Without these
// checks, a server that skips authorisation would appear to be fast.
func (d *Driver) check() error {
	err := d.each(len(d.workers), len(d.world.entries),
		func(w *worker, at int) error { return w.readAt(at, w.token()) })
	if err != nil {
		return err
	}
	return d.each(1, 1, func(w *worker, _ int) error { return w.checkRefusals() })
}

func (w *worker) checkRefusals() error {
	entry, list := w.world.paths[0], w.world.lists[0]
	made, err := w.root("POST", "/users", `{"username":"stranger","password":"password-of-stranger"}`,
		http.StatusCreated)
	if err != nil {
		return err
	}
	stranger := made.apiKey
	refusals := []struct {
		what   string
		asked  request
		status int
	}{
		{"another encryption key", request{
			method: "GET",
			path:   entry,
			token:  w.token(),
			key:    domain.FormatGeneratedKey([32]byte{9}),
		}, http.StatusForbidden},
		{"a passphrase instead", request{
			method: "GET",
			path:   entry,
			token:  w.token(),
			key:    "another key",
		}, http.StatusForbidden},
		{"no encryption key", request{method: "GET", path: entry, token: w.token()}, http.StatusBadRequest},
		{"no token", request{method: "GET", path: entry, key: w.world.Key}, http.StatusUnauthorized},
		{"a stranger who reads", request{
			method: "GET",
			path:   entry,
			token:  stranger,
			key:    w.world.Key,
		}, http.StatusNotFound},
		{"a stranger who lists", request{method: "GET", path: list, token: stranger}, http.StatusNotFound},
		{"a stranger who writes", request{
			method: "POST",
			path:   list,
			token:  stranger,
			key:    w.world.Key,
			body:   []byte(`{"key":"` + EntryKey(0) + `","value":1}`),
		}, http.StatusNotFound},
		{"a wrong password", request{method: "POST", path: "/authenticate",
			body: []byte(`{"username":"stranger","password":"another"}`)}, http.StatusUnauthorized},
	}
	for _, each := range refusals {
		got, err := w.conn.do(each.asked)
		if err := expect(got, err, each.status); err != nil {
			return fmt.Errorf("%s: %w", each.what, err)
		}
	}
	return w.checkSignIn()
}

// checkSignIn signs in and reads an entry with the token from the sign-in.
func (w *worker) checkSignIn() error {
	got, err := w.conn.do(request{method: "POST", path: "/authenticate",
		body: fmt.Appendf(nil, `{"username":%q,"password":%q}`, UserName(0), password(0))})
	if err := expect(got, err, http.StatusOK); err != nil {
		return err
	}
	var made struct{ Token string }
	if err := json.Unmarshal(got.body, &made); err != nil {
		return err
	}
	return w.readAt(0, made.Token)
}
