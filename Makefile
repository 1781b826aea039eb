# The checks of .ci/run, one at a time, and targets that help while you work.
# The tools come from tools/go.mod, in the versions that are pinned there.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

TOOL := .ci/tool

# How many inputs each fuzz target gets. Which benchmarks run, and how often: make bench BENCH=Cycle COUNT=10
FUZZTIME ?= 500000x
BENCH    ?= .
COUNT    ?= 6

# How long make nemesis, nemesis-fdb and nemesis-group run. SEED replays the draws of a run, BUG plants a bug,
# and FDB is the directory of fdbserver and fdbcli.
NEMESIS  ?= 1h
STRIKE   := --for $(NEMESIS) $(if $(SEED),--seed $(SEED)) $(if $(BUG),--bug $(BUG)) $(if $(FDB),--fdb-binaries $(FDB))

# How many rounds make bench-groups measures.
ROUNDS   ?= 10

# How many seconds make crowd measures each number of processes.
FOR      ?= 120

# How many elections make simulate runs, the first seed, and how many of 100 run twice.
SEEDS    ?= 10000
FIRST    ?= 1
TWICE    ?= 5

# How many groups make simulate-groups runs: about an hour on two cores.
GROUPS_SEEDS ?= 50000

# What make explore runs: all small worlds, or with "twice" all of them under both reductions.
EXPLORE  ?= all

.DEFAULT_GOAL := help
.PHONY: help build test long race lint fmt tidy rules units rehearsal fuzz bench bench-groups bench-peers nemesis nemesis-fdb nemesis-bugs nemesis-group crowd demo simulate simulate-groups mutants explore browser screenshots ci adapter up down candidates integration release-snapshot clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build everything without cgo, and the command into bin/
	CGO_ENABLED=0 go build work
	CGO_ENABLED=0 go build -o bin/ ./cmd/fdbelect

test: ## run the quick tests
	go test work

long: ## run all tests, also those that take long
	LONG=1 go test work

race: ## run the tests with the race detector (needs cgo)
	.ci/race

lint: ## check the format, run the linters, and look for dead code
	.ci/format
	.ci/lint
	.ci/deadcode

fmt: ## format all Go files
	$(TOOL) gofumpt -w .
	$(TOOL) goimports -local github.com/fdbelection/fdbelection -w .

tidy: ## run go mod tidy in every module
	export GOWORK=off; \
	go -C cmd mod edit -replace github.com/fdbelection/fdbelection=../ -replace github.com/fdbelection/fdbelection/monitor=../monitor; \
	for module in monitor tracing; do go -C $$module mod edit -replace github.com/fdbelection/fdbelection=../; done; \
	for module in $$(find . -name go.mod -not -path '*/testdata/*' -printf '%h\n'); do go -C $$module mod tidy; done; \
	go -C cmd mod edit -dropreplace github.com/fdbelection/fdbelection -dropreplace github.com/fdbelection/fdbelection/monitor; \
	for module in monitor tracing; do go -C $$module mod edit -dropreplace github.com/fdbelection/fdbelection; done

rules: ## check the alert rules and run their tests (installs promtool on Debian)
	.ci/rules

units: ## check the systemd units (installs systemd-analyze on Debian)
	.ci/systemd

rehearsal: ## rehearse the alerts with a real Prometheus (3 min; PICTURES=FOLDER takes pictures)
	.ci/rehearsal $(PICTURES)

fuzz: ## run every fuzz target with FUZZTIME inputs
	FUZZTIME=$(FUZZTIME) .ci/fuzz

nemesis: ## strike real processes of an election on a file with faults, for NEMESIS (as root: also a full disk)
	CGO_ENABLED=0 go build -o bin/ ./cmd/fdbelect
	CGO_ENABLED=0 GOWORK=off go build -C nemesis -o ../bin/ .
	bin/nemesis --fdbelect bin/fdbelect $(STRIKE)

nemesis-fdb: ## the same on a cluster of three FoundationDB servers in network namespaces (as root)
	CGO_ENABLED=1 GOWORK=off go build -C cmd/fdbelect-fdb -o ../../bin/ .
	CGO_ENABLED=1 GOWORK=off go build -C nemesis -tags fdb -o ../bin/ .
	bin/nemesis --store fdb --fdbelect bin/fdbelect-fdb $(STRIKE)

nemesis-bugs: ## check that the nemesis finds each planted bug (10 min)
	LONG=1 GOWORK=off go test -C nemesis -run '^TestPlantedBugs$$' -count=1 -timeout 2h -v .

nemesis-group: ## kill, stop and restart real processes of a group on a file, for NEMESIS
	LONG=1 NEMESIS=$(NEMESIS) go test ./group/member -run 'TestNemesis$$' -count=1 -timeout 24h -v

bench-groups: ## compare groups with elections on etcd, in one run: a death and a stop
	cd bench && GOWORK=off go test -run '^$$' -bench . -benchtime $(ROUNDS)x -timeout 2h

bench: ## run the benchmarks that match BENCH, COUNT times, and summarise them
	@mkdir -p bin
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) work | tee bin/bench.txt
	$(TOOL) benchstat bin/bench.txt

bench-peers: ## measure beside etcd, Redis, PostgreSQL and ZooKeeper (30 min; installs them on Debian)
	.ci/bench-peers

crowd: ## measure 10, 25 and 50 candidates on one file store, FOR seconds each (Linux only)
	go test -run '^$$' -bench '^BenchmarkFileStore$$' -benchtime $(FOR)x -timeout 2h ./cmd/internal/cli

demo: ## show five candidates that elect a leader
	go run ./cmd/fdbelect demo

simulate: ## simulate SEEDS elections, starting with seed FIRST, and check every invariant
	go run ./cmd/fdbelect simulate --seeds $(SEEDS) --first $(FIRST) --twice $(TWICE) --save simulation/testdata/seeds

simulate-groups: ## simulate GROUPS_SEEDS groups, starting with seed FIRST, and check every invariant (1 h)
	go run ./cmd/fdbelect simulate --groups --seeds $(GROUPS_SEEDS) --first $(FIRST) --twice $(TWICE) --save simulation/testdata/seeds

mutants: ## put each mutant into the sources, and check that a test finds it (40 min)
	MUTANTS=all go test -count=1 -timeout 2h -v -run '^TestMutants$$' ./simulation

explore: ## run every schedule of small worlds (25 min)
	EXPLORE=$(EXPLORE) go test -count=1 -timeout 6h -v -run '^Test(Group)?Reductions$$|^TestExplore' ./simulation

browser: ## test the page of fdbelect serve in a headless Chromium (installs it on Debian)
	.ci/browser

screenshots: ## write the pictures of that page into docs/pictures
	.ci/browser screenshots

ci: ## run all checks that every change must pass
	bash .ci/run

adapter: ## check the types of the adapter to FoundationDB, without FoundationDB
	.ci/adapter

up: ## start FoundationDB in a container, and write its cluster file to bin/fdb.cluster
	@mkdir -p bin
	echo 'fdbelection:fdbelection@127.0.0.1:4500' > bin/fdb.cluster
	docker compose up --detach configure
	docker compose up --detach --wait foundationdb

down: ## stop the containers, and keep the data
	docker compose --profile candidates --profile integration down

candidates: up ## start three candidates beside FoundationDB
	docker compose --profile candidates up --detach --build a b c

integration: up ## run the tests of the adapter on FoundationDB, in a container
	docker compose run --rm --build integration

release-snapshot: ## build and verify what a release publishes, in dist/ (needs Debian)
	release/goreleaser check
	release/goreleaser release --snapshot --clean
	release/verify dist

clean: ## remove bin/, dist/ and the cached test results
	rm -rf bin dist
	go clean -testcache
