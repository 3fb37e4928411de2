# Needs Python 3.11 to 3.14 and make; everything else is brought by `make setup`.
# Paths are relative, so the checkout may live in a directory with spaces in its name.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
PYTHON := $(BIN)/python
READY := .venv/.ready
# The environment of `make bench-routing`: what Switchover is measured beside, and the engine.
PEERS := .tools/bench
PEERS_READY := $(PEERS)/.ready

# Number of pytest workers: more than cores, as tests wait for servers a third of their time.
WORKERS ?= $(shell expr `nproc 2>/dev/null || echo 2` + 1)
# `make lock UPGRADE=--upgrade` takes newer versions; without it only what changed is resolved.
UPGRADE ?=
# Options for `switchover demo` and `switchover up`, e.g. `make demo ARGS=--json`.
ARGS ?=
TESTS ?= tests

export UV_PYTHON_DOWNLOADS := never
# Hundreds of processes start in a test run; without byte code each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup check test faults demo up lock bench bench-routing bench-judge bench-overhead bench-rollback docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with everything, from the hash-locked requirements

$(READY): requirements/environment.txt requirements/uv.txt pyproject.toml tools/setup.sh
	@sh tools/setup.sh
	@touch $@

check: $(READY) ## Lint, format, types, import floors, generated pages, dead links
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(BIN)/lint-imports
	$(PYTHON) -m switchover.plan.reference --check
	$(PYTHON) -m tools.cli_reference --check
	$(PYTHON) -m tools.api_reference --check
	$(PYTHON) -m tools.events_reference --check
	$(PYTHON) -m tools.check_links

test: $(READY) ## Run every test, against real servers
	$(PYTHON) -m pytest -n $(WORKERS) --maxprocesses 8 $(TESTS)

faults: $(READY) ## Kill everything at every step, 500 times and more (15 minutes)
	@$(PYTHON) -m tests.faults $(ARGS)

demo: $(READY) ## Watch a good candidate go to 100 % and a bad one be rolled back
	@$(BIN)/switchover demo $(ARGS)

up: $(READY) ## Start everything embedded, and leave it running
	@$(BIN)/switchover up $(ARGS)

bench: $(READY) ## Measure, and print the figures
	@for file in benchmarks/[a-z]*.py; do $(PYTHON) "$$file" || exit 1; done

bench-routing: $(PEERS_READY) ## Measure the routing plane beside its peers, into docs/benchmarks
	@$(PEERS)/bin/python -m benchmarks.routing $(ARGS)

$(PEERS_READY): requirements/benchmarks.txt | $(READY)
	@$(BIN)/uv venv --quiet --clear --no-project --python $(PYTHON) $(PEERS)
	@$(BIN)/uv pip sync --quiet --python $(PEERS)/bin/python --require-hashes --compile-bytecode \
		requirements/benchmarks.txt
	@touch $@
bench-judge: $(READY) ## Simulate rollouts: our gates against other tools' rules (20 minutes)
	$(PYTHON) -m benchmarks.judge $(ARGS)

bench-overhead: $(READY) ## Measure what Switchover adds to Prefect, and what a sweep costs (6 minutes)
	$(PYTHON) -m benchmarks.overhead $(ARGS)

bench-rollback: $(READY) ## Measure rollbacks with dependencies down, through HAProxy and by restart
	$(PYTHON) -m benchmarks.rollback $(ARGS)

docs: $(READY) ## Write the generated pages anew, and look for dead links
	$(PYTHON) -m switchover.plan.reference
	$(PYTHON) -m tools.cli_reference
	$(PYTHON) -m tools.api_reference
	$(PYTHON) -m tools.events_reference
	$(PYTHON) -m tools.check_links

lock: $(READY) ## Write requirements/*.txt anew after a change of the dependencies
	$(BIN)/uv pip compile $(UPGRADE) --quiet --universal --generate-hashes \
		--python-version 3.11 --custom-compile-command "make lock" --no-annotate \
		requirements/uv.in -o requirements/uv.txt
	$(BIN)/uv pip compile $(UPGRADE) --quiet --universal --generate-hashes \
		--python-version 3.11 --custom-compile-command "make lock" --no-annotate \
		--extra engine --extra examples --group dev \
		pyproject.toml -o requirements/environment.txt
	$(BIN)/uv pip compile $(UPGRADE) --quiet --universal --generate-hashes \
		--python-version 3.11 --custom-compile-command "make lock" --no-annotate --extra engine \
		pyproject.toml requirements/benchmarks.in -o requirements/benchmarks.txt

clean: ## Remove the environment, caches and built files (not the state of `make up`)
	rm -rf .venv .tools dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
