# Everything a developer or a fresh machine needs. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
LOCK := .ci/requirements.txt
STAMP := $(VENV)/.installed
ASSETS := panel/static/vendor/manifest.json
# The first Python on this machine that is new enough.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	command -v $$name >/dev/null 2>&1 && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$name && break; done)
WORKERS ?= 2

.PHONY: help install up down demo test test-fast lint types imports format screenshots lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) $(ASSETS) ## Create .venv from the locked versions (quick when nothing changed)

$(STAMP): pyproject.toml $(LOCK)
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing locked versions into $(VENV) (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

$(ASSETS): panel/frontend/package.json panel/frontend/package-lock.json panel/frontend/assets.py | $(STAMP)
	@$(BIN)/python panel/frontend/assets.py
	@touch $(ASSETS)

up: install ## Start the background process and the panel, and deploy the example agent
	@$(BIN)/mastra-admin up

down: install ## Stop everything that `make up` started
	@$(BIN)/mastra-admin down

demo: install ## Deploy, call, trace and stop the example in a home of its own
	@$(BIN)/mastra-admin demo

test: lint types imports ## Run all checks and the whole test suite
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

test-fast: install ## Run the fast unit tests only (under a minute)
	$(BIN)/pytest -n $(WORKERS) -q -m "not slow and not mastra" tests/unit

lint: install ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## Check types, strictly
	$(BIN)/mypy mastra_admin_sdk panel

imports: install ## Check that imports point downward
	$(BIN)/lint-imports

format: install ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: install ## Take the pictures of all pages anew (docs/screenshots)
	MASTRA_ADMIN_SCREENSHOTS=docs/screenshots $(BIN)/pytest -n 0 -q tests/browser/test_flow_browser.py

lock: ## Lock the versions again after a change of pyproject.toml
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --extra dev pyproject.toml -o $(LOCK)
	rm -rf .venv-lock

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info build dist
