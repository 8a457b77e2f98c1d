package docker

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatusPhrases(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{
		"Up Less than a second":             "Up 1 second",
		"Up Less than a second (Paused)":    "Up 1 second (Paused)",
		"Up 1 second":                       "Up 1 second",
		"Up 8 minutes":                      "Up 8 minutes",
		"Exited (0) Less than a second ago": "Exited (0) Less than a second ago",
		"Created":                           "Created",
	} {
		require.Equal(t, want, upStatus(status))
	}
}

func TestContainerIdentifiers(t *testing.T) {
	t.Parallel()
	require.True(t, isContainerID(strings.Repeat("0f", 32)))
	for _, text := range []string{"", strings.Repeat("0f", 31), strings.Repeat("0F", 32), strings.Repeat("0g", 32),
		strings.Repeat("0f", 31) + ".."} {
		require.False(t, isContainerID(text), text)
	}
}
