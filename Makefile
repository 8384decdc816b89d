# Two commands matter: `make demo` and `make test`. Everything installs into .venv.
PYTHON ?= python3
VENV   ?= .venv
OUT    ?= demo
N      ?= 100000
SEED   ?= 1
JOBS   ?= 1000
DATABASE ?= sqlite
BROKER ?= files
PROVIDER ?= programs
DEBIAN := chromium postgresql redis-server rabbitmq-server prometheus
BIN    := $(VENV)/bin
UV     := $(BIN)/uv

.PHONY: cluster cluster-down test-cluster test-kube-api test-workflows test-kfp test-ray demo test unit integration lint types protos bench bench-data bench-serving bench-queue bench-capacity kill-test fuzz soak studio system-packages images base-image clean help

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.serve  ## Make four videos with the real services; the last line is the folder
	@$(BIN)/omnireel demo --out $(OUT)

test: system-packages lint types unit integration  ## Install everything and pass every check

lint: $(VENV)/.dev  ## Style and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev  ## Strict types
	$(BIN)/mypy

unit: $(VENV)/.dev  ## Unit tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/unit -n 2

integration: $(VENV)/.dev  ## Real services on real ports
	$(BIN)/python -m pytest tests/integration -n 2 --dist loadfile --timeout 900

protos: $(VENV)/.dev  ## Regenerate omnireel/api from protos/
	PATH="$(abspath $(BIN)):$$PATH" bash protos/generate.sh

bench: $(VENV)/.dev  ## Measurements: renderer speed, condition cache, recomputation, packing, encoding
	$(BIN)/python -m pytest tests/bench -s

bench-data: $(VENV)/.dev  ## What curation costs beside merely decoding; scaling over two workers
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.data.main --scaling 16

bench-queue: $(VENV)/.dev  ## 100,000 jobs that wait and 1,000 workers on PostgreSQL (minutes)
	@$(BIN)/python -m tests.bench.serving.queue postgres
	@$(BIN)/python -m tests.bench.serving.fleet

bench-capacity: $(VENV)/.dev  ## How far the capacity model is from the real services here (minutes)
	@$(BIN)/python -m tests.bench.serving.capacity test tiny

bench-serving: $(VENV)/.dev  ## What serving costs: jobs/s, watchers, latency, memory
	@$(BIN)/python -m tests.bench.serving.main

kill-test: $(VENV)/.dev  ## Training under random kills: how much of its time trains (10 minutes)
	rm -rf runs/kill-test
	$(BIN)/python -m tests.soak.training_kills runs/kill-test

fuzz: $(VENV)/.fuzz  ## N hostile inputs to every door; the last line is the totals
	nice -n 10 $(BIN)/python -m tests.fuzz --inputs $(N) --seed $(SEED)

soak: $(VENV)/.dev  ## Serving under random kills; JOBS, DATABASE=sqlite|postgres, BROKER=files|redis|rabbitmq
	@$(BIN)/python -m tests.soak.serving --jobs $(JOBS) --database $(DATABASE) --broker $(BROKER)

test-kube-api: $(VENV)/.dev  ## The charts against a real API server, built from Go modules at the first time (Go; 5 minutes)
	@$(BIN)/python -m infra.cluster.build api
	$(BIN)/python -m pytest tests/kube_api

cluster: $(VENV)/.dev  ## A Kubernetes of one node on this machine, for tests (root; the first build takes 10 minutes); PROVIDER=kind where Docker is
	@$(BIN)/python -m infra.cluster up --provider $(PROVIDER)

cluster-down: $(VENV)/.dev  ## Take it away with everything that it made
	@$(BIN)/python -m infra.cluster down --provider $(PROVIDER)

test-cluster: $(VENV)/.dev  ## Services and training in a real cluster of this machine: install, faults, two nodes, queues (root)
	$(BIN)/python -m pytest tests/cluster -s -p no:xdist --timeout 1800

test-workflows: $(VENV)/.dev  ## Whole workflows through Kubeflow's local runner (minutes)
	$(BIN)/python -m pytest tests/workflows

test-kfp: $(VENV)/.dev  ## The workflows on a live Kubeflow Pipelines: ENDPOINT=http://host:port IMAGE=...
	KFP_ENDPOINT=$(ENDPOINT) OMNIREEL_IMAGE=$(IMAGE) $(BIN)/python -m pytest tests/live -s

test-ray: $(VENV)/.ray  ## Curation on a Ray of this machine (minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/ray

studio:  ## Build the page of Studio into the package (needs npm)
	cd studio && npm ci --no-audit --no-fund && npm run types && npm run build

system-packages:  ## Programs for the tests, from Debian, when root: Chromium, PostgreSQL, Redis, RabbitMQ, promtool
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(DEBIAN); \
	else echo "not root, or no apt-get; install by hand: $(DEBIAN)"; fi

images:  ## Build the images with docker, podman or buildah; BASE=image, REGISTRY=prefix, TAG=tag
	@$(PYTHON) -m infra.images.build $(if $(BASE),--base $(BASE)) $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(TAG),--tag $(TAG))

base-image:  ## A base image from Debian packages, where no registry is in reach (root, mmdebstrap, buildah)
	@$(PYTHON) -m infra.images.base

clean:  ## Remove the environment and caches
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "The venv module is missing; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet -c constraints.txt uv

$(VENV)/.serve: $(UV) pyproject.toml constraints.txt
	$(UV) pip install --python $(BIN)/python -c constraints.txt -b constraints.txt -e '.[serve]'
	@touch $@

$(VENV)/.dev: $(UV) pyproject.toml constraints.txt
	$(UV) pip install --python $(BIN)/python -c constraints.txt -b constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.serve

$(VENV)/.fuzz: $(VENV)/.dev pyproject.toml constraints.txt
	$(UV) pip install --python $(BIN)/python -c constraints.txt -b constraints.txt -e '.[fuzz]'
	@touch $@

$(VENV)/.ray: $(VENV)/.dev pyproject.toml constraints.txt
	$(UV) pip install --python $(BIN)/python -c constraints.txt -b constraints.txt -e '.[dev,ray]'
	@touch $@
