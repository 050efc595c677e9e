# Every target is a plain command that also works without make; see
# docs/testing.md. "make" lists the targets.

export CGO_ENABLED = 0

DATAPLANE ?= kernel
KERNEL    ?= 6.1
BENCH     ?= .

# What the benchmark suite measures: sessions, sessions that only ours is asked for,
# rounds, how long one set-up may take, and which subjects (words of their names; all
# if empty).
SIZES     ?= 200,1000,5000
LARGE     ?= 20000
ROUNDS    ?= 3
LIMIT     ?= 4m
SUBJECTS  ?=

# How long the soak is.
SOAK      ?= 20m

# Packages with tests that need root and a kernel with L2TP and PPP.
VMPACKAGES := $(wildcard ./kernel ./internal/dataplane ./test/lab ./test/peers ./test/e2e \
	./test/soak ./test/bench ./internal/service)
# Of the data planes' tests, the machine runs those of the kernel's; of others what containers cannot.
VMTESTS := $(patsubst ./internal/dataplane,./internal/dataplane:^TestKernel,\
	$(patsubst ./internal/service,./internal/service:^TestRaiseOpenFiles,\
	$(patsubst ./test/bench,./test/bench:^TestMeasureFew,\
	$(patsubst ./test/e2e,./test/e2e:^Test[^N],$(patsubst ./test/soak,./test/soak:^Test[^N],$(VMPACKAGES))))))
# Packages with tests that need root and namespaces only.
NATIVEPACKAGES := $(wildcard ./internal/dataplane ./test/lab ./test/e2e ./test/overload ./test/soak)

.DEFAULT_GOAL := help
.PHONY: help setup build deb install uninstall vmrun vmtests demo test test-unit test-native test-runner test-vm test-deb fuzz \
	figures soak soak-native bench microbench check vm clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what is missing (root, Debian)
	@test/setup.sh

build: ## build the programs into build/
	go build -trimpath -o build/ $(wildcard ./cmd/*)

VERSION ?= $(shell packaging/version.sh)
DEBARCH := $(subst 386,i386,$(patsubst arm,armhf,$(shell go env GOARCH)))
DEB      = build/culvert_$(VERSION)_$(DEBARCH).deb

deb: ## build the Debian package into build/
	go build -trimpath -ldflags '-s -w -X main.release=$(VERSION)' -o build/deb/ ./cmd/...
	packaging/deb.sh build/deb '$(VERSION)' $(DEBARCH) '$(DEB)'
	@echo $(DEB)

install: build ## install into DESTDIR, for those without Debian (root)
	packaging/install.sh build '$(DESTDIR)/'

uninstall: ## remove what install has put there
	packaging/install.sh -u build '$(DESTDIR)/'

vmrun:
	@go build -trimpath -o build/vmrun ./test/vm

vmtests:
	@rm -rf build/test && mkdir -p build/test
	go test -c -o build/test/ $(VMPACKAGES)
	go build -o build/test/runtests ./test/runtests

demo: setup build vmrun ## show a session between two namespaces; DATAPLANE=tun runs without a VM
	@go build -trimpath -o build/culvert-demo ./test/demo
	build/culvert-demo $(DATAPLANE)

test: ## everything
	@test/all.sh

test-unit: ## tests without root
	go test -short $(shell go list ./... | grep -v -e /test/lab$$ -e /test/e2e$$ -e /test/overload$$ -e /test/soak$$)

test-native: setup ## tests in namespaces on this kernel (root)
	go test -count=1 -p 1 $(NATIVEPACKAGES)

test-runner: setup vmrun ## tests of the VM runner itself
	CULVERT_TEST_VM=1 go test -count=1 -timeout 20m ./test/vm

test-vm: setup build vmrun vmtests ## tests in a virtual machine; KERNEL=6.12 for the newer one
	CULVERT_TEST_KERNEL=1 build/vmrun -kernel $(KERNEL) -timeout 32m -- \
		build/test/runtests -timeout 30m $(VMTESTS)

test-deb: setup build vmrun ## the Debian package: lintian, and its life in a VM with systemd
	go test -count=1 ./test/deb
	@rm -rf build/test-deb
	DEB_COMPRESSION=none $(MAKE) --no-print-directory deb VERSION=0.0.1~test DEB=build/test-deb/old.deb
	DEB_COMPRESSION=none $(MAKE) --no-print-directory deb VERSION=0.0.2~test DEB=build/test-deb/new.deb
	go test -c -o build/test-deb/ ./test/deb
	CULVERT_TEST_PACKAGES=$(CURDIR)/build/test-deb build/vmrun -systemd -kernel $(KERNEL) \
		-timeout 10m -- build/test-deb/deb.test -test.v -test.run '^TestPackage$$'

figures: setup build vmrun vmtests ## what an idle session costs, and how fast sessions come up in the VM
	@test/figures.sh

soak: setup build vmrun vmtests ## culvertd under churn, loss and kills in the VM for SOAK=20m: nothing may grow
	CULVERT_TEST_KERNEL=1 CULVERT_TEST_SOAK=$(SOAK) build/vmrun -kernel $(KERNEL) -mem 4096 -timeout 24h -- \
		sh -c 'cd test/soak && exec ../../build/test/soak.test -test.run "^TestSoak$$" -test.v -test.timeout 24h'

soak-native: setup build ## the same on this kernel without a data plane, for SOAK=20m: far more sessions (root)
	CULVERT_TEST_SOAK=$(SOAK) go test -count=1 -v -timeout 24h -run '^TestNativeSoak$$' ./test/soak

fuzz: ## every fuzz target for FUZZTIME=20s
	test/fuzz.sh

bench: setup build vmrun ## culvertd beside other LNSs in the VM, into docs/benchmarks; SIZES=200,1000 LARGE=0 ROUNDS=1 for less
	@mkdir -p build/bench && rm -f build/bench/results.json
	go build -o build/bench/report ./test/bench
	CULVERT_TEST_KERNEL=1 CULVERT_TEST_BENCH=$(CURDIR)/build/bench/results.json CULVERT_TEST_BENCH_SIZES=$(SIZES) \
		CULVERT_TEST_BENCH_LARGE=$(LARGE) CULVERT_TEST_BENCH_ROUNDS=$(ROUNDS) CULVERT_TEST_BENCH_LIMIT=$(LIMIT) \
		CULVERT_TEST_BENCH_SUBJECTS='$(SUBJECTS)' build/vmrun -kernel $(KERNEL) -mem 4096 -timeout 120m -- \
		sh -c 'ulimit -n 1000000 && cd test/bench && exec ../../build/test/bench.test -test.run "^TestMeasure$$" -test.v -test.timeout 118m'; \
		code=$$?; build/bench/report build/bench/results.json docs/benchmarks && exit $$code

microbench: ## Go's benchmarks, one round; BENCH=regexp
	go test -run '^$$' -bench '$(BENCH)' -benchtime 1x ./...

check: ## format, vet, staticcheck, modernizers, generated files, architecture
	test/check.sh
	go test ./internal/arch

vm: setup vmrun ## a shell in the virtual machine
	build/vmrun -shell

clean: ## remove build/; the cache of root file systems stays
	rm -rf build
