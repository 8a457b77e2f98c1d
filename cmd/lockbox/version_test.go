package main

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// TestVersion verifies that the first line contains only the version, because scripts read this line. The next lines
// must contain the commit and the toolchain.
func TestVersion(t *testing.T) {
	t.Parallel()
	program, out := root(), &bytes.Buffer{}
	program.SetOut(out)
	program.SetArgs([]string{"version"})
	require.NoError(t, program.ExecuteContext(t.Context()))
	require.Equal(t, boot.Version()+"\ncommit: "+boot.Commit()+"\ngo: "+runtime.Version()+"\nplatform: "+
		runtime.GOOS+"/"+runtime.GOARCH+"\n", out.String())
}
