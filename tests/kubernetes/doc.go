// Package kubernetes applies deploy/kubernetes and deploy/helm to a real API server, which refuses invalid objects, and
// reads the objects back. No kubelet runs, so no pod starts. `make test-kubernetes` compiles the API server and runs
// the tests.
//
// The package is a separate module, because Kubernetes needs hundreds of modules that Lockbox does not need.
package kubernetes
