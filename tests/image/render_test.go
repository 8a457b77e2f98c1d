//go:build e2e && linux

package image

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const (
	chart      = "../../deploy/helm/lockbox"
	production = "../../deploy/kubernetes/overlays/production"
)

// workload is a Deployment, a Job or a Pod, with those fields that the tests read.
type workload struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Containers []container // of a Pod
		Template   struct{ Spec podSpec }
	}
}

type podSpec struct {
	InitContainers []container `yaml:"initContainers"`
	Containers     []container
	// Others are the remaining fields.
	Others map[string]any `yaml:",inline"`
}

type container struct {
	Args   []string
	Env    []struct{ Name, Value string }
	Others map[string]any `yaml:",inline"`
}

// render runs helm or kustomize and returns the rendered objects by kind. The program must not print a warning.
func render(t *testing.T, program string, args ...string) map[string]workload {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), program, args...)
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, "%s", stderr.String())
	assert.Empty(t, stderr.String(), "%s prints warnings", program)
	decoder, found := yaml.NewDecoder(bytes.NewReader(out)), map[string]workload{}
	for {
		var each workload
		err := decoder.Decode(&each)
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		found[each.Kind] = each
	}
}

// TestHelmLint runs helm lint. The option --strict makes every warning an error.
func TestHelmLint(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "helm", "lint", "--strict", chart).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestHelmMatchesKustomize verifies that the Helm chart contains the same objects as the Kustomize overlay, with the
// same pods.
func TestHelmMatchesKustomize(t *testing.T) {
	t.Parallel()
	fromHelm := render(t, "helm", "template", "lockbox", chart, "--namespace=lockbox", "--set=owner.create=true")
	fromKustomize := render(t, "kustomize", "build", production)
	for kind, want := range fromKustomize {
		if kind == "Namespace" { // a Helm release does not contain its namespace
			continue
		}
		got, found := fromHelm[kind]
		require.True(t, found, "the chart has no %s", kind)
		assert.Equal(t, want.Metadata.Name, got.Metadata.Name, kind)
		for _, pods := range []podSpec{want.Spec.Template.Spec, got.Spec.Template.Spec} {
			delete(pods.Others, "topologySpreadConstraints") // contains labels, and Helm's labels include the release
			for _, each := range pods.Containers {
				delete(each.Others, "imagePullPolicy") // the chart sets the policy explicitly
				for i, arg := range each.Args {
					if arg == "https://lockbox.$(NAMESPACE).svc" { // Helm knows the namespace
						each.Args[i] = "https://lockbox.lockbox.svc:443"
					}
				}
			}
		}
		wanted := want.Spec.Template.Spec
		for i, each := range wanted.Containers {
			for n, variable := range each.Env {
				if variable.Name == "NAMESPACE" {
					wanted.Containers[i].Env = append(each.Env[:n:n], each.Env[n+1:]...)
				}
			}
		}
		assert.Equal(t, wanted, got.Spec.Template.Spec, kind)
	}
}

// TestHelmRefusesWrongValues verifies that the chart's schema refuses wrong values, so that Helm installs nothing.
func TestHelmRefusesWrongValues(t *testing.T) {
	t.Parallel()
	for value, message := range map[string]string{
		"replica=3":                                "replica",
		"replicas=0":                               "replicas",
		"image.digest=sha256:abc":                  "digest",
		"image.tag=":                               "tag",
		"settings.LOCKBOX_SECRET_KEY=secret":       "LOCKBOX_SECRET_KEY",
		"settings.LOCKBOX_DATABASE_URL=postgres:":  "LOCKBOX_DATABASE_URL",
		"settings.LOCKBOX_HTTP_ADDR=:80":           "LOCKBOX_HTTP_ADDR",
		"settings.log_level=debug":                 "log_level",
		"settings.LOCKBOX_MAX_BODY_BYTES=10485760": "settings", // a number, which Helm would write as 1.048576e+07
		"ingress.enabled=true":                     "ingress",
		"metrics.monitor=true":                     "monitor",
		"drainDelaySeconds=5s":                     "drainDelaySeconds",
		"networkPolicy.databasePort=70000":         "databasePort",
		"podDisruptionBudget.maxUnavailable=most":  "maxUnavailable",
	} {
		out, err := exec.CommandContext(t.Context(), "helm", "template", chart, "--set", value).CombinedOutput()
		if assert.Error(t, err, value) {
			assert.Contains(t, string(out), message, value)
		}
	}
	out, err := exec.CommandContext(t.Context(), "helm", "template", chart, "--set-string",
		"settings.LOCKBOX_MAX_BODY_BYTES=10485760,settings.LOCKBOX_SECRET_KEY_PREVIOUS_FILE=/run/lockbox/previous",
	).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), `{name: LOCKBOX_MAX_BODY_BYTES, value: "10485760"}`)
}
