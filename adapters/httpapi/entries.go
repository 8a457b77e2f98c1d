package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
)

const encryptionKeyHeader = "X-Encryption-Key"

func (a *API) writeEntry(c echo.Context, by domain.Requester) error {
	encryptionKey, err := takeEncryptionKey(c)
	if err != nil {
		return err
	}
	defer encryptionKey.Clear()
	var body struct {
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"`
	}
	defer func() { clear(body.Value) }()
	if err := a.bind(c, &body); err != nil {
		return err
	}
	if len(body.Value) == 0 || bytes.Equal(body.Value, []byte("null")) {
		return domain.InvalidField("value", "value_required", "value is missing or null: send any other JSON")
	}
	demanded, err := condition(c)
	if err != nil {
		return err
	}
	written, err := a.Vault.WriteEntry(c.Request().Context(), by, vault.WriteEntry{
		Box:           param(c, "box"),
		Key:           body.Key,
		Value:         body.Value,
		EncryptionKey: encryptionKey,
		Condition:     demanded,
	})
	if err != nil {
		return err
	}
	if written.KeyChanged {
		c.Response().Header().Set("X-Encryption-Key-Changed", "true")
	}
	return createdVersion(c, written)
}

// takeEncryptionKey removes the encryption key from the request and parses it. A missing or damaged key is no error
// here: it becomes an unusable key, because the use case authorises the caller first. The caller clears the key.
func takeEncryptionKey(c echo.Context) (domain.EncryptionKey, error) {
	text, err := takeHeader(c, encryptionKeyHeader)
	if err != nil {
		return domain.EncryptionKey{}, err
	}
	key, err := domain.ParseEncryptionKey(text)
	if err != nil {
		return domain.UnusableEncryptionKey(err), nil
	}
	return key, nil
}

func createdVersion(c echo.Context, written vault.WrittenEntry) error {
	c.Response().Header().Set("ETag", etag(written.Version))
	return created(c, "boxes", string(written.Box), "entries", string(written.Key))
}

func (a *API) readEntry(c echo.Context, by domain.Requester) error {
	encryptionKey, err := takeEncryptionKey(c)
	if err != nil {
		return err
	}
	defer encryptionKey.Clear()
	in := vault.ReadEntry{Box: param(c, "box"), Key: param(c, "key"), EncryptionKey: encryptionKey}
	if text := c.QueryParam("version"); text != "" {
		if in.Version, err = domain.ParseVersion("version", text); err != nil {
			return err
		}
	}
	value, err := a.Vault.ReadEntry(c.Request().Context(), by, in)
	if err != nil {
		return err
	}
	defer clear(value.JSON)
	header := c.Response().Header()
	header.Set("ETag", etag(value.Version))
	header.Set(echo.HeaderLastModified, value.CreatedAt.Format(http.TimeFormat))
	return c.Blob(http.StatusOK, contentTypeJSON, value.JSON)
}

func (a *API) listEntries(c echo.Context, by domain.Requester) error {
	keys, err := a.Vault.ListEntries(c.Request().Context(), by, param(c, "box"), c.QueryParam("prefix"))
	if err != nil {
		return err
	}
	return answer(c, keys)
}

func (a *API) deleteEntry(c echo.Context, by domain.Requester) error {
	demanded, err := condition(c)
	if err != nil {
		return err
	}
	err = a.Vault.DeleteEntry(c.Request().Context(), by,
		vault.DeleteEntry{Box: param(c, "box"), Key: param(c, "key"), Condition: demanded})
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) listVersions(c echo.Context, by domain.Requester) error {
	versions, err := a.Vault.ListVersions(c.Request().Context(), by, param(c, "box"), param(c, "key"))
	if err != nil {
		return err
	}
	type line struct {
		Version   uint64  `json:"version"`
		Author    *string `json:"author"` // null when that user is gone
		CreatedAt *string `json:"createdAt"`
		Current   bool    `json:"current"`
	}
	lines := make([]line, len(versions))
	for i, version := range versions {
		lines[i] = line{version.Version, orNull(string(version.Author)), rfc3339(version.CreatedAt), version.Current}
	}
	return answer(c, lines)
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func (a *API) restoreEntry(c echo.Context, by domain.Requester) error {
	var body struct {
		Version uint64 `json:"version"`
	}
	if err := a.bind(c, &body); err != nil {
		return err
	}
	if body.Version == 0 {
		return domain.InvalidField("version", "invalid_version", "version must be a version number, from 1")
	}
	demanded, err := condition(c)
	if err != nil {
		return err
	}
	written, err := a.Vault.RestoreEntry(c.Request().Context(), by, vault.RestoreEntry{
		Box:       param(c, "box"),
		Key:       param(c, "key"),
		Version:   body.Version,
		Condition: demanded,
	})
	if err != nil {
		return err
	}
	return createdVersion(c, written)
}
