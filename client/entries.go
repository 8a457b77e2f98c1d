package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	entriesPath = "/boxes/{box}/entries"
	entryPath   = "/boxes/{box}/entries/{key}"

	encryptionKeyHeader = "X-Encryption-Key"
)

// Entry is a value with what the server knows of it. It prints without its value.
type Entry struct {
	// Value is the JSON as it was written, to the byte.
	Value json.RawMessage
	// Version counts from 1.
	Version uint64
	// ModifiedAt is when this version was written, to the second.
	ModifiedAt time.Time
}

// Format writes the version, and never the value.
func (e Entry) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "version %d of %s", e.Version, e.ModifiedAt.Format(time.RFC3339))
}

// ReadOptions says more about a read; nil says nothing.
type ReadOptions struct {
	// Version is the version to read; 0 is the newest.
	Version uint64
	// EncryptionKey is the one to read with, where it is another than the Client's.
	EncryptionKey EncryptionKey
}

// ReadEntry returns a value, which needs the permission readEntry. It returns ErrNotFound (codes entry_not_found,
// version_not_found, box_not_found), ErrForbidden, and ErrEncryptionKeyMismatch for a wrong key. Each read is on record.
func (c *Client) ReadEntry(ctx context.Context, box, key string, options *ReadOptions) (*Entry, error) {
	with := orZero(options)
	k := get(entryPath, box, key)
	if with.Version != 0 {
		k.query = url.Values{"version": {strconv.FormatUint(with.Version, 10)}}
	}
	var err error
	if k.header, err = c.keyHeader(k, with.EncryptionKey); err != nil {
		return nil, err
	}
	got, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	if mistake := got.checkJSON(k); mistake != nil {
		return nil, mistake
	}
	entry := &Entry{Value: got.body}
	if entry.Version, err = got.version(k); err != nil {
		return nil, err
	}
	entry.ModifiedAt, _ = http.ParseTime(got.header.Get("Last-Modified"))
	return entry, nil
}

// WriteOptions says more about a write; nil says nothing.
type WriteOptions struct {
	// IfMatch writes only if the newest version is this one; 0 does not ask.
	IfMatch uint64
	// IfNoneMatch writes only if there is no such entry.
	IfNoneMatch bool
	// EncryptionKey is the one to write under, where it is another than the Client's.
	EncryptionKey EncryptionKey
}

// Written is what became of a write.
type Written struct {
	// Version is the version that the write made.
	Version uint64
	// EncryptionKeyChanged says that the version before it is under another encryption key: who reads the entry with that
	// one no longer can.
	EncryptionKeyChanged bool
}

// WriteEntry writes a value, any JSON but null, and makes a new version of the entry, which needs the permission
// createEntry. A json.RawMessage is sent as it is; anything else is written by encoding/json. A value that holds what a
// Secret or an EncryptionKey writes in place of itself is refused as ErrInvalid (value_redacted).
//
// It returns ErrPrecondition when a condition does not hold, ErrTooLarge for a value over the server's limit,
// ErrConflict (limit_reached) for one entry too many. Without a condition it is sent again only when it surely did
// nothing; with one, see the package's documentation.
func (c *Client) WriteEntry(ctx context.Context, box, key string, value any, options *WriteOptions) (Written, error) {
	with := orZero(options)
	k := post(entriesPath, nil, http.StatusCreated, box)
	body, mistake := entryBody(key, value)
	if mistake != nil {
		mistake.Request = k.name()
		return Written{}, mistake
	}
	k.body = body
	var err error
	if k.header, err = c.keyHeader(k, with.EncryptionKey); err != nil {
		return Written{}, err
	}
	return c.write(ctx, k.onlyIf(with.IfMatch, with.IfNoneMatch))
}

// write sends what makes a version.
func (c *Client) write(ctx context.Context, k call) (Written, error) {
	got, err := c.do(ctx, k)
	if err != nil {
		return Written{}, err
	}
	version, err := got.version(k)
	if err != nil {
		return Written{}, err
	}
	return Written{Version: version, EncryptionKeyChanged: got.header.Get("X-Encryption-Key-Changed") == "true"}, nil
}

// onlyIf adds conditions. With one, a request that is sent twice works once at most.
func (k call) onlyIf(match uint64, none bool) call {
	if match == 0 && !none {
		return k
	}
	if k.header == nil {
		k.header = http.Header{}
	}
	if match != 0 {
		k.header.Set("If-Match", `"`+strconv.FormatUint(match, 10)+`"`)
	}
	if none {
		k.header.Set("If-None-Match", "*")
	}
	k.again = true
	return k
}

// entryBody writes {"key","value"}. encoding/json would rewrite a RawMessage, whose bytes are the caller's.
func entryBody(key string, value any) ([]byte, *Error) {
	raw, isRaw := value.(json.RawMessage)
	if !isRaw {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(value) != nil {
			return nil, invalid("invalid_value", "value", "the value cannot be written as JSON")
		}
		raw = bytes.TrimSpace(text.Bytes())
	}
	switch {
	case !json.Valid(raw):
		return nil, invalid("invalid_value", "value", "the value is not JSON")
	case bytes.Equal(bytes.TrimSpace(raw), []byte("null")):
		return nil, invalid("value_required", "value", "the value is null: send any other JSON")
	case bytes.Contains(raw, []byte(`"`+redactedSecret+`"`)), bytes.Contains(raw, []byte(`"`+redactedKey+`"`)):
		return nil, invalid("value_redacted", "value",
			"the value holds a client.Secret or a client.EncryptionKey, which do not write "+
				"themselves: put what Reveal returns into it")
	}
	name, _ := json.Marshal(key)
	return joined(`{"key":`, name, `,"value":`, raw, `}`), nil
}

func joined(open string, name []byte, between string, raw []byte, end string) []byte {
	body := make([]byte, 0, len(open)+len(name)+len(between)+len(raw)+len(end))
	body = append(append(body, open...), name...)
	return append(append(append(body, between...), raw...), end...)
}

// ListEntries returns the keys that begin with prefix, sorted; all of them for "". It needs the permission readEntryKeys.
func (c *Client) ListEntries(ctx context.Context, box, prefix string) ([]string, error) {
	k := get(entriesPath, box)
	if prefix != "" {
		k.query = url.Values{"prefix": {prefix}}
	}
	return fetch[[]string](ctx, c, k)
}

// DeleteOptions says more about a deletion; nil says nothing.
type DeleteOptions struct {
	// IfMatch deletes only if the newest version is this one; 0 does not ask.
	IfMatch uint64
}

// DeleteEntry deletes an entry, which needs the permission deleteEntry. RestoreEntry brings it back for as long as the
// server keeps it, 30 days by default. It returns ErrNotFound when there is no such entry, ErrPrecondition when it is
// not the version of IfMatch.
func (c *Client) DeleteEntry(ctx context.Context, box, key string, options *DeleteOptions) error {
	return c.run(ctx, remove(entryPath, "entry_not_found", box, key).onlyIf(orZero(options).IfMatch, false))
}

// Version is one line of an entry's history.
type Version struct {
	Version uint64 `json:"version"`
	// Author is who wrote it; "" when that user is gone.
	Author    string    `json:"author"`
	CreatedAt time.Time `json:"createdAt"`
	// Current says that it is what a read returns.
	Current bool `json:"current"`
}

// ListVersions returns the versions of an entry that are kept, newest first; of a deleted one, those that can be
// restored. It needs the permission readEntryKeys.
func (c *Client) ListVersions(ctx context.Context, box, key string) ([]Version, error) {
	return fetch[[]Version](ctx, c, get(entryPath+"/versions", box, key))
}

// RestoreOptions says more about a restoration; nil says nothing.
type RestoreOptions struct {
	// IfMatch restores only if the newest version is this one; 0 does not ask.
	IfMatch uint64
}

// RestoreEntry makes an old version the newest, still under the encryption key that it was written with, and brings a
// deleted entry back. It needs the permissions createEntry and readEntry, and returns ErrNotFound (version_not_found) for
// a version that is not kept.
func (c *Client) RestoreEntry(ctx context.Context, box, key string, version uint64, options *RestoreOptions) (Written,
	error) {
	k := post(entryPath+"/restore", map[string]uint64{"version": version}, http.StatusCreated, box, key)
	return c.write(ctx, k.onlyIf(orZero(options).IfMatch, false))
}

// keyHeader holds the encryption key of a call, or the Client's.
func (c *Client) keyHeader(k call, given EncryptionKey) (http.Header, error) {
	if given.IsZero() {
		given = c.config.EncryptionKey
	}
	if given.IsZero() {
		mistake := badKey("encryption_key_required", "there is no encryption key: set it in Config, or with the call",
			ErrEncryptionKeyRequired)
		mistake.Request = k.name()
		return nil, mistake
	}
	return http.Header{encryptionKeyHeader: {given.Reveal()}}, nil
}

// version reads ETag.
func (a *answer) version(k call) (uint64, error) {
	text := strings.TrimPrefix(a.header.Get("ETag"), "W/") // a proxy that compresses makes it weak
	version, err := strconv.ParseUint(strings.Trim(text, `"`), 10, 64)
	if err != nil {
		return 0, badAnswer(k, "the answer has no version in ETag: is URL the address of a Lockbox server?")
	}
	return version, nil
}

func orZero[T any](options *T) T {
	if options == nil {
		return *new(T)
	}
	return *options
}
