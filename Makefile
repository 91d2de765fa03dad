# `make help` lists the targets. The environment is made once in .venv, and again only when a requirements file changes.
# Another interpreter: make run PYTHON=/path/to/python3.12
# PyTorch without CUDA, or for one version of it: make run TORCH_INDEX=URL, with the address that PyTorch's page names.

VENV ?= .venv
BIN := $(VENV)/bin
# The first Python on the path that is new enough and can make an environment.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python3.14 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
TESTS ?= tests
# Processes that run tests, one more than cores, since tests in a browser wait; files stay together, and so does what shares a
# server (tests/conftest.py).
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
PARALLEL := -n $(JOBS) --maxprocesses 8 --dist loadgroup --no-loadscope-reorder
# Of the soak in `make bench`.
READERS ?= 20
CASES ?= 200
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.DEFAULT_GOAL := run
.PHONY: help run quick test coverage lint format bench bench-ui audit lock sbom docs screenshots env env-dev chromium clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: env  ## open the app on http://127.0.0.1:8501 (the default)
	MALLOC_ARENA_MAX=2 $(BIN)/python -m pages

quick: env-dev  ## layering, documents and pure functions: no PyTorch, browser or data set
	$(PYTEST) --quick $(PARALLEL) -q

test: env-dev chromium  ## all tests, in parallel; TESTS=tests/signal for a part, JOBS=1 for one at a time
	$(PYTEST) $(TESTS) $(PARALLEL)

coverage: env-dev chromium  ## all tests, and which lines of the library they reach
	$(PYTEST) $(TESTS) $(PARALLEL) --cov

lint: env-dev  ## ruff (rules and format), mypy, and Node's syntax check of the scripts where Node is installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@sh tests/js/run.sh

format: env-dev  ## let ruff format the code
	$(BIN)/ruff format .

bench: env-dev chromium  ## budgets of time, rates, then memory with READERS=20 of CASES=200 each; on a quiet machine
	$(PYTEST) -m bench -p no:randomly $(TESTS)
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.browser.load $(READERS) $(CASES)

bench-ui: env-dev chromium  ## what the reading page costs in a browser; on a quiet machine
	$(BIN)/python -m tests.browser.bench

audit: env .venv-docs/.installed  ## licences and known vulnerabilities; REPORT=FILE writes the answer there too
	$(BIN)/python .ci/audit.py $(if $(REPORT),--report $(REPORT))

# Of the versions in constraints.txt; a package that these do not hold is one of another platform.
lock: .venv-docs/.installed  ## write deploy/requirements.lock, from which the container installs, with hashes
	@{ echo '# What the container installs: every file by its SHA-256. Made by `make lock`; never edit it.'; \
		.venv-docs/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --quiet -c constraints.txt requirements.txt; } > deploy/requirements.lock.new
	@mv deploy/requirements.lock.new deploy/requirements.lock

sbom: env  ## software bill of materials, CycloneDX
	@mkdir -p artifacts
	$(BIN)/python .ci/sbom.py artifacts/ecgimn-sbom.cdx.json

# In an environment of their own: the tools that write pages and look up vulnerabilities are no part of the app.
docs: .venv-docs/.installed  ## the documentation as pages in site/
	.venv-docs/bin/mkdocs build --strict

screenshots: env-dev chromium  ## the pictures of the tour, from the running app
	$(BIN)/python -m tests.browser.tour

clean:  ## remove the environment and what tools left behind
	rm -rf $(VENV) .venv-docs site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov artifacts build *.egg-info

.venv-docs/.installed: requirements-docs.txt | $(BIN)/python
	$(BIN)/python -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

env: $(VENV)/.installed  ## make .venv with what the app needs
env-dev: $(VENV)/.installed-dev  ## and with what tests and linters need

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or newer with its venv module was found. Install one (Debian, Ubuntu: apt install python3-venv)" >&2; \
		echo "or name it: make run PYTHON=/path/to/python3.11" >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV)

# The package itself is linked, not copied: `.venv/bin/ecgimn` and `import ecgimn` work from any folder.
$(VENV)/.installed: requirements.txt constraints.txt | $(BIN)/python
	@echo "Installing the pinned requirements into $(VENV) (some minutes the first time) ..."
	$(if $(TORCH_INDEX),$(PIP_INSTALL) --index-url $(TORCH_INDEX) torch)
	$(PIP_INSTALL) -r requirements.txt
	$(PIP_INSTALL) setuptools
	$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed | $(BIN)/python
	$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

# A browser for the browser tests. Without one they are skipped here, and fail where CI=true.
chromium:
	@sh tests/browser/install_chromium.sh
