package boot

import "reflect"

// Setting describes one setting for people. A test compares docs/settings.md with these descriptions.
type Setting struct {
	Name    string // of the environment variable
	Default string
	Doc     string
	// Secret reports whether the value is a secret. The Go type of a secret setting hides the value from the log.
	Secret bool
}

// Settings lists all settings, in the order of the fields of Config.
func Settings() []Setting {
	var list []Setting
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		name := field.Tag.Get("env")
		if name == "" { // derived from other settings
			continue
		}
		list = append(list, Setting{
			Name:    prefix + name,
			Default: field.Tag.Get("envDefault"),
			Doc:     settingDocs[name],
			Secret:  field.Type.Implements(reflect.TypeFor[interface{ Bytes() []byte }]()),
		})
	}
	return list
}

// settingDocs describes each setting: its meaning, its unit and its range. The text is also a cell of a table in
// docs/settings.md.
var settingDocs = map[string]string{
	"DATABASE_URL": "PostgreSQL connection URL: postgres://user:password@host:5432/name. Required",
	"SECRET_KEY": "Secret that encrypts the server keys: at least 32 random bytes in hexadecimal or base64; " +
		"create it with lockbox keygen --secret. Required",
	"SECRET_KEY_PREVIOUS": "Previous secret. " +
		"After a change of the secret, it is required until you have run lockbox secret rotate",

	"HTTP_ADDR": "Address and port on which the server listens. " +
		"Without an address, the server listens on all interfaces",
	"METRICS_ADDR": "Address and port that serve /metrics over plain HTTP, such as :9090. " +
		"If this setting is empty, LOCKBOX_HTTP_ADDR serves /metrics",
	"TLS_CERT": "Certificate chain in PEM. If it is set, the server uses HTTPS. " +
		"Usually read from the file that LOCKBOX_TLS_CERT_FILE names",
	"TLS_KEY": "Private key of the certificate in PEM. Usually read from the file that LOCKBOX_TLS_KEY_FILE names",
	"DRAIN_DELAY": "Time after SIGTERM, from 0s to 5m, during which the server still accepts connections. " +
		"During this time, /readyz returns 503, so load balancers stop sending requests to this server",
	"TRUSTED_PROXIES": "Networks of proxies, separated by commas (10.0.0.0/8,192.168.1.1/32). " +
		"For requests from these networks, Lockbox takes the client address from the header X-Forwarded-For",
	"CORS_ORIGINS": "Origins, separated by commas (https://app.example.org), from which browsers may call the API; " +
		"* allows all origins. An empty value turns CORS off",
	"MAX_BODY_BYTES": "Largest request body in bytes, at least 1024. For requests without a token, the limit is 16384",

	"LOG_LEVEL":  "Lowest level that is logged: debug, info, warn or error",
	"LOG_FORMAT": "Format of the log: json or text",
	"TRACES_URL": "Collector that receives OpenTelemetry traces with OTLP over HTTP, " +
		"such as http://localhost:4318/v1/traces. An empty value turns traces off",
	"TRACES_HEADERS": "Comma-separated headers that are sent to the collector, " +
		"each as NAME=VALUE, such as Authorization=Bearer abc. " +
		"For a collector on another machine, headers require an https URL. " +
		"Usually read from the file that LOCKBOX_TRACES_HEADERS_FILE names",
	"TRACES_RATIO": "Share of traces that this server sends, from 0 to 1. With 0, the server sends none. " +
		"With any other value, the header traceparent of a request, if present, decides whether the trace is sent",
	"AUDIT_STREAM": "Destination to which audit events are delivered as JSON lines: " +
		"stdout, file:/path, or the https URL of a webhook. An empty value turns the delivery off",
	"AUDIT_STREAM_HEADER": "Header that authenticates to the webhook, such as Authorization: Bearer TOKEN. " +
		"Usually read from the file that LOCKBOX_AUDIT_STREAM_HEADER_FILE names",

	"INIT_TOKEN": "Token that POST /init requires in the header X-Init-Token. " +
		"If it is empty, POST /init requires no token",
	"REQUIRE_ADMIN_TO_CREATE_USER": "With false, clients without a token can register users. " +
		"These users get the role \"user\"",
	"SHOW_API_KEYS": "With true, the response of GET /users/{username} contains whole API keys. " +
		"With false, it contains only the ids of the keys",
	"MIN_PASSWORD_LENGTH": "Shortest new password, in characters, from 1 to 100",
	"TOKEN_TTL":           "Lifetime of a token of POST /authenticate, at least 1m",
	"ACCESS_TOKEN_TTL":    "Lifetime of an access token of POST /api/v1/user/auth, at least 1s",
	"REFRESH_TOKEN_TTL": "Time after a sign-in during which the tokens of this sign-in can be refreshed; " +
		"not below LOCKBOX_ACCESS_TOKEN_TTL",
	"TOTP_ISSUER": "Issuer that authenticator apps show for an account",
	"THROTTLE_FREE_ATTEMPTS": "Number of wrong attempts on an account until a lockout, from 1 to 1000000. " +
		"For an address, the number is 40 times as high. After 15 minutes without an attempt, the count is reset. " +
		"For each account, the wrong attempts from all new addresses are also counted together. " +
		"When this count reaches ten times the value of this setting, " +
		"each wrong attempt locks the account out at new addresses for an hour. " +
		"This count is reset after 30 days without an attempt",

	"MAX_VALUE_BYTES": "Largest value, in bytes of JSON text; not above LOCKBOX_MAX_BODY_BYTES. 0 means no limit",
	"MAX_ENTRIES_PER_BOX": "Largest number of entries in a box. " +
		"A deleted entry counts until LOCKBOX_DELETED_ENTRY_RETENTION has passed. 0 means no limit",
	"MAX_BYTES_PER_BOX": "Maximum storage, in bytes, that a box reserves for its entries. " +
		"All versions count, even those of deleted entries, plus 256 bytes for each version. 0 means no limit",
	"MAX_USERS_PER_BOX":  "Largest number of members of a box. 0 means no limit",
	"MAX_BOXES_PER_USER": "Largest number of boxes that a user who is not an admin may own. 0 means no limit",
	"ENTRY_VERSIONS":     "Number of versions of an entry that are kept; a write deletes older ones. 0 keeps all",
	"DELETED_ENTRY_RETENTION": "Time during which a deleted entry can be restored. " +
		"After this time, Lockbox deletes the entry permanently",
	"EVENT_RETENTION": "Age at which audit events are deleted. 0 keeps them permanently",

	"BACKUP_DIR": "Folder of the backups, for the commands lockbox backup create and lockbox backup verify. " +
		"The metrics of a server report the time of the newest backup in this folder",

	"DOCKER_HOST": "Docker engine for droplets: unix:///var/run/docker.sock or tcp://host:2376. " +
		"An empty value turns droplets off",
	"DOCKER_TLS_CA": "CA certificate in PEM with which Lockbox verifies a Docker engine at a tcp address. " +
		"Usually read from the file that LOCKBOX_DOCKER_TLS_CA_FILE names",
	"DOCKER_TLS_CERT": "Client certificate in PEM, for a Docker engine at a tcp address. " +
		"Usually read from the file that LOCKBOX_DOCKER_TLS_CERT_FILE names",
	"DOCKER_TLS_KEY": "Private key of the client certificate in PEM, for a Docker engine at a tcp address. " +
		"Usually read from the file that LOCKBOX_DOCKER_TLS_KEY_FILE names",
	"DROPLET_IMAGES": "Images, separated by commas (debian-sshd:13), that a droplet may use; " +
		"the first image is the default. Required if LOCKBOX_DOCKER_HOST is set",
	"DROPLET_PREFIX": "Prefix of droplet names: 1 to 40 lower-case letters, digits and -, beginning with a letter. " +
		"Lockbox appends two digits to the prefix",
	"DROPLET_MEMORY": "Memory limit of a droplet, such as 512m or 2g; at least 6m. Droplets get no swap",
	"DROPLET_CPUS":   "CPU limit of a droplet, in cores, from 0.01 to 1024",
	"DROPLET_LOG_SIZE": "Disk space on the host for the log of a droplet, such as 10m; at least 64k. " +
		"The host deletes the oldest half of a full log",

	"DB_MAX_CONNS": "Maximum number of connections of one server to the database. " +
		"0 means one connection per core, but at least 10",
	"DB_POOLING": "With a pooler that can run each transaction in a different session of the database, " +
		"such as PgBouncer with pool_mode=transaction, use \"transaction\". Otherwise, use \"session\"",
	"KDF_MEMORY_KIB": "Memory of one Argon2id derivation, for a password or passphrase, in KiB, from 8 to 262144",
	"KDF_TIME":       "Number of passes of one Argon2id derivation, from 1 to 16",
	"MEMORY_LIMIT": "Memory, such as 256m or 1g, from which the limits on clients are derived; at least 64m. " +
		"0 means the smallest of 1g, GOMEMLIMIT and the memory limit of the container",
	"MAX_CONNECTIONS": "Maximum number of open connections of clients. " +
		"0 means a number that depends on the memory of the server",
	"MAX_REQUESTS": "Maximum number of requests in flight from verified callers. " +
		"In addition, unverified callers may have half this number of requests in flight. " +
		"0 means a number that depends on the memory of the server",
	"MAX_REQUESTS_PER_USER": "Maximum number of requests in flight from one user. " +
		"0 means a number that depends on the memory of the server",
	"MAX_REQUESTS_PER_ADDRESS": "Maximum number of requests in flight from unverified callers at one address. " +
		"0 means a number that depends on the memory of the server",
}
