# What a person types, and what CI runs: the same targets.
#   make demo      builds (release) and shows the whole system at work, on this machine alone
#   make test      every test        make vectors   just the golden vectors
#   make interop   the stock Python clients against our service and boards
#   make fuzz      10⁶ inputs to every decoder
#   make bench     figures, as ratios against peers in the same run
#   make docs      DocC of the wire layer and of the client, without a dead link
#   make lint      formatting and the layer law
SWIFT ?= swift
JOBS ?= $(shell nproc)
VENV ?= .venv-interop
# The original spalloc_server is of another version than the clients.
SERVER_VENV ?= .venv-spalloc-server
PYTHON ?= python3
RELEASE := .build/release
FUZZ_INPUTS ?= 1000000
FUZZ_SEED ?= 61474

.PHONY: demo build debug test vectors fuzz bench docs lint format interop setup setup-system setup-python setup-browser clean

demo: build
	$(RELEASE)/spalloc demo

build: setup-system
	$(SWIFT) build -c release -j $(JOBS) --product spalloc
	$(SWIFT) build -c release -j $(JOBS) --product spallocd

debug: setup-system
	$(SWIFT) build --build-tests -j $(JOBS)

# Two runs: what only computes, all cores at once; what waits for sockets, one after the other, so that a test's deadline is not
# another's work.
# Line by line, so that a run that is cut off has said which test it was in; a test that hangs ends the run, not the day.
RUN_TESTS := stdbuf -oL timeout --foreground -k 30 1500 $(SWIFT) test --skip-build
PURE := SpiNNakerMachineTests|SpiNNakerWireTests|SpiNNakerEngineTests|SpallocAllocatorTests
test: debug
	$(RUN_TESTS) --filter '$(PURE)'
	$(RUN_TESTS) --no-parallel --skip '$(PURE)'

vectors: debug
	$(SWIFT) test --skip-build --filter GoldenVectorTests

fuzz:
	$(SWIFT) build -c release -j $(JOBS) --product spinnaker-fuzz
	$(RELEASE)/spinnaker-fuzz $(FUZZ_INPUTS) $(FUZZ_SEED)

bench: setup-system setup-python
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r interop/bench/requirements.txt
	$(PYTHON) -m venv $(SERVER_VENV)
	$(SERVER_VENV)/bin/pip install --quiet --disable-pip-version-check -r interop/bench/requirements-server.txt
	$(SWIFT) build -c release -j $(JOBS) --product spalloc
	$(SWIFT) build -c release -j $(JOBS) --product spinnaker-bench
	@echo "-- all processes on one core: the fairest comparison of cost (a wake-up across cores swamps the rest)"
	PYTHON=$(VENV)/bin/python taskset -c 0 $(RELEASE)/spinnaker-bench proxy memory
	@echo "-- on all cores, as a user runs it"
	PYTHON=$(VENV)/bin/python SPALLOC_SERVER_PYTHON=$(SERVER_VENV)/bin/python $(RELEASE)/spinnaker-bench

docs:
	$(SWIFT) build -j $(JOBS) --target SpallocClient
	dev/docs.sh

lint: setup-system
	dev/lint.sh

format:
	$(SWIFT) format -i -r Sources Tests Package.swift

# Against the release build, which is what people run: the optimiser has its own opinions. Pictures of every web page are
# in .artifacts/screenshots after it.
interop: build setup-python setup-browser
	@dev/setup-system.sh nginx-light openssl
	$(SWIFT) build -c release -j $(JOBS) --product spinnaker-sim
	$(SWIFT) build -c release -j $(JOBS) --product spinnaker-interop
	cd interop && ../$(VENV)/bin/python -m unittest -v

setup: setup-system setup-python
	@dev/setup-system.sh nginx-light openssl

setup-system:
	@dev/setup-system.sh

setup-python:
	@dev/setup-python.sh "$(PYTHON)" "$(VENV)"

setup-browser:
	@dev/setup-browser.sh

clean:
	rm -rf .build $(VENV)
