//go:build e2e && linux

package engine

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stretchr/testify/require"
)

// The images that BuildImages makes, of one program that says what it finds in its container (see server).
const (
	// Image ends when it is asked to.
	Image = "droplet-test:1"
	// StubbornImage has to be killed.
	StubbornImage = "droplet-test:stubborn"
	// FailingImage ends at once, with code 3.
	FailingImage = "droplet-test:fail"
	// BrokenImage names a program that it does not have: it is made and does not start.
	BrokenImage = "droplet-test:broken"
)

// BuildImages makes the images from scratch, since no registry can be asked for any.
func (e *Engine) BuildImages() {
	e.t.Helper()
	dir := e.t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "server"),
		"./tests/engine/server")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(e.t, err, "%s", out)
	for image, command := range map[string]string{
		Image:         `["/server"]`,
		StubbornImage: `["/server","stubborn"]`,
		FailingImage:  `["/server","fail"]`,
		BrokenImage:   `["/nothing"]`,
	} {
		recipe := "FROM scratch\nCOPY server /server\nENTRYPOINT " + command + "\n"
		require.NoError(e.t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(recipe), 0o600))
		e.Docker("build", "-q", "-t", image, dir)
	}
}
