package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// Entry is one version of an entry. Its printed form omits the value.
type Entry struct {
	// Value is the JSON value, byte for byte as it was written.
	Value json.RawMessage
	// Version is the version number, from 1.
	Version uint64
	// ModifiedAt is when this version was written, with a precision of one second.
	ModifiedAt time.Time
	// KeyID is the id of the key that encrypts the version. It is empty for versions that were written when the box had
	// no keyring.
	KeyID string
}

// Format implements fmt.Formatter. It prints the version and the time, and never the value.
func (e Entry) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "version %d of %s", e.Version, e.ModifiedAt.Format(time.RFC3339))
}

// ReadOptions are options of ReadEntry. Nil means the defaults.
type ReadOptions struct {
	// Version is the version to read; 0 means the newest.
	Version uint64
	// IfNoneMatch is the number of a version that the caller already has, or 0. If the version to read has this number,
	// ReadEntry returns ErrNotModified.
	IfNoneMatch uint64
	// EncryptionKey decrypts the value. If it is set, the client uses it instead of the key of the box's keyring or of
	// the Client.
	EncryptionKey EncryptionKey
}

// ReadEntry reads and decrypts an entry. It requires the permission readEntry. It returns ErrNotFound (entry_not_found,
// version_not_found or box_not_found), ErrForbidden, ErrEncryptionKeyMismatch for a wrong key, or ErrNotModified. The
// server audits every read.
func (c *Client) ReadEntry(ctx context.Context, box, key string, options *ReadOptions) (*Entry, error) {
	opts := orZero(options)
	k := get(entryPath, box, key)
	if opts.Version != 0 {
		k.query = url.Values{"version": {strconv.FormatUint(opts.Version, 10)}}
	}
	if opts.IfNoneMatch != 0 {
		k.header = http.Header{"If-None-Match": {versionTag(opts.IfNoneMatch)}}
	}
	got, err := c.readWithKey(ctx, k, box, opts.EncryptionKey)
	if err != nil {
		return nil, err
	}
	if failure := got.checkJSON(k); failure != nil {
		return nil, failure
	}
	entry := &Entry{Value: got.body, KeyID: printable(got.header.Get(keyIDHeader))}
	if entry.Version, err = got.version(k); err != nil {
		return nil, err
	}
	entry.ModifiedAt, _ = http.ParseTime(got.header.Get("Last-Modified"))
	return entry, nil
}

// WriteOptions are options of WriteEntry. Nil means the defaults.
type WriteOptions struct {
	// If IfMatch is not 0, the write succeeds only if the newest version has this number.
	IfMatch uint64
	// If IfNoneMatch is set, the write succeeds only if the entry does not exist.
	IfNoneMatch bool
	// EncryptionKey encrypts the value. If it is set, the client uses it instead of the key of the box's keyring or of
	// the Client. In a box with a keyring, the server accepts only the current key of the keyring.
	EncryptionKey EncryptionKey
}

// Written is the result of a write.
type Written struct {
	// Version is the number of the new version.
	Version uint64
	// EncryptionKeyChanged is true if the previous version is encrypted under another key. Readers who have only the
	// key of the previous version can no longer read the entry.
	EncryptionKeyChanged bool
}

// WriteEntry encrypts a value and stores it as a new version of the entry. It requires the permission createEntry. A
// json.RawMessage is sent unchanged; encoding/json encodes any other value. The value must not be null. WriteEntry
// returns ErrInvalid (value_redacted) if the value contains the placeholder of a Secret or an EncryptionKey.
//
// WriteEntry returns ErrPrecondition if a condition fails, ErrTooLarge if the value exceeds the server's limit, and
// ErrConflict (limit_reached) if the box is full. In a box with a keyring, WriteEntry returns ErrKeyNotCurrent for
// every key except the current one. The package documentation states when a write is retried.
func (c *Client) WriteEntry(ctx context.Context, box, key string, value any, options *WriteOptions) (Written, error) {
	opts := orZero(options)
	k := post(entriesPath, nil, http.StatusCreated, box)
	body, failure := entryBody(key, value)
	if failure != nil {
		failure.Request = k.name()
		return Written{}, failure
	}
	k.body = body
	k = k.onlyIf(opts.IfMatch, opts.IfNoneMatch)
	got, err := c.writeWithKey(ctx, k, box, opts.EncryptionKey)
	return written(got, k, err)
}

// written reads the number of a new version from the response to a write.
func written(got *response, k call, err error) (Written, error) {
	if err != nil {
		return Written{}, err
	}
	version, err := got.version(k)
	if err != nil {
		return Written{}, err
	}
	return Written{Version: version, EncryptionKeyChanged: got.header.Get("X-Encryption-Key-Changed") == "true"}, nil
}

// onlyIf adds conditions. A conditional request takes effect at most once, so the client may retry it.
func (k call) onlyIf(match uint64, none bool) call {
	if match == 0 && !none {
		return k
	}
	if k.header == nil {
		k.header = http.Header{}
	}
	if match != 0 {
		k.header.Set("If-Match", versionTag(match))
	}
	if none {
		k.header.Set("If-None-Match", "*")
	}
	k.idempotent = true
	return k
}

// entryBody encodes {"key","value"}. It copies a RawMessage unchanged: the server must store the exact bytes, and
// encoding/json would compact them.
func entryBody(key string, value any) ([]byte, *Error) {
	raw, isRaw := value.(json.RawMessage)
	if !isRaw {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(value) != nil {
			return nil, invalid("invalid_value", "value", "the value cannot be encoded as JSON")
		}
		raw = bytes.TrimSpace(text.Bytes())
	}
	switch {
	case !json.Valid(raw):
		return nil, invalid("invalid_value", "value", "the value is not valid JSON")
	case bytes.Equal(bytes.TrimSpace(raw), []byte("null")):
		return nil, invalid("value_required", "value", "the value must not be null")
	case bytes.Contains(raw, []byte(`"`+redactedSecret+`"`)), bytes.Contains(raw, []byte(`"`+redactedKey+`"`)):
		return nil, invalid("value_redacted", "value",
			"the value contains a client.Secret or a client.EncryptionKey, which are encoded as a placeholder: "+
				"use the result of Reveal instead")
	}
	name, _ := json.Marshal(key)
	return joined(`{"key":`, name, `,"value":`, raw, `}`), nil
}

// joined concatenates the parts. It allocates the final size at once. A value can have hundreds of kilobytes, and a
// slice that grows would copy these bytes several times.
func joined(open string, name []byte, between string, raw []byte, end string) []byte {
	body := make([]byte, 0, len(open)+len(name)+len(between)+len(raw)+len(end))
	body = append(append(body, open...), name...)
	return append(append(append(body, between...), raw...), end...)
}

// ListEntries returns the keys of a box's entries, sorted. It returns only the keys that begin with prefix. The prefix
// "" matches all keys. ListEntries requires the permission readEntryKeys.
func (c *Client) ListEntries(ctx context.Context, box, prefix string) ([]string, error) {
	k := get(entriesPath, box)
	if prefix != "" {
		k.query = url.Values{"prefix": {prefix}}
	}
	return fetch[[]string](ctx, c, k)
}

// DeleteOptions are options of DeleteEntry. Nil means the defaults.
type DeleteOptions struct {
	// If IfMatch is not 0, the deletion succeeds only if the newest version has this number.
	IfMatch uint64
}

// DeleteEntry deletes an entry. It requires the permission deleteEntry. RestoreEntry can undo the deletion while the
// server keeps the entry, 30 days by default. DeleteEntry returns ErrNotFound if the entry does not exist, and
// ErrPrecondition if DeleteOptions.IfMatch is not the number of the newest version.
func (c *Client) DeleteEntry(ctx context.Context, box, key string, options *DeleteOptions) error {
	return c.run(ctx, remove(entryPath, "entry_not_found", box, key).onlyIf(orZero(options).IfMatch, false))
}

// Version describes one version of an entry.
type Version struct {
	Version uint64 `json:"version"`
	// Author is the user who wrote the version, or "" if that user was deleted.
	Author    string    `json:"author"`
	CreatedAt time.Time `json:"createdAt"`
	// Current reports whether this is the version that a read returns by default.
	Current bool `json:"current"`
	// KeyID is the id of the key that encrypts the version. It is empty for versions that were written when the box had
	// no keyring.
	KeyID string `json:"keyId"`
}

// ListVersions returns all stored versions of an entry, newest first. For a deleted entry, it returns the versions that
// RestoreEntry can restore. It requires the permission readEntryKeys.
func (c *Client) ListVersions(ctx context.Context, box, key string) ([]Version, error) {
	return fetch[[]Version](ctx, c, get(entryPath+"/versions", box, key))
}

// RestoreOptions are options of RestoreEntry. Nil means the defaults.
type RestoreOptions struct {
	// If IfMatch is not 0, the restore succeeds only if the newest version has this number.
	IfMatch uint64
}

// RestoreEntry copies an old version of an entry to a new version. The copy is encrypted under the same key as the old
// version. RestoreEntry also restores a deleted entry. It requires the permissions createEntry and readEntry. It
// returns ErrNotFound (version_not_found) if the server no longer keeps the version.
//
// In a box with a keyring, the server does not copy a version that is encrypted under an earlier key: the error is
// ErrKeyNotCurrent. If Config.Identity is set, RestoreEntry instead reads the old version and writes its value under
// the current key. A deleted entry cannot be read, so RestoreEntry cannot re-encrypt it.
func (c *Client) RestoreEntry(ctx context.Context, box, key string, version uint64, options *RestoreOptions) (Written,
	error) {
	k := post(entryPath+"/restore", map[string]uint64{"version": version}, http.StatusCreated, box, key)
	k = k.onlyIf(orZero(options).IfMatch, false)
	got, err := c.do(ctx, k)
	if c.config.Identity != nil && errors.Is(err, ErrKeyNotCurrent) && !errors.Is(err, ErrOutcomeUnknown) {
		old, err := c.ReadEntry(ctx, box, key, &ReadOptions{Version: version})
		if err != nil {
			return Written{}, err
		}
		return c.WriteEntry(ctx, box, key, old.Value, &WriteOptions{IfMatch: orZero(options).IfMatch})
	}
	return written(got, k, err)
}

// versionTag returns the entity tag of a version.
func versionTag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// version returns the version number in the ETag header.
func (r *response) version(k call) (uint64, error) {
	text := strings.TrimPrefix(r.header.Get("ETag"), "W/") // proxies that compress turn the tag into a weak one
	version, err := strconv.ParseUint(strings.Trim(text, `"`), 10, 64)
	if err != nil {
		return 0, badResponse(k, "the response has no version in ETag: "+
			"check that Config.URL is the address of a Lockbox server")
	}
	return version, nil
}

// orZero returns the options to which the argument points, or zero options if the argument is nil.
func orZero[T any](options *T) T {
	if options == nil {
		return *new(T)
	}
	return *options
}
