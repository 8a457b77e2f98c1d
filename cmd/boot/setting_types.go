package boot

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/docker/go-units"

	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/domain"
)

// rule is the error of a setting with an invalid value. The text of a rule completes a sentence that begins with the
// name of the variable. It states which values are valid, and never repeats the value that was set.
type rule string

// Error returns the rule.
func (r rule) Error() string { return string(r) }

// parsers holds the parsers for types that other packages declare without an UnmarshalText method.
var parsers = map[reflect.Type]env.ParserFunc{
	reflect.TypeFor[time.Duration](): func(text string) (any, error) { return parseDuration(text) },
	reflect.TypeFor[domain.Secret](): func(text string) (any, error) { return domain.NewSecret(text), nil },
	reflect.TypeFor[sealing.Secret](): func(text string) (any, error) {
		secret, err := sealing.ParseSecret(text)
		if err != nil {
			return nil, rule("is malformed: " + err.Error() +
				"; copy the whole line that lockbox keygen --secret printed")
		}
		return secret, nil
	},
	reflect.TypeFor[domain.DropletPrefix](): func(text string) (any, error) {
		prefix, err := domain.ParseDropletPrefix(text)
		if err != nil {
			return nil, rule(err.Error())
		}
		return prefix, nil
	},
	reflect.TypeFor[domain.RateLimits](): func(text string) (any, error) {
		free, err := strconv.Atoi(text)
		if err != nil || free < 1 || free > maxFreeAttempts {
			return nil, rule("must be a whole number from 1 to 1000000")
		}
		return domain.NewRateLimits(free), nil
	},
}

// leadingDays matches the weeks and days at the beginning of a duration.
var leadingDays = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,5})d)?`)

// parseDuration is like time.ParseDuration, but also accepts weeks (w) and days of 24 hours (d). Weeks and days must
// come before the other units.
func parseDuration(text string) (time.Duration, error) {
	found := leadingDays.FindStringSubmatch(text)
	weeks, _ := strconv.Atoi("0" + found[1])
	days, _ := strconv.Atoi("0" + found[2])
	whole, rest := time.Duration(7*weeks+days)*24*time.Hour, text[len(found[0]):]
	if rest == "" && text != "" {
		return whole, nil
	}
	part, err := time.ParseDuration(rest)
	// A sign is allowed only at the beginning of the text.
	if err == nil && found[0] != "" && (part < 0 || rest[0] == '+') {
		err = errors.New("a sign inside a duration")
	}
	return whole + part, err
}

// maxFreeAttempts is the largest value of the setting THROTTLE_FREE_ATTEMPTS. It is high enough to disable rate limits
// in practice. It is low enough that no limit that is computed from it overflows.
const maxFreeAttempts = 1_000_000

// Address is a host and a port to listen on. An empty host means all interfaces.
type Address struct{ Host, Port string }

// UnmarshalText parses HOST:PORT or :PORT.
func (a *Address) UnmarshalText(text []byte) (err error) {
	if a.Host, a.Port, err = net.SplitHostPort(string(text)); err != nil {
		return rule("must be an address and a port, such as :5000 or 127.0.0.1:5000")
	}
	return nil
}

// IsZero reports whether no address is set.
func (a Address) IsZero() bool { return a == Address{} }

// String returns HOST:PORT.
func (a Address) String() string { return net.JoinHostPort(a.Host, a.Port) }

// CollectorURL is the URL that traces are sent to.
type CollectorURL struct{ url *url.URL }

// UnmarshalText parses an http or https URL. It refuses a URL with a user name or password. Credentials belong in
// TRACES_HEADERS, because Lockbox never prints that setting.
func (u *CollectorURL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil {
		return rule("must be an http or https URL without a password, such as http://localhost:4318/v1/traces; " +
			"set credentials in LOCKBOX_TRACES_HEADERS")
	}
	u.url = parsed
	return nil
}

// isPrivate reports whether requests to the collector are safe from eavesdroppers on the network. They are safe if the
// collector uses TLS or runs on this machine. isPrivate also returns true for the zero CollectorURL, because nothing is
// sent.
func (u CollectorURL) isPrivate() bool {
	return u.url == nil || u.url.Scheme == "https" || isLoopback(u.url.Hostname())
}

// Origins are the origins that browsers may call from.
type Origins []string

// UnmarshalText parses origins with commas between them. The text * means every origin.
func (o *Origins) UnmarshalText(text []byte) error {
	// A browser compares origins exactly, so an origin without a scheme would never match.
	*o = strings.Split(string(text), ",")
	for _, origin := range *o {
		if origin != "*" && !strings.HasPrefix(origin, "http://") && !strings.HasPrefix(origin, "https://") {
			return rule("must be origins such as https://app.example.org, with commas between them")
		}
	}
	return nil
}

// LogFormat is the format of the log: json or text.
type LogFormat string

// The formats of the log.
const (
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
)

// UnmarshalText parses a format.
func (f *LogFormat) UnmarshalText(text []byte) error {
	switch *f = LogFormat(text); *f {
	case LogJSON, LogText:
		return nil
	default:
		return rule("must be json or text")
	}
}

// Pooling states when the database session behind a connection can change: never, or after each transaction.
type Pooling string

// The kinds of pooling. SessionPooling also applies if there is no pooler.
const (
	SessionPooling     Pooling = "session"
	TransactionPooling Pooling = "transaction"
)

// UnmarshalText parses a kind of pooling.
func (p *Pooling) UnmarshalText(text []byte) error {
	switch *p = Pooling(text); *p {
	case SessionPooling, TransactionPooling:
		return nil
	default:
		return rule("must be session or transaction")
	}
}

// ByteSize is a number of bytes.
type ByteSize int64

// UnmarshalText parses a size in Docker's format, such as 512m or 2g. The units are powers of 1024.
func (b *ByteSize) UnmarshalText(text []byte) error {
	// Use Docker's own parser, because users know its format from docker run --memory.
	size, err := units.RAMInBytes(string(text))
	if err != nil {
		return rule("must be a size, such as 512m or 2g")
	}
	*b = ByteSize(size)
	return nil
}

// DockerHost is the address of a Docker engine: a socket of this machine, or a host and a port over TCP. The zero
// DockerHost means no engine.
type DockerHost struct {
	address string
	host    string // "" for a socket
}

// UnmarshalText parses unix:///PATH or tcp://HOST:PORT.
func (h *DockerHost) UnmarshalText(text []byte) error {
	// Refuse user names and paths, because Lockbox would ignore them. Refuse all other schemes, too.
	address, err := url.Parse(string(text))
	if err != nil {
		return errDockerHost
	}
	isSocket := address.Scheme == "unix" && address.Host == "" && filepath.IsAbs(address.Path)
	isTCP := address.Scheme == "tcp" && address.Hostname() != "" && address.Port() != "" && address.Path == "" &&
		address.User == nil
	if !isSocket && !isTCP {
		return errDockerHost
	}
	*h = DockerHost{address: string(text), host: address.Hostname()}
	return nil
}

// errDockerHost does not repeat the address, because the address could contain a password.
const errDockerHost = rule("must be unix:///var/run/docker.sock or tcp://host:2376")

// IsZero reports whether no engine is configured.
func (h DockerHost) IsZero() bool { return h.address == "" }

// isSocket reports whether the engine is reached through a socket of this machine.
func (h DockerHost) isSocket() bool { return h.host == "" }

// isLocal reports whether connections to the engine stay on this machine.
func (h DockerHost) isLocal() bool {
	ip := net.ParseIP(h.host)
	return h.isSocket() || h.host == "localhost" || ip != nil && ip.IsLoopback()
}

// serverCertificate parses the certificate of the server. It returns nil without TLS.
func (c *Config) serverCertificate(files certificateFiles) (*certificate, error) {
	if c.TLSCert == "" && len(c.TLSKey.Bytes()) == 0 {
		return nil, nil
	}
	if c.TLSCert == "" || len(c.TLSKey.Bytes()) == 0 {
		return nil, mistake("TLS_CERT", "must be set together with LOCKBOX_TLS_KEY: set both or neither")
	}
	loaded, err := newCertificate([]byte(c.TLSCert), c.TLSKey.Bytes(), files)
	if err != nil {
		return nil, mistake("TLS_CERT", "must be a certificate in PEM for the key in LOCKBOX_TLS_KEY: "+err.Error())
	}
	return loaded, nil
}

// ruleBroken returns the reason why a setting cannot be parsed. The reason completes a sentence that begins with the
// name of the variable.
func ruleBroken(wrong env.ParseError) string {
	if broken, ok := errors.AsType[rule](wrong.Err); ok {
		return broken.Error()
	}
	return fmt.Sprintf("cannot be read as %s", kindOfSetting(wrong.Type))
}

// kindOfSetting returns a readable description of a Go type.
func kindOfSetting(wanted reflect.Type) string {
	switch wanted.String() {
	case "time.Duration":
		return "a duration, such as 90s, 15m, 168h or 30d"
	case "float64":
		return "a number, such as 0.5"
	case "bool":
		return "true or false"
	case "slog.Level":
		return "a level: debug, info, warn or error"
	case "[]netip.Prefix", "netip.Prefix":
		return "networks with commas between them, such as 10.0.0.0/8,192.168.1.1/32"
	default:
		return "a whole number in range"
	}
}
