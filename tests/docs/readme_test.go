// Package docs checks README.md, SECURITY.md and the pages in docs against the program: the tables of settings,
// requests and error codes must match the code exactly. tests/e2e runs the examples.
package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/domain"
)

const root = "../.."

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/" + name)
	require.NoError(t, err)
	return string(text)
}

// rows returns those table rows of a page whose first cell matches the regular expression firstCell.
func rows(t *testing.T, name, firstCell string) []string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^\| `+firstCell+` \|.*$`).FindAllString(page(t, name), -1)
	require.NotEmpty(t, found, "%s has no row whose first cell is %s", name, firstCell)
	return found
}

func cells(row string) []string {
	parts := strings.Split(strings.Trim(row, "| "), " | ")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// TestSettings compares the whole table of docs/settings.md, including the order of its rows, with boot.Settings. A
// failure prints the whole table that the page must contain.
func TestSettings(t *testing.T) {
	t.Parallel()
	var want []string
	for _, setting := range boot.Settings() {
		byDefault := " "
		if setting.Default != "" {
			byDefault = " `" + setting.Default + "` "
		}
		want = append(want, "| `"+setting.Name+"` |"+byDefault+"| "+setting.Doc+" |")
	}
	assert.Equal(t, strings.Join(want, "\n"), strings.Join(rows(t, "docs/settings.md", "`LOCKBOX_[A-Z_]+`"), "\n"))
}

func TestRequests(t *testing.T) {
	t.Parallel()
	parameter := regexp.MustCompile(`:(\w+)`)
	var want, got []string
	for _, route := range httpapi.Routes() {
		want = append(want, route.Method+" "+parameter.ReplaceAllString(route.Path, "{$1}"))
	}
	for _, name := range []string{"docs/http.md", "docs/two-factor.md", "docs/droplets.md"} {
		for _, row := range rows(t, name, "`[A-Z]+ /[^`]*`") {
			got = append(got, strings.Trim(cells(row)[0], "`"))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	assert.Equal(t, want, got)
}

// problemCodes returns the error codes of the Lockbox API and their HTTP statuses. See codesIn.
func problemCodes(t *testing.T) map[string]string {
	t.Helper()
	want := codesIn(t, root)
	delete(want, "unknown_key_purpose") // used by the command line only
	for _, code := range []string{"account_incomplete", "code_invalid", "droplet_abandoned",
		"droplet_host_conflict", "droplet_host_refused", "droplet_host_unavailable", "droplet_not_found",
		"droplet_reason_withheld", "group_too_low", "invalid_env", "invalid_image", "no_droplet_host",
		"no_droplet_number", "refresh_token_not_found", "revoke_owner_only",
		"second_owner", "sign_in_incomplete", "totp_secret_hidden", "two_tokens", "unsupported_grant_type"} {
		delete(want, code) // only the accounts API returns it, as a number: see TestAccountsErrors
	}
	delete(want, "server_key_not_found") // internal: every caller replaces it by another error
	return want
}

func TestCodes(t *testing.T) {
	t.Parallel()
	want := problemCodes(t)
	got := map[string]string{}
	for _, row := range rows(t, "docs/http.md", "`[a-z_]+`") {
		code := strings.Trim(cells(row)[0], "`")
		assert.NotContains(t, got, code, "docs/http.md lists a code twice")
		got[code] = cells(row)[1]
	}
	assert.Equal(t, want, got)
}

func TestAccountsErrors(t *testing.T) {
	t.Parallel()
	var want []string
	for _, line := range httpapi.AccountsErrors() {
		want = append(want, fmt.Sprintf("| %d | %d | %s |", line.ID, line.Status, line.Text))
	}
	assert.Equal(t, want, rows(t, "docs/two-factor.md", "[1-9]\\d\\d"))
}

func TestActions(t *testing.T) {
	t.Parallel()
	var names []string
	for _, action := range domain.Actions() {
		names = append(names, "`"+action.String()+"`")
	}
	assert.Contains(t, page(t, "docs/operating.md"), "\nActions: "+strings.Join(names, ", ")+".\n")
}

// TestFormats verifies that the pages contain the same formulas as the comments in the code, apart from white space.
func TestFormats(t *testing.T) {
	t.Parallel()
	for name, documented := range map[string]string{
		"adapters/sealing/format.go":  "SECURITY.md",
		"adapters/sealing/account.go": "SECURITY.md",
		"adapters/sealing/wrap.go":    "SECURITY.md",
		"domain/public_identity.go":   "docs/encryption.md",
		"domain/box_keyring.go":       "docs/encryption.md",
	} {
		text := strings.Join(strings.Fields(page(t, documented)), " ")
		code, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		formulas := regexp.MustCompile(`(?m)^//\t(.*)$`).FindAllStringSubmatch(string(code), -1)
		require.NotEmpty(t, formulas)
		for _, formula := range formulas {
			assert.Contains(t, text, strings.Join(strings.Fields(formula[1]), " "), name)
		}
	}
}

// TestDevPrintsTheFirstFiveMinutes verifies that lockbox dev prints the commands of the first block in the README.
func TestDevPrintsTheFirstFiveMinutes(t *testing.T) {
	t.Parallel()
	_, rest, found := strings.Cut(page(t, "README.md"), "```bash\nURL=http://127.0.0.1:5000\n"+
		"INIT_TOKEN=$(cat .lockbox/init-token)   # make run also prints the token\n")
	block, _, ended := strings.Cut(rest, "```")
	require.True(t, found && ended)
	code, err := os.ReadFile(root + "/cmd/lockbox/dev.go")
	require.NoError(t, err)
	require.Contains(t, string(code), "`"+block+"`")
}
