package sealing

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ErrUnknownKey says that the key ring, read again from the database just now, has no such key for that purpose. Its
// kind is domain.NotFound.
var ErrUnknownKey = domain.Refuse(domain.NotFound, "server_key_not_found", "there is no such server key")

var errReloadedJustNow = errors.New("the server key is not in memory, and the key ring was read less than a second ago")

const (
	// reloadPause bounds how often the unknown id of a token makes the ring read the database: anybody can make one up.
	reloadPause = time.Second
	// reloadTimeout ends a reload that an unknown id caused. It does not run under the request that caused it, since
	// requests that are given up at once would then keep the ring from ever being read.
	reloadTimeout = 5 * time.Second
)

// KeyringConfig is what a key ring needs. All but Previous and Random must be set.
type KeyringConfig struct {
	Store  ports.ServerKeys
	Secret Secret
	// Previous is the secret before Secret, while `lockbox secret rotate` has not re-wrapped the keys yet; zero if none.
	Previous Secret
	IDs      ports.IDs
	Clock    ports.Clock
	// Random is crypto/rand.Reader unless a test needs the same bytes again.
	Random io.Reader
}

// Keyring is the server's keys, open in memory. Its methods are safe for concurrent use; what they read is a snapshot
// that a reload replaces as a whole.
type Keyring struct {
	config            KeyringConfig
	current, previous wrapper
	ring              atomic.Pointer[ring]
	// reloading holds one token: reloads happen one at a time, so that an older list cannot replace a newer one, and
	// who waits for one can give up.
	reloading chan struct{}
	// begun counts reloads; see Reload.
	begun atomic.Uint64
	// reloadedAt is when a token's unknown id last made the ring read the database; whoever has the turn may touch it.
	reloadedAt time.Time
}

// ring is one state of the keys; it is never changed once made.
type ring struct {
	// number is that of the reload that made it.
	number  uint64
	keys    map[domain.ServerKeyID]*openKey
	current map[domain.KeyPurpose]*openKey
}

// openKey is a key and the line of storage it came from.
type openKey struct {
	ports.ServerKey
	key [keyBytes]byte
	// underPrevious: it is still wrapped under the previous secret.
	underPrevious bool
}

// OpenKeyring reads and opens all keys, and makes the first of each purpose that has none. Replicas may start at once:
// the database decides whose new keys stay, and everybody reads them from there.
//
// Errors: one that wraps ErrWrongSecret when a key opens under neither secret; nothing is written then. Otherwise what
// the store returns.
func OpenKeyring(ctx context.Context, config KeyringConfig) (*Keyring, error) {
	k, err := newKeyring(config)
	if err != nil {
		return nil, err
	}
	lines, err := config.Store.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the server keys: %w", err)
	}
	// The keys that exist are opened before any are added: a wrong secret must not leave keys of its own behind.
	if _, err := k.openAll(lines); err != nil {
		return nil, err
	}
	missing, err := k.firstKeys(lines)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		if err := config.Store.Add(ctx, missing); err != nil {
			return nil, fmt.Errorf("add the first server keys: %w", err)
		}
	}
	return k, k.Reload(ctx)
}

func newKeyring(config KeyringConfig) (*Keyring, error) {
	if config.Random == nil {
		config.Random = rand.Reader
	}
	if config.Secret.IsZero() {
		return nil, errors.New("the key ring has no secret")
	}
	k := &Keyring{reloading: make(chan struct{}, 1)}
	var err error
	if k.current, err = newWrapper(config.Secret); err != nil {
		return nil, err
	}
	if !config.Previous.IsZero() {
		if k.previous, err = newWrapper(config.Previous); err != nil {
			return nil, err
		}
	}
	// The secrets have done their work; what is not kept cannot be shown by mistake.
	config.Secret, config.Previous = Secret{}, Secret{}
	k.config = config
	return k, nil
}

func (k *Keyring) firstKeys(lines []ports.ServerKey) ([]ports.ServerKey, error) {
	var missing []ports.ServerKey
	for _, purpose := range domain.KeyPurposes() {
		if slices.ContainsFunc(lines, func(line ports.ServerKey) bool { return line.Purpose == purpose }) {
			continue
		}
		first, err := k.NewKey(purpose, 1)
		if err != nil {
			return nil, err
		}
		missing = append(missing, first)
	}
	return missing, nil
}

// Reload reads the keys again. When that fails, or a key does not open, those in memory stay as they are. Calls that
// come together share one reading of the database, which begins after they have come.
func (k *Keyring) Reload(ctx context.Context) error {
	before := k.begun.Load()
	if err := k.takeTurn(ctx); err != nil {
		return err
	}
	defer k.endTurn()
	if now := k.ring.Load(); now != nil && now.number > before {
		return nil
	}
	return k.reload(ctx)
}

func (k *Keyring) takeTurn(ctx context.Context) error {
	select {
	case k.reloading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *Keyring) endTurn() { <-k.reloading }

// reload is for whoever has the turn.
func (k *Keyring) reload(ctx context.Context) error {
	number := k.begun.Add(1)
	lines, err := k.config.Store.List(ctx)
	if err != nil {
		return fmt.Errorf("list the server keys: %w", err)
	}
	opened, err := k.openAll(lines)
	if err != nil {
		return err
	}
	fresh := &ring{
		number:  number,
		keys:    make(map[domain.ServerKeyID]*openKey),
		current: make(map[domain.KeyPurpose]*openKey),
	}
	for _, each := range opened {
		fresh.keys[each.ID] = each
		now := fresh.current[each.Purpose]
		if each.RetiredAt.IsZero() && (now == nil || each.Generation > now.Generation) {
			fresh.current[each.Purpose] = each
		}
	}
	for _, purpose := range domain.KeyPurposes() {
		if fresh.current[purpose] == nil {
			return fmt.Errorf("the database has no server key in use for purpose %s: all of them are retired", purpose)
		}
	}
	k.ring.Store(fresh)
	return nil
}

func (k *Keyring) openAll(lines []ports.ServerKey) ([]*openKey, error) {
	var shut []ports.ServerKey
	opened := make([]*openKey, 0, len(lines))
	for _, line := range lines {
		key, err := k.open(line)
		if err != nil {
			shut = append(shut, line)
			continue
		}
		opened = append(opened, key)
	}
	if len(shut) > 0 {
		return nil, k.wrongSecret(opened, shut)
	}
	return opened, nil
}

func (k *Keyring) open(line ports.ServerKey) (*openKey, error) {
	if key, ok := k.current.unwrap(line.ID, line.Purpose, line.Wrapped); ok {
		return &openKey{ServerKey: line, key: key}, nil
	}
	if key, ok := k.previous.unwrap(line.ID, line.Purpose, line.Wrapped); ok {
		return &openKey{ServerKey: line, key: key, underPrevious: true}, nil
	}
	return nil, ErrWrongSecret
}

// ordered lists the keys by purpose and generation.
func (r *ring) ordered() []*openKey {
	purposes := domain.KeyPurposes()
	return slices.SortedFunc(maps.Values(r.keys), func(a, b *openKey) int {
		return cmp.Or(
			cmp.Compare(slices.Index(purposes, a.Purpose), slices.Index(purposes, b.Purpose)),
			cmp.Compare(a.Generation, b.Generation))
	})
}

// Current returns the key for new things of a purpose: the highest generation that is not retired. It does no I/O. A
// purpose that is not in domain.KeyPurposes is a mistake of the program, and panics.
func (k *Keyring) Current(purpose domain.KeyPurpose) (domain.ServerKeyID, [32]byte) {
	key := k.ring.Load().current[purpose]
	if key == nil {
		panic("no server keys are kept for purpose " + string(purpose))
	}
	return key.ID, key.key
}

// ByID returns a key for what was made earlier. Retired keys of entries and accounts still open what exists; retired
// keys of other purposes are not returned, and neither are keys of another purpose than the one asked for.
//
// An id that is not in memory makes the ring read the database. One that comes from a token does so once per second at
// most; one of something sealed comes from the database itself, and a rekey must not keep it shut even for a second.
// Errors: ErrUnknownKey when the id is not there either; domain.ErrBusy when that cannot be told before the second is
// over; what the store returns when it fails; ctx's error.
func (k *Keyring) ByID(ctx context.Context, purpose domain.KeyPurpose, id domain.ServerKeyID) ([32]byte, error) {
	if key, known, err := k.inMemory(purpose, id); known {
		return key, err
	}
	if err := k.takeTurn(ctx); err != nil {
		return [32]byte{}, err
	}
	defer k.endTurn()
	// Somebody may have read it while this one waited.
	if key, known, err := k.inMemory(purpose, id); known {
		return key, err
	}
	if !opensWhenRetired(purpose) {
		// A clock that was set back must not stop the reloads.
		if since := k.config.Clock.Now().Sub(k.reloadedAt); since >= 0 && since < reloadPause {
			return [32]byte{}, domain.ErrBusy.Because(errReloadedJustNow)
		}
		k.reloadedAt = k.config.Clock.Now()
	}
	apart, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTimeout)
	defer cancel()
	if err := k.reload(apart); err != nil {
		return [32]byte{}, err
	}
	if key, known, err := k.inMemory(purpose, id); known {
		return key, err
	}
	return [32]byte{}, ErrUnknownKey
}

// inMemory is ByID without a reload. known is false when the id is not in memory; an id that is, but must not be used
// for this purpose, is known and an ErrUnknownKey.
func (k *Keyring) inMemory(purpose domain.KeyPurpose, id domain.ServerKeyID) (key [keyBytes]byte, known bool,
	err error) {
	found := k.ring.Load().keys[id]
	switch {
	case found == nil:
		return key, false, nil
	case found.Purpose != purpose || !found.RetiredAt.IsZero() && !opensWhenRetired(purpose):
		return key, true, ErrUnknownKey
	}
	return found.key, true, nil
}

// opensWhenRetired: what was sealed must stay readable until it is sealed again; what was signed is to die.
func opensWhenRetired(purpose domain.KeyPurpose) bool {
	return purpose == domain.KeyForEntries || purpose == domain.KeyForAccounts
}
