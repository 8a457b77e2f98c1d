//go:build e2e && linux

package provide

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pinned lists the files that scripts/pin-images changes.
var pinned = []string{"docker-compose.yml", "deploy/Dockerfile", "deploy/kubernetes/overlays/dev/postgres.yaml"}

// pins is a folder with copies of the pinned files and of the script, and a registry of images for the script.
type pins struct {
	t        *testing.T
	dir      string
	registry *httptest.Server
	// indexes contains the images of the registry. It maps the name of each image to its index, a JSON text.
	indexes sync.Map
}

func newPins(t *testing.T) *pins {
	t.Helper()
	p := &pins{t: t, dir: t.TempDir()}
	for _, name := range append(pinned, "scripts/pin-images") {
		text, err := os.ReadFile("../../" + name)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(p.dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), text, 0o600))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"token":"for %s"}`, r.URL.Query().Get("scope"))
	})
	mux.HandleFunc("GET /v2/library/{name}/manifests/{tag}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		index, found := p.indexes.Load(name + ":" + r.PathValue("tag"))
		if r.Header.Get("Authorization") != "Bearer for repository:library/"+name+":pull" || !found ||
			!strings.Contains(r.Header.Get("Accept"), "application/vnd.oci.image.index.v1+json") {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, index.(string))
	})
	p.registry = httptest.NewServer(mux)
	t.Cleanup(p.registry.Close)
	return p
}

func (p *pins) run() (string, error) {
	p.t.Helper()
	command := exec.CommandContext(p.t.Context(), "/bin/sh", filepath.Join(p.dir, "scripts/pin-images"))
	command.Env = append(os.Environ(), "REGISTRY="+p.registry.URL, "TOKENS="+p.registry.URL+"/token?service=test")
	out, err := command.CombinedOutput()
	return string(out), err
}

// files returns the contents of the pinned files.
func (p *pins) files() string {
	p.t.Helper()
	var all strings.Builder
	for _, name := range pinned {
		text, err := os.ReadFile(filepath.Join(p.dir, name))
		require.NoError(p.t, err)
		all.Write(text)
	}
	return all.String()
}

// images returns the names of the images in the pinned files, without digests.
func (p *pins) images() []string {
	p.t.Helper()
	var images []string
	for _, word := range strings.FieldsFunc(p.files(), func(r rune) bool { return strings.ContainsRune(" =\n}", r) }) {
		word = word[strings.LastIndex(word, ":-")+1:]
		word = strings.TrimPrefix(word, "-")
		if strings.HasPrefix(word, "postgres:1") || strings.HasPrefix(word, "golang:1") {
			name, _, _ := strings.Cut(word, "@")
			images = append(images, name)
		}
	}
	require.Len(p.t, images, 3)
	return images
}

// indexOf returns an image index that contains one manifest. The manifest's digest depends on both arguments.
func indexOf(content, image string) string {
	return fmt.Sprintf(`{"manifests":[{"digest":"%s of %s"}]}`, content, image)
}

func TestPinImages(t *testing.T) {
	t.Parallel()
	p := newPins(t)
	images := p.images()
	for _, content := range []string{"first", "second"} {
		for _, image := range images {
			p.indexes.Store(image, indexOf(content, image))
		}
		out, err := p.run()
		require.NoError(t, err, out)
		for _, image := range images {
			digest := fmt.Sprintf("%s@sha256:%x", image, sha256.Sum256([]byte(indexOf(content, image))))
			assert.Contains(t, out, digest)
			assert.Contains(t, p.files(), digest)
		}
		assert.Equal(t, 3, strings.Count(p.files(), "-alpine@sha256:"), "one digest for each place")
		assert.Equal(t, images, p.images())
	}
	before := p.files()
	out, err := p.run()
	require.NoError(t, err, out)
	assert.True(t, before == p.files(), "a second run changes nothing")
}

// TestPinImagesFails verifies that the script changes no file if the digest of a single image is missing from the
// registry.
func TestPinImagesFails(t *testing.T) {
	t.Parallel()
	for name, golang := range map[string]string{
		"missing":      "404",
		"empty":        "",
		"one platform": `{"config":{},"layers":[]}`,
		"no platform":  `{"manifests":[]}`,
		"not JSON":     `<html>`,
	} {
		p := newPins(t)
		before := p.files()
		for _, image := range p.images() {
			switch {
			case strings.HasPrefix(image, "postgres:"):
				p.indexes.Store(image, indexOf("some", image))
			case golang != "404":
				p.indexes.Store(image, golang)
			}
		}
		out, err := p.run()
		assert.Error(t, err, "%s: %s", name, out)
		assert.True(t, before == p.files(), "%s: a file has changed", name)
	}
}
