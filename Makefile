# Needs make, git and any Python 3.11 to 3.13; everything else comes into .venv, by hash.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-wheel coverage lint golden docs changelog image image-base audit sbom bench bench-peers lock clean

VENV := .venv
BIN := $(VENV)/bin
UV = VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/uv
STAMP := $(VENV)/.setup
PEERS := .venv-peers
PEERS_STAMP := $(PEERS)/.setup
DOCS := .venv-docs
DOCS_STAMP := $(DOCS)/.setup
LOCKED = --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--python-version 3.11 --custom-compile-command "make lock" --quiet $(LOCK_FLAGS)
IMAGE_EXTRAS = --extra bigquery --extra dicom --extra mlflow --extra serve

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TF_CPP_MIN_LOG_LEVEL ?= 2

help: ## Show this help
	@printf 'make TARGET [PYTHON=python3.12]\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Create .venv with the locked dependencies and this project, editable

demo: $(STAMP) ## Write the embedded sample, train on it and evaluate: see polyhead-demo/evaluate/report.html
	$(BIN)/polyhead demo --out polyhead-demo

test: $(STAMP) ## Run the tests; ARGS="-k words" for some of them
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-wheel: $(STAMP) ## Run the fast tests against the installed wheel, on each supported Python that is here
	.ci/wheel

coverage: $(STAMP) ## Run the tests, and show what they do not reach; ARGS as for test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term-missing $(ARGS)

lint: $(STAMP) ## Check style, docstrings, format, types and layers
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy --config-file tests/mypy.ini
	$(BIN)/lint-imports --no-logo

golden: $(STAMP) ## Refresh the generated files: schema, compiled pipeline, component READMEs
	$(BIN)/python tests/golden/refresh.py

docs: $(DOCS_STAMP) ## Build the documentation's pages into site, and check their links
	NO_MKDOCS_2_WARNING=true $(DOCS)/bin/python -m mkdocs build --strict $(ARGS)

changelog: $(STAMP) ## Show the changelog's next entry, from the files in docs/changes
	$(BIN)/python -m scriv print

image: ## Build the image polyhead:<version>; TARGET=gpu, BASE_IMAGE=… and more: see docker/build.sh
	docker/build.sh

image-base: ## Build a base image from Debian's packages, where no image registry is reached: see docker/base.sh
	docker/base.sh

audit: $(STAMP) ## Look the images' packages up among known vulnerabilities
	$(BIN)/python docker/audit.py requirements-cpu.txt requirements-gpu.txt

sbom: $(STAMP) ## Write the packages of an image as a CycloneDX bill of materials; IMAGE=polyhead:<version>-gpu
	docker/sbom.sh $(IMAGE)

bench: $(STAMP) ## Measure against named peers and limits; ARGS="--only words" for some of them, ARGS=--help for more
	$(BIN)/python -m benchmarks $(ARGS)

bench-peers: $(PEERS_STAMP) ## Create .venv-peers with the locked packages that bench measures against

lock: $(STAMP) ## Recompile the lock files; LOCK_FLAGS=--upgrade takes newer versions
	$(UV) pip compile pyproject.toml $(LOCKED) -o requirements.txt
	$(UV) pip compile pyproject.toml --group dev -c requirements.txt $(LOCKED) -o requirements-dev.txt
	$(UV) pip compile --group pyproject.toml:docs $(LOCKED) -o requirements-docs.txt
	echo uv | $(UV) pip compile - $(LOCKED) -o requirements-uv.txt
	sed -n 's/^tensorflow==\([^ ]*\).*/tensorflow-cpu==\1/p' requirements.txt | $(UV) pip compile pyproject.toml - $(IMAGE_EXTRAS) \
	  --override docker/overrides.in -c requirements.txt $(LOCKED) -o requirements-cpu.txt
	$(UV) pip compile pyproject.toml --extra gpu $(IMAGE_EXTRAS) -c requirements.txt $(LOCKED) -o requirements-gpu.txt
	$(UV) pip compile benchmarks/peers/requirements.in --override benchmarks/peers/overrides.in $(LOCKED) \
	  -o requirements-peers.txt

clean: ## Remove .venv, .venv-peers, caches and builds; keep what runs wrote
	rm -rf $(VENV) $(PEERS) $(DOCS) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python that works: the one given, or the first of these in a supported version.
$(BIN)/python:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || continue; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "error: $$python has no venv module: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }; \
	  echo "creating $(VENV) with $$("$$python" --version)"; \
	  exec "$$python" -m venv --clear $(VENV); \
	done; \
	echo "error: $(or $(PYTHON),python3) is not Python 3.11, 3.12 or 3.13; name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 1

$(STAMP): requirements-dev.txt requirements-uv.txt pyproject.toml $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.txt
	$(UV) pip sync --compile-bytecode --require-hashes requirements-dev.txt || { \
	  echo "error: the dependencies could not be installed; behind a mirror set UV_DEFAULT_INDEX (uv does not read pip.conf)" >&2; exit 1; }
	$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(PEERS_STAMP): requirements-peers.txt | $(STAMP)
	$(BIN)/python -m venv --clear $(PEERS)
	VIRTUAL_ENV="$(CURDIR)/$(PEERS)" $(BIN)/uv pip sync --require-hashes requirements-peers.txt
	@touch $@

$(DOCS_STAMP): requirements-docs.txt | $(STAMP)
	$(BIN)/python -m venv --clear $(DOCS)
	VIRTUAL_ENV="$(CURDIR)/$(DOCS)" $(BIN)/uv pip sync --require-hashes requirements-docs.txt
	@touch $@
