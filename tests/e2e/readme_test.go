package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	readmeURL = "URL=http://127.0.0.1:5000\n"
	// readmeToken is the init token. The paste method writes it to .lockbox/init-token, the file in which `make run`
	// stores an init token.
	readmeToken = "readme-token"
)

// TestReadmeFirstFiveMinutes runs the first bash block of the README.
func TestReadmeFirstFiveMinutes(t *testing.T) {
	t.Parallel()
	s := start(t, "INIT_TOKEN="+readmeToken)
	out := s.paste(firstBlock(t))
	const value = `{"email":"my@email.com","password":"secret"}`
	require.Equal(t, []int{201, 201, 200, 201, 200, 204, 403}, statuses(out), out)
	require.Equal(t, 2, strings.Count(out, value), out)
	require.Contains(t, out[strings.LastIndex(out, "HTTP/1.1"):], `"code":"permission_missing"`)
}

// TestHTTPPageExamples runs the first bash block of the README. It then runs the example in each row of the table of
// requests in docs/http.md. The status of the response must be the first status in the answer column of this row.
func TestHTTPPageExamples(t *testing.T) {
	t.Parallel()
	const mark = "== example "
	examples := regexp.MustCompile(
		"(?m)^\\| `([A-Z]+) (/[^`]*)` \\| [^|]+ \\| `(api [^|]+)` \\| (\\d+)").FindAllStringSubmatch(page(t,
		"docs/http.md"), -1)
	require.Greater(t, len(examples), 30)
	// Some examples use these variables. The beginning of docs/http.md sets them.
	variables := map[string]string{
		"/api-keys/{apiKey}": "KEY_ID", "/invitations/accept": "CODE",
		"/boxes/{box}/offer": "OFFER", "/boxes/{box}/offer/accept": "OFFER",
	}
	for path, name := range variables {
		variables[path] = regexp.MustCompile(`(?m)^` + name + `=.*$`).FindString(page(t, "docs/http.md"))
		require.NotEmpty(t, variables[path], name)
	}
	script := firstBlock(t)
	for i, example := range examples {
		if variable, needed := variables[example[2]]; needed {
			script += variable + "\n"
		}
		script += "echo '" + mark + strconv.Itoa(i) + "'\n" + example[3] + "\n"
	}
	outs := strings.Split(start(t).paste(script), mark)[1:]
	require.Len(t, outs, len(examples))
	for i, example := range examples {
		want, err := strconv.Atoi(example[4])
		require.NoError(t, err)
		if example[2] == "/init" {
			want = 409 // the first block has already sent this request, which succeeds only once
		}
		assert.Equal(t, []int{want}, statuses(outs[i]), "%s\n%s", example[3], outs[i])
		assert.Regexp(t, pathPattern(example[2]), strings.Fields(example[3])[2],
			"the example is of another request than its row")
		assert.Equal(t, example[1], strings.Fields(example[3])[1])
	}
}

// pathPattern returns a pattern that matches a path template.
func pathPattern(template string) string {
	return `^'?` + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(template), `[^/?]+`) +
		`(\?.*)?'?$`
}

// page returns the text of a documentation page by its path from the root of the repository.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	require.NoError(t, err)
	return string(text)
}

// firstBlock returns the first bash block of the README. This block begins with readmeURL, the address of the server
// that `make run` starts.
func firstBlock(t *testing.T) string {
	t.Helper()
	_, rest, found := strings.Cut(page(t, "README.md"), "```bash\n"+readmeURL)
	block, _, ended := strings.Cut(rest, "```")
	require.True(t, found && ended, "README.md has no block of bash that begins with %s", readmeURL)
	return readmeURL + block
}

// The paste method replaces readmeURL in text with the address of this server, and runs the text in bash. Before the
// text runs, bash creates two files that `make run` would create. One is a stub for bin/lockbox that only prints a key.
// The other contains the init token.
func (s *server) paste(text string) string {
	s.t.Helper()
	dir := s.t.TempDir()
	// The bash process writes the stub. If this process wrote the stub, a parallel test could start a child process at
	// the same moment. The child would then keep the stub open for writing. Linux does not execute a file that is open
	// for writing.
	text = "mkdir bin; printf '#!/bin/sh\n[ \"$*\" = keygen ] && echo " + generatedKey +
		"\n' > bin/lockbox; chmod 700 bin/lockbox\nmkdir .lockbox; echo " + readmeToken +
		" > .lockbox/init-token\n" + text
	bash := exec.CommandContext(s.t.Context(), "bash", "--norc")
	bash.Dir = dir
	bash.Stdin = strings.NewReader(strings.Replace(text, readmeURL, "URL="+s.url+"\n", 1))
	out, err := bash.CombinedOutput()
	require.NoError(s.t, err, "README's examples need bash and curl:\n%s", out)
	return string(out)
}

// statuses lists the statuses of the answers that curl printed.
func statuses(out string) []int {
	var list []int
	for _, found := range regexp.MustCompile(`(?m)^HTTP/1\.1 (\d{3})`).FindAllStringSubmatch(out, -1) {
		status, _ := strconv.Atoi(found[1])
		list = append(list, status)
	}
	return list
}
