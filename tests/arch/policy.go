package arch

// Module is the import path that every package of the project starts with.
const Module = "github.com/lockbox-go/lockbox"

// Libraries states whether a package may import third-party code. The table named confined adds restrictions for
// individual libraries.
type Libraries bool

// The values of Libraries.
const (
	StandardOnly Libraries = false
	ThirdParty   Libraries = true
)

// Rule is one line of the policy. It applies to the packages whose path matches the pattern in Packages. From this
// module, they may import only packages whose path matches one of the patterns in the field May.
//
// A pattern is a path inside the module. "domain/*" matches each path that consists of "domain" and one more element,
// "tests/..." matches "tests" and everything under it, and "." is the root.
type Rule struct {
	Packages  string
	May       []string
	Libraries Libraries
}

// policy is read from the top: the first rule that matches a package applies. The packages of one adapter may always
// import each other. The same applies to the packages of one command, and to the packages of the client.
var policy = []Rule{
	// The domain contains business rules and performs no I/O. The ports are the interfaces that the domain and the use
	// cases call.
	{"domain", nil, StandardOnly},
	{"ports", []string{"domain"}, StandardOnly},

	// Every use case begins with the gate. Use cases import the gate, the domain and the ports, and never each other.
	{"domain/gate", []string{"domain", "ports"}, StandardOnly},
	{"domain/*", []string{"domain", "ports", "domain/gate"}, StandardOnly},

	// Inbound adapters call the use cases directly.
	{"adapters/httpapi/...", []string{"domain", "domain/identity", "domain/vault", "domain/droplets", "ports", "api"},
		ThirdParty},

	// Outbound adapters implement ports, and never call another adapter or a use case.
	{"adapters/postgres/batch", []string{"domain"}, StandardOnly},
	{"adapters/postgres/...", []string{"domain", "ports", "migrations"}, ThirdParty},
	{"adapters/localpg/...", nil, ThirdParty},
	{"adapters/...", []string{"domain", "ports"}, ThirdParty},

	// These packages contain embedded files, or are public packages that other modules import. They import no package
	// of this module.
	{"migrations", nil, StandardOnly},
	{"api", nil, StandardOnly},
	// This package generates one of the embedded files and is not part of the program.
	{"api/page", nil, ThirdParty},
	// Locked identities need Argon2id, which the standard library does not have.
	{"client/keys", nil, ThirdParty},
	{"client/...", nil, StandardOnly},

	// Only the program imports the composition root.
	{"cmd/boot/...", []string{"domain/...", "ports", "adapters/...", "migrations", "api"}, ThirdParty},
	// The commands over HTTP use the public client, as other programs do.
	{"cmd/lockbox/terminal", []string{"client", "client/keys", "cmd/lockbox/..."}, ThirdParty},
	{"cmd/lockbox/*", nil, ThirdParty},
	{"cmd/lockbox/...", []string{"cmd/boot/...", "domain", "ports", "adapters/...", "domain/*", "client"}, ThirdParty},

	// Tests may import every package; only tests may import the packages of tests.
	{"tests/...", []string{"..."}, ThirdParty},
}

// testsOf lists additional imports that are allowed only in the _test.go files of a package. The tests of package
// domain perform no I/O. The tests of use cases use a real database, but no HTTP. All other tests may import
// everything.
var testsOf = []Rule{
	{"domain", nil, StandardOnly},
	// The tests of package droplets use package vault, because vault implements a port that package droplets calls.
	{"domain/droplets", []string{"adapters/...", "domain/vault", "tests/contracts", "tests/usecases"}, StandardOnly},
	{"domain/*", []string{"adapters/...", "tests/contracts", "tests/pgtest", "tests/usecases"}, StandardOnly},
	{"ports", []string{"domain/..."}, StandardOnly},
	{"...", []string{"..."}, ThirdParty},
}

// Confined restricts the imports of a third-party library. The library consists of all packages whose path begins with
// Library. Only the packages that the field To lists may import the library. If InTests is set, every _test.go file may
// import it too.
type Confined struct {
	Library string
	To      []string
	InTests bool
}

// confined allows each library only in the packages that wrap it, so that a new version of the library affects no other
// package.
var confined = []Confined{
	{"github.com/labstack/echo", []string{"adapters/httpapi/..."}, false},
	{"github.com/jackc/pgx", []string{"adapters/postgres/...", "adapters/localpg/...", "adapters/backup", "tests/..."},
		false},
	{"github.com/jackc/pgerrcode", []string{"adapters/postgres/..."}, false},
	{"github.com/golang-migrate/migrate", []string{"adapters/postgres/migrate"}, false},
	{"database/sql", nil, false},
	{"github.com/moby/moby", []string{"adapters/docker/..."}, true},
	{"github.com/docker/go-connections", []string{"adapters/docker/..."}, true},
	{"github.com/docker/go-units", []string{"adapters/httpapi/...", "cmd/boot/..."}, true},
	{"github.com/containerd/errdefs", []string{"adapters/docker/..."}, true},
	{"github.com/golang-jwt/jwt", []string{"adapters/tokens/..."}, true},
	{"github.com/pquerna/otp", []string{"adapters/otp/...", "tests/..."}, true},
	{"github.com/boombuler/barcode", []string{"adapters/otp/..."}, true},
	{"golang.org/x/crypto", []string{"adapters/...", "client/keys"}, true},
	// Packages that create spans may import OpenTelemetry's API. Only adapters/tracing may import the code that sends
	// spans.
	{"go.opentelemetry.io/otel/trace", []string{"adapters/httpapi/...", "adapters/postgres", "adapters/kdf",
		"adapters/tracing", "cmd/boot"}, true},
	{"go.opentelemetry.io/otel/attribute", []string{"adapters/httpapi/...", "adapters/postgres", "adapters/kdf",
		"adapters/tracing"}, true},
	{"go.opentelemetry.io/otel/codes", []string{"adapters/httpapi/...", "adapters/postgres"}, true},
	{"go.opentelemetry.io/otel/propagation", []string{"adapters/httpapi/..."}, true},
	{"go.opentelemetry.io/otel/sdk", []string{"adapters/tracing"}, true},
	{"go.opentelemetry.io/proto", []string{"adapters/tracing", "tests/..."}, true},
	{"go.opentelemetry.io/otel/exporters", []string{"adapters/tracing"}, true},
	{"github.com/spf13/cobra", []string{"cmd/lockbox/..."}, false},
	{"github.com/rogpeppe/go-internal", []string{"cmd/lockbox/profile", "tests/..."}, false},
	{"github.com/creack/pty", []string{"tests/..."}, false},
	{"github.com/caarlos0/env", []string{"cmd/boot/..."}, false},
	{"github.com/getkin/kin-openapi", []string{"tests/..."}, true},
	{"github.com/chromedp", []string{"tests/..."}, true},
	{"github.com/anishathalye/porcupine", []string{"tests/..."}, true},
	{"github.com/yuin/goldmark", []string{"api/page"}, true},
	{"github.com/testcontainers/testcontainers-go", []string{"tests/..."}, true},
	{"github.com/stretchr/testify", []string{"tests/..."}, true},
	{"go.uber.org/goleak", []string{"tests/..."}, true},
	{"pgregory.net/rapid", []string{"tests/..."}, true},
}

// testLibraries may be imported by every _test.go file.
var testLibraries = []string{
	"github.com/stretchr/testify",
	"go.uber.org/goleak",
	"pgregory.net/rapid",
}
