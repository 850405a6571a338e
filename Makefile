# Every target sets itself up: a virtual environment in .venv, the package and its extras at the tested versions.
#   make demo      a chorale, a harmonised folk tune and a reply to a call, performed: demo/
#   make test      the fast tests (what every change has to pass)
#   make help      the rest

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.set-up
JOBS   ?= 2

# Benchmark data is never part of the project. A folder beside the checkout is used where there is one.
ifndef COMPONIUM_BENCH_DATA
ifneq ($(wildcard ../shared/data/README.md),)
export COMPONIUM_BENCH_DATA := $(abspath ../shared/data)
endif
endif

.PHONY: help setup demo test test-all bench lint clean
.DEFAULT_GOAL := help

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP)  ## make .venv and install the package with everything it needs

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Componium needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)."; \
	  echo "Name a newer one: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.12"; exit 1; } >&2
	@test -x $(BIN)/python || { echo "== making $(VENV)"; $(PYTHON) -m venv $(VENV); } || { \
	  echo "The virtual environment could not be made (on Debian and Ubuntu: apt install python3-venv)." >&2; \
	  rm -rf $(VENV); exit 1; }
	@echo "== installing the package and what it needs into $(VENV) (a minute or two, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]' -c constraints.txt || { \
	  echo "The installation did not finish: read the lines above; without a network there is nothing to install from." >&2; \
	  exit 1; }
	@touch $(STAMP)

demo: $(STAMP)  ## compose a chorale, harmonise a folk tune, answer a call, perform all: demo/index.html
	$(BIN)/componium demo --out demo --force

# As many tests at once as there are cores: each calculates on one of them.
test test-all: export OMP_NUM_THREADS ?= 1

test: $(STAMP)  ## the fast tests
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow"

test-all: $(STAMP)  ## all tests, and whether every dependency has wheels for the three platforms
	$(BIN)/python -m pytest -n $(JOBS)
	$(BIN)/python tools/check_wheels.py

bench: $(STAMP)  ## side-by-side measurements: a table, and bench.json
	$(BIN)/componium bench --json bench.json --force

lint: $(STAMP)  ## ruff, mypy, spelling
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell README.md CHANGELOG.md CONTRIBUTING.md Makefile src docs lessons tools  # tests misspell names on purpose

clean:  ## remove what the targets made, .venv included
	rm -rf $(VENV) demo bench.json build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests tools docs lessons -name __pycache__ -type d -prune -exec rm -rf {} +
