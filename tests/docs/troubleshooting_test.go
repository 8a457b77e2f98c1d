package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

// TestTroubleshootingHasEveryCode compares the first cells of the page's tables with the codes of the Lockbox API.
// One row may explain several codes, separated by commas.
func TestTroubleshootingHasEveryCode(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	for code := range problemCodes(t) {
		want[code] = true
	}
	got := map[string]bool{}
	for _, row := range rows(t, "docs/troubleshooting.md", "`[a-z_]+`(?:, `[a-z_]+`)*") {
		for code := range strings.SplitSeq(strings.ReplaceAll(cells(row)[0], "`", ""), ", ") {
			assert.False(t, got[code], "docs/troubleshooting.md explains %s twice", code)
			got[code] = true
		}
	}
	assert.Equal(t, want, got)
}

// TestTroubleshootingHasEveryErrorID compares the page's table of error numbers with the accounts API.
func TestTroubleshootingHasEveryErrorID(t *testing.T) {
	t.Parallel()
	want := []string{"0"}
	for _, line := range httpapi.AccountsErrors() {
		want = append(want, fmt.Sprint(line.ID))
	}
	_, section, _ := strings.Cut(page(t, "docs/troubleshooting.md"), "\n## Accounts API errors\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var got []string
	for _, cell := range regexp.MustCompile(`(?m)^\| (\d+(?:, \d+)*) \|`).FindAllStringSubmatch(section, -1) {
		got = append(got, strings.Split(cell[1], ", ")...)
	}
	slices.Sort(want)
	slices.Sort(got)
	assert.Equal(t, want, got)
}
