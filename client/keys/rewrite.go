package keys

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/lockbox-go/lockbox/client"
)

const (
	// maxRewrites is the maximum number of entries that are re-encrypted at the same time.
	maxRewrites = 8
	// maxRewriteTries is the maximum number of times that Rewrite tries one entry. It tries again if another write
	// changed the entry or the key in the meantime.
	maxRewriteTries = 5
)

// Rewritten is the result of Rewrite.
type Rewritten struct {
	// Entries is the number of entries that were re-encrypted. Current is the number of entries that were already under
	// the current key.
	Entries, Current int
	// Foreign lists the entries that no key of the keyring opens. Rewrite does not change these entries.
	Foreign []string
}

// Rewrite re-encrypts the current version of each entry under the current key of the box. Each re-encrypted value
// becomes a new version. If the entry changes in the meantime, Rewrite tries that entry again. Rewrite can be stopped
// at any time. The next call continues with the entries that are not under the current key yet. If progress is not nil,
// Rewrite calls it after each entry. These calls do not overlap.
func (h *Holder) Rewrite(ctx context.Context, c *client.Client, box string, progress func(done, total int)) (Rewritten,
	error) {
	var result Rewritten
	s, err := h.current(ctx, c, box)
	if err != nil {
		return result, err
	}
	if s == nil {
		return result, noKeyring(box)
	}
	names, err := c.ListEntries(ctx, box, "")
	if err != nil {
		return result, err
	}
	var mu sync.Mutex
	done := 0
	err = each(ctx, len(names), maxRewrites, func(ctx context.Context, i int) error {
		outcome, err := h.rewriteEntry(ctx, c, box, names[i])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		switch outcome {
		case entryRewritten:
			result.Entries++
		case entryCurrent:
			result.Current++
		case entryForeign:
			result.Foreign = append(result.Foreign, names[i])
		}
		if done++; progress != nil {
			progress(done, len(names))
		}
		return nil
	})
	slices.Sort(result.Foreign)
	return result, err
}

// entryOutcome is the result of the rewrite of one entry.
type entryOutcome int

const (
	entryRewritten entryOutcome = iota
	entryCurrent
	entryForeign
	entryDeleted
)

// rewriteEntry re-encrypts one entry. It lists the versions first. If the current version is already under the current
// key, rewriteEntry does not read the entry.
func (h *Holder) rewriteEntry(ctx context.Context, c *client.Client, box, name string) (entryOutcome, error) {
	for try := 1; ; try++ {
		s := h.cached(c, box)
		versions, err := c.ListVersions(ctx, box, name)
		if errors.Is(err, client.ErrNotFound) {
			return entryDeleted, nil
		}
		if err != nil {
			return 0, err
		}
		newest := slices.IndexFunc(versions, func(v client.Version) bool { return v.Current })
		if newest < 0 {
			return entryDeleted, nil
		}
		version := versions[newest]
		if version.KeyID == s.Head.Key.String() {
			return entryCurrent, nil
		}
		key, ok := s.keyOf(version)
		if !ok {
			return entryForeign, nil
		}
		err = h.rewriteVersion(ctx, c, box, name, version.Version, key, s)
		switch {
		case err == nil:
			return entryRewritten, nil
		case errors.Is(err, client.ErrEncryptionKeyMismatch) && version.KeyID == "":
			return entryForeign, nil
		case try == maxRewriteTries:
			return 0, err
		case errors.Is(err, client.ErrKeyNotCurrent):
			if _, err := h.current(ctx, c, box); err != nil {
				return 0, err
			}
		case errors.Is(err, client.ErrPrecondition), errors.Is(err, client.ErrNotFound),
			errors.Is(err, client.ErrOutcomeUnknown):
			// Another write came first, or the response to this write was lost. The next attempt lists the versions
			// again.
		default:
			return 0, err
		}
	}
}

// rewriteVersion reads a version with its key and writes the value under the current key of s. It passes both keys
// explicitly, so the client does not request the keyring again for each entry.
func (h *Holder) rewriteVersion(ctx context.Context, c *client.Client, box, name string, version uint64, key BoxKey,
	s *state) error {
	if err := s.sendable(); err != nil {
		return err
	}
	entry, err := c.ReadEntry(ctx, box, name,
		&client.ReadOptions{Version: version, EncryptionKey: key.EncryptionKey()})
	if err != nil {
		return err
	}
	_, err = c.WriteEntry(ctx, box, name, entry.Value,
		&client.WriteOptions{IfMatch: version, EncryptionKey: s.Key.EncryptionKey()})
	return err
}

// keyOf returns the key of a version. Versions without a key id are encrypted under the key that Adopt stored as the
// first key.
func (s *state) keyOf(version client.Version) (BoxKey, bool) {
	if version.KeyID == "" {
		if len(s.Earlier) == 0 {
			return BoxKey{}, false
		}
		return s.Earlier[0], true
	}
	id, err := ParseKeyID(version.KeyID)
	if err != nil {
		return BoxKey{}, false
	}
	return s.Find(id)
}
