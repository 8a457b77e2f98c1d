package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// format is the version of the manifest's format.
const format = 1

const (
	dumpSuffix     = ".dump"
	manifestSuffix = ".manifest.json"
	partialSuffix  = ".partial"
	// maxManifestBytes is the maximum size of a manifest, in bytes. A manifest has about 200 bytes for each table and
	// each server key.
	maxManifestBytes = 1 << 20
)

// Manifest describes a backup.
type Manifest struct {
	Format int `json:"format"`
	// CreatedAt is the time of the snapshot. VerifiedAt is the time of the last successful verification, or zero.
	CreatedAt  time.Time `json:"createdAt"`
	VerifiedAt time.Time `json:"verifiedAt,omitzero"`
	// The field Lockbox is the version of this program. The fields PostgreSQL and PgDump are the major versions of the
	// PostgreSQL server and of pg_dump.
	Lockbox    string `json:"lockbox"`
	PostgreSQL int    `json:"postgresql"`
	PgDump     int    `json:"pgDump"`
	// Installation identifies the installation. Schema is the PostgreSQL schema of Lockbox's tables. SchemaVersion is
	// the number of the newest migration in that schema.
	Installation  string `json:"installation"`
	Schema        string `json:"schema"`
	SchemaVersion uint   `json:"schemaVersion"`
	// File is the name of the dump, which is in the same folder as the manifest. Bytes is the size of the dump. SHA256
	// is the hash of the dump, in hexadecimal.
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// ServerKeys and Tables have the order in which the database returns them.
	ServerKeys []Key   `json:"serverKeys"`
	Tables     []Table `json:"tables"`
	// Code authenticates all other fields.
	Code []byte `json:"code"`
}

// Key is a server key, without its content.
type Key struct {
	ID         string `json:"id"`
	Purpose    string `json:"purpose"`
	Generation int    `json:"generation"`
}

// Table describes a table by the number of its rows and a checksum of the rows. The checksum does not depend on the
// order of the rows.
type Table struct {
	Name     string `json:"name"`
	Rows     int64  `json:"rows"`
	Checksum string `json:"checksum"`
}

// ErrNotAuthentic means that a manifest was changed, or that it was written under another secret.
var ErrNotAuthentic = errors.New("the manifest is not authentic: " +
	"the file was changed, or the backup was made under another secret; " +
	"if the secret was rotated after the backup, set LOCKBOX_SECRET_KEY_PREVIOUS to the previous secret")

// text returns the text for which the field Code is the authentication code.
func (m Manifest) text() ([]byte, error) {
	m.Code = nil
	return json.Marshal(m)
}

// Write writes the manifest to the file at path and atomically replaces an existing file. The function authenticate
// computes the authentication code of a text with the server's secret.
func (m Manifest) Write(path string, authenticate func(text []byte) ([]byte, error)) error {
	m.Format = format
	text, err := m.text()
	if err != nil {
		return err
	}
	if m.Code, err = authenticate(text); err != nil {
		return err
	}
	content, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(content, '\n'))
}

// writeFile writes a new file with mode 0600 and then renames it, so no reader sees a partial file.
func writeFile(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".manifest-*"+partialSuffix) // has mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// dumpName returns the file name of the dump that belongs to the manifest at a path.
func dumpName(manifestPath string) string {
	return strings.TrimSuffix(filepath.Base(manifestPath), manifestSuffix) + dumpSuffix
}

// Read reads and verifies a manifest. The function authentic reports whether a code is the authentication code of a
// text. If authentic returns false, the error of Read wraps ErrNotAuthentic. Read also returns an error for a manifest
// that was renamed.
func Read(path string, authentic func(text, code []byte) bool) (Manifest, error) {
	file, err := openRegular(path)
	if err != nil {
		return Manifest{}, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxManifestBytes))
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("%s is not the manifest of a backup: %w", path, err)
	}
	if m.Format != format {
		return Manifest{}, fmt.Errorf(
			"%s has the format %d, but this program knows only the format %d: use a newer release",
			path, m.Format, format)
	}
	text, err := m.text()
	if err != nil {
		return Manifest{}, err
	}
	if !authentic(text, m.Code) {
		return Manifest{}, fmt.Errorf("%s: %w", path, ErrNotAuthentic)
	}
	// The restore commands derive the path of the dump from the path of the manifest. They must not restore a dump that
	// the manifest does not describe.
	if want := dumpName(path); m.File != want {
		return Manifest{}, fmt.Errorf("%s is the manifest of the dump %q, not of %s: "+
			"give the dump and the manifest their original names", path, m.File, want)
	}
	return m, nil
}

// Compare returns the differences between the manifest and the content of a database, each as a line of text. If the
// contents are equal, it returns nil.
func (m Manifest) Compare(other Manifest) []string {
	var differences []string
	differ := func(what string, want, got any) {
		if want != got {
			differences = append(differences,
				fmt.Sprintf("the %s is %v in the backup, but %v in the database", what, want, got))
		}
	}
	differ("installation", m.Installation, other.Installation)
	differ("schema version", fmt.Sprintf("%06d", m.SchemaVersion), fmt.Sprintf("%06d", other.SchemaVersion))
	for _, key := range m.ServerKeys {
		if !slices.Contains(other.ServerKeys, key) {
			differences = append(differences, fmt.Sprintf("server key %s (%s, generation %d) is not in the database",
				key.ID, key.Purpose, key.Generation))
		}
	}
	differ("number of server keys", len(m.ServerKeys), len(other.ServerKeys))
	restored := make(map[string]Table)
	for _, table := range other.Tables {
		restored[table.Name] = table
	}
	for _, table := range m.Tables {
		got, found := restored[table.Name]
		switch {
		case !found:
			differences = append(differences, "table "+table.Name+" is not in the database")
		case got.Rows != table.Rows:
			differ("number of rows of "+table.Name, table.Rows, got.Rows)
		case got.Checksum != table.Checksum:
			differences = append(differences, "table "+table.Name+
				" has the same number of rows in the backup and in the database, but different content")
		}
	}
	return differences
}
