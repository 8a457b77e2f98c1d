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

// ErrUnknownKey means that the database has no server key with this id and purpose. Its kind is domain.NotFound.
var ErrUnknownKey = domain.Refuse(domain.NotFound, "server_key_not_found", "there is no such server key")

var errReloadedJustNow = errors.New("the server key is not in memory; " +
	"the key was not looked up in the database, because the last reload of the key ring was less than 1 s ago")

const (
	// An unknown key id in a token makes the Keyring reload its keys. reloadInterval is the minimum time between two
	// such reloads. They are limited because anyone can forge such an id.
	reloadInterval = time.Second
	// reloadTimeout is the time limit of a reload for an unknown key id. Such a reload does not end with the context of
	// the request. Otherwise, requests that are cancelled immediately could prevent every reload.
	reloadTimeout = 4 * time.Second
)

// KeyringConfig configures a Keyring. All fields except Previous and Random are required.
type KeyringConfig struct {
	Store  ports.ServerKeys
	Secret Secret
	// Previous is the former secret. It is needed until `lockbox secret rotate` has rewrapped all keys. Zero means
	// none.
	Previous Secret
	IDs      ports.IDs
	Clock    ports.Clock
	// Random is the source of keys and nonces; nil means crypto/rand.Reader.
	Random io.Reader
}

// Keyring holds the unwrapped server keys in memory. It is safe for concurrent use. Its methods read an immutable
// snapshot, which a reload replaces as a whole.
type Keyring struct {
	config            KeyringConfig
	current, previous wrapper
	ring              atomic.Pointer[ring]
	// reloading is a lock that serializes reloads, so an older list of keys cannot replace a newer one. It is a channel
	// of capacity 1, so a waiting caller can stop when its context ends.
	reloading chan struct{}
	// begun counts the reloads that have begun; see Reload.
	begun atomic.Uint64
	// reloadedAt is the time of the last reload for an unknown key id in a token. Hold the lock in the field named
	// reloading when you access it.
	reloadedAt time.Time
}

// ring is an immutable snapshot of the keys.
type ring struct {
	number  uint64 // the value of begun for the reload that made this snapshot
	keys    map[domain.ServerKeyID]*openKey
	current map[domain.KeyPurpose]*openKey
}

// openKey is an unwrapped server key with its database row.
type openKey struct {
	ports.ServerKey
	key [keyBytes]byte
	// underPrevious means that the key is still wrapped under the previous secret.
	underPrevious bool
}

// OpenKeyring reads and unwraps all server keys, and creates the first key of each purpose that has none. If several
// replicas create keys for a purpose at the same time, the database stores only the key of one replica, and all
// replicas use that key.
//
// If a key cannot be unwrapped with the current or the previous secret, OpenKeyring writes nothing, and its error wraps
// ErrWrongSecret. All other errors come from the store.
func OpenKeyring(ctx context.Context, config KeyringConfig) (*Keyring, error) {
	k, err := newKeyring(config)
	if err != nil {
		return nil, err
	}
	rows, err := config.Store.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the server keys: %w", err)
	}
	// Unwrap the existing keys before adding new keys. Unwrapping fails if the secret is wrong, so a program with a
	// wrong secret adds no keys that the right secret cannot unwrap.
	if _, err := k.openAll(rows); err != nil {
		return nil, err
	}
	missing, err := k.firstKeys(rows)
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

// newKeyring returns a key ring without keys.
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
	// The key ring no longer needs the secrets. It does not store them, so they cannot be printed by mistake.
	config.Secret, config.Previous = Secret{}, Secret{}
	k.config = config
	return k, nil
}

// Reload reads the server keys from the database again. On an error, or if a key cannot be unwrapped, the keys in
// memory stay in use. A call that waits for another reload uses the result of that reload if that reload began later
// than the call.
func (k *Keyring) Reload(ctx context.Context) error {
	before := k.begun.Load()
	if err := k.lock(ctx); err != nil {
		return err
	}
	defer k.unlock()
	if now := k.ring.Load(); now != nil && now.number > before {
		return nil
	}
	return k.reload(ctx)
}

// lock waits for other reloads to finish, or for ctx to end.
func (k *Keyring) lock(ctx context.Context) error {
	select {
	case k.reloading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *Keyring) unlock() { <-k.reloading }

// reload replaces the snapshot. The caller holds the lock.
func (k *Keyring) reload(ctx context.Context) error {
	number := k.begun.Add(1)
	rows, err := k.config.Store.List(ctx)
	if err != nil {
		return fmt.Errorf("list the server keys: %w", err)
	}
	opened, err := k.openAll(rows)
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
			return fmt.Errorf("all server keys for purpose %s are retired", purpose)
		}
	}
	k.ring.Store(fresh)
	return nil
}

// openAll unwraps all keys. If some keys cannot be unwrapped, it returns an error that names these keys and wraps
// ErrWrongSecret.
func (k *Keyring) openAll(rows []ports.ServerKey) ([]*openKey, error) {
	var failed []ports.ServerKey
	opened := make([]*openKey, 0, len(rows))
	for _, row := range rows {
		key, ok := k.open(row)
		if !ok {
			failed = append(failed, row)
			continue
		}
		opened = append(opened, key)
	}
	if len(failed) > 0 {
		return nil, k.wrongSecret(opened, failed)
	}
	return opened, nil
}

// open unwraps a key with the current secret, or else with the previous one.
func (k *Keyring) open(row ports.ServerKey) (*openKey, bool) {
	if key, ok := k.current.unwrap(row.ID, row.Purpose, row.Wrapped); ok {
		return &openKey{ServerKey: row, key: key}, true
	}
	if key, ok := k.previous.unwrap(row.ID, row.Purpose, row.Wrapped); ok {
		return &openKey{ServerKey: row, key: key, underPrevious: true}, true
	}
	return nil, false
}

// ordered returns the keys by purpose, in the order of domain.KeyPurposes, and then by generation.
func (r *ring) ordered() []*openKey {
	purposes := domain.KeyPurposes()
	return slices.SortedFunc(maps.Values(r.keys), func(a, b *openKey) int {
		return cmp.Or(
			cmp.Compare(slices.Index(purposes, a.Purpose), slices.Index(purposes, b.Purpose)),
			cmp.Compare(a.Generation, b.Generation))
	})
}

// Current returns the key that seals or signs new data of a purpose: the newest generation that is not retired. It
// performs no I/O. Current panics if the purpose is not in domain.KeyPurposes.
func (k *Keyring) Current(purpose domain.KeyPurpose) (domain.ServerKeyID, [32]byte) {
	key := k.ring.Load().current[purpose]
	if key == nil {
		panic("sealing: unknown key purpose " + string(purpose))
	}
	return key.ID, key.key
}

// ByID returns the key with the given id and purpose. Callers use the key to open or verify existing data. If the
// purpose is entries or accounts, ByID also returns retired keys, because they still open existing data.
//
// If the id is not in memory, ByID reads the database. Anyone can forge an id in a token, so ByID reads the database at
// most once per second for ids in tokens. The ids of sealed data come from the database. For these ids, ByID has no
// rate limit, because entries must stay readable during a rekey.
//
// ByID returns ErrUnknownKey if the database has no such key, and domain.ErrBusy if the rate limit prevents the query.
// All other errors come from the store or from ctx.
func (k *Keyring) ByID(ctx context.Context, purpose domain.KeyPurpose, id domain.ServerKeyID) ([32]byte, error) {
	if key, known, err := k.inMemory(purpose, id); known {
		return key, err
	}
	if err := k.lock(ctx); err != nil {
		return [32]byte{}, err
	}
	defer k.unlock()
	// Another caller may have reloaded the keys while this call waited for the lock.
	if key, known, err := k.inMemory(purpose, id); known {
		return key, err
	}
	if !opensWhenRetired(purpose) {
		// A negative interval means that the clock was set back. It must not block reloads.
		if since := k.config.Clock.Now().Sub(k.reloadedAt); since >= 0 && since < reloadInterval {
			return [32]byte{}, domain.ErrBusy.Because(errReloadedJustNow)
		}
		k.reloadedAt = k.config.Clock.Now()
	}
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTimeout)
	defer cancel()
	if err := k.reload(detached); err != nil {
		return [32]byte{}, err
	}
	if key, known, err := k.inMemory(purpose, id); known {
		return key, err
	}
	return [32]byte{}, ErrUnknownKey
}

// inMemory is like ByID, but never reads the database. The second result is true if the id is in memory. If the key
// with this id has another purpose, or may no longer be used because it was retired, the error is ErrUnknownKey.
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

// opensWhenRetired reports whether retired keys of a purpose stay usable. Sealed data must stay readable until it is
// sealed under a new key. Signed tokens become invalid when their key is retired.
func opensWhenRetired(purpose domain.KeyPurpose) bool {
	return purpose == domain.KeyForEntries || purpose == domain.KeyForAccounts
}
