package passwords

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

var _ ports.Passwords = (*Hasher)(nil)

var cheap = ports.Argon2Params{MemoryKiB: 16, Time: 2, Threads: 2}

// work holds the input of a key derivation.
type work struct {
	salt   string
	params ports.Argon2Params
}

func hasher(t testing.TB, params ports.Argon2Params) (*Hasher, *[]work) {
	t.Helper()
	done := &[]work{}
	h, err := New(Config{Params: params, Derive: func(
		ctx context.Context, use ports.Workload, secret, salt []byte, p ports.Argon2Params,
	) ([]byte, error) {
		if ctx.Err() != nil {
			return nil, domain.ErrBusy.Because(ctx.Err())
		}
		require.Equal(t, ports.PasswordWork, use)
		*done = append(*done, work{string(salt), p})
		return argon2.IDKey(secret, salt, p.Time, p.MemoryKiB, p.Threads, 32), nil
	}})
	require.NoError(t, err)
	return h, done
}

func TestHashAndCheck(t *testing.T) {
	t.Parallel()
	h, done := hasher(t, cheap)
	password := domain.NewSecret("hunter2")
	stored, err := h.Hash(t.Context(), password)
	require.NoError(t, err)
	require.Regexp(t, `^\$argon2id\$v=19\$m=16,t=2,p=2\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, string(stored))
	again, err := h.Hash(t.Context(), password)
	require.NoError(t, err)
	require.NotEqual(t, stored, again, "the salt is fresh")

	for text, match := range map[string]bool{"hunter2": true, "hunter3": false, "hunter2 ": false, "": false} {
		check, err := h.Check(t.Context(), domain.NewSecret(text), stored)
		require.NoError(t, err)
		require.Equal(t, ports.PasswordCheck{Match: match}, check, text)
	}
	require.Len(t, *done, 6)
}

// TestKnownString checks a password against a hash from another program: libargon2, called through OpenSSL. The test
// shows that the format is compatible with other programs.
func TestKnownString(t *testing.T) {
	t.Parallel()
	h, _ := hasher(t, cheap)
	const stored = "$argon2id$v=19$m=64,t=3,p=2$c29tZXNhbHRzb21lc2FsdA$1CPz4PuyeKkknCNTU5v52qlMt5LtwQsgM5BbeG7cH60"
	check, err := h.Check(t.Context(), domain.NewSecret("password"), []byte(stored))
	require.NoError(t, err)
	require.True(t, check.Match)
}

func TestUnknownUserCostsTheSame(t *testing.T) {
	t.Parallel()
	h, done := hasher(t, cheap)
	check, err := h.Check(t.Context(), domain.NewSecret("hunter2"), nil)
	require.NoError(t, err)
	require.Equal(t, ports.PasswordCheck{}, check)
	require.Equal(t, []work{{string(make([]byte, 16)), cheap}}, *done)

	zeros, err := New(Config{Params: cheap, Derive: func(
		context.Context, ports.Workload, []byte, []byte, ports.Argon2Params,
	) ([]byte, error) {
		return make([]byte, 32), nil
	}})
	require.NoError(t, err)
	check, err = zeros.Check(t.Context(), domain.NewSecret("hunter2"), nil)
	require.NoError(t, err)
	require.False(t, check.Match, "not even for a password that matches the placeholder hash")
}

// paramsOf returns the parameters of derivations.
func paramsOf(done []work) []ports.Argon2Params {
	list := make([]ports.Argon2Params, len(done))
	for i, each := range done {
		list[i] = each.params
	}
	return list
}

// TestEqualWork verifies that a check costs the same for an unknown user and for every stored hash. The parameters of
// the hash may be cheaper or more expensive than the current parameters, and the password may be right or wrong.
func TestEqualWork(t *testing.T) {
	t.Parallel()
	current := ports.Argon2Params{MemoryKiB: 64, Time: 2, Threads: 1}
	for name, stored := range map[string]ports.Argon2Params{
		"the same":                  current,
		"less memory":               {MemoryKiB: 16, Time: 2, Threads: 1},
		"fewer passes":              {MemoryKiB: 64, Time: 1, Threads: 1},
		"less of both":              {MemoryKiB: 33, Time: 1, Threads: 1},
		"more lanes":                {MemoryKiB: 40, Time: 1, Threads: 4},
		"a little less":             {MemoryKiB: 63, Time: 2, Threads: 1},
		"more memory":               {MemoryKiB: 100, Time: 2, Threads: 1},
		"more passes":               {MemoryKiB: 64, Time: 5, Threads: 1},
		"more memory, fewer passes": {MemoryKiB: 90, Time: 1, Threads: 1},
		"less memory, more passes":  {MemoryKiB: 20, Time: 16, Threads: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			then, _ := hasher(t, stored)
			right := domain.NewSecret("hunter2")
			old, err := then.Hash(t.Context(), right)
			require.NoError(t, err)
			h, done := hasher(t, current)
			recent, err := h.Hash(t.Context(), right)
			require.NoError(t, err)
			h.Learn(old)
			h.Learn([]byte("malformed"))
			want := []ports.Argon2Params{current}
			if stored != current {
				want = slices.SortedFunc(slices.Values([]ports.Argon2Params{current, stored}), compare)
			}
			for _, hash := range [][]byte{nil, old, recent} {
				for _, password := range []string{"hunter2", "wrong"} {
					*done = nil
					check, err := h.Check(t.Context(), domain.NewSecret(password), hash)
					require.NoError(t, err)
					require.Equal(t, hash != nil && password == "hunter2", check.Match)
					require.Equal(t, want, paramsOf(*done), "%s", hash)
				}
			}
		})
	}
}

// TestCheckLearns verifies that a check of a hash with new parameters adds these parameters to all later checks.
func TestCheckLearns(t *testing.T) {
	t.Parallel()
	expensive := ports.Argon2Params{MemoryKiB: 64, Time: 4, Threads: 1}
	then, _ := hasher(t, expensive)
	stored, err := then.Hash(t.Context(), domain.NewSecret("hunter2"))
	require.NoError(t, err)
	h, done := hasher(t, cheap)
	for _, hash := range [][]byte{stored, nil} {
		*done = nil
		_, err := h.Check(t.Context(), domain.NewSecret("wrong"), hash)
		require.NoError(t, err)
		require.Equal(t, []ports.Argon2Params{cheap, expensive}, paramsOf(*done))
	}
}

func TestOutdated(t *testing.T) {
	t.Parallel()
	today, _ := hasher(t, cheap)
	for _, test := range []struct {
		params   ports.Argon2Params
		outdated bool
	}{
		{cheap, false},
		{ports.Argon2Params{MemoryKiB: 15, Time: 2, Threads: 1}, true},
		{ports.Argon2Params{MemoryKiB: 64, Time: 1, Threads: 2}, true},
		{ports.Argon2Params{MemoryKiB: 64, Time: 4, Threads: 1}, true},
		{ports.Argon2Params{MemoryKiB: 32, Time: 3, Threads: 4}, false},
	} {
		then, _ := hasher(t, test.params)
		stored, err := then.Hash(t.Context(), domain.NewSecret("hunter2"))
		require.NoError(t, err)
		check, err := today.Check(t.Context(), domain.NewSecret("hunter2"), stored)
		require.NoError(t, err)
		require.Equal(t, ports.PasswordCheck{Match: true, Outdated: test.outdated}, check, "%+v", test.params)
		check, err = today.Check(t.Context(), domain.NewSecret("wrong"), stored)
		require.NoError(t, err)
		require.Equal(t, ports.PasswordCheck{}, check)
	}
}

func TestMalformedHashesCauseNoDerivation(t *testing.T) {
	t.Parallel()
	h, done := hasher(t, cheap)
	salt, hash := strings.Repeat("A", 22), strings.Repeat("A", 43)
	good := "$argon2id$v=19$m=16,t=2,p=2$" + salt + "$" + hash
	_, ok := parsePHC([]byte(good), maxStoredKiB)
	require.True(t, ok)
	replace := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	for _, text := range []string{
		"", "$", "$$$$$", good + "$", good + "\n", " " + good, "x" + good, good[1:], good[:len(good)-1], good + "A",
		replace("argon2id", "argon2i"), replace("argon2id", "Argon2id"), replace("v=19", "v=16"), replace("$v=19", ""),
		replace("m=16,t=2,p=2", "t=2,m=16,p=2"), replace("m=16", "m=016"), replace("m=16", "m=+16"),
		replace("m=16", "m= 16"), replace("m=16", "m=0x10"), replace("m=16", "m=1_6"), replace("m=16", "m=-16"),
		replace("m=16", "m=15"), replace("m=16", "m=0"), replace("m=16", "m=262145"), replace("m=16", "m=4294967312"),
		replace("t=2", "t=0"), replace("t=2", "t=17"), replace("t=2", "t=4294967298"),
		replace("p=2", "p=0"), replace("p=2", "p=5"), replace("p=2", "p=258"), replace("p=2", "p=2,keyid=1"),
		replace(salt, salt[1:]), replace(salt, salt+"AA"), replace(salt, salt[1:]+"B"), replace(salt, salt+"=="),
		replace(salt, "-"+salt[1:]), replace(salt, "\n"+salt), replace(hash, hash+"="), replace(hash, hash[1:]+"B"),
		replace(hash, hash[:40]), replace(hash, ""), strings.Repeat("A", 1<<20),
	} {
		_, err := h.Check(t.Context(), domain.NewSecret("hunter2"), []byte(text))
		require.True(t, ports.IsTampered(err), "%.100q", text)
	}
	_, err := h.Check(t.Context(), domain.NewSecret("hunter2"), []byte{})
	require.True(t, ports.IsTampered(err), "an empty hash does not mean an unknown user")
	require.Empty(t, *done)
}

func TestBusy(t *testing.T) {
	t.Parallel()
	h, _ := hasher(t, cheap)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.Hash(ctx, domain.NewSecret("hunter2"))
	require.ErrorIs(t, err, domain.Unavailable)
	_, err = h.Check(ctx, domain.NewSecret("hunter2"), nil)
	require.ErrorIs(t, err, domain.Unavailable)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	derive := func(context.Context, ports.Workload, []byte, []byte, ports.Argon2Params) ([]byte, error) {
		return []byte("short"), nil
	}
	h, err := New(Config{Derive: derive})
	require.NoError(t, err)
	_, err = h.Hash(t.Context(), domain.NewSecret("hunter2"))
	require.ErrorContains(t, err, "5 bytes")
	for _, config := range []Config{
		{},
		{Derive: derive, MaxStoredMemoryKiB: 256<<10 + 1},
		{Derive: derive, MaxStoredMemoryKiB: 19455},
		{Derive: derive, Params: ports.Argon2Params{MemoryKiB: 64, Time: 17, Threads: 1}},
		{Derive: derive, Params: ports.Argon2Params{MemoryKiB: 64, Time: 1, Threads: 5}},
	} {
		_, err := New(config)
		require.Error(t, err, fmt.Sprint(config.Params))
	}
}

func FuzzPHC(f *testing.F) {
	f.Add([]byte("$argon2id$v=19$m=64,t=3,p=2$c29tZXNhbHRzb21lc2FsdA$1CPz4PuyeKkknCNTU5v52qlMt5LtwQsgM5BbeG7cH60"))
	f.Add([]byte("$argon2id$v=19$m=64,t=3,p=2$$"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		p, ok := parsePHC(text, maxStoredKiB)
		if !ok {
			require.Zero(t, p)
			return
		}
		require.True(t, bytes.Equal(text, p.append(nil)))
		require.True(t, withinLimits(p.params, maxStoredKiB))
	})
}

func FuzzPHCBothWays(f *testing.F) {
	f.Add(uint32(19456), uint32(2), uint8(1), []byte("salt"), []byte("hash"))
	f.Fuzz(func(t *testing.T, memory, times uint32, threads uint8, salt, hash []byte) {
		p := phc{params: ports.Argon2Params{MemoryKiB: memory, Time: times, Threads: threads}}
		copy(p.salt[:], salt)
		copy(p.hash[:], hash)
		read, ok := parsePHC(p.append(nil), maxStoredKiB)
		require.Equal(t, withinLimits(p.params, maxStoredKiB), ok)
		if ok {
			require.Equal(t, p, read)
		}
	})
}
