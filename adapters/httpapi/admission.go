package httpapi

import (
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// admission bounds the requests in flight and the memory that they use.
//
// Until its caller is verified, a request counts towards the limit of its address. Afterwards it counts towards the
// limit of its user. A signed token is verified without the database. An opaque token must be looked up in the
// database, and only one such lookup runs at a time. A client that invents tokens therefore delays only unverified
// requests, and mainly those from its own address.
type admission struct {
	// strangers counts the unverified requests of each address group. users counts the verified requests of each user.
	strangers, users *shares
	bodies, answers  *shares
	tokenLookups     *semaphore.Weighted
	// knownTokens maps the digest of each recently valid opaque token to the user of the token. refusedKeys holds
	// signed credentials that were recently refused. A request with a credential in refusedKeys counts as unverified.
	// Neither map decides whether a token is valid.
	knownTokens *recent[domain.Digest, domain.UserID]
	refusedKeys *recent[domain.CredentialID, struct{}]
}

// A token stays in knownTokens for knownTokenTTL, and a credential stays in refusedKeys for refusedKeyTTL. Each map
// contains at most maxRecentItems keys.
const (
	knownTokenTTL  = time.Minute
	refusedKeyTTL  = 10 * time.Second
	maxRecentItems = 4096
)

func newAdmission(bounds Bounds) *admission {
	strangers := int64(max(1, bounds.Requests/2))
	a := &admission{
		strangers:    newShares(strangers, int64(bounds.RequestsPerAddress), strangerWait),
		users:        newShares(int64(bounds.Requests), int64(bounds.RequestsPerUser), userWait),
		bodies:       newShares(bounds.BodyBytes, bounds.BodyBytes/userShare, bodyWait),
		answers:      newShares(bounds.AnswerBytes, bounds.AnswerBytes/userShare, answerWait),
		tokenLookups: semaphore.NewWeighted(maxTokenLookups),
		knownTokens:  newRecent[domain.Digest, domain.UserID](knownTokenTTL),
		refusedKeys:  newRecent[domain.CredentialID, struct{}](refusedKeyTTL),
	}
	a.answers.holdsWhileWaiting = true
	return a
}

// slot is one request in flight that counts towards the limit of its user or address. The zero slot counts towards no
// limit.
type slot struct {
	shares *shares
	key    string
}

// release subtracts the request from the count. It may be called more than once.
func (s *slot) release() {
	if s.shares != nil {
		s.shares.release(s.key, 1)
		s.shares = nil
	}
}

// takeSlot releases the slot of the request and takes a slot from the argument shares. The argument key identifies the
// user or address. While the request waits for the new slot, its connection may be closed to make room for another
// connection.
func (r *request) takeSlot(shares *shares, key string) error {
	r.slot.release()
	if !shares.acquireNow(key, 1) {
		done := connOf(r.Request().Context()).awaitBody()
		defer done()
		if err := shares.acquire(r.Request().Context(), key, 1); err != nil {
			r.closeAfterResponse()
			return err
		}
	}
	r.slot = slot{shares, key}
	return nil
}

// countAsStranger counts the request towards the limit of its address. Errors: RateLimited, Unavailable.
func (a *API) countAsStranger(r *request) error {
	// All clients behind an untrusted proxy share the limit of the proxy's address. The proxy gets no higher limit,
	// because any client can claim to be a proxy.
	key := domain.AddressGroup(r.by.Address)
	r.origin(key)
	return r.takeSlot(a.admission.strangers, key)
}

// countAsUser counts the request towards the limit of its verified user. Errors: RateLimited, Unavailable.
func (a *API) countAsUser(r *request, user domain.UserID) error {
	key := user.String()
	r.origin(key)
	return r.takeSlot(a.admission.users, key)
}

// origin assigns the request to a user or an address. This package and the store apply their limits to each user or
// address separately. Key derivations of different users or addresses take turns.
func (r *request) origin(key string) {
	r.key = key
	r.context = ports.WithOrigin(r.Request().Context(), key)
}

// admit identifies the caller and counts the request. If a lookup finds that an opaque token is valid, admit does not
// look this token up again for knownTokenTTL. Errors: Unauthenticated, RateLimited and Unavailable. If the token is in
// the body, errors in reading the body are returned too.
func (a *API) admit(r *request) error {
	if r.route.contract.readsBodyForToken(r) { // the client may send the body slowly
		if err := a.countAsStranger(r); err != nil {
			return err
		}
	}
	if err := a.identify(r); err != nil {
		return err
	}
	credential := r.by.Credential
	switch {
	case credential.Kind == domain.AccessTokenCredential:
		return a.admitOpaque(r)
	case credential.IsZero(), a.admission.refusedKeys.has(credential.ID):
		if r.slot.shares != nil {
			return nil
		}
		return a.countAsStranger(r)
	default:
		return a.countAsUser(r, credential.User)
	}
}

// admitOpaque admits a request with an opaque token. Any client can make up such a token. Until a lookup finds the
// token valid, the request therefore counts towards the limit of its address.
func (a *API) admitOpaque(r *request) error {
	digest := r.by.Credential.Digest
	if user, ok := a.admission.knownTokens.get(digest); ok {
		return a.countAsUser(r, user)
	}
	if r.slot.shares == nil {
		if err := a.countAsStranger(r); err != nil {
			return err
		}
	}
	if r.route.acceptsRefreshToken {
		return nil // only the use case can look up both kinds of tokens
	}
	if err := a.admission.tokenLookups.Acquire(r.ctx(), 1); err != nil {
		return errClientClosed.Because(err)
	}
	caller, err := a.identity.WhoAmI(r.ctx(), r.by)
	a.admission.tokenLookups.Release(1)
	if err != nil {
		r.closeAfterResponse()
		return err
	}
	a.admission.knownTokens.add(digest, caller.UserID)
	return a.countAsUser(r, caller.UserID)
}

// noteRefusal remembers a credential that was refused, so that further requests with it count as unverified.
func (a *API) noteRefusal(r *request, err error) {
	credential := r.by.Credential
	switch {
	case domain.CodeOf(err) != domain.ErrUnauthenticated.Code || credential.IsZero():
	case credential.Kind == domain.AccessTokenCredential:
		a.admission.knownTokens.remove(credential.Digest)
	default:
		a.admission.refusedKeys.add(credential.ID, struct{}{})
	}
}

// closeAfterResponse makes the server close an HTTP/1 connection after the response instead of reading the rest of the
// body. With HTTP/2, the server ends only the stream.
func (r *request) closeAfterResponse() {
	if r.Request().ProtoMajor == 1 && r.Request().ContentLength != 0 {
		r.Response().Header().Set(echo.HeaderConnection, "close")
	}
}

// admitted wraps the handler of a path of serverRoutes, such as /metrics. Each request counts towards the limit of its
// address. The probes /healthz and /readyz are not limited, because they are small and an operator needs them most when
// the server is busy.
func (a *API) admitted(path string, next echo.HandlerFunc) echo.HandlerFunc {
	if path == "/healthz" || path == "/readyz" {
		return next
	}
	return func(c echo.Context) error {
		r := a.newRequest(c, Route{})
		defer r.slot.release()
		if err := a.countAsStranger(r); err != nil {
			return err
		}
		return next(c)
	}
}

// withHandlerBound runs the handler of a request. If too many handlers are running and connections.enter cannot make
// room, withHandlerBound closes the connection instead of running the handler.
func (a *API) withHandlerBound(w http.ResponseWriter, r *http.Request) {
	conn := connOf(r.Context())
	if !a.connections.enter() {
		a.connections.leave()
		if conn != nil {
			_ = conn.Close() // the client gets no answer, so the error does not matter
		}
		panic(http.ErrAbortHandler)
	}
	defer a.connections.leave()
	conn.beginHandler()
	defer conn.endHandler()
	a.echo.ServeHTTP(w, r)
}

// recent is a map that remembers up to maxRecentItems keys, each for the duration in the field ttl. It is safe for
// concurrent use.
type recent[K comparable, V any] struct {
	ttl time.Duration

	mu    sync.Mutex // guards items
	items map[K]recentItem[V]
}

type recentItem[V any] struct {
	value V
	until time.Time
}

func newRecent[K comparable, V any](ttl time.Duration) *recent[K, V] {
	return &recent[K, V]{ttl: ttl, items: make(map[K]recentItem[V])}
}

// add remembers a key. If the map is full, add first removes all keys from it. This is safe, because the keys in the
// map do not decide whether a token is valid. A forgotten token is looked up again.
func (s *recent[K, V]) add(key K, value V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) >= maxRecentItems {
		clear(s.items)
	}
	s.items[key] = recentItem[V]{value, time.Now().Add(s.ttl)}
}

// get returns the value of a key that was added less than ttl ago.
func (s *recent[K, V]) get(key K) (value V, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.items[key]
	if ok && time.Now().After(item.until) {
		delete(s.items, key)
		return value, false
	}
	return item.value, ok
}

func (s *recent[K, V]) has(key K) bool {
	_, ok := s.get(key)
	return ok
}

func (s *recent[K, V]) remove(key K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, key)
}
