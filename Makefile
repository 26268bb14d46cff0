# Culprit. `make` prints this help; `make demo` and `make test` set up all they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export CGO_ENABLED ?= 0
# Findings are kept with the paths of the tree they were found in, so each tree keeps its own.
export GOLANGCI_LINT_CACHE ?= $(CURDIR)/bin/lint
TOOL := go tool -modfile=tools.mod
GO_BUILD := go build -trimpath -ldflags='-s -w'
FUZZTIME ?= 10s
BENCHTIME ?= 1s
NIGHTS ?= 40
RUNS ?= 2

.PHONY: help
help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "; print "make TARGET\n"} /^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/otelcol-culprit and bin/culprit (about 3 minutes the first time)
	@echo "building bin/otelcol-culprit and bin/culprit; the first time compiles the collector and takes about 3 minutes on 2 cores"
	@$(GO_BUILD) -o bin/otelcol-culprit ./cmd/otelcol-culprit
	@$(GO_BUILD) -o bin/culprit ./cmd/culprit
	@echo "built bin/otelcol-culprit (the collector) and bin/culprit (demo, lab, explain, report, replay)"
	@echo "next: bin/culprit demo, or bin/culprit lab run cpu-xz; make run watches this host with configs/host.yaml"

.PHONY: demo
demo: build ## Let a real backup hurt a real web site here, and see the verdict (4 minutes, no root)
	@bin/culprit demo

.PHONY: run
run: build ## Run the distribution with configs/host.yaml on this host
	bin/otelcol-culprit --config configs/host.yaml

.PHONY: test
test: ## Run the unit tests
	@go test ./...

.PHONY: race
race: ## Run the unit tests with the race detector (needs a C compiler)
	@CGO_ENABLED=1 go test -race ./...

.PHONY: check
check: ## Check format, lint, layers, module files and generated files
	@$(TOOL) golangci-lint fmt --diff
	@$(TOOL) golangci-lint run ./...
	@go mod tidy -diff
	@go mod verify >/dev/null
	@$(MAKE) generate
	@git diff --exit-code -- '*generated*' cmd/otelcol-culprit '*documentation.md' 'receiver/*/README.md' 'processor/*/README.md' 'exporter/*/README.md' dashboards \
		|| { echo "generated files were out of date: commit what 'make generate' wrote"; exit 1; }

.PHONY: fmt
fmt: ## Format the code
	@$(TOOL) golangci-lint fmt

.PHONY: generate
generate: ## Write the generated code, the distribution's main package and the dashboard
	@mkdir -p bin/tools
	@go build -modfile=tools.mod -o bin/tools/ go.opentelemetry.io/collector/cmd/mdatagen go.opentelemetry.io/collector/cmd/builder
	@PATH="$(CURDIR)/bin/tools:$$PATH" go generate ./receiver/... ./processor/... ./exporter/... ./dashboards/...
	@bin/tools/builder --config builder-config.yaml --skip-get-modules --skip-compilation >/dev/null 2>&1 \
		|| bin/tools/builder --config builder-config.yaml --skip-get-modules --skip-compilation
	@gofmt -w cmd/otelcol-culprit

.PHONY: bpf
bpf: ## Compile the eBPF programs anew (needs clang 14 or newer and the headers of libbpf)
	@cd internal/bpfscan && go generate . && sha256sum bpf/*.c bpf/*.h kernel_bpfel.o > bpf/SHA256SUMS

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME (10s) each
	@log="$$(mktemp)"; trap 'rm -f "$$log"' EXIT; \
	grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do \
		for name in $$(grep -oE '^func Fuzz[A-Za-z0-9_]*' "$$file" | cut -d' ' -f2); do \
			echo "$$(dirname "$$file") $$name"; \
			go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" >"$$log" 2>&1 || { cat "$$log"; exit 1; }; \
		done; \
	done

.PHONY: bench
bench: ## Run the Go benchmarks for BENCHTIME (1s) each
	@go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./internal/... ./receiver/... ./processor/...

.PHONY: bench-engine
bench-engine: ## Measure the engine: a second, a verdict, a gateway of 1,000 hosts (5 minutes, 2.5 GB; ARGS=-short for less)
	@GOMEMLIMIT=2GiB go test -run '^$$' -bench 'Second|Verdict|Gateway' -benchtime 20x -timeout 30m $(ARGS) ./internal/rootcause

.PHONY: bench-scan
bench-scan: build ## Measure what the collector costs, beside other collectors (50 minutes; ARGS='-only ebpf -duration 10s' for less)
	@go run ./test/benchscan -markdown docs/benchmarks.md $(ARGS)

.PHONY: check-scan
check-scan: build ## Measure how much of short-lived processes and of network bytes is credited (3 minutes)
	@go run ./test/benchscan -check shortlived $(ARGS)
	@go run ./test/benchscan -check network $(ARGS)

.PHONY: eval
eval: ## Judge the engine on NIGHTS (40) generated nights of each kind, at 1, 10 and 60 s
	@CULPRIT_EVAL=$(NIGHTS) go test -count=1 -v -run "TestGeneratedIncidents|TestPromisedCases" ./internal/rootcause | grep -vE '^(=== |--- |PASS|ok)'

.PHONY: eval-lab
eval-lab: build ## Make every incident of the lab RUNS (2) times with fresh seeds, and score the verdicts (half an hour each time)
	@mkdir -p bin/lab
	@test ! -s bin/lab/runs.jsonl || test -z "$$(tail -c1 bin/lab/runs.jsonl)" || echo >> bin/lab/runs.jsonl
	@bin/culprit lab run all --runs $(RUNS) --keep bin/lab --json $(ARGS) | tee -a bin/lab/runs.jsonl \
		|| echo "eval-lab: culprit lab run says that something went wrong; what it finished is scored, and make eval-lab adds to it" >&2
	@bin/culprit lab score bin/lab/runs.jsonl
	@bin/culprit lab score --bench bin/lab/runs.jsonl > bin/lab/bench.txt
	@test ! -f bin/lab/cases.jsonl || bin/culprit eval bin/lab

.PHONY: eval-experiment
eval-experiment: build ## Try the remedies on backups that take the disk, the link or the CPU: do they bring p95 back? (100 minutes)
	@bin/culprit lab experiment disk-restic disk-rsync net-rsync net-rclone cpu-xz cpu-zstd -o bin/lab/experiments $(ARGS)

.PHONY: servers
servers: ## Build the real Alertmanager, Prometheus and promtool for the tests (cached; 4 minutes the first time)
	@test/servers/build.sh

.PHONY: e2e
e2e: build ## Test the built distribution with real servers (builds them the first time)
	@CULPRIT_SERVERS="$$(test/servers/build.sh)" go test -count=1 -tags e2e ./test/... ./dashboards/...

.PHONY: upgrade
upgrade: ## Move all collector modules as one: make upgrade STABLE=v1.N.0 BETA=v0.M.0
	@test -n "$(STABLE)" -a -n "$(BETA)" || { echo "usage: make upgrade STABLE=v1.64.0 BETA=v0.158.0"; exit 2; }
	@./upgrade.sh "$(STABLE)" "$(BETA)"
	@$(MAKE) generate

.PHONY: clean
clean: ## Remove what was built
	@rm -rf bin culprit-demo.html
