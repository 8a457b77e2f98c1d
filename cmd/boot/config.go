package boot

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/adapters/otp"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/domain"
)

// Config is the settings of the program. Each is an environment variable, LOCKBOX_ and the name in the tag `env`, and
// may be given as a file instead by LOCKBOX_…_FILE. The tag `doc` is what people read of it.
type Config struct {
	DatabaseURL       domain.Secret `env:"DATABASE_URL" doc:"PostgreSQL connection URL: postgres://user:password@host:5432/name. Required"`
	SecretKey         domain.Secret `env:"SECRET_KEY" doc:"Secret that encrypts the server keys: at least 32 random bytes in hexadecimal or base64; lockbox keygen --secret prints one. Required"`
	SecretKeyPrevious domain.Secret `env:"SECRET_KEY_PREVIOUS" doc:"Previous secret, needed until lockbox secret rotate has run"`

	HTTPAddr       string         `env:"HTTP_ADDR" envDefault:":5000" doc:"Address and port to listen on; without an address, on all interfaces"`
	TLSCert        string         `env:"TLS_CERT" doc:"Certificate chain in PEM; turns HTTPS on. Usually set as LOCKBOX_TLS_CERT_FILE"`
	TLSKey         domain.Secret  `env:"TLS_KEY" doc:"Private key of the certificate in PEM. Usually set as LOCKBOX_TLS_KEY_FILE"`
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES" doc:"Networks of proxies, separated by commas (10.0.0.0/8,192.168.1.1/32); Lockbox takes the client address from their X-Forwarded-For"`
	CORSOrigins    []string       `env:"CORS_ORIGINS" doc:"Origins, separated by commas (https://app.example.org), from which browsers may call the API; * allows all. Empty turns CORS off"`
	MaxBodyBytes   int64          `env:"MAX_BODY_BYTES" envDefault:"1048576" doc:"Largest request body in bytes, at least 1024; without a token the limit is 16384"`

	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"info" doc:"Lowest level that is logged: debug, info, warn or error"`
	LogFormat string     `env:"LOG_FORMAT" envDefault:"json" doc:"Format of the log: json or text"`

	InitToken                domain.Secret `env:"INIT_TOKEN" doc:"When set, POST /init requires this token in the header X-Init-Token"`
	RequireAdminToCreateUser bool          `env:"REQUIRE_ADMIN_TO_CREATE_USER" envDefault:"true" doc:"false lets clients without a token register users, with the role user"`
	ShowAPIKeys              bool          `env:"SHOW_API_KEYS" envDefault:"false" doc:"true includes whole API keys in GET /users/{username}; false lists only their ids"`
	MinPasswordLength        int           `env:"MIN_PASSWORD_LENGTH" envDefault:"6" doc:"Shortest new password, in characters, from 1 to 100"`
	TokenTTL                 time.Duration `env:"TOKEN_TTL" envDefault:"168h" doc:"Lifetime of a token of POST /authenticate, at least 1m"`
	AccessTokenTTL           time.Duration `env:"ACCESS_TOKEN_TTL" envDefault:"2h" doc:"Lifetime of an access token of POST /api/v1/user/auth, at least 1s"`
	RefreshTokenTTL          time.Duration `env:"REFRESH_TOKEN_TTL" envDefault:"720h" doc:"Time after a sign-in during which its tokens can be refreshed; not below LOCKBOX_ACCESS_TOKEN_TTL"`
	TOTPIssuer               string        `env:"TOTP_ISSUER" envDefault:"Lockbox" doc:"Issuer that authenticator apps show for an account"`
	FreeAttempts             int           `env:"THROTTLE_FREE_ATTEMPTS" envDefault:"5" doc:"Wrong credentials per account before a lockout, from 1 to 1000000; 15 minutes without an attempt reset the count. An address is allowed 40 times as many"`

	MaxValueBytes         int           `env:"MAX_VALUE_BYTES" envDefault:"524288" doc:"Largest value, in bytes of JSON text; not above LOCKBOX_MAX_BODY_BYTES. 0 means no limit"`
	MaxEntriesPerBox      int           `env:"MAX_ENTRIES_PER_BOX" envDefault:"10000" doc:"Largest number of entries in a box. 0 means no limit"`
	MaxUsersPerBox        int           `env:"MAX_USERS_PER_BOX" envDefault:"1000" doc:"Largest number of members of a box. 0 means no limit"`
	MaxBoxesPerUser       int           `env:"MAX_BOXES_PER_USER" envDefault:"100" doc:"Largest number of boxes that a user may own; does not apply to admins. 0 means no limit"`
	EntryVersions         int           `env:"ENTRY_VERSIONS" envDefault:"10" doc:"Number of versions kept of an entry; a write deletes older ones. 0 keeps all"`
	DeletedEntryRetention time.Duration `env:"DELETED_ENTRY_RETENTION" envDefault:"720h" doc:"Time during which a deleted entry can be restored; then it is deleted permanently"`
	EventRetention        time.Duration `env:"EVENT_RETENTION" envDefault:"0" doc:"Age at which audit events are deleted. 0 keeps them permanently"`

	DockerHost    string        `env:"DOCKER_HOST" doc:"Docker engine for droplets: unix:///var/run/docker.sock or tcp://host:2376. Empty turns droplets off"`
	DockerTLSCA   string        `env:"DOCKER_TLS_CA" doc:"For tcp: CA certificate in PEM that verifies the engine. Usually set as LOCKBOX_DOCKER_TLS_CA_FILE"`
	DockerTLSCert string        `env:"DOCKER_TLS_CERT" doc:"For tcp: client certificate in PEM. Usually set as LOCKBOX_DOCKER_TLS_CERT_FILE"`
	DockerTLSKey  domain.Secret `env:"DOCKER_TLS_KEY" doc:"For tcp: private key of the client certificate in PEM. Usually set as LOCKBOX_DOCKER_TLS_KEY_FILE"`
	DropletImages []string      `env:"DROPLET_IMAGES" doc:"Images, separated by commas (debian-sshd:13), that a droplet may use; the first is the default. Required with LOCKBOX_DOCKER_HOST"`
	DropletPrefix string        `env:"DROPLET_PREFIX" envDefault:"droplet" doc:"Prefix of droplet names, before two digits: 1 to 40 lower-case letters, digits and -, beginning with a letter"`
	DropletMemory string        `env:"DROPLET_MEMORY" envDefault:"512m" doc:"Memory limit of a droplet, without swap, such as 512m or 2g; at least 6m"`
	DropletCPUs   float64       `env:"DROPLET_CPUS" envDefault:"1" doc:"CPU limit of a droplet, in cores, from 0.01 to 1024"`

	DBMaxConns   int32  `env:"DB_MAX_CONNS" envDefault:"0" doc:"Most connections of one server to the database. 0 means 10, or one per core if that is more"`
	KDFMemoryKiB uint32 `env:"KDF_MEMORY_KIB" envDefault:"19456" doc:"Memory of one Argon2id derivation, for a password or passphrase, in KiB, from 8 to 262144"`
	KDFTime      uint32 `env:"KDF_TIME" envDefault:"2" doc:"Passes of one Argon2id derivation, from 1 to 16"`
}

// Validate returns every mistake in the settings at once, each naming its variable; nil when there is none. The
// secrets are not repeated.
func (c Config) Validate() error {
	return errors.Join(c.checkServing(), c.checkStorage(), c.checkLimits(), c.checkDroplets())
}

// checkStorage is what every command needs that opens the database.
func (c Config) checkStorage() error {
	var mistakes []error
	if len(c.DatabaseURL.Bytes()) == 0 {
		mistakes = append(mistakes,
			mistake("DATABASE_URL", "is not set: give it as postgres://user:password@host:5432/name"))
	}
	if len(c.SecretKey.Bytes()) == 0 {
		mistakes = append(mistakes,
			mistake("SECRET_KEY",
				"is not set: make one with lockbox keygen --secret and keep it apart from the database's backups"))
	} else if _, err := sealing.ParseSecret(string(c.SecretKey.Bytes())); err != nil {
		mistakes = append(mistakes, mistake("SECRET_KEY", err.Error()))
	}
	if len(c.SecretKeyPrevious.Bytes()) > 0 {
		if _, err := sealing.ParseSecret(string(c.SecretKeyPrevious.Bytes())); err != nil {
			mistakes = append(mistakes, mistake("SECRET_KEY_PREVIOUS", err.Error()))
		}
	}
	return errors.Join(mistakes...)
}

func (c Config) checkServing() error {
	var mistakes []error
	if _, _, err := net.SplitHostPort(c.HTTPAddr); err != nil {
		mistakes = append(mistakes,
			mistake("HTTP_ADDR", "must be an address and a port, such as :5000 or 127.0.0.1:5000"))
	}
	if c.LogFormat != "json" && c.LogFormat != "text" {
		mistakes = append(mistakes, mistake("LOG_FORMAT", "must be json or text"))
	}
	for _, origin := range c.CORSOrigins {
		if origin != "*" && !strings.HasPrefix(origin, "http://") && !strings.HasPrefix(origin, "https://") {
			mistakes = append(mistakes,
				mistake("CORS_ORIGINS", "must be origins such as https://app.example.org, with commas between them"))
			break
		}
	}
	if (c.TLSCert == "") != (len(c.TLSKey.Bytes()) == 0) {
		mistakes = append(mistakes, mistake("TLS_CERT", "and LOCKBOX_TLS_KEY must be set together, or neither"))
	} else if _, err := c.tlsConfig(); err != nil {
		mistakes = append(mistakes,
			mistake("TLS_CERT", "and LOCKBOX_TLS_KEY are not a certificate and its key in PEM: "+err.Error()))
	}
	return errors.Join(mistakes...)
}

func (c Config) checkLimits() error {
	var mistakes []error
	check := func(holds bool, name, rule string) {
		if !holds {
			mistakes = append(mistakes, mistake(name, rule))
		}
	}
	check(c.MaxBodyBytes >= 1024, "MAX_BODY_BYTES", "must be at least 1024")
	check(c.MinPasswordLength >= 1 && c.MinPasswordLength <= 100, "MIN_PASSWORD_LENGTH", "must be from 1 to 100")
	check(c.TokenTTL >= time.Minute, "TOKEN_TTL", "must be at least 1m")
	check(c.AccessTokenTTL >= time.Second, "ACCESS_TOKEN_TTL", "must be at least 1s")
	check(c.RefreshTokenTTL >= c.AccessTokenTTL, "REFRESH_TOKEN_TTL", "must not be below LOCKBOX_ACCESS_TOKEN_TTL")
	check(c.FreeAttempts >= 1 && c.FreeAttempts <= 1e6, "THROTTLE_FREE_ATTEMPTS", "must be from 1 to 1000000")
	if _, err := otp.New(otp.Config{Issuer: c.TOTPIssuer}); err != nil {
		mistakes = append(mistakes, mistake("TOTP_ISSUER", "cannot be shown by apps: "+err.Error()))
	}
	check(c.MaxValueBytes >= 0, "MAX_VALUE_BYTES", notNegative)
	check(c.MaxValueBytes == 0 || int64(c.MaxValueBytes) <= c.MaxBodyBytes, "MAX_VALUE_BYTES",
		"must not be above LOCKBOX_MAX_BODY_BYTES")
	check(c.MaxEntriesPerBox >= 0, "MAX_ENTRIES_PER_BOX", notNegative)
	check(c.MaxUsersPerBox >= 0, "MAX_USERS_PER_BOX", notNegative)
	check(c.MaxBoxesPerUser >= 0, "MAX_BOXES_PER_USER", notNegative)
	check(c.EntryVersions >= 0, "ENTRY_VERSIONS", notNegative)
	check(c.DeletedEntryRetention >= 0, "DELETED_ENTRY_RETENTION", notNegative)
	check(c.EventRetention >= 0, "EVENT_RETENTION", notNegative)
	check(c.DBMaxConns >= 0, "DB_MAX_CONNS", notNegative)
	check(c.KDFMemoryKiB >= 8 && c.KDFMemoryKiB <= 262144, "KDF_MEMORY_KIB", "must be from 8 to 262144")
	check(c.KDFTime >= 1 && c.KDFTime <= 16, "KDF_TIME", "must be from 1 to 16")
	return errors.Join(mistakes...)
}

const notNegative = "must not be negative"

// settingMistake is what is wrong with one setting.
type settingMistake struct{ setting, text string }

func (m *settingMistake) Error() string { return m.text }

func mistake(name, rule string) error {
	return &settingMistake{setting: prefix + name, text: prefix + name + " " + rule}
}

// AllMistakes joins what ReadEnvironment and Config.Validate found, one line a setting, since a setting that could not
// be read also looks as if it were not set. Where there are mistakes, it also names the variables that are no settings:
// one of them may be a slip of the hand.
func AllMistakes(reading, validating error, unknown []string) error {
	var lines []error
	seen := make(map[string]bool)
	for _, each := range append(flatten(reading), flatten(validating)...) {
		wrong, ok := errors.AsType[*settingMistake](each)
		if ok && seen[wrong.setting] {
			continue
		}
		if ok {
			seen[wrong.setting] = true
		}
		lines = append(lines, each)
	}
	if len(lines) > 0 && len(unknown) > 0 {
		lines = append(lines, fmt.Errorf("these variables are no settings: %s", strings.Join(unknown, ", ")))
	}
	return errors.Join(lines...)
}

// flatten takes apart what errors.Join has put together.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if err == nil {
			return nil
		}
		return []error{err}
	}
	var parts []error
	for _, part := range joined.Unwrap() {
		parts = append(parts, flatten(part)...)
	}
	return parts
}

// tlsConfig returns nil when TLS is off.
func (c Config) tlsConfig() (*tls.Config, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	pair, err := tls.X509KeyPair([]byte(c.TLSCert), c.TLSKey.Bytes())
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"}}, nil
}
