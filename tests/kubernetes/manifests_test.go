package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const deploy = "../../deploy"

// object is a Kubernetes object.
type object map[string]any

// The at method returns the value of a nested field, or nil. path contains the names of the fields from the outermost
// to the innermost.
func (o object) at(path ...string) any {
	var value any = map[string]any(o)
	for _, field := range path {
		fields, _ := value.(map[string]any)
		value = fields[field]
	}
	return value
}

// The text method is like the at method, but returns a string. If the value has another type, text returns "".
func (o object) text(path ...string) string {
	text, _ := o.at(path...).(string)
	return text
}

// String returns the kind and the name of the object, for messages.
func (o object) String() string { return o.text("kind") + "/" + o.text("metadata", "name") }

// parse returns the objects in a text of several YAML documents.
func parse(t *testing.T, manifests string) []object {
	t.Helper()
	var all []object
	for _, document := range strings.Split("\n"+manifests, "\n---") {
		var each object
		require.NoError(t, yaml.UnmarshalStrict([]byte(document), &each))
		if each != nil {
			all = append(all, each)
		}
	}
	require.NotEmpty(t, all)
	return all
}

// run runs a program with the given standard input, and returns its output. The test fails if the program fails.
func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	out, err := call(t.Context(), stdin, name, args...)
	require.NoError(t, err, "%s %s\n%s", name, strings.Join(args, " "), out)
	return out
}

// newNamespace creates a namespace that enforces the restricted Pod Security Standard.
func newNamespace(t *testing.T) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", "#", "-").Replace(t.Name()))
	run(t, `{apiVersion: v1, kind: Namespace, metadata: {name: `+name+`, labels: {
		pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}}}`,
		"kubectl", "create", "-f", "-")
	// In a real cluster, a controller creates the service account "default". No controller runs here.
	run(t, "", "kubectl", "-n", name, "create", "serviceaccount", "default")
	return name
}

// checkApplies applies the manifests, first in a dry run. The API server must accept them without a warning. The stored
// objects must contain all fields of the manifests, and the server must admit the pods of the workloads.
func checkApplies(t *testing.T, namespace, manifests string) {
	t.Helper()
	apply := []string{"-n", namespace, "apply", "--server-side", "--validate=strict", "--warnings-as-errors", "-f", "-"}
	run(t, manifests, "kubectl", append(apply, "--dry-run=server")...)
	run(t, manifests, "kubectl", apply...)
	for _, written := range parse(t, manifests) {
		group, _, grouped := strings.Cut(written.text("apiVersion"), "/")
		kind := strings.ToLower(written.text("kind"))
		if grouped { // the group distinguishes kinds of the same name
			kind += "." + group
		}
		var stored object
		require.NoError(t, json.Unmarshal([]byte(run(t, "", "kubectl", "-n", namespace, "get", "-o", "json",
			"--show-managed-fields=false", kind, written.text("metadata", "name"))), &stored))
		checkContains(t, written.String(), plain(t, written), map[string]any(stored))
		if template, found := written.at("spec", "template").(map[string]any); found {
			checkPod(t, namespace, written, template)
		}
	}
}

// plain encodes an object as JSON and decodes it again. The values in the result have the types that json.Unmarshal
// makes.
func plain(t *testing.T, value object) map[string]any {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	var result map[string]any
	require.NoError(t, json.Unmarshal(text, &result))
	return result
}

// checkContains verifies that got has all fields of want. Lists must have the same elements.
func checkContains(t *testing.T, path string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		fields, _ := got.(map[string]any)
		for name, value := range want {
			// The field stringData of a Secret is write-only. The server stores its content in the field data.
			if name != "stringData" {
				checkContains(t, path+"."+name, value, fields[name])
			}
		}
	case []any:
		elements, _ := got.([]any)
		// The API server adds tolerations to each pod.
		if strings.HasSuffix(path, ".tolerations") && len(elements) > len(want) {
			elements = elements[:len(want)]
		}
		if assert.Len(t, elements, len(want), path) {
			for i, value := range want {
				checkContains(t, fmt.Sprintf("%s[%d]", path, i), value, elements[i])
			}
		}
	default:
		assert.Equal(t, want, got, path)
	}
}

// checkPod verifies that the server admits a pod that is created from a workload's template. This check is necessary:
// the server accepts a Deployment even if the namespace's Pod Security Standard forbids its pods.
func checkPod(t *testing.T, namespace string, workload object, template map[string]any) {
	t.Helper()
	var pod map[string]any
	text, err := json.Marshal(template)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &pod))
	pod["apiVersion"], pod["kind"] = "v1", "Pod"
	metadata, _ := pod["metadata"].(map[string]any)
	metadata["name"] = "pod-of-" + workload.text("metadata", "name")
	spec, _ := pod["spec"].(map[string]any)
	// In a real cluster, the controller of a StatefulSet adds a volume to the pod for each claim template.
	claims, _ := workload.at("spec", "volumeClaimTemplates").([]any)
	for _, claim := range claims {
		volumes, _ := spec["volumes"].([]any)
		fields, _ := claim.(map[string]any)
		spec["volumes"] = append(volumes, map[string]any{"name": object(fields).text("metadata", "name")})
	}
	text, err = json.Marshal(pod)
	require.NoError(t, err)
	run(t, string(text), "kubectl", "-n", namespace, "create", "--dry-run=server", "--validate=strict", "-f", "-")
}

// render returns the manifests of a kustomization, with their namespace replaced.
func render(t *testing.T, folder, namespace string) string {
	t.Helper()
	overlay := t.TempDir()
	absolute, err := filepath.Abs(folder)
	require.NoError(t, err)
	relative, err := filepath.Rel(overlay, absolute)
	require.NoError(t, err)
	text := fmt.Sprintf("namespace: %s\nresources: [%s]\n", namespace, relative)
	require.NoError(t, os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(text), 0o600))
	return run(t, "", "kustomize", "build", overlay)
}

func TestKustomize(t *testing.T) {
	for name, folder := range map[string]string{
		"dev":        deploy + "/kubernetes/overlays/dev",
		"production": deploy + "/kubernetes/overlays/production",
		"own":        "testdata/own",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			checkApplies(t, namespace, render(t, folder, namespace))
			// kubectl apply -k uses the version of kustomize that is built into kubectl. Both versions must render the
			// same objects.
			assert.Equal(t, run(t, "", "kustomize", "build", folder), run(t, "", "kubectl", "kustomize", folder))
		})
	}
}

func TestExamples(t *testing.T) {
	for _, name := range []string{"external-secrets.yaml", "examples/run.yaml"} {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(deploy, "kubernetes", name))
			require.NoError(t, err)
			checkApplies(t, newNamespace(t), string(text))
		})
	}
}

// TestInvalidManifests verifies that the checks of this package detect faulty manifests.
func TestInvalidManifests(t *testing.T) {
	namespace := newNamespace(t)
	valid := render(t, deploy+"/kubernetes/overlays/production", namespace)
	for name, replaced := range map[string][2]string{
		"misspelled field": {"periodSeconds: 20", "periodSecond: 20"},
		"wrong type":       {"replicas: 2", "replicas: two"},
		"invalid value":    {"whenUnsatisfiable: ScheduleAnyway", "whenUnsatisfiable: Sometimes"},
		"unrestricted":     {"allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"},
	} {
		broken := strings.ReplaceAll(valid, replaced[0], replaced[1])
		require.NotEqual(t, valid, broken, name)
		out, err := call(t.Context(), broken, "kubectl", "apply", "--server-side", "--dry-run=server",
			"--validate=strict", "--warnings-as-errors", "-f", "-")
		assert.Error(t, err, "%s\n%s", name, out)
	}
	out, err := call(t.Context(), valid, "kubectl", "apply", "--server-side", "--dry-run=server", "--validate=strict",
		"--warnings-as-errors", "-f", "-")
	require.NoError(t, err, out)
	assert.False(t, bytes.Contains([]byte(out), []byte("Warning")), out)
}
