package image

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// ports is a list of ports in a Service, a container or a NetworkPolicy.
type ports []struct {
	Name          string
	Port          any
	TargetPort    any `yaml:"targetPort"`
	ContainerPort int `yaml:"containerPort"`
	Protocol      string
}

// manifest is a Kubernetes object with those fields that the tests read.
type manifest struct {
	Kind string
	Spec struct {
		Ports       ports
		PodSelector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		} `yaml:"podSelector"`
		PolicyTypes     []string `yaml:"policyTypes"`
		Ingress, Egress []struct {
			From  []any
			Ports ports
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Containers []struct {
					Env   []struct{ Name, Value string }
					Ports ports
				}
			}
		}
	}
}

// readManifests returns the objects of deploy/kubernetes/base by kind.
func readManifests(t *testing.T) map[string]manifest {
	t.Helper()
	files, err := filepath.Glob("../../deploy/kubernetes/base/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	found := map[string]manifest{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var each manifest
		require.NoError(t, yaml.Unmarshal(text, &each), file)
		require.NotContains(t, found, each.Kind)
		found[each.Kind] = each
	}
	return found
}

// The settings of the Deployment must be settings that the program knows.
func TestKubernetesSetsWhatLockboxReads(t *testing.T) {
	t.Parallel()
	var environ []string
	for _, variable := range readManifests(t)["Deployment"].Spec.Template.Spec.Containers[0].Env {
		value := variable.Value
		if strings.HasSuffix(variable.Name, "_FILE") && !strings.Contains(variable.Name, "_TLS_") {
			value = path.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(value, []byte(strings.Repeat("A", 43)+"\n"), 0o600))
		}
		if !strings.Contains(variable.Name, "_TLS_") {
			environ = append(environ, variable.Name+"="+value)
		}
	}
	_, unknown, err := boot.ReadEnvironment(environ)
	require.NoError(t, err)
	assert.Empty(t, unknown)
}

// Metrics are readable without a token. The Service must therefore not offer their port, and the NetworkPolicy must
// admit only namespaces with the right label.
func TestKubernetesKeepsMetricsOffTheService(t *testing.T) {
	t.Parallel()
	all := readManifests(t)
	containers := map[string]int{}
	for _, port := range all["Deployment"].Spec.Template.Spec.Containers[0].Ports {
		containers[port.Name] = port.ContainerPort
	}
	require.Equal(t, map[string]int{"https": 5000, "metrics": 9090}, containers)
	for _, port := range all["Service"].Spec.Ports {
		assert.Equal(t, "https", port.TargetPort)
	}
	policy := all["NetworkPolicy"].Spec
	assert.Equal(t, all["Deployment"].Spec.Template.Metadata.Labels, policy.PodSelector.MatchLabels)
	assert.Equal(t, []string{"Ingress", "Egress"}, policy.PolicyTypes)
	for _, rule := range policy.Ingress {
		for _, port := range rule.Ports {
			assert.Contains(t, containers, port.Port)
			assert.Equal(t, port.Port == "metrics", len(rule.From) > 0, "only the metrics have listed sources")
		}
		assert.NotEmpty(t, rule.Ports, "a rule without ports admits all of them")
	}
	for _, rule := range policy.Egress {
		assert.NotEmpty(t, rule.Ports)
	}
}
