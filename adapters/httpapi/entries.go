package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
)

// entryBody is the body of a request that writes an entry. Value keeps the JSON text as it was sent, with the order of
// its fields and the digits of its numbers.
type entryBody struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// writeEntry answers POST /boxes/{box}/entries. If the entry already exists, it gets a new version. If the encryption
// key differs from the encryption key of the previous version, the response contains X-Encryption-Key-Changed. This
// header warns the client that other members may not have the new key.
func (a *API) writeEntry(r *request) error {
	encryptionKey, err := r.encryptionKey()
	if err != nil {
		return err
	}
	defer encryptionKey.Clear()
	body, err := bind[entryBody](r)
	defer clear(body.Value) // also after an error in a later field
	if err != nil {
		return err
	}
	// Null is refused, because it cannot be distinguished from an absent value.
	if len(body.Value) == 0 || bytes.Equal(body.Value, []byte("null")) {
		return domain.InvalidField("value", "value_required",
			"the field value is missing or null: send any other JSON value")
	}
	condition, err := r.condition()
	if err != nil {
		return err
	}
	written, err := a.vault.WriteEntry(r.ctx(), r.by, vault.WriteEntry{
		Box:           r.param("box"),
		Key:           body.Key,
		Value:         body.Value,
		EncryptionKey: encryptionKey,
		Condition:     condition,
	})
	if err != nil {
		return err
	}
	r.setKeyID(written.BoxKey)
	if written.KeyChanged {
		r.Response().Header().Set(headerEncryptionKeyChanged, "true")
	}
	return r.createdVersion(written)
}

// setKeyID sets X-Encryption-Key-Id to the id of the box key with which a version is encrypted. It sets nothing for a
// version that was written without a keyring.
func (r *request) setKeyID(key domain.KeyID) {
	if !key.IsZero() {
		r.Response().Header().Set(headerEncryptionKeyID, key.String())
	}
}

// createdVersion answers 201 with the location and the entity tag of a new version.
func (r *request) createdVersion(written vault.WrittenEntry) error {
	r.Response().Header().Set(headerETag, versionTag(written.Version))
	return r.created("boxes", string(written.Box), "entries", string(written.Key))
}

// readEntry answers GET /boxes/{box}/entries/{key}. The body is the value, byte for byte as it was sent. The query
// parameter "version" selects an older version. If the header If-None-Match lists the selected version, the response is
// 304 without a body.
func (a *API) readEntry(r *request) error {
	encryptionKey, err := r.encryptionKey()
	if err != nil {
		return err
	}
	defer encryptionKey.Clear()
	in := vault.ReadEntry{Box: r.param("box"), Key: r.param("key"), EncryptionKey: encryptionKey}
	if in.Condition, err = r.condition(); err != nil {
		return err
	}
	if text := r.QueryParam("version"); text != "" {
		if in.Version, err = parseVersion("version", text); err != nil {
			return err
		}
	}
	value, err := a.vault.ReadEntry(r.ctx(), r.by, in)
	r.setKeyID(value.BoxKey) // also with ErrKeyMismatch
	if err != nil {
		return err
	}
	defer clear(value.JSON) // after the response is written
	release, err := r.holdAnswer(len(value.JSON))
	if err != nil {
		return err
	}
	defer release()
	header := r.Response().Header()
	header.Set(headerETag, versionTag(value.Version))
	header.Set(echo.HeaderLastModified, value.CreatedAt.Format(http.TimeFormat))
	if value.Unmodified {
		return r.NoContent(http.StatusNotModified)
	}
	return blob(r, http.StatusOK, contentTypeJSON, value.JSON)
}

// listEntries answers GET /boxes/{box}/entries with the keys of the entries. The query parameter "prefix" restricts the
// list to keys that begin with its value.
func (a *API) listEntries(r *request) error {
	return r.json(a.vault.ListEntries(r.ctx(), r.by, r.param("box"), r.QueryParam("prefix")))
}

// deleteEntry answers DELETE /boxes/{box}/entries/{key}. The entry can be restored until its retention ends.
func (a *API) deleteEntry(r *request) error {
	condition, err := r.condition()
	if err != nil {
		return err
	}
	return r.noContent(a.vault.DeleteEntry(r.ctx(), r.by,
		vault.DeleteEntry{Box: r.param("box"), Key: r.param("key"), Condition: condition}))
}

// versionLine is a version of an entry in a response. Author is null if the author was deleted.
type versionLine struct {
	Version   uint64  `json:"version"`
	Author    *string `json:"author"`
	CreatedAt *string `json:"createdAt"`
	Current   bool    `json:"current"`
	KeyID     string  `json:"keyId,omitempty"`
}

// listVersions answers GET /boxes/{box}/entries/{key}/versions with the kept versions, newest first. It also lists the
// versions of a deleted entry.
func (a *API) listVersions(r *request) error {
	versions, err := a.vault.ListVersions(r.ctx(), r.by, r.param("box"), r.param("key"))
	lines := make([]versionLine, len(versions))
	for i, version := range versions {
		lines[i] = versionLine{
			Version:   version.Version,
			Author:    orNull(string(version.Author)),
			CreatedAt: rfc3339(version.CreatedAt),
			Current:   version.Current,
			KeyID:     version.BoxKey.String(),
		}
	}
	return r.json(lines, err)
}

// restoreEntry answers POST /boxes/{box}/entries/{key}/restore. It copies an old version to a new version. The value is
// not decrypted, so the request needs no encryption key.
func (a *API) restoreEntry(r *request) error {
	body, err := bind[struct {
		Version uint64 `json:"version"`
	}](r)
	if err != nil {
		return err
	}
	if body.Version == 0 {
		return errInvalidVersion("version")
	}
	condition, err := r.condition()
	if err != nil {
		return err
	}
	written, err := a.vault.RestoreEntry(r.ctx(), r.by, vault.RestoreEntry{
		Box:       r.param("box"),
		Key:       r.param("key"),
		Version:   body.Version,
		Condition: condition,
	})
	if err != nil {
		return err
	}
	r.setKeyID(written.BoxKey)
	return r.createdVersion(written)
}
