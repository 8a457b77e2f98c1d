package backup

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// connection is the address of a database in the form that the programs of PostgreSQL accept: an argument and
// environment variables. Other users of the machine can see the argument, but not the variables.
type connection struct {
	argument  string
	variables []string
}

// libpqParameters are the parameters that libpq accepts and that contain no secret. A database URL of Lockbox can have
// further parameters, for the pool and for the session.
var libpqParameters = []string{"host", "hostaddr", "port", "dbname", "user", "passfile", "channel_binding",
	"connect_timeout", "options", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
	"tcp_user_timeout", "gssencmode", "sslmode", "sslnegotiation", "sslcert", "sslkey", "sslrootcert", "sslcrl",
	"sslcrldir", "sslsni", "requirepeer", "require_auth", "ssl_min_protocol_version", "ssl_max_protocol_version",
	"krbsrvname", "target_session_attrs", "load_balance_hosts", "service"}

var errDatabaseURL = errors.New("the database URL cannot be passed to PostgreSQL's programs: write it as " +
	"postgres://user:password@host:5432/name")

// parseConnection separates the password from a connection URL or string in libpq's format.
func parseConnection(database string) (connection, error) {
	if strings.Contains(database, "://") {
		return parseURL(database)
	}
	return parseKeywords(database)
}

// parseURL edits the text itself, because net/url rejects the lists of hosts that libpq accepts.
func parseURL(database string) (connection, error) {
	scheme, rest, _ := strings.Cut(database, "://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(rest, "/")
	var c connection
	var password string
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, encoded, _ := strings.Cut(authority[:at], ":")
		decoded, err := url.PathUnescape(encoded)
		if err != nil {
			return c, errDatabaseURL
		}
		password = decoded
		authority = user + "@" + authority[at+1:]
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, encoded, _ := strings.Cut(pair, "=")
		if name == "password" {
			decoded, err := url.PathUnescape(encoded)
			if err != nil {
				return c, errDatabaseURL
			}
			password = decoded
		}
		if slices.Contains(libpqParameters, name) {
			kept = append(kept, pair)
		}
	}
	c.argument = scheme + "://" + authority
	if hasPath {
		c.argument += "/" + path
	}
	if len(kept) > 0 {
		c.argument += "?" + strings.Join(kept, "&")
	}
	c.setPassword(password)
	return c, nil
}

// parseKeywords reads pairs such as host=localhost password='it”s', as libpq defines them.
func parseKeywords(database string) (connection, error) {
	var c connection
	var kept []string
	for rest := strings.TrimSpace(database); rest != ""; rest = strings.TrimSpace(rest) {
		name, after, found := strings.Cut(rest, "=")
		if !found {
			return c, errDatabaseURL
		}
		value, remaining, ok := cutValue(strings.TrimLeft(after, " \t\n"))
		if !ok {
			return c, errDatabaseURL
		}
		rest = remaining
		name = strings.TrimSpace(name)
		if name == "password" {
			c.setPassword(value)
		}
		if slices.Contains(libpqParameters, name) {
			kept = append(kept, name+"='"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)+"'")
		}
	}
	c.argument = strings.Join(kept, " ")
	return c, nil
}

// cutValue reads a value, quoted or not, at the beginning of text. A backslash escapes the next character.
func cutValue(text string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			out.WriteByte(text[i])
		case quoted && c == '\'':
			return out.String(), text[i+1:], true
		case !quoted && (c == ' ' || c == '\t' || c == '\n'):
			return out.String(), text[i:], true
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), "", !quoted
}

// setPassword passes a password in an environment variable. Only the same user and root can read it.
func (c *connection) setPassword(password string) {
	if password != "" {
		c.variables = append(c.variables, "PGPASSWORD="+password)
	}
}
