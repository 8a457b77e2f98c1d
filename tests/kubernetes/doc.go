// Package kubernetes applies the manifests in deploy/kubernetes and the chart in deploy/helm to a real API server. The
// API server refuses invalid objects. The tests also compare the stored objects with the manifests. No kubelet runs, so
// no pod starts. `make test-kubernetes` compiles the API server and runs the tests.
//
// The package is a separate module, because Kubernetes needs hundreds of modules that Lockbox does not need.
package kubernetes
