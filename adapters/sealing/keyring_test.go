package sealing

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// moreIDs returns a generator whose ids differ from the ids of a rig.
var moreIDs = func() *ids { i := &ids{}; i.last.Store(1000); return i }()

func config(t testing.TB, s *store, secret Secret, previous ...Secret) KeyringConfig {
	t.Helper()
	c := KeyringConfig{
		Store:  s,
		Secret: secret,
		IDs:    moreIDs,
		Clock:  &clock{},
	}
	if len(previous) > 0 {
		c.Previous = previous[0]
	}
	return c
}

func TestFirstStartMakesOneKeyPerPurpose(t *testing.T) {
	t.Parallel()
	s := &store{}
	first, err := OpenKeyring(t.Context(), config(t, s, secretOf(t, 1)))
	require.NoError(t, err)
	status := first.Status()
	require.Len(t, status, len(domain.KeyPurposes()))
	seen := map[[32]byte]bool{}
	for i, purpose := range domain.KeyPurposes() {
		require.Equal(t, ports.KeyStatus{
			ID:         status[i].ID,
			Purpose:    purpose,
			Generation: 1,
			CreatedAt:  start,
		}, status[i])
		id, key := first.Current(purpose)
		require.Equal(t, status[i].ID, id)
		require.False(t, seen[key])
		seen[key] = true
	}

	second, err := OpenKeyring(t.Context(), config(t, s, secretOf(t, 1)))
	require.NoError(t, err)
	require.Equal(t, status, second.Status(), "the next start adds nothing")
	for _, purpose := range domain.KeyPurposes() {
		_, a := first.Current(purpose)
		_, b := second.Current(purpose)
		require.Equal(t, a, b)
	}
}

// TestStartTogether simulates two replicas that start together. The other replica adds its keys after this replica
// lists the keys and before this replica adds its own.
func TestStartTogether(t *testing.T) {
	t.Parallel()
	s, faster := &store{}, &store{}
	other, err := OpenKeyring(t.Context(), config(t, faster, secretOf(t, 1)))
	require.NoError(t, err)
	s.onAdd = func() { s.lines = faster.snapshot() }
	k, err := OpenKeyring(t.Context(), config(t, s, secretOf(t, 1)))
	require.NoError(t, err)
	require.Equal(t, other.Status(), k.Status())

	late := &store{onAdd: nil}
	late.onAdd = func() { late.lines = faster.snapshot() }
	_, err = OpenKeyring(t.Context(), config(t, late, secretOf(t, 2)))
	require.ErrorIs(t, err, ErrWrongSecret, "the slower replica with another secret must not start")
}

func TestWrongSecret(t *testing.T) {
	t.Parallel()
	made := func(t *testing.T, secret Secret) *store {
		s := &store{}
		_, err := OpenKeyring(t.Context(), config(t, s, secret))
		require.NoError(t, err)
		return s
	}
	mixed := func(t *testing.T, one, other Secret) *store {
		s := made(t, one)
		k, err := OpenKeyring(t.Context(), config(t, made(t, other), other))
		require.NoError(t, err)
		line, err := k.NewKey(domain.KeyForAPIKeys, 2)
		require.NoError(t, err)
		s.lines = append(s.lines, line)
		return s
	}
	one, two, three := secretOf(t, 1), secretOf(t, 2), secretOf(t, 3)
	for name, test := range map[string]struct {
		store  *store
		config func(*store) KeyringConfig
		says   []string
	}{
		"none opens": {made(t, one), func(s *store) KeyringConfig { return config(t, s, two) }, []string{
			"6 of 6", "entry 1, account 1, api-key 1, session 1, token 1, throttle 1",
			"LOCKBOX_SECRET_KEY is not the secret of this database", "set LOCKBOX_SECRET_KEY_PREVIOUS",
		}},
		"neither": {made(t, one), func(s *store) KeyringConfig { return config(t, s, two, three) }, []string{
			"neither LOCKBOX_SECRET_KEY nor LOCKBOX_SECRET_KEY_PREVIOUS is the secret",
		}},
		"the previous opens some": {mixed(t, one, three),
			func(s *store) KeyringConfig { return config(t, s, two, one) },
			[]string{"1 of 7", "api-key 2", "LOCKBOX_SECRET_KEY is wrong"}},
		"one foreign key": {mixed(t, one, three), func(s *store) KeyringConfig { return config(t, s, one) },
			[]string{"1 of 7", "api-key 2", "the keys need a secret other than LOCKBOX_SECRET_KEY; during", "damaged"}},
		"one key foreign to both": {mixed(t, one, three),
			func(s *store) KeyringConfig { return config(t, s, one, two) },
			[]string{"1 of 7", "api-key 2", "a secret other than LOCKBOX_SECRET_KEY and LOCKBOX_SECRET_KEY_PREVIOUS",
				"damaged"}},
	} {
		before := test.store.snapshot()
		_, err := OpenKeyring(t.Context(), test.config(test.store))
		require.ErrorIs(t, err, ErrWrongSecret, name)
		for _, says := range test.says {
			require.ErrorContains(t, err, says, name)
		}
		require.Equal(t, before, test.store.snapshot(), "%s: nothing is added", name)
	}
	_, err := OpenKeyring(t.Context(), config(t, &store{}, Secret{}))
	require.ErrorContains(t, err, "no secret")
}

// TestAWrongSecretLeavesNoKeysBehind uses a wrong secret when a key purpose has no key yet, as after an upgrade that
// adds a purpose. The failed start must store no key.
func TestAWrongSecretLeavesNoKeysBehind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.lines = slices.DeleteFunc(r.store.lines,
		func(l ports.ServerKey) bool { return l.Purpose == domain.KeyForThrottle })
	_, err := OpenKeyring(t.Context(), config(t, r.store, secretOf(t, 2)))
	require.ErrorIs(t, err, ErrWrongSecret)
	require.Len(t, r.store.snapshot(), 5)
	k, err := OpenKeyring(t.Context(), config(t, r.store, secretOf(t, 1)))
	require.NoError(t, err)
	require.Len(t, k.Status(), 6)
}

func TestAWrappedKeyIsBoundToItsRow(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(lines []ports.ServerKey){
		"purposes swapped": func(l []ports.ServerKey) { l[0].Wrapped, l[1].Wrapped = l[1].Wrapped, l[0].Wrapped },
		"another id":       func(l []ports.ServerKey) { l[0].ID[15] ^= 1 },
		"another purpose":  func(l []ports.ServerKey) { l[2].Purpose, l[3].Purpose = l[3].Purpose, l[2].Purpose },
		"a byte":           func(l []ports.ServerKey) { l[0].Wrapped[30] ^= 1 },
		"cut":              func(l []ports.ServerKey) { l[0].Wrapped = l[0].Wrapped[:wrappedLen-1] },
		"longer":           func(l []ports.ServerKey) { l[0].Wrapped = append(l[0].Wrapped, 0) },
		"empty":            func(l []ports.ServerKey) { l[0].Wrapped = nil },
	} {
		r := newRig(t)
		spoil(r.store.lines)
		require.ErrorIs(t, r.keys.Reload(t.Context()), ErrWrongSecret, name)
	}
}

func TestRotateTheSecret(t *testing.T) {
	t.Parallel()
	s, one, two := &store{}, secretOf(t, 1), secretOf(t, 2)
	before, err := OpenKeyring(t.Context(), config(t, s, one))
	require.NoError(t, err)
	k, err := OpenKeyring(t.Context(), config(t, s, two, one))
	require.NoError(t, err)
	for _, each := range k.Status() {
		require.True(t, each.UnderPrevious)
	}
	lines, err := s.List(t.Context())
	require.NoError(t, err)
	anew, err := k.Rewrap(lines)
	require.NoError(t, err)
	require.Len(t, anew, 6)
	require.NoError(t, s.Rewrap(t.Context(), anew))
	require.NoError(t, k.Reload(t.Context()))
	for _, each := range k.Status() {
		require.False(t, each.UnderPrevious)
	}
	after, err := OpenKeyring(t.Context(), config(t, s, two))
	require.NoError(t, err)
	for _, purpose := range domain.KeyPurposes() {
		idBefore, keyBefore := before.Current(purpose)
		idAfter, keyAfter := after.Current(purpose)
		require.Equal(t, idBefore, idAfter)
		require.Equal(t, keyBefore, keyAfter)
	}
	_, err = OpenKeyring(t.Context(), config(t, s, one))
	require.ErrorIs(t, err, ErrWrongSecret)

	anew[0].Wrapped[30] ^= 1
	_, err = k.Rewrap(anew)
	require.ErrorIs(t, err, ErrWrongSecret)
}

func TestRekey(t *testing.T) {
	t.Parallel()
	for _, purpose := range domain.KeyPurposes() {
		r := newRig(t)
		first, firstKey := r.keys.Current(purpose)
		second := r.store.rekey(t, r.keys, purpose, 2)
		current, _ := r.keys.Current(purpose)
		require.Equal(t, first, current, "nothing changes before the reload")

		secondKey, err := r.keys.ByID(t.Context(), purpose, second)
		require.NoError(t, err, "an unknown id causes a reload")
		current, currentKey := r.keys.Current(purpose)
		require.Equal(t, second, current)
		require.Equal(t, secondKey, currentKey)

		key, err := r.keys.ByID(t.Context(), purpose, first)
		if purpose == domain.KeyForEntries || purpose == domain.KeyForAccounts {
			require.NoError(t, err, "sealed data still opens")
			require.Equal(t, firstKey, key)
		} else {
			require.ErrorIs(t, err, ErrUnknownKey, "signed tokens are invalid")
			require.Zero(t, key)
		}
		status := r.keys.Status()
		require.Len(t, status, 7)
		at := slices.IndexFunc(status, func(each ports.KeyStatus) bool { return each.ID == first })
		require.Equal(t, start, status[at].RetiredAt)
		require.Equal(t, second, status[at+1].ID, "they are listed by purpose and generation")
	}
}

func TestAKeyServesItsPurposeAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, of := range domain.KeyPurposes() {
		id, _ := r.keys.Current(of)
		for _, asked := range domain.KeyPurposes() {
			key, err := r.keys.ByID(t.Context(), asked, id)
			if asked == of {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrUnknownKey)
				require.Zero(t, key)
			}
		}
	}
	require.Equal(t, int32(2), r.store.lists.Load(), "keys of another purpose are known and cause no reload")
	require.Panics(t, func() { r.keys.Current("nothing") })
}

func TestUnknownIDsAreLimited(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.lists.Store(0)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			_, err := r.keys.ByID(t.Context(), domain.KeyForAPIKeys, domain.ServerKeyID{0xff, byte(i)})
			assert.True(t, errors.Is(err, ErrUnknownKey) || errors.Is(err, domain.Unavailable))
		})
	}
	all.Wait()
	require.Equal(t, int32(1), r.store.lists.Load())

	fresh := r.store.rekey(t, r.keys, domain.KeyForSessions, 2)
	_, err := r.keys.ByID(t.Context(), domain.KeyForSessions, fresh)
	require.Equal(t, "busy", domain.CodeOf(err), "the token may be valid")
	sealed := r.store.rekey(t, r.keys, domain.KeyForEntries, 2)
	_, err = r.keys.ByID(t.Context(), domain.KeyForEntries, sealed)
	require.NoError(t, err, "ids of sealed data are not limited")
	sealed = r.store.rekey(t, r.keys, domain.KeyForEntries, 3)
	_, err = r.keys.ByID(t.Context(), domain.KeyForEntries, sealed)
	require.NoError(t, err)

	r.clock.advance(time.Second)
	_, err = r.keys.ByID(t.Context(), domain.KeyForSessions, fresh)
	require.NoError(t, err)

	_, err = r.keys.ByID(t.Context(), domain.KeyForSessions, domain.ServerKeyID{0xfe})
	require.ErrorIs(t, err, ErrUnknownKey)
	r.clock.advance(-time.Hour)
	_, err = r.keys.ByID(t.Context(), domain.KeyForSessions, domain.ServerKeyID{0xfe})
	require.ErrorIs(t, err, ErrUnknownKey, "a clock that was set back does not block reloads")
}

func TestAFailingReloadKeepsTheKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := r.keys.Status()
	id, key := r.keys.Current(domain.KeyForEntries)

	r.store.fail = errors.New("down")
	require.ErrorContains(t, r.keys.Reload(t.Context()), "down")
	_, err := r.keys.ByID(t.Context(), domain.KeyForEntries, domain.ServerKeyID{0xff})
	require.ErrorContains(t, err, "down")
	require.NotErrorIs(t, err, ErrUnknownKey)
	r.store.fail = nil

	lines := r.store.snapshot()
	r.store.lines[1].Wrapped = nil
	require.ErrorIs(t, r.keys.Reload(t.Context()), ErrWrongSecret)
	r.store.lines = lines
	require.NoError(t, r.store.Retire(t.Context(), id, start))
	require.ErrorContains(t, r.keys.Reload(t.Context()), "purpose entry")

	require.Equal(t, before, r.keys.Status())
	again, err := r.keys.ByID(t.Context(), domain.KeyForEntries, id)
	require.NoError(t, err)
	require.Equal(t, key, again)
}

// TestCancelledRequestDoesNotStopTheReload verifies that a cancelled request does not stop the key reload that it
// started. If it did, requests that end immediately could prevent every reload.
func TestCancelledRequestDoesNotStopTheReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fresh := r.store.rekey(t, r.keys, domain.KeyForEntries, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // repeat, because select chooses a ready case at random
		if _, err := r.keys.ByID(ctx, domain.KeyForEntries, fresh); err == nil {
			return
		}
	}
	t.Fatal("the ring was never read")
}

func TestConcurrentReloadsShareAQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.lists.Store(0)
	require.NoError(t, r.keys.lock(t.Context()))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { assert.NoError(t, r.keys.Reload(t.Context())) })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.keys.Reload(ctx), context.DeadlineExceeded, "a waiting caller can cancel")
	r.keys.unlock()
	all.Wait()
	require.Less(t, r.store.lists.Load(), int32(50))
}

func TestReloadWhileInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				id, key := r.keys.Current(domain.KeyForEntries)
				got, err := r.keys.ByID(t.Context(), domain.KeyForEntries, id)
				assert.NoError(t, err)
				assert.Equal(t, key, got)
			}
		})
	}
	for generation := 2; generation < 20; generation++ {
		r.store.rekey(t, r.keys, domain.KeyForEntries, generation)
		require.NoError(t, r.keys.Reload(t.Context()))
	}
	all.Wait()
}
