package kubernetes

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPage runs the commands of docs/kubernetes.md in the order of the page. It omits the commands that need a running
// pod.
func TestPage(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs/kubernetes.md"))
	require.NoError(t, err)
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "lockbox"), "./cmd/lockbox")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	try := newCheckout(t, root, bin)
	try.run(section(t, string(text), "Try it"))
	for _, object := range []string{"deployment/lockbox", "statefulset/postgres", "job/lockbox-owner"} {
		try.run("kubectl -n lockbox get " + object)
	}
	// The server's Secret and the database's Secret have no file in common.
	assert.Equal(t, "database-url init-token secret-key", try.keys("lockbox"))
	assert.Equal(t, "database-password", try.keys("lockbox-postgres"))
	assert.Equal(t, "password", try.keys("lockbox-owner"))
	try.clean()

	production := newCheckout(t, root, bin)
	for _, name := range []string{"tls.crt", "tls.key"} {
		content, err := os.ReadFile(filepath.Join(try.dir, "lockbox-secrets", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(production.dir, name), content, 0o600))
	}
	production.run(section(t, string(text), "Production"))
	assert.Equal(t, "database-url init-token secret-key", production.keys("lockbox"))
	assert.Equal(t, "2", production.run("kubectl -n lockbox get deployment lockbox -o jsonpath={.spec.replicas}"))
	production.clean()

	helm := section(t, string(text), "Helm")
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	helm = strings.ReplaceAll(strings.ReplaceAll(helm, "sha256:…", digest), "helm install", "helm install --no-hooks")
	production.run(helm)
	image := production.run("kubectl -n lockbox get deployment lockbox -o jsonpath={..containers[0].image}")
	assert.Equal(t, "registry.example.org/lockbox@"+digest, image)
}

// needsPods matches commands that wait for pods or connect to a pod.
var needsPods = regexp.MustCompile(`^(kubectl .*(wait|rollout|port-forward) |helm .* test |export |bin/lockbox login )`)

// section returns the commands of a section of a page.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n### "+heading+"\n")
	require.True(t, found, heading)
	rest, _, _ = strings.Cut(rest, "\n### ")
	var commands []string
	for _, block := range regexp.MustCompile("(?s)\n```\n(.*?)\n```").FindAllStringSubmatch(rest, -1) {
		whole := strings.ReplaceAll(block[1], "\\\n", " ")
		for _, line := range strings.Split(whole, "\n") {
			if !needsPods.MatchString(line) {
				commands = append(commands, line)
			}
		}
	}
	require.NotEmpty(t, commands, heading)
	return strings.Join(commands, "\n")
}

// checkout is a folder that looks like a clone of the repository after a build. It contains what the commands need: the
// folder deploy, and the program in the folder bin.
type checkout struct {
	t   *testing.T
	dir string
}

func newCheckout(t *testing.T, root, bin string) checkout {
	t.Helper()
	c := checkout{t, t.TempDir()}
	require.NoError(t, os.Symlink(filepath.Join(root, "deploy"), filepath.Join(c.dir, "deploy")))
	require.NoError(t, os.Symlink(bin, filepath.Join(c.dir, "bin")))
	editor := "#!/bin/sh\necho 'postgres://lockbox:secret@db.example.org/lockbox?sslmode=verify-full' > \"$1\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, "editor"), []byte(editor), 0o700))
	return c
}

// run runs commands in a shell. The shell stops at the first command that fails.
func (c checkout) run(commands string) string {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), "bash", "-euo", "pipefail", "-c", commands)
	command.Dir = c.dir
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "EDITOR="+filepath.Join(c.dir, "editor"))
	out, err := command.CombinedOutput()
	require.NoError(c.t, err, "%s\n%s", commands, out)
	return string(out)
}

// keys returns the names in a Secret's data, sorted and separated by spaces.
func (c checkout) keys(secret string) string {
	c.t.Helper()
	const names = `go-template={{range $name, $_ := .data}}{{$name}} {{end}}`
	return strings.TrimSpace(c.run("kubectl -n lockbox get secret " + secret + " -o '" + names + "'"))
}

// clean deletes the objects that a section of the page has created. It deletes the Secrets of the section "Try it",
// which include lockbox-postgres. It keeps the Secrets of the section "Production", because the section "Helm" uses
// them.
func (c checkout) clean() {
	c.t.Helper()
	kinds := "deployment,statefulset,job,service,serviceaccount,configmap,networkpolicy,poddisruptionbudget"
	if strings.Contains(c.run("kubectl -n lockbox get secret -o name"), "lockbox-postgres") {
		kinds += ",secret"
	}
	c.run("kubectl -n lockbox delete --all --wait=false " + kinds)
}
