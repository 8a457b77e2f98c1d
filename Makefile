# Everything about Lockbox that is done with a command. `make` lists it.

BIN     := bin
TOOLS   := $(CURDIR)/$(BIN)/tools
# Where the sources are not a repository of git's, the version is "dev".
VERSION ?= $(shell test -e .git && git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/lockbox-go/lockbox/cmd/boot.version=$(VERSION)

IMAGE  ?= lockbox:local
DOCKER ?= docker

GOLANGCI_VERSION := v2.15.0
GOLANGCI         := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)

# Packages that a test command is about, and what else to tell go test:
#   make test PACKAGES=./adapters/postgres TESTFLAGS='-run Entries -v'
PACKAGES  ?= ./...
TESTFLAGS ?=

# What to tell the harness: make bench BENCHFLAGS='-scenario scale'; -help lists its flags.
BENCHFLAGS ?=

# Rounds of each race in `make e2e`; `make test` leaves it to the tests.
ROUNDS ?= 200

# The version comes from the linker: where git belongs to somebody else than who
# builds, the go command would fail to ask it.
GOBUILD := go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"

# Runs a command with one PostgreSQL for all the test binaries in it.
SHARE := go run ./tests/pgtest/share --

# Libraries that only compute on values of one goroutine: key derivation, pictures, and the check of exchanges against
# the API description. `make test` compiles them without the race detector, under which they take five times as long.
# `make e2e` compiles everything with it.
PURE := golang.org/x/crypto/argon2 golang.org/x/crypto/blake2b github.com/boombuler/barcode/... \
	github.com/makiuchi-d/gozxing/... github.com/getkin/kin-openapi/... image/... compress/...

# Vetting is a part of `make lint`.
GOTEST := CGO_ENABLED=1 $(SHARE) go test -race -vet=off -timeout 10m $(PURE:%=-gcflags=%=-race=false)

# client/koanf is a module of its own, which ./... does not reach.
KOANF := $(if $(filter ./...,$(PACKAGES)),client/koanf)

.DEFAULT_GOAL := help
.PHONY: help run test e2e build fmt lint bench bench-compare bench-go image clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start Lockbox with a private PostgreSQL (lockbox dev)
	@scripts/provide postgres
	@$(MAKE) --no-print-directory build
	@exec $(BIN)/lockbox dev

test: ## run the tests, with the race detector
	@scripts/provide postgres gcc curl bash ps
	$(GOTEST) $(TESTFLAGS) $(PACKAGES)
	$(if $(KOANF),$(subst go test,go -C $(KOANF) test,$(GOTEST)) $(TESTFLAGS) ./...)

e2e: ## run the long tests too: more rounds, kills, a container, a browser (as root, or with Docker)
	@scripts/provide postgres gcc docker curl jq oathtool python3 node mono bash ps chromium
	CGO_ENABLED=1 LOCKBOX_TEST_ROUNDS=$(ROUNDS) $(SHARE) go test -race -tags e2e -count=1 -timeout 15m $(TESTFLAGS) $(PACKAGES)

build: ## build the static binary bin/lockbox
	CGO_ENABLED=0 $(GOBUILD) -o $(BIN)/lockbox ./cmd/lockbox

fmt: ## format the code
	gofmt -l -w .

lint: $(GOLANGCI) ## check the code with golangci-lint
	$(GOLANGCI) run ./...
	cd client/koanf && $(GOLANGCI) run ./...

bench: ## measure the program over HTTP, in turns with the least PostgreSQL can do it with
	@scripts/provide postgres
	go run ./tests/bench/harness $(BENCHFLAGS)

bench-compare: ## measure what is checked out in turns with another commit: BASE=main
	@scripts/provide postgres git
	@if [ -z "$(BASE)" ]; then echo "say what to compare with: make bench-compare BASE=<commit>" >&2; exit 2; fi
	go run ./tests/bench/harness -base "$(BASE)" $(BENCHFLAGS)

bench-go: ## run the Go benchmarks, with allocations
	@scripts/provide postgres
	$(SHARE) go test -run '^$$' -bench . -benchmem -timeout 30m $(TESTFLAGS) $(PACKAGES)

# The folder is what deploy/Dockerfile packs; compiling needs no container, packing
# no network.
image: ## pack the image lockbox:local from a binary built here
	rm -rf $(BIN)/image
	mkdir -p $(BIN)/image/root $(BIN)/image/owned
	mkdir -m 0700 $(BIN)/image/owned/secrets
	CGO_ENABLED=0 GOOS=linux $(GOBUILD) -o $(BIN)/image/root/lockbox ./cmd/lockbox
	@if [ -r /etc/ssl/certs/ca-certificates.crt ]; then \
		mkdir -p $(BIN)/image/root/etc/ssl/certs; \
		cp /etc/ssl/certs/ca-certificates.crt $(BIN)/image/root/etc/ssl/certs/; \
	else echo "no CA certificates here: the image comes without" >&2; fi
	chmod -R u=rwX,go=rX $(BIN)/image/root
	$(DOCKER) build --target given -f deploy/Dockerfile -t $(IMAGE) .

clean: ## remove what these commands made, but for the data of make run
	rm -rf $(BIN) dist

# Under its version's name, so that a new version is a new file.
$(GOLANGCI):
	mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(TOOLS)/golangci-lint $@
