// Package connect parses database URLs, dials, and explains why a server refuses a connection. It stands below the
// packages postgres and migrate, which both connect to the database.
package connect

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// Timeout is the time limit for one attempt to connect.
	Timeout = 5 * time.Second
	// hostTimeout replaces Timeout if the URL names several hosts. The driver tries the hosts one after the other.
	// After a failover, a host that does not answer must not delay the connection to the new primary.
	hostTimeout = 2 * time.Second
)

var errBadURL = errors.New("the database URL must have the form postgres://user:password@host:5432/name; " +
	"characters such as @ : / ? # and % in the password must be percent-encoded")

// libpqParameters are URL parameters that only libpq knows. The driver of Lockbox would send them to the server, which
// would refuse them as unknown settings.
var libpqParameters = []string{
	"fallback_application_name", "gssdelegation", "gssencmode", "gsslib", "hostaddr", "keepalives", "keepalives_count",
	"keepalives_idle", "keepalives_interval", "load_balance_hosts", "oauth_client_id", "oauth_client_secret",
	"oauth_issuer", "oauth_scope", "replication", "requirepeer", "requiressl", "scram_client_key", "scram_server_key",
	"ssl_max_protocol_version", "ssl_min_protocol_version", "sslcompression", "sslcrl", "sslcrldir", "sslkeylogfile",
	"tcp_user_timeout",
}

// ParseURL returns the settings of a single connection. They include a time limit for connecting, and keepalives that
// detect a dead server. No error contains a part of the URL that may be a password.
func ParseURL(url string) (*pgx.ConnConfig, error) {
	settings, err := ParsePoolURL(url)
	if err != nil {
		return nil, err
	}
	settings.ConnConfig.DialFunc = NewDialer().DialContext
	return settings.ConnConfig, nil
}

// ParsePoolURL returns the settings of a pool. It parses a connection string or URL in libpq's format. The error does
// not contain the driver's message. If the password is not encoded correctly, that message may contain a part of the
// password.
func ParsePoolURL(url string) (*pgxpool.Config, error) {
	settings, err := pgxpool.ParseConfig(url)
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("cannot read the file %s that the database URL names: %w", file.Path, file.Err)
	}
	if err != nil || hasMisplacedPassword(url, settings.ConnConfig) {
		return nil, errBadURL
	}
	settings.ConnConfig.ConnectTimeout = Timeout
	if hasSeveralHosts(settings.ConnConfig) {
		settings.ConnConfig.ConnectTimeout = hostTimeout
	}
	return settings, checkParameters(settings.ConnConfig.RuntimeParams)
}

// hasMisplacedPassword reports whether the password probably contains a special character that was not encoded. In this
// case, the driver takes a part of the password for another part of the URL, and later errors would print this part of
// the password. For example, with the password 12/abc, the port is 12, and the name of the database contains "@".
// hasMisplacedPassword returns true for every URL with "#". The driver ignores the text after this character, unlike
// libpq.
func hasMisplacedPassword(url string, config *pgx.ConnConfig) bool {
	if strings.Contains(config.Host+config.Database, "@") {
		return true
	}
	if !isURL(url) {
		return false
	}
	_, query, _ := strings.Cut(url, "?")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "" && !parameterName.MatchString(name) {
			return true
		}
		// If the value of a parameter contains "@", the driver has taken the end of a password and the host for a part
		// of this value. Only user names may contain "@".
		if strings.Contains(value, "@") && (name != "user" || strings.Contains(value, "/")) {
			return true
		}
	}
	return strings.Contains(url, "#")
}

// parameterName matches the names of parameters in a URL.
var parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.$]*$`)

// isURL reports whether a connection string is a URL. The other form of a connection string consists of pairs such as
// host=localhost.
func isURL(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// hasSeveralHosts reports whether the driver tries more than one server. A fallback without TLS does not count, because
// it leads to the same server.
func hasSeveralHosts(config *pgx.ConnConfig) bool {
	return slices.ContainsFunc(config.Fallbacks, func(other *pgconn.FallbackConfig) bool {
		return other.Host != config.Host || other.Port != config.Port
	})
}

// checkParameters returns an error if the URL has a parameter that Lockbox does not support. It accepts client_encoding
// if the value is UTF8, and removes this parameter from params. Lockbox does not need the parameter, because it checks
// the encoding of each new session.
func checkParameters(params map[string]string) error {
	for name := range params {
		if slices.Contains(libpqParameters, name) {
			return fmt.Errorf("the parameter %s of the database URL is not supported: remove it", name)
		}
	}
	if encoding, ok := params["client_encoding"]; ok && !IsUTF8(encoding) {
		return fmt.Errorf("the database URL sets client_encoding to %s, but Lockbox needs UTF8: "+
			"remove this parameter", encoding)
	}
	delete(params, "client_encoding")
	return nil
}

// IsUTF8 reports whether an encoding has one of PostgreSQL's names for UTF-8.
func IsUTF8(encoding string) bool {
	switch strings.ToLower(strings.ReplaceAll(encoding, "-", "")) {
	case "utf8", "unicode":
		return true
	}
	return false
}
