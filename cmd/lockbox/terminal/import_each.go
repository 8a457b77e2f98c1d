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

// importConcurrency is the number of entries that an import reads or writes at the same time. A small number keeps the
// server responsive for other users.
const importConcurrency = 4

// These patterns repeat the server's rules for a key and for each segment of a key. The import checks all keys before
// the first write, so an invalid key cannot stop an import halfway.
var (
	segmentPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@-]*$`)
	keyPattern     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@-]*([/:][A-Za-z0-9_][A-Za-z0-9._@-]*)*$`)
)

// maxKeyLength is the server's limit on the length of a key, in characters. Valid keys are ASCII, so the length in
// bytes is the length in characters.
const maxKeyLength = 200

// importItem is a name from the file, together with the entry to write for it. The address and the value come from the
// file. The condition and the change follow from a comparison with the existing entry.
type importItem struct {
	at    address
	value interchange.Value
	// With these options, the write fails if the entry has changed since the comparison.
	condition client.WriteOptions
	change    itemChange
}

// itemChange is the effect of an import on an entry. The zero value is itemAdded.
type itemChange int

// The possible changes of an entry. An import with --each never removes an entry.
const (
	// itemAdded means that the entry does not exist yet.
	itemAdded itemChange = iota
	// itemChanged means that the value in the file differs from the value of the entry. The user must confirm the
	// change.
	itemChanged
	// itemUnchanged means that the entry already has the value in the file. The import does not write the entry.
	itemUnchanged
)

// importEach writes an entry for each name. It checks all names and compares all values before it writes the first
// entry. The writes are separate requests. If a write fails, the earlier writes remain. If the user repeats the
// command, it skips these entries, because they are unchanged.
func (s *session) importEach(ctx context.Context, server *client.Client, under address, value interchange.Value,
	flags importFlags) error {
	items, err := importItems(under, value)
	if err != nil {
		return &usageError{err}
	}
	if server, err = s.keyed(ctx, server, under.box, true); err != nil {
		return err
	}
	changes, err := s.compareItems(ctx, server, under, items)
	if err != nil {
		return err
	}
	// Ask one question for all entries. A separate question for each entry would be impractical.
	if err := s.confirmChanges(ctx, under, changes, flags); err != nil || flags.dryRun {
		return err
	}
	// Skip unchanged entries, so that the repetition of an interrupted import writes only the remaining entries.
	items = slices.DeleteFunc(items, func(item *importItem) bool { return item.change == itemUnchanged })
	bar := s.progress("Writing", len(items))
	err = inParallel(ctx, items, bar, func(ctx context.Context, item *importItem) error {
		_, err := server.WriteEntry(ctx, item.at.box, item.at.key, item.value.JSON(), &item.condition)
		return err
	})
	if err != nil {
		return &detailedError{
			error: err,
			suffix: fmt.Sprintf("; wrote %d of %d entries; run the same command again to continue", bar.done,
				len(items)),
		}
	}
	return s.showImported(changes)
}

// importItems returns an item for each name of the value. The key of an item is the name in lower case, below the given
// address. importItems returns an error for a name that cannot be part of a key, for two names that result in the same
// key, and for a null value.
func importItems(under address, value interchange.Value) ([]*importItem, error) {
	prefix := strings.TrimSuffix(under.key, "/")
	if under.box == "" || prefix != "" && !keyPattern.MatchString(prefix) {
		return nil, fmt.Errorf("%q is not a valid address with --each: use BOX or BOX/PREFIX", under)
	}
	if prefix != "" {
		prefix += "/"
	}
	nameOfKey := map[string]string{}
	var items []*importItem
	for _, name := range value.Names() {
		// The server stores keys in lower case.
		key := strings.ToLower(prefix + name)
		member, _ := value.Member(name)
		switch other, taken := nameOfKey[key]; {
		case !segmentPattern.MatchString(name):
			return nil, fmt.Errorf("%q cannot be part of a key: use letters, digits, '.', '_', '@' and '-', "+
				"beginning with a letter, a digit or '_'", name)
		case len(key) > maxKeyLength:
			return nil, fmt.Errorf("%q results in a key of more than %d characters", name, maxKeyLength)
		case taken:
			return nil, fmt.Errorf("%q and %q result in the same key, because keys are in lower case", other, name)
		// The server refuses null too, but by then the import may have written other entries.
		case string(member.JSON()) == "null":
			return nil, fmt.Errorf("%q is null, but an entry cannot contain null", name)
		}
		nameOfKey[key] = name
		items = append(items, &importItem{at: address{under.box, key}, value: member})
	}
	return items, nil
}

// compareItems reads the existing entries and decides for each item whether it is added, changed or unchanged. It also
// sets the condition of each write. An existing entry must still have the version that was read. A missing entry must
// still be missing.
func (s *session) compareItems(ctx context.Context, server *client.Client, under address,
	items []*importItem) (interchange.Changes, error) {
	// List all keys with one request. Otherwise, each missing entry would cost a request.
	keys, err := server.ListEntries(ctx, under.box, "")
	if err != nil {
		return interchange.Changes{}, err
	}
	exists := map[string]bool{}
	for _, each := range keys {
		exists[each] = true
	}
	var existing []*importItem
	for _, item := range items {
		item.condition.IfNoneMatch = !exists[item.at.key]
		if exists[item.at.key] {
			existing = append(existing, item)
		}
	}
	bar := s.progress("Reading", len(existing))
	err = inParallel(ctx, existing, bar, func(ctx context.Context, item *importItem) error {
		entry, err := server.ReadEntry(ctx, item.at.box, item.at.key, nil)
		if err != nil {
			return err
		}
		// A value that cannot be parsed counts as changed.
		item.condition.IfMatch, item.change = entry.Version, itemChanged
		if before, err := interchange.Parse(entry.Value); err == nil && interchange.Same(before, item.value) {
			item.change = itemUnchanged
		}
		return nil
	})
	return changesOf(items), err
}

// changesOf groups the addresses of the items by the kind of change. No entry is removed with --each.
func changesOf(items []*importItem) interchange.Changes {
	changes := interchange.Changes{
		Added:     []string{},
		Changed:   []string{},
		Removed:   []string{},
		Unchanged: []string{},
	}
	lists := map[itemChange]*[]string{
		itemAdded:     &changes.Added,
		itemChanged:   &changes.Changed,
		itemUnchanged: &changes.Unchanged,
	}
	for _, item := range items {
		*lists[item.change] = append(*lists[item.change], item.at.String())
	}
	return changes
}

// inParallel calls the function work for each item, with at most importConcurrency calls at the same time. After the
// first error, it starts at most one more call. It waits for the running calls, so that the bar counts all finished
// items. If several items fail, it joins their errors in no particular order.
func inParallel(ctx context.Context, items []*importItem, bar *progress,
	work func(context.Context, *importItem) error) error {
	defer bar.end()
	var mu sync.Mutex // guards failed and bar
	failed := false
	stopped := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return failed || ctx.Err() != nil
	}
	var group errgroup.Group
	// group.Go blocks while importConcurrency items are in progress, so most items still wait for a call when an item
	// fails. The loop checks for a failure before it starts each call.
	group.SetLimit(importConcurrency)
	for _, item := range items {
		if stopped() {
			break
		}
		group.Go(func() error {
			err := work(ctx, item)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = true
				return entryError(item.at, err)
			}
			bar.step()
			return nil
		})
	}
	return errors.Join(group.Wait(), ctx.Err())
}
