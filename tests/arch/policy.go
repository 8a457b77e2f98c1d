package arch

// Module is the import path that every package of the project starts with.
const Module = "github.com/lockbox-go/lockbox"

// Libraries says whether a package may import third-party code. Which library
// may appear where is the business of the confined table.
type Libraries bool

// The two answers to whether a package may use third-party code.
const (
	StandardOnly Libraries = false
	ThirdParty   Libraries = true
)

// Rule is one line of the policy: Packages, a pattern, may import the packages
// of the module that match one of May, and third-party code or none.
//
// A pattern is a path inside the module. "domain/*" matches one element more,
// "tests/..." matches tests and everything below it, "." is the root.
type Rule struct {
	Packages  string
	May       []string
	Libraries Libraries
}

// policy is read from the top; the first rule whose pattern matches a package
// is the one that holds for it. The packages of one adapter, of one command and
// of the client may always import each other.
var policy = []Rule{
	// The inside: rules without I/O, then what they ask of the outside.
	{"domain", nil, StandardOnly},
	{"ports", []string{"domain"}, StandardOnly},

	// Use cases know the domain and the ports, and never each other.
	{"domain/*", []string{"domain", "ports"}, StandardOnly},

	// Inbound: calls the use cases directly.
	{"adapters/httpapi/...", []string{"domain", "domain/*", "ports", "api"}, ThirdParty},

	// Outbound: serves ports, and never another adapter or a use case.
	{"adapters/postgres/batch", []string{"domain"}, StandardOnly},
	{"adapters/postgres/...", []string{"domain", "ports", "migrations"}, ThirdParty},
	{"adapters/localpg/...", nil, ThirdParty},
	{"adapters/...", []string{"domain", "ports"}, ThirdParty},

	// Files to embed, and what others import: nothing comes with them.
	{"migrations", nil, StandardOnly},
	{"api", nil, StandardOnly},
	// Makes one of those files, and is no part of the program.
	{"api/page", nil, ThirdParty},
	{"client/...", nil, StandardOnly},

	// The composition root, which only the program starts.
	{"cmd/boot/...", []string{"domain/...", "ports", "adapters/...", "migrations", "api"}, ThirdParty},
	// Whoever works with a server from a terminal does it through the client, as everybody else.
	{"cmd/lockbox/terminal", []string{"client", "cmd/lockbox/..."}, ThirdParty},
	{"cmd/lockbox/*", nil, ThirdParty},
	{"cmd/lockbox/...", []string{"cmd/boot/...", "domain", "ports", "adapters/...", "domain/*", "client"}, ThirdParty},

	// Tests may use everything; nothing but tests may use them.
	{"tests/...", []string{"..."}, ThirdParty},
}

// testsOf says what the _test.go files of a package may import of the module
// beyond what the package itself may. The inside is tested from the inside;
// whoever has I/O is tested with a real database and the real program.
var testsOf = []Rule{
	{"domain/...", nil, StandardOnly},
	{"ports", []string{"domain/..."}, StandardOnly},
	{"...", []string{"..."}, ThirdParty},
}

// Confined is a library, by the prefix of its import path, with the only
// packages that may import it. InTests frees _test.go files.
type Confined struct {
	Library string
	To      []string
	InTests bool
}

// confined keeps each library in the one room that has to change when the
// library does.
var confined = []Confined{
	{"github.com/labstack/echo", []string{"adapters/httpapi/..."}, false},
	{"github.com/jackc/pgx", []string{"adapters/postgres/...", "adapters/localpg/...", "tests/..."}, false},
	{"github.com/jackc/pgerrcode", []string{"adapters/postgres/..."}, false},
	{"github.com/golang-migrate/migrate", []string{"adapters/postgres/migrate"}, false},
	{"database/sql", nil, false},
	{"github.com/docker/docker", []string{"adapters/docker/..."}, true},
	{"github.com/moby/moby", []string{"adapters/docker/..."}, true},
	{"github.com/docker/go-connections", []string{"adapters/docker/..."}, true},
	{"github.com/docker/go-units", []string{"adapters/httpapi/...", "cmd/boot/..."}, true},
	{"github.com/containerd/errdefs", []string{"adapters/docker/..."}, true},
	{"github.com/golang-jwt/jwt", []string{"adapters/tokens/..."}, true},
	{"github.com/pquerna/otp", []string{"adapters/otp/..."}, true},
	{"github.com/boombuler/barcode", []string{"adapters/otp/..."}, true},
	{"golang.org/x/crypto", []string{"adapters/..."}, true},
	{"github.com/spf13/cobra", []string{"cmd/lockbox/..."}, false},
	{"github.com/rogpeppe/go-internal", []string{"cmd/lockbox/profile", "tests/..."}, false},
	{"github.com/creack/pty", []string{"tests/..."}, false},
	{"github.com/caarlos0/env", []string{"cmd/boot/..."}, false},
	{"github.com/getkin/kin-openapi", []string{"tests/..."}, true},
	{"github.com/chromedp", []string{"tests/..."}, true},
	{"github.com/yuin/goldmark", []string{"api/page"}, true},
	{"github.com/testcontainers/testcontainers-go", []string{"tests/..."}, true},
	{"github.com/stretchr/testify", []string{"tests/..."}, true},
	{"go.uber.org/goleak", []string{"tests/..."}, true},
	{"pgregory.net/rapid", []string{"tests/..."}, true},
}

// testLibraries may be used by every _test.go file, whatever it tests.
var testLibraries = []string{
	"github.com/stretchr/testify",
	"go.uber.org/goleak",
	"pgregory.net/rapid",
}
