package terminal

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEnvironmentOfAProgram(t *testing.T) {
	t.Parallel()
	inherited := []string{
		"PATH=/bin", "PORT=1", "LOCKBOX_API_KEY=k", "LOCKBOX_API_KEY_FILE=f", "LOCKBOX_ENCRYPTION_KEY=e", "LOCKBOX_ENCRYPTION_KEY_FILE=f",
		"LOCKBOX_SECRET_KEY_FILE=f", "LOCKBOX_API_URL=u", "EMPTY=", "MYLOCKBOX_API_KEY=mine",
	}
	assert.Equal(t, []string{"PATH=/bin", "PORT=3", "LOCKBOX_API_URL=u", "EMPTY=", "MYLOCKBOX_API_KEY=mine", "LOCKBOX_API_KEY=of the program"},
		environment(inherited, []string{"PORT=2", "LOCKBOX_API_KEY=of the program", "PORT=3"}))
	assert.Len(t, inherited, 10)
	assert.Equal(t, "LOCKBOX_API_KEY=k", inherited[2], "what was given is left alone")
}

func TestNamesThatSteerPrograms(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"PATH", "Path", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "BASH_FUNC_x%%", "NODE_OPTIONS", "PYTHONPATH", "PERL5OPT", "GIT_CONFIG_COUNT", "HOME"} {
		assert.ErrorContains(t, checkNames([]string{"OK=1", name + "=hunter2"}, nil), "--allow "+name)
		assert.NoError(t, checkNames([]string{name + "=x"}, []string{name}))
	}
	assert.ErrorContains(t, checkNames([]string{"PATH=x", "LD_PRELOAD=y"}, []string{"PATH"}), "LD_PRELOAD")
	assert.NotContains(t, checkNames([]string{"PATH=hunter2"}, nil).Error(), "hunter2")
	for _, name := range []string{"DB_PASSWORD", "PORT", "PYTHONUNBUFFERED", "OLD_PATH", "NODE_ENV", "GOPATH_X"} {
		assert.NoError(t, checkNames([]string{name + "=x"}, nil))
	}
}

func TestGeneratedValues(t *testing.T) {
	t.Parallel()
	seen := map[rune]int{}
	for _, c := range generate(62 * 500) {
		seen[c]++
	}
	assert.Len(t, seen, len(alphabet))
	for c, times := range seen {
		assert.InDelta(t, 500, times, 150, "%c comes as often as the others", c) // more than six standard deviations
	}
	assert.Len(t, generate(1), 1)
	assert.NotEqual(t, generate(20), generate(20))
}
