package boot

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/adapters/otp"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/domain"
)

// Config has the settings of the program. ReadEnvironment creates it. Each setting is an environment variable named
// LOCKBOX_ plus the name in the tag env. Alternatively, the variable LOCKBOX_…_FILE names a file that contains the
// setting. settingDocs describes the settings.
//
// Each setting has the type that the program uses. It is parsed once, when it is read; see setting_types.go.
type Config struct {
	// DatabaseURL is a secret because it contains the password. Lockbox never logs it.
	DatabaseURL domain.Secret `env:"DATABASE_URL"`
	// SecretKey encrypts the server keys. SecretKeyPrevious is zero unless a rotation is in progress.
	SecretKey         sealing.Secret `env:"SECRET_KEY"`
	SecretKeyPrevious sealing.Secret `env:"SECRET_KEY_PREVIOUS"`

	// HTTPAddr is the address on which the server listens and to which `lockbox health` connects.
	HTTPAddr Address `env:"HTTP_ADDR" envDefault:":5000"`
	// MetricsAddr is the address at which the server serves /metrics over plain HTTP. If MetricsAddr is zero, the
	// server serves /metrics at HTTPAddr.
	MetricsAddr Address `env:"METRICS_ADDR"`
	// TLSCert and TLSKey are PEM texts, read at the start. Set both or neither. The server uses derived.certificate
	// instead of these fields, because the files can change later.
	TLSCert string        `env:"TLS_CERT"`
	TLSKey  domain.Secret `env:"TLS_KEY"`
	// DrainDelay is how long the server still accepts connections after SIGTERM. During this time, /readyz returns 503.
	DrainDelay     time.Duration  `env:"DRAIN_DELAY" envDefault:"0"`
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES"`
	CORSOrigins    Origins        `env:"CORS_ORIGINS"`
	// MaxBodyBytes bounds a request body. Because a value is sent inside a JSON body, MaxBodyBytes should be larger
	// than MaxValueBytes.
	MaxBodyBytes int64 `env:"MAX_BODY_BYTES" envDefault:"1048576"`

	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat LogFormat  `env:"LOG_FORMAT" envDefault:"json"`
	// TracesURL is zero if no traces are sent.
	TracesURL     CollectorURL  `env:"TRACES_URL"`
	TracesHeaders domain.Secret `env:"TRACES_HEADERS"`
	TracesRatio   float64       `env:"TRACES_RATIO" envDefault:"1"`
	// AuditStream is zero if there is no audit stream. AuditStreamHeader authenticates to a webhook.
	AuditStream       StreamTarget  `env:"AUDIT_STREAM"`
	AuditStreamHeader domain.Secret `env:"AUDIT_STREAM_HEADER"`

	// InitToken is zero if the creation of the owner needs no token.
	InitToken                domain.Secret `env:"INIT_TOKEN"`
	RequireAdminToCreateUser bool          `env:"REQUIRE_ADMIN_TO_CREATE_USER" envDefault:"true"`
	ShowAPIKeys              bool          `env:"SHOW_API_KEYS" envDefault:"false"`
	MinPasswordLength        int           `env:"MIN_PASSWORD_LENGTH" envDefault:"6"`
	// TokenTTL is the lifetime of a session token. With refresh tokens, AccessTokenTTL is the lifetime of an access
	// token and RefreshTokenTTL is the lifetime of the whole sign-in.
	TokenTTL        time.Duration `env:"TOKEN_TTL" envDefault:"168h"`
	AccessTokenTTL  time.Duration `env:"ACCESS_TOKEN_TTL" envDefault:"2h"`
	RefreshTokenTTL time.Duration `env:"REFRESH_TOKEN_TTL" envDefault:"720h"`
	TOTPIssuer      string        `env:"TOTP_ISSUER" envDefault:"Lockbox"`
	// The setting THROTTLE_FREE_ATTEMPTS is the number of wrong attempts that lock an account. The other rate limits
	// are computed from this number.
	RateLimits domain.RateLimits `env:"THROTTLE_FREE_ATTEMPTS" envDefault:"5"`

	// For each of the following settings, zero means no limit.
	MaxValueBytes    int `env:"MAX_VALUE_BYTES" envDefault:"524288"`
	MaxEntriesPerBox int `env:"MAX_ENTRIES_PER_BOX" envDefault:"10000"`
	// MaxBytesPerBox limits the total size of all versions in a box, including those of deleted entries.
	MaxBytesPerBox  int64 `env:"MAX_BYTES_PER_BOX" envDefault:"268435456"`
	MaxUsersPerBox  int   `env:"MAX_USERS_PER_BOX" envDefault:"1000"`
	MaxBoxesPerUser int   `env:"MAX_BOXES_PER_USER" envDefault:"100"`
	EntryVersions   int   `env:"ENTRY_VERSIONS" envDefault:"10"`
	// DeletedEntryRetention is how long a deleted entry can be restored. Afterwards the sweep deletes the entry
	// permanently.
	DeletedEntryRetention time.Duration `env:"DELETED_ENTRY_RETENTION" envDefault:"720h"`
	EventRetention        time.Duration `env:"EVENT_RETENTION" envDefault:"0"`

	// BackupDir is the folder of `lockbox backup`. A server reports the time of the newest backup in this folder as a
	// metric.
	BackupDir string `env:"BACKUP_DIR"`

	// DockerHost is zero if droplets are off. In that case, the other settings of droplets are checked but not used.
	DockerHost    DockerHost           `env:"DOCKER_HOST"`
	DockerTLSCA   string               `env:"DOCKER_TLS_CA"`
	DockerTLSCert string               `env:"DOCKER_TLS_CERT"`
	DockerTLSKey  domain.Secret        `env:"DOCKER_TLS_KEY"`
	DropletImages []string             `env:"DROPLET_IMAGES"`
	DropletPrefix domain.DropletPrefix `env:"DROPLET_PREFIX" envDefault:"droplet"`
	DropletMemory ByteSize             `env:"DROPLET_MEMORY" envDefault:"512m"`
	DropletCPUs   float64              `env:"DROPLET_CPUS" envDefault:"1"`
	DropletLog    ByteSize             `env:"DROPLET_LOG_SIZE" envDefault:"10m"`

	// DBMaxConns limits the connections of one server. The database must accept the sum of the limits of all servers.
	DBMaxConns int32 `env:"DB_MAX_CONNS" envDefault:"0"`
	// DBPooling states whether a pooler may run each transaction in another session of the database.
	DBPooling Pooling `env:"DB_POOLING" envDefault:"session"`
	// The Argon2id parameters apply to new values. Stored values keep their own parameters.
	KDFMemoryKiB uint32 `env:"KDF_MEMORY_KIB" envDefault:"19456"`
	KDFTime      uint32 `env:"KDF_TIME" envDefault:"2"`

	// If one of the following limits is zero, the server computes it from MemoryLimit. If MemoryLimit itself is zero,
	// the server uses the memory limit of the process.
	MemoryLimit           ByteSize `env:"MEMORY_LIMIT" envDefault:"0"`
	MaxConnections        int      `env:"MAX_CONNECTIONS" envDefault:"0"`
	MaxRequests           int      `env:"MAX_REQUESTS" envDefault:"0"`
	MaxRequestsPerUser    int      `env:"MAX_REQUESTS_PER_USER" envDefault:"0"`
	MaxRequestsPerAddress int      `env:"MAX_REQUESTS_PER_ADDRESS" envDefault:"0"`

	derived derived
}

// derived holds values that ReadEnvironment computes from the settings once. Each value depends on several settings or
// needs an adapter.
type derived struct {
	// certificate is nil if the server speaks plain HTTP.
	certificate *certificate
	// dockerTLS is nil if the Docker host is a socket, or if it is on loopback and does not use TLS.
	dockerTLS *tls.Config
	// totp makes and checks TOTP codes, with the configured issuer.
	totp *otp.Codes
	// tracesHeaders is nil if the setting is empty.
	tracesHeaders http.Header
}

// derive computes the derived settings. It returns one error with all mistakes. The argument files has the paths of the
// certificate and of its key.
func (c *Config) derive(files certificateFiles) error {
	var serverErr, dockerErr, totpErr, tracesErr error
	c.derived.certificate, serverErr = c.serverCertificate(files)
	c.derived.dockerTLS, dockerErr = c.dockerTLS()
	if c.derived.totp, totpErr = otp.New(otp.Config{Issuer: c.TOTPIssuer}); totpErr != nil {
		totpErr = mistake("TOTP_ISSUER", "must be a name that authenticator apps can show: "+totpErr.Error())
	}
	c.derived.tracesHeaders, tracesErr = parseHeaders(string(c.TracesHeaders.Bytes()))
	return errors.Join(serverErr, dockerErr, totpErr, tracesErr)
}

// Validate compares settings with each other and with their ranges. It returns one error with all mistakes. Each
// mistake names its variable and repeats no secret.
func (c Config) Validate() error {
	return errors.Join(c.checkStorage(), c.checkLimits(), c.checkDroplets())
}

// checkStorage checks the settings that a command needs to open the database and its server keys.
func (c Config) checkStorage() error {
	var mistakes []error
	if len(c.DatabaseURL.Bytes()) == 0 {
		mistakes = append(mistakes,
			mistake("DATABASE_URL", "is not set: set it to postgres://user:password@host:5432/name"))
	}
	if c.SecretKey.IsZero() {
		mistakes = append(mistakes, c.missingSecret())
	}
	return errors.Join(mistakes...)
}

// missingSecret returns the error for a setting SECRET_KEY that is empty.
func (c Config) missingSecret() error {
	return mistake("SECRET_KEY",
		"is not set: create one with lockbox keygen --secret and store it separately from database backups")
}

// checkLimits checks the ranges of numbers and durations.
func (c Config) checkLimits() error {
	var mistakes []error
	check := func(holds bool, name, rule string) {
		if !holds {
			mistakes = append(mistakes, mistake(name, rule))
		}
	}
	check(c.DrainDelay >= 0 && c.DrainDelay <= maxDrainDelay, "DRAIN_DELAY", "must be from 0s to 5m")
	check(c.TracesRatio >= 0 && c.TracesRatio <= 1, "TRACES_RATIO", "must be from 0 to 1")
	check(len(c.TracesHeaders.Bytes()) == 0 || c.TracesURL.isPrivate(), "TRACES_HEADERS",
		"requires an https URL in LOCKBOX_TRACES_URL, because plain HTTP exposes the headers; "+
			"http is allowed only if the collector is on this machine")
	_, _, wellFormed := c.streamHeader()
	check(wellFormed, "AUDIT_STREAM_HEADER", "must be a header with its value, such as Authorization: Bearer TOKEN")
	check(len(c.AuditStreamHeader.Bytes()) == 0 || c.AuditStream.isWebhook(), "AUDIT_STREAM_HEADER",
		"is only for a webhook: set LOCKBOX_AUDIT_STREAM to the URL of a webhook")
	check(c.MaxBodyBytes >= 1024, "MAX_BODY_BYTES", "must be at least 1024")
	check(c.MinPasswordLength >= 1 && c.MinPasswordLength <= 100, "MIN_PASSWORD_LENGTH", "must be from 1 to 100")
	check(c.TokenTTL >= time.Minute, "TOKEN_TTL", "must be at least 1m")
	check(c.AccessTokenTTL >= time.Second, "ACCESS_TOKEN_TTL", "must be at least 1s")
	check(c.RefreshTokenTTL >= c.AccessTokenTTL, "REFRESH_TOKEN_TTL", "must not be below LOCKBOX_ACCESS_TOKEN_TTL")
	check(c.MaxValueBytes >= 0, "MAX_VALUE_BYTES", notNegative)
	check(c.MaxValueBytes == 0 || int64(c.MaxValueBytes) <= c.MaxBodyBytes, "MAX_VALUE_BYTES",
		"must not be above LOCKBOX_MAX_BODY_BYTES")
	check(c.MaxEntriesPerBox >= 0, "MAX_ENTRIES_PER_BOX", notNegative)
	check(c.MaxBytesPerBox >= 0, "MAX_BYTES_PER_BOX", notNegative)
	check(c.MaxUsersPerBox >= 0, "MAX_USERS_PER_BOX", notNegative)
	check(c.MaxBoxesPerUser >= 0, "MAX_BOXES_PER_USER", notNegative)
	check(c.EntryVersions >= 0, "ENTRY_VERSIONS", notNegative)
	check(c.DeletedEntryRetention >= 0, "DELETED_ENTRY_RETENTION", notNegative)
	check(c.EventRetention >= 0, "EVENT_RETENTION", notNegative)
	check(c.DBMaxConns >= 0, "DB_MAX_CONNS", notNegative)
	// The lower limits come from Argon2id. The upper limits keep the time of a sign-in to a few seconds.
	check(c.KDFMemoryKiB >= 8 && c.KDFMemoryKiB <= 262144, "KDF_MEMORY_KIB", "must be from 8 to 262144")
	check(c.KDFTime >= 1 && c.KDFTime <= 16, "KDF_TIME", "must be from 1 to 16")
	check(c.MemoryLimit == 0 || c.MemoryLimit >= minMemory, "MEMORY_LIMIT", "must be 0 or at least 64m")
	check(c.MaxConnections >= 0, "MAX_CONNECTIONS", notNegative)
	check(c.MaxRequests >= 0, "MAX_REQUESTS", notNegative)
	check(c.MaxRequestsPerUser >= 0, "MAX_REQUESTS_PER_USER", notNegative)
	check(c.MaxRequestsPerAddress >= 0, "MAX_REQUESTS_PER_ADDRESS", notNegative)
	return errors.Join(mistakes...)
}

// maxDrainDelay is much longer than load balancers need to notice a failing health check. A longer delay usually comes
// from a wrong unit.
const maxDrainDelay = 5 * time.Minute

// notNegative is the rule for settings in which 0 means no limit, or a default.
const notNegative = "must not be negative"

// settingMistake is the error of one setting.
//
// The field setting is the name of the variable. AllMistakes compares these names to find several mistakes about one
// setting. The field text is the sentence to print.
type settingMistake struct{ setting, text string }

// Error returns the whole sentence, beginning with the name of the variable.
func (m *settingMistake) Error() string { return m.text }

// mistake returns an error about a setting. name is the name of the setting without the prefix LOCKBOX_. The message
// consists of the full name and the rule, for example "LOCKBOX_DRAIN_DELAY must be from 0s to 5m".
func mistake(name, rule string) error {
	return &settingMistake{setting: prefix + name, text: prefix + name + " " + rule}
}

// AllMistakes joins the errors of ReadEnvironment and Config.Validate. It reports only the first mistake of each
// setting. Otherwise a setting that cannot be parsed would also be reported as missing. If there is a mistake,
// AllMistakes also lists the unknown variables: a misspelled variable may be the cause.
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
		lines = append(lines, fmt.Errorf("these variables are not settings: %s", strings.Join(unknown, ", ")))
	}
	return errors.Join(lines...)
}

// flatten returns the errors that errors.Join has joined, at any depth.
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
