# make run    open the app on http://127.0.0.1:8501      make test   run all tests
# make lint   ruff and mypy                              make coverage   tests with the lines they reach
# make bench-ui   what the reading page costs in a browser; on a quiet machine
# make audit  licences and known vulnerabilities        make sbom   software bill of materials, CycloneDX
# make docs   the documentation as pages in site/        make bench  rates, times and memory; on a quiet machine
# make clean  remove the environment and what tools left behind
#
# The environment is made once in .venv and again only when a requirements file changes.
# Another interpreter: make run PYTHON=/path/to/python3.12

VENV ?= .venv
BIN := $(VENV)/bin
# The first Python on the path that is new enough and can make an environment.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python3.14 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
TESTS ?= tests

.DEFAULT_GOAL := run
.PHONY: run test coverage lint bench bench-ui audit sbom docs screenshots env env-dev chromium clean

run: env
	MALLOC_ARENA_MAX=2 $(BIN)/python -m pages

test: env-dev chromium
	$(BIN)/python -m pytest $(TESTS)

coverage: env-dev chromium
	$(BIN)/python -m pytest $(TESTS) --cov

lint: env-dev
	$(BIN)/ruff check .
	$(BIN)/mypy

bench-ui: env-dev chromium
	$(BIN)/python -m tests.browser.bench

bench: env-dev
	$(BIN)/python -m tests.bench

audit: env .venv-docs/.installed
	$(BIN)/python .ci/audit.py

sbom: env
	@mkdir -p artifacts
	$(BIN)/python .ci/sbom.py artifacts/ecgimn-sbom.cdx.json

# In an environment of their own: the tools that write pages and look up vulnerabilities are no part of the app.
docs: .venv-docs/.installed
	.venv-docs/bin/mkdocs build --strict

screenshots: env-dev chromium
	$(BIN)/python -m tests.browser.tour

.venv-docs/.installed: requirements-docs.txt | $(BIN)/python
	$(BIN)/python -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

env: $(VENV)/.installed
env-dev: $(VENV)/.installed-dev

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or newer with its venv module was found. Install one (Debian, Ubuntu: apt install python3-venv)" >&2; \
		echo "or name it: make run PYTHON=/path/to/python3.11" >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt constraints.txt | $(BIN)/python
	@echo "Installing the pinned requirements into $(VENV) (some minutes the first time) ..."
	$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed | $(BIN)/python
	$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

# A browser for the browser tests. Without one they are skipped here, and fail where CI=true.
chromium:
	@sh tests/browser/install_chromium.sh

clean:
	rm -rf $(VENV) .venv-docs site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov artifacts
