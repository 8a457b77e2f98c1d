package keys

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockbox-go/lockbox/client"
)

// server is an in-memory Lockbox server, limited to the requests that keyrings need. Tests change its fields so that it
// gives false answers. A token is the name of its user.
type server struct {
	*httptest.Server

	mu           sync.Mutex
	installation ID
	users        map[string]*user
	identities   map[string]*client.PublicIdentity // by fingerprint, also former ones
	boxes        map[string]*box
	// If the function lie is not nil, the server calls it at the start of each request, without holding mu. If lie
	// returns true, it has already responded, so the server does not handle the request.
	lie func(w http.ResponseWriter, r *http.Request) (answered bool)

	seen []seen
}

// seen is a request that arrived.
type seen struct{ method, path, key, body string }

type user struct {
	id     ID
	public *client.PublicIdentity
	locked *client.LockedIdentity
}

type box struct {
	id      ID
	members []string
	keyring *client.StoredKeyring // nil means none
	entries map[string][]version
}

type version struct {
	value json.RawMessage
	key   string // as it was sent
	id    string // of the key; empty for versions before the keyring
}

func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{
		installation: randomID(),
		users:        map[string]*user{},
		identities:   map[string]*client.PublicIdentity{},
		boxes:        map[string]*box{},
	}
	s.Server = httptest.NewServer(s.handler())
	t.Cleanup(s.Close)
	return s
}

// randomID returns a random UUID.
func randomID() ID {
	id := GenerateBoxKey().ID()
	return ID(id)
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for route, handle := range map[string]func(http.ResponseWriter, *http.Request) (status int, body any){
		"GET /whoami":                             s.whoAmI,
		"GET /users/{user}/identity":              s.readIdentity,
		"PUT /users/{user}/identity":              s.writeIdentity,
		"GET /users/{user}/identity/locked":       s.readLocked,
		"PUT /users/{user}/identity/locked":       s.writeLocked,
		"GET /identities/{fingerprint}":           s.findIdentity,
		"POST /boxes/{box}":                       s.createBox,
		"GET /boxes/{box}":                        s.describeBox,
		"POST /boxes/{box}/users":                 s.addMember,
		"GET /boxes/{box}/users/{user}":           s.readMember,
		"DELETE /boxes/{box}/users/{user}":        s.removeMember,
		"GET /boxes/{box}/keyring":                s.readKeyring,
		"PUT /boxes/{box}/keyring":                s.writeKeyring,
		"GET /boxes/{box}/entries":                s.listEntries,
		"POST /boxes/{box}/entries":               s.writeEntry,
		"GET /boxes/{box}/entries/{key}":          s.readEntry,
		"GET /boxes/{box}/entries/{key}/versions": s.listVersions,
		"POST /boxes/{box}/entries/{key}/restore": s.restoreEntry,
	} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			status, body := handle(w, r)
			if code, ok := body.(string); ok {
				w.Header().Set("Content-Type", "application/problem+json")
				body = map[string]any{"status": status, "code": code, "detail": "because"}
			} else {
				w.Header().Set("Content-Type", "application/json")
			}
			w.WriteHeader(status)
			if body != nil {
				_ = json.NewEncoder(w).Encode(body)
			}
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := readAll(r)
		s.mu.Lock()
		s.seen = append(s.seen, seen{r.Method, r.URL.Path, r.Header.Get("X-Encryption-Key"), body})
		lie := s.lie
		s.mu.Unlock()
		if lie != nil && lie(w, r) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		mux.ServeHTTP(w, r)
	})
}

// readAll returns the body of a request. The body can be read again afterwards.
func readAll(r *http.Request) string {
	text, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(text))
	return string(text)
}

func callerOf(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func (s *server) whoAmI(_ http.ResponseWriter, r *http.Request) (int, any) {
	name := callerOf(r)
	return 200, client.Identity{Installation: s.installation.String(), ID: s.users[name].id.String(), Username: name}
}

func (s *server) readIdentity(_ http.ResponseWriter, r *http.Request) (int, any) {
	u := s.users[r.PathValue("user")]
	if u == nil || u.public == nil {
		return 404, "identity_not_found"
	}
	return 200, u.public
}

func (s *server) writeIdentity(_ http.ResponseWriter, r *http.Request) (int, any) {
	var sent struct {
		Public string        `json:"public"`
		Locked client.Base64 `json:"locked"`
	}
	_ = json.NewDecoder(r.Body).Decode(&sent)
	public, err := ParsePublicKey(sent.Public)
	if err != nil {
		return 400, "identity_invalid"
	}
	name := r.PathValue("user")
	s.register(name, public)
	s.users[name].locked = &client.LockedIdentity{Locked: sent.Locked, Fingerprint: public.Fingerprint().String()}
	return 200, s.users[name].public
}

// register stores the public key of a user.
func (s *server) register(name string, public PublicKey) {
	s.users[name].public = &client.PublicIdentity{
		User:        name,
		UserID:      s.users[name].id.String(),
		Public:      public.String(),
		Fingerprint: public.Fingerprint().String(),
		CreatedAt:   time.Unix(0, 0).UTC(),
	}
	s.identities[public.Fingerprint().String()] = s.users[name].public
}

func (s *server) readLocked(_ http.ResponseWriter, r *http.Request) (int, any) {
	if locked := s.users[r.PathValue("user")].locked; locked != nil {
		return 200, locked
	}
	return 404, "locked_identity_not_found"
}

func (s *server) writeLocked(_ http.ResponseWriter, r *http.Request) (int, any) {
	var sent client.LockedIdentity
	_ = json.NewDecoder(r.Body).Decode(&sent)
	s.users[r.PathValue("user")].locked.Locked = sent.Locked
	return 204, nil
}

func (s *server) findIdentity(_ http.ResponseWriter, r *http.Request) (int, any) {
	if found := s.identities[r.PathValue("fingerprint")]; found != nil {
		return 200, found
	}
	return 404, "identity_not_found"
}

func (s *server) createBox(_ http.ResponseWriter, r *http.Request) (int, any) {
	s.boxes[r.PathValue("box")] = &box{
		id:      randomID(),
		members: []string{callerOf(r)},
		entries: map[string][]version{},
	}
	return 201, nil
}

func (s *server) describeBox(_ http.ResponseWriter, r *http.Request) (int, any) {
	return 200, map[string]any{
		"id":         s.boxes[r.PathValue("box")].id.String(),
		"encryption": "server",
		"createdAt":  "2026-01-02 03:04:05",
		"updatedAt":  "2026-01-02 03:04:05",
	}
}

func (s *server) addMember(_ http.ResponseWriter, r *http.Request) (int, any) {
	var sent struct{ Username string }
	_ = json.NewDecoder(r.Body).Decode(&sent)
	b := s.boxes[r.PathValue("box")]
	b.members = append(b.members, sent.Username)
	return 201, nil
}

func (s *server) readMember(w http.ResponseWriter, r *http.Request) (int, any) {
	name := r.PathValue("user")
	if !slices.Contains(s.boxes[r.PathValue("box")].members, name) {
		return 404, "box_user_not_found"
	}
	w.Header().Set("X-Lockbox-User-Id", s.users[name].id.String())
	return 200, client.BoxUser{Member: client.Member{Username: name, Role: "boxuser", IsActive: true}}
}

func (s *server) removeMember(_ http.ResponseWriter, r *http.Request) (int, any) {
	b := s.boxes[r.PathValue("box")]
	b.members = slices.DeleteFunc(b.members, func(name string) bool { return name == r.PathValue("user") })
	return 204, nil
}

func (s *server) readKeyring(w http.ResponseWriter, r *http.Request) (int, any) {
	stored := s.boxes[r.PathValue("box")].keyring
	if stored == nil {
		return 404, "keyring_not_found"
	}
	w.Header().Set("ETag", stored.ETag)
	if r.Header.Get("If-None-Match") == stored.ETag {
		return 304, nil
	}
	return 200, s.answer(stored, callerOf(r), r.URL.Query().Get("recipients") == "all")
}

// answer returns the copy of a keyring that the server sends to the user with the given name. If the argument all is
// false, the copy contains no lists of users.
func (s *server) answer(stored *client.StoredKeyring, name string, all bool) client.StoredKeyring {
	sent := *stored
	for _, each := range stored.Recipients {
		if u := s.users[name]; u.public != nil && each.Fingerprint == u.public.Fingerprint {
			sent.Wrapped = each.Wrapped
		}
	}
	if !all {
		sent.Recipients, sent.Waiting, sent.Due = nil, nil, nil
	}
	return sent
}

func (s *server) writeKeyring(w http.ResponseWriter, r *http.Request) (int, any) {
	var sent struct {
		Head, Chain, Signature client.Base64
		Recipients             []client.KeyringRecipient
		Remove                 []string
		Reset                  bool
	}
	_ = json.NewDecoder(r.Body).Decode(&sent)
	b, id := s.boxes[r.PathValue("box")], s.users[callerOf(r)].id.String()
	isCaller := func(each client.KeyringRecipient) bool { return each.UserID == id }
	if b.keyring != nil {
		if !sent.Reset && !slices.ContainsFunc(b.keyring.Recipients, isCaller) {
			return 403, "not_recipient"
		}
		if r.Header.Get("If-Match") != b.keyring.ETag {
			return 412, "precondition_failed"
		}
	} else if r.Header.Get("If-None-Match") != "*" {
		return 412, "precondition_failed"
	}
	head, ok := ParseHead(sent.Head)
	if !ok {
		return 400, "keyring_invalid"
	}
	status := 200
	if b.keyring == nil {
		status = 201
	}
	b.keyring = &client.StoredKeyring{
		Head:       sent.Head,
		Chain:      sent.Chain,
		Signature:  sent.Signature,
		Author:     *s.identities[head.Author.String()],
		Recipients: sent.Recipients,
		ETag:       strconv.Quote(fmt.Sprint(head.Sequence, head.Key)),
	}
	b.members = slices.DeleteFunc(b.members, func(name string) bool { return slices.Contains(sent.Remove, name) })
	w.Header().Set("ETag", b.keyring.ETag)
	return status, client.KeyringWritten{KeyID: head.Key.String(), Sequence: head.Sequence}
}

// sent returns the received requests that have the given method and a path that ends in suffix.
func (s *server) sent(method, suffix string) []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.seen), func(each seen) bool {
		return each.method != method || !strings.HasSuffix(each.path, suffix)
	})
}

// keysSent returns how many requests carried a key.
func (s *server) keysSent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, each := range s.seen {
		if each.key != "" {
			n++
		}
	}
	return n
}

// change locks the server and calls a function that changes the server's state.
func (s *server) change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}
