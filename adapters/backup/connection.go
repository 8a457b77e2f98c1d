package backup

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// connection describes how pg_dump and pg_restore connect to a database. The field argument is a command-line argument,
// which other users of the machine can see. The field named variables contains environment variables, which only root
// and the user who runs Lockbox can see.
type connection struct {
	argument  string
	variables []string
}

// libpqParameters lists the parameters of libpq that contain no secret. It omits host, port, user and dbname, because
// parseConnection takes these from the configuration that the driver has parsed. A database URL of Lockbox can also
// contain parameters of the connection pool and of the session. The list omits these too, because libpq does not accept
// them.
var libpqParameters = []string{"hostaddr", "passfile", "channel_binding", "connect_timeout", "options", "keepalives",
	"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "gssencmode", "sslmode",
	"sslnegotiation", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir", "sslsni", "requirepeer",
	"require_auth", "ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "target_session_attrs",
	"load_balance_hosts", "service"}

var errDatabaseURL = errors.New("the database URL cannot be passed to PostgreSQL's programs: " +
	"write it as postgres://user:password@host:5432/name; " +
	"percent-encode characters such as @ : / ? # and % in the password")

// parameterName matches the valid names of parameters. If a name does not match, it may be a part of a password that
// was not percent-encoded.
var parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.$]*$`)

// parseConnection parses a connection URL, or a connection string in libpq's format, and separates the password from
// the rest. It takes the hosts, the user, the database and the password from pgx. PostgreSQL's programs therefore
// connect to the same database as Lockbox. A parser that split the URL differently from pgx could put a part of the
// password into the argument.
func parseConnection(database string) (connection, error) {
	settings, err := pgx.ParseConfig(database)
	if err != nil {
		return connection{}, errDatabaseURL // the driver's error can contain a part of the password
	}
	parameters, err := parseParameters(database)
	if err != nil || strings.Contains(settings.Host+settings.Database, "@") {
		return connection{}, errDatabaseURL
	}
	hosts, ports := []string{settings.Host}, []string{strconv.Itoa(int(settings.Port))}
	for _, other := range settings.Fallbacks {
		port := strconv.Itoa(int(other.Port))
		if other.Host == hosts[len(hosts)-1] && port == ports[len(ports)-1] {
			continue // the same server with or without TLS
		}
		hosts, ports = append(hosts, other.Host), append(ports, port)
	}
	pairs := [][2]string{
		{"host", strings.Join(hosts, ",")},
		{"port", strings.Join(ports, ",")},
		{"user", settings.User},
		{"dbname", settings.Database},
	}
	for _, name := range libpqParameters {
		pairs = append(pairs, [2]string{name, parameters[name]})
	}
	var c connection
	var kept []string
	for _, pair := range pairs {
		if pair[1] != "" {
			kept = append(kept, pair[0]+"='"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(pair[1])+"'")
		}
	}
	c.argument = strings.Join(kept, " ")
	if settings.Password != "" {
		// Only root and the user who runs a process can read its environment.
		c.variables = append(c.variables, "PGPASSWORD="+settings.Password)
	}
	return c, nil
}

// parseParameters returns the parameters of a connection URL or of a connection string. The caller must have parsed the
// text with pgx.ParseConfig without an error.
func parseParameters(database string) (map[string]string, error) {
	if !strings.HasPrefix(database, "postgres://") && !strings.HasPrefix(database, "postgresql://") {
		return parseKeywords(database)
	}
	if strings.Contains(database, "#") {
		return nil, errDatabaseURL // the driver ignores everything after it
	}
	_, query, _ := strings.Cut(database, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errDatabaseURL
	}
	parameters := make(map[string]string)
	for name := range values {
		if !parameterName.MatchString(name) {
			return nil, errDatabaseURL
		}
		parameters[name] = values.Get(name)
	}
	return parameters, nil
}

// parseKeywords reads pairs such as host=localhost password='it\'s', as libpq defines them.
func parseKeywords(database string) (map[string]string, error) {
	parameters := make(map[string]string)
	for rest := strings.TrimSpace(database); rest != ""; rest = strings.TrimSpace(rest) {
		name, after, found := strings.Cut(rest, "=")
		if !found {
			return nil, errDatabaseURL
		}
		value, remaining, ok := cutValue(strings.TrimLeft(after, " \t\n"))
		if !ok {
			return nil, errDatabaseURL
		}
		rest = remaining
		parameters[strings.TrimSpace(name)] = value
	}
	return parameters, nil
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
