//go:build e2e && linux

package image

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestComposeOneTwentyNine runs the command that docs/operating.md gives for Debian's docker-compose 1.29, but with the
// subcommand "config" instead of "up". The subcommand "config" validates the file and prints it as docker-compose
// understands it.
func TestComposeOneTwentyNine(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operating.md")
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^sed .*docker-compose -p lockbox .* up --build -d$`).FindString(string(page))
	require.NotEmpty(t, line)
	command := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(line, "up --build -d", "config", 1))
	command.Dir = "../.."
	out, err := command.Output()
	require.NoError(t, err, "%s", out)
	var understood struct {
		Services map[string]struct {
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			Volumes     []any
			DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		}
		Networks map[string]struct{ Internal bool }
	}
	require.NoError(t, yaml.Unmarshal(out, &understood))
	written := readCompose(t)
	require.Len(t, understood.Services, len(written.Services))
	for name, service := range written.Services {
		assert.Equal(t, service.DependsOn, understood.Services[name].DependsOn, name)
		assert.Equal(t, service.ReadOnly, understood.Services[name].ReadOnly, name)
		assert.Equal(t, service.CapDrop, understood.Services[name].CapDrop, name)
		assert.Equal(t, service.SecurityOpt, understood.Services[name].SecurityOpt, name)
		assert.Len(t, understood.Services[name].Volumes, len(service.Volumes), name)
	}
	assert.True(t, understood.Networks["database"].Internal)
	// The names of the volumes begin with the name of the project. Version 1.29 and newer versions of Compose must
	// therefore use the same project name to find the same volumes.
	text, err := os.ReadFile("../../docker-compose.yml")
	require.NoError(t, err)
	assert.Contains(t, string(text), "\nname: lockbox\n")
}
