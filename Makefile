# breakbank: what a developer does here. "make" shows it.
SHELL := bash
GO    ?= go
TOOL  := $(GO) tool -modfile=tools/go.mod
PKGS  ?= ./...
# Packages without goroutines of their own, in code or tests, that take long under
# the race detector for nothing.
SERIAL := bench/audit$$|bench/benign$$|bench/sim$$|loadgen/pacer$$|platform/router/(balance|overload)$$
# What the protocols must stay compatible with.
BASE  ?= HEAD

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/breakbank
	$(GO) build -o bin/breakbank ./cmd/breakbank

.PHONY: ghz
ghz: ## build bin/ghz, which the load generator is measured beside
	$(GO) build -modfile=tools/peers/go.mod -o bin/ghz github.com/bojand/ghz/cmd/ghz

.PHONY: test
test: ## run all tests (needs only Go)
	$(GO) test $(PKGS)

# A process under the race detector waits a second at its end for reports from
# other goroutines. Tests start hundreds of processes: a tenth is enough.
RACE := GORACE=atexit_sleep_ms=100 $(GO) test -race -short -vet=off
# Bad input is refused before there is a goroutine, in hundreds of processes.
REFUSALS := BadInput|BadFlags|SaysWhatIsWrong

.PHONY: race
race: ## run the tests of all that has goroutines under the race detector, but for replays and refusals
	$(RACE) $$($(GO) list $(PKGS) | grep -v -E '$(SERIAL)|cmd/breakbank$$')
	$(RACE) -skip '$(REFUSALS)' ./cmd/breakbank

# How long each target is fuzzed, and where they are: package and function.
FUZZTIME ?= 1m
FUZZ     := platform/wire:FuzzServer platform/wire:FuzzClient \
	platform/router:FuzzRequestHeaders platform/router:FuzzTrailers platform/router:FuzzMessage \
	platform/router:FuzzTimeout platform/router:FuzzFormatTimeout

.PHONY: fuzz
fuzz: ## fuzz frames and header rewriting, FUZZTIME (1m) each; the first time it compiles for minutes
	@for target in $(FUZZ); do \
		$(GO) test ./$${target%:*} -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x || exit 1; \
	done

# How long the tests of scale hold.
SOAKTIME ?= 1m

.PHONY: soak
soak: ## the router at scale, full size: many streams, slow reader, hostile peers, SOAKTIME (1m) each
	BREAKBANK_SOAK=$(SOAKTIME) $(GO) test ./platform/router -count=1 -v -timeout 30m \
		-run '^(TestManyStreamsHeld|TestSlowReader|TestHostilePeers)$$'

.PHONY: generate
generate: ## regenerate protobuf and GraphQL code
	$(TOOL) buf generate proto --template proto/buf.gen.yaml -o proto
	$(GO) generate ./services/gateway/...

.PHONY: generated
generated: generate ## fail if generated code is not what is checked in
	@git diff --exit-code --stat -- proto services/gateway || \
		{ echo "generated code is out of date: run 'make generate' and commit"; exit 1; }

.PHONY: lint
lint: ## gofumpt, golangci-lint, buf lint, buf breaking against BASE (HEAD)
	$(TOOL) golangci-lint run $(PKGS)
	$(TOOL) buf lint proto
	$(TOOL) buf breaking proto --against '.git#ref=$(BASE),subdir=proto'

.PHONY: format
format: ## rewrite the sources as gofumpt wants them
	$(TOOL) golangci-lint fmt

.PHONY: replays
replays: ## the replays that 'go test ./...' leaves out: without one of the outage's mechanisms each, and in processes
	BREAKBANK_REPLAYS=all $(GO) test ./cmd/breakbank -count=1 -v \
		-run '^(TestIndependentStandInAnswers|TestWithoutTheEmptyService|TestWithoutDarkness|TestTheFixedParser|TestProcessesShowTheSamePicture)$$'

.PHONY: replay-short
replay-short: build ## replay the condensed outage (about half a minute)
	bin/breakbank replay monzo-2017-short

.PHONY: replay
replay: build ## replay the outage of 27 October 2017 (under 4 minutes)
	bin/breakbank replay

.PHONY: image
image: ## build the container image (needs Docker)
	docker build -t breakbank .

.PHONY: stack
stack: ## bring the stack up in containers, break it, replay in it, take it down (needs Docker, or Debian)
	.ci/stack

.PHONY: stack-breaks
stack-breaks: ## break the running stack in every way of docs/compose.md; say what journeys felt
	deploy/compose/breaks

# The rate and the length of soak-stack; half of what 'breakbank capacity' finds.
STACKRATE ?= 50
STACKTIME ?= 10m

.PHONY: soak-stack
soak-stack: build ## a platform in processes at STACKRATE (50/s) for STACKTIME (10m): memory, goroutines, files flat?
	bin/breakbank bench soak --rate $(STACKRATE) --duration $(STACKTIME)

.PHONY: clean
clean: ## remove what was built and measured
	rm -rf bin out
