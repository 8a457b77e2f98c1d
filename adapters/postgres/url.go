package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var errBadURL = errors.New("the database URL must have the form postgres://user:password@host:5432/name; " +
	"characters such as @ : / and % in the password must be percent-encoded")

// libpqParameters are parameters of URLs that libpq handles itself and that this driver would send to the server, which
// refuses them as unknown settings.
var libpqParameters = []string{
	"fallback_application_name", "gssdelegation", "gssencmode", "gsslib", "hostaddr", "keepalives", "keepalives_count",
	"keepalives_idle", "keepalives_interval", "load_balance_hosts", "oauth_client_id", "oauth_client_secret",
	"oauth_issuer", "oauth_scope", "replication", "requirepeer", "requiressl", "scram_client_key", "scram_server_key",
	"ssl_max_protocol_version", "ssl_min_protocol_version", "sslcompression", "sslcrl", "sslcrldir", "sslkeylogfile",
	"tcp_user_timeout",
}

// ParseURL returns the settings of a single connection. Connections time out while they open, and keepalives detect a
// server that has vanished. No error contains a part of the URL that may be a password.
func ParseURL(url string) (*pgx.ConnConfig, error) {
	settings, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	settings.ConnConfig.DialFunc = newNetDialer().DialContext
	return settings.ConnConfig, nil
}

// parseURL parses a connection string or URL in libpq's format. The driver's message is left out of the error because
// it may contain a part of a password that is not encoded correctly.
func parseURL(url string) (*pgxpool.Config, error) {
	settings, err := pgxpool.ParseConfig(url)
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("cannot read the file %s that the database URL names: %w", file.Path, file.Err)
	}
	if err != nil || strings.Contains(settings.ConnConfig.Host, "@") {
		return nil, errBadURL
	}
	settings.ConnConfig.ConnectTimeout = connectTimeout
	return settings, checkParameters(settings.ConnConfig.RuntimeParams)
}

// checkParameters refuses parameters that cannot work, and removes client_encoding: sessions are checked for it when
// they open.
func checkParameters(params map[string]string) error {
	for name := range params {
		if slices.Contains(libpqParameters, name) {
			return fmt.Errorf("the parameter %s of the database URL is not supported: remove it", name)
		}
	}
	if encoding, ok := params["client_encoding"]; ok && !isUTF8(encoding) {
		return fmt.Errorf("the database URL sets client_encoding to %s: remove it, Lockbox uses UTF8", encoding)
	}
	delete(params, "client_encoding")
	return nil
}

// isUTF8 reports whether PostgreSQL's name of an encoding is one of the names of UTF-8.
func isUTF8(encoding string) bool {
	switch strings.ToLower(strings.ReplaceAll(encoding, "-", "")) {
	case "utf8", "unicode":
		return true
	}
	return false
}
