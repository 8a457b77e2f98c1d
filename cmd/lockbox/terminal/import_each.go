package terminal

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

// importAtOnce is how many entries are read or written at a time; servers serve others meanwhile.
const importAtOnce = 4

// What the server takes as a part of a key, and as a key. It is looked at here so that a file is taken whole or not at all.
var (
	asSegment = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@-]*$`)
	asKey     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@-]*([/:][A-Za-z0-9_][A-Za-z0-9._@-]*)*$`)
)

const maxKey = 200

// one is a name of a file that becomes an entry.
type one struct {
	at        address
	value     interchange.Value
	condition client.WriteOptions
	change    change
}

// change is what becomes of an entry.
type change int

const (
	added change = iota
	changed
	unchanged
)

// importEach writes an entry for each name. All names are looked at first, and all that can be refused is, before
// anything is written.
func (s *session) importEach(ctx context.Context, server *client.Client, under address, value interchange.Value,
	flags importFlags) error {
	entries, err := eachOf(under, value)
	if err != nil {
		return &usageError{err}
	}
	key, err := s.encryptionKey(ctx, true)
	if err != nil {
		return err
	}
	changes, err := s.compareEach(ctx, server, under, entries, key)
	if err != nil {
		return err
	}
	if err := s.agreeTo(ctx, under, changes, flags); err != nil || flags.dryRun {
		return err
	}
	entries = slices.DeleteFunc(entries, func(each *one) bool { return each.change == unchanged })
	bar := s.progress("Writing", len(entries))
	err = inParallel(ctx, entries, bar, func(ctx context.Context, each *one) error {
		_, err := server.WriteEntry(ctx, each.at.box, each.at.key, each.value.JSON(), &each.condition)
		return err
	})
	if err != nil {
		return &told{error: err,
			after: fmt.Sprintf("; %d of %d entries are written, and the same command goes on from there", bar.done,
				len(entries))}
	}
	return s.showImported(changes)
}

func eachOf(under address, value interchange.Value) ([]*one, error) {
	prefix := strings.TrimSuffix(under.key, "/")
	if under.box == "" || prefix != "" && !asKey.MatchString(prefix) {
		return nil, fmt.Errorf("%q is no place for entries: write BOX or BOX/PREFIX", under)
	}
	if prefix != "" {
		prefix += "/"
	}
	from := map[string]string{}
	var entries []*one
	for _, name := range value.Names() {
		key := strings.ToLower(prefix + name)
		inside, _ := value.Member(name)
		switch other, taken := from[key]; {
		case !asSegment.MatchString(name):
			return nil, fmt.Errorf("%q cannot be a part of a key: use letters, digits, '.', '_', '@' and '-', with a "+
				"letter, a digit or '_' first", name)
		case len(key) > maxKey:
			return nil, fmt.Errorf("%q makes a key of more than %d characters", name, maxKey)
		case taken:
			return nil, fmt.Errorf("%q and %q come to the same key, which is in lower case", other, name)
		case string(inside.JSON()) == "null":
			return nil, fmt.Errorf("%q is null, which no entry can be", name)
		}
		from[key] = name
		entries = append(entries, &one{at: address{under.box, key}, value: inside})
	}
	return entries, nil
}

// compareEach reads the entries that are there, and says of each name what becomes of it.
func (s *session) compareEach(ctx context.Context, server *client.Client, under address, entries []*one,
	key client.EncryptionKey) (interchange.Changes, error) {
	changes := interchange.Changes{
		Added:     []string{},
		Changed:   []string{},
		Removed:   []string{},
		Unchanged: []string{},
	}
	keys, err := server.ListEntries(ctx, under.box, "")
	if err != nil {
		return changes, err
	}
	there := map[string]bool{}
	for _, each := range keys {
		there[each] = true
	}
	var present []*one
	for _, each := range entries {
		each.condition.EncryptionKey = key
		if each.condition.IfNoneMatch = !there[each.at.key]; !each.condition.IfNoneMatch {
			present = append(present, each)
		}
	}
	bar := s.progress("Reading", len(present))
	err = inParallel(ctx, present, bar, func(ctx context.Context, each *one) error {
		entry, err := server.ReadEntry(ctx, each.at.box, each.at.key, &client.ReadOptions{EncryptionKey: key})
		if err != nil {
			return err
		}
		each.condition.IfMatch, each.change = entry.Version, changed
		if before, err := interchange.Parse(entry.Value); err == nil && interchange.Same(before, each.value) {
			each.change = unchanged
		}
		return nil
	})
	into := map[change]*[]string{added: &changes.Added, changed: &changes.Changed, unchanged: &changes.Unchanged}
	for _, each := range entries {
		*into[each.change] = append(*into[each.change], each.at.String())
	}
	return changes, err
}

// inParallel works on entries, a few at a time, and begins no more of them after an error. What has begun is waited for, so
// that the bar knows all that is done.
func inParallel(ctx context.Context, entries []*one, bar *progress, work func(context.Context, *one) error) error {
	defer bar.end()
	var counting sync.Mutex
	failed := false
	stop := func() bool {
		counting.Lock()
		defer counting.Unlock()
		return failed || ctx.Err() != nil
	}
	var group errgroup.Group
	group.SetLimit(importAtOnce)
	for _, each := range entries {
		if stop() {
			break
		}
		group.Go(func() error {
			err := work(ctx, each)
			counting.Lock()
			defer counting.Unlock()
			if err != nil {
				failed = true
				return about(each.at, err)
			}
			bar.step()
			return nil
		})
	}
	return errors.Join(group.Wait(), ctx.Err())
}
