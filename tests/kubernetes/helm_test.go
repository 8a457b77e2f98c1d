package kubernetes

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const chart = deploy + "/helm/lockbox"

func TestHelm(t *testing.T) {
	for name, values := range map[string][]string{
		"defaults": nil,
		"all":      {"-f", "testdata/all-values.yaml"},
		"pods":     {"--set", "metrics.monitor=PodMonitor,replicas=1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			in := func(args ...string) string {
				t.Helper()
				return run(t, "", "helm", append(append(args, "-n", namespace), values...)...)
			}
			in("install", "lockbox", chart, "--dry-run=server")
			// The option --no-hooks is necessary: Helm would otherwise wait for Jobs, which never end here, because no
			// pod runs.
			in("install", "lockbox", chart, "--no-hooks")
			in("upgrade", "lockbox", chart, "--no-hooks", "--set", "image.tag=1.2.3")
			assert.Contains(t, run(t, "", "kubectl", "-n", namespace, "get", "deployment", "lockbox", "-o", "yaml"),
				"lockbox:1.2.3")
			run(t, "", "helm", "uninstall", "lockbox", "-n", namespace, "--no-hooks")
			left := run(t, "", "kubectl", "-n", namespace, "get", "deployment", "-o", "name")
			assert.Empty(t, strings.TrimSpace(left))
			// The API server admits a pod only if the pod's service account exists. A dry run does not create the
			// account, so the test creates it.
			run(t, "", "kubectl", "-n", namespace, "create", "serviceaccount", "lockbox")
			checkApplies(t, namespace, in("template", "lockbox", chart))
		})
	}
}
