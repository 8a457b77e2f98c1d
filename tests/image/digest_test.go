package image

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// imageName matches a line that names an image, in a Compose file, a Dockerfile or a Kubernetes manifest. The first
// capture group contains the name.
var imageName = regexp.MustCompile(`(?m)^\s*(?:- )?(?:image:|FROM(?: --platform=\S+)?|ARG [A-Z_]*IMAGE=)` +
	`[ \t]*"?(\S+?)"?(?:\s.*)?$`)

// TestImagesAreNamedByDigest verifies that names of images contain a digest, except for images that are built from this
// tree.
func TestImagesAreNamedByDigest(t *testing.T) {
	t.Parallel()
	files := []string{"../../docker-compose.yml"}
	require.NoError(t, filepath.WalkDir("../../deploy", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (entry.Name() == "Dockerfile" || strings.HasSuffix(path, ".yaml")) {
			files = append(files, path)
		}
		return err
	}))
	pinned := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range imageName.FindAllStringSubmatch(string(text), -1) {
			name := found[1]
			if isOwnImage(name) {
				continue
			}
			assert.Regexp(t, `@sha256:[0-9a-f]{64}\}?$`, name, "%s names the image %s without a digest", file, name)
			pinned++
		}
	}
	assert.GreaterOrEqual(t, pinned, 2, "the PostgreSQL image and the Go image")
}

// isOwnImage reports whether an image needs no digest. Such an image is built from this tree, is a build stage, or is
// the empty image.
func isOwnImage(name string) bool {
	switch name {
	case "lockbox", "lockbox:local", "scratch", "${GO_IMAGE}":
		return true
	}
	return false
}
