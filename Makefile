# One environment, .venv, made from requirements.lock by the first target that
# needs it. `make` alone lists the targets.

PYTHON ?= python3
JOBS ?= 2
PYTEST_ARGS ?=
CLAIMS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOWEST := .venv-lowest
BENCH := .venv-bench
SOURCES := $(wildcard ctrnn_jax benchmarks tests notebooks)
TYPED := $(wildcard ctrnn_jax benchmarks)

# The tools' own choices must not depend on the user's shell.
export PYTHONHASHSEED := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup test quick lint format types tests notebooks docs docs-serve \
	reproduce bench bench-gpu lock test-lowest clean

help:  ## List the targets
	@awk 'BEGIN {FS = ":.*  ## "} /^[a-z-]+:.*  ## / \
	{printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)  ## Make .venv and install the locked versions in it

$(STAMP): pyproject.toml requirements.lock
	@command -v $(PYTHON) >/dev/null || { \
	echo "$(PYTHON) not found: install Python 3.11 or newer," \
	"or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "ctrnn_jax needs Python 3.11 or newer and $(PYTHON) is" \
	"`$(PYTHON) -V 2>&1`; name a newer one:" \
	"make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "==> setup: environment $(VENV) with `$(PYTHON) -V`"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "==> setup: installing requirements.lock (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@echo "==> setup: installing ctrnn_jax itself, editable"
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# Recursive calls keep this order under `make -j` too, the cheapest failure
# first and pytest's summary last.
test:  ## Everything CI checks: lint, types, docs, notebooks, tests
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory docs
	@$(MAKE) --no-print-directory notebooks
	@$(MAKE) --no-print-directory tests

quick: setup  ## The tests that take seconds
	@echo "==> quick: pytest without slow tests and notebooks"
	@$(BIN)/pytest -q -n $(JOBS) -m "not slow and not notebook" $(PYTEST_ARGS)

lint: setup  ## Check style and formatting with ruff
	@echo "==> lint: ruff check, ruff format --check"
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

format: setup  ## Let ruff mend what it can
	@echo "==> format: ruff"
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

types: setup  ## Check types with pyright
	@echo "==> types: pyright on $(TYPED)"
	@$(BIN)/pyright --pythonpath $(BIN)/python $(TYPED)

tests: setup  ## Run the tests, slow ones included
	@echo "==> tests: pytest in $(JOBS) processes"
	@$(BIN)/pytest -q -n $(JOBS) --dist worksteal -m "not notebook" \
	--durations 10 $(PYTEST_ARGS)

notebooks: setup  ## Execute every notebook
	@echo "==> notebooks: executing notebooks/*.py"
	@$(BIN)/pytest -q -m notebook tests/test_notebooks.py $(PYTEST_ARGS)

# Not --quiet, which would hide warnings from --strict too.
docs: setup  ## Build the site in site/, every warning an error
	@echo "==> docs: mkdocs build --strict into site/"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: setup  ## Serve the site locally, rebuilt as files change
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

reproduce: setup  ## Test the paper's claims (CLAIMS="c1 c3"): results/report.html
	@echo "==> reproduce: the claims, into results/report.html"
	@$(BIN)/ctrnn reproduce $(CLAIMS)

# A separate environment: the peers' own pins must not move the locked versions.
bench: BENCH_ARGS ?= ensembles
bench: $(BENCH)/.installed  ## Measure against the peers, into benchmarks/
	@echo "==> bench: python -m benchmarks $(BENCH_ARGS)"
	@$(BENCH)/bin/python -m benchmarks $(BENCH_ARGS)

# With the environment that BENCH_GPU_PYTHON names: JAX, PyTorch and CuPy for one CUDA
# depend on the driver, which no lock can know.
bench-gpu: BENCH_GPU_ARGS ?=
bench-gpu: BENCH_GPU_PYTHON ?= $(or $(wildcard $(BENCH)/bin/python),$(PYTHON))
bench-gpu:  ## Measure a GPU against its limits and the peers
	@echo "==> bench-gpu: python -m benchmarks gpu $(BENCH_GPU_ARGS)"
	@PYTHONPATH=. $(BENCH_GPU_PYTHON) -m benchmarks gpu $(BENCH_GPU_ARGS)

$(BENCH)/.installed: pyproject.toml
	@$(MAKE) --no-print-directory setup
	@echo "==> bench: environment $(BENCH) with the peers"
	@test -x $(BENCH)/bin/python || $(BIN)/python -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet -e '.[bench]'
	@touch $@

# The user's pip and uv settings are left out, so that the lock holds the same
# files wherever it is written.
lock: setup  ## Rewrite requirements.lock with the newest versions allowed
	@echo "==> lock: uv pip compile into requirements.lock"
	@env -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL -u PIP_FIND_LINKS \
	-u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_DEFAULT_INDEX \
	-u UV_FIND_LINKS \
	$(BIN)/uv pip compile --quiet --no-config --universal --generate-hashes \
	--no-emit-index-url --python-version 3.11 --extra dev --upgrade \
	--custom-compile-command "make lock" \
	--output-file requirements.lock pyproject.toml

# Warnings stay warnings here: old releases beside new ones deprecate each other.
test-lowest: setup  ## Run the tests with the lowest versions pyproject allows
	@echo "==> test-lowest: environment $(LOWEST)"
	@mkdir -p .cache
	@$(BIN)/uv pip compile --quiet --resolution lowest-direct \
	--output-file .cache/lowest.txt pyproject.toml
	@test -x $(LOWEST)/bin/python || \
	$(BIN)/uv venv --quiet --python $(BIN)/python $(LOWEST)
	@$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python \
	--constraint .cache/lowest.txt -e '.[dev]'
	@echo "==> test-lowest: pytest"
	@$(LOWEST)/bin/python -m pytest -q -n $(JOBS) -W default -m "not notebook" \
	$(PYTEST_ARGS)

clean:  ## Remove what was built, keeping the environments and results
	rm -rf .cache .hypothesis .pytest_cache .ruff_cache site dist
