package arch_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/arch"
)

// TestInterfacesHaveASecondReason verifies that every interface of the module has a conformance suite or a second
// implementation.
func TestInterfacesHaveASecondReason(t *testing.T) {
	t.Parallel()
	found, err := arch.CheckInterfaces("../..")
	require.NoError(t, err)
	for _, violation := range found {
		t.Error(violation)
	}
}

// TestInterfaceCheckCatches runs CheckInterfaces on small modules. Each module contains the interface ports.Door and
// the files of one test case.
func TestInterfaceCheckCatches(t *testing.T) {
	t.Parallel()
	const imports = "import (\n\t\"" + arch.Module + "/ports\"\n\t\"" + arch.Module + "/tests/contracts\"\n)\n"
	for name, test := range map[string]struct {
		files   map[string]string
		allowed bool
	}{
		"nothing": {nil, false},
		"one implementation": {map[string]string{
			"adapters/a/a.go": "package a\n" + imports + "var _ ports.Door = (*Oak)(nil)\n"}, false},
		"one implementation, asserted twice": {map[string]string{
			"adapters/a/a.go":      "package a\n" + imports + "var _ ports.Door = (*Oak)(nil)\n",
			"adapters/a/a_test.go": "package a\n" + imports + "var _ ports.Door = &Oak{}\n"}, false},
		"two implementations": {map[string]string{
			"adapters/a/a.go":      "package a\n" + imports + "var _ ports.Door = (*Oak)(nil)\n",
			"adapters/b/b_test.go": "package b\n" + imports + "var (\n\tx int\n\t_ ports.Door = Oak{}\n)\n"}, true},
		"two implementations of another interface": {map[string]string{
			"adapters/a/a.go": "package a\nvar (\n\t_ Door = Oak{}\n\t_ Door = Elm{}\n)\n"}, false},
		"a suite that runs": {map[string]string{
			"adapters/a/a_test.go": "package a\n" + imports + "func f() { contracts.Door(t, Oak{}) }\n"}, true},
		"a suite that no test runs": {map[string]string{
			"adapters/a/a.go": "package a\n" + imports + "func f() { contracts.Door(t, Oak{}) }\n"}, false},
		"the suite of another port": {map[string]string{
			"adapters/a/a_test.go": "package a\n" + imports + "func f() { contracts.Doors(t, Oak{}) }\n"}, false},
		"a storage suite": {map[string]string{
			"tests/storage/storage.go": "package storage\nvar tests = map[string]int{\"Door/Opens\": 1}\n"}, true},
		"a storage suite of another port": {map[string]string{
			"tests/storage/storage.go": "package storage\nvar tests = map[string]int{\"Doors/Open\": 1}\n"}, false},
	} {
		root := t.TempDir()
		write := func(name, text string) {
			name = filepath.Join(root, filepath.FromSlash(name))
			require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
			require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		}
		write("ports/ports.go", "package ports\ntype Door interface{ Open() }\ntype Number interface{ ~int | ~uint }\n")
		write("ports/ports_test.go", "package ports\n\ntype Double interface{ Open() }\n")
		for file, text := range test.files {
			write(file, text)
		}
		found, err := arch.CheckInterfaces(root)
		require.NoError(t, err)
		if test.allowed {
			assert.Empty(t, found, name)
			continue
		}
		assert.Len(t, found, 1, name)
		assert.Contains(t, found, "the interface ports.Door has no suite and no second implementation: add the suite "+
			"Door to tests/contracts and run it in the tests of the implementation, or declare two implementations "+
			"with \"var _ ports.Door = …\", or replace the interface with a func type or with the concrete type", name)
	}
}
