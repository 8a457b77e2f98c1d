//go:build e2e && linux

package engine

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stretchr/testify/require"
)

// BuildImages builds these images. All these images contain the program in tests/engine/server, which reports the state
// of its container.
const (
	// Image stops on SIGTERM.
	Image = "droplet-test:1"
	// StubbornImage ignores SIGTERM and must be killed.
	StubbornImage = "droplet-test:stubborn"
	// FailingImage exits immediately with code 3.
	FailingImage = "droplet-test:fail"
	// BrokenImage has an entry point that does not exist. Docker can create containers of this image, but cannot start
	// them.
	BrokenImage = "droplet-test:broken"
)

// BuildImages builds the images. Their Dockerfiles begin with FROM scratch, so the engine need not pull a base image.
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
