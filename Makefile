# Everything runs in .venv, which `make setup` builds from the hashed lock; the other targets that need .venv call it first.

PYTHON ?= $(firstword $(foreach name,python3.12 python3.11 python3 python3.13 python3.14,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(name))))
ASKED_FOR := $(filter command environment,$(origin PYTHON))
IN_VENV := .venv/bin/python -m
# Processes of tests: twice as many as processors, as tests of crashes and of slow servers mostly wait.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) \* 2)
ARGS ?=
KEEP ?=
UV ?= uv
LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

export PIP_DISABLE_PIP_VERSION_CHECK := 1
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-money lint bench drill compose-test lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

# Why a .venv that is there is built anew: its scripts name the folder that the clone was in before, or another Python is asked for.
MISFIT := $(shell test ! -e .venv/.complete \
	|| { test -x .venv/bin/python && grep -qsF "$(CURDIR)/.venv/bin/python" .venv/bin/prorata; } || echo moved)
ifneq ($(ASKED_FOR),)
MISFIT += $(shell test "$$(.venv/bin/python -VV 2>/dev/null)" = "$$("$(PYTHON)" -VV 2>/dev/null)" || echo another Python)
endif
ifneq ($(strip $(MISFIT)),)
.PHONY: .venv/.complete
endif

setup: .venv/.complete  ## build .venv from the hashed lock (PYTHON=python3.12 to choose one)

.venv/.complete: requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Prorata needs Python 3.11 or later and found none. Install one, or name it: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11, or does not run." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@{ test -z "$(strip $(MISFIT))" && .venv/bin/python -c 'import pip' 2>/dev/null; } || { echo "Building .venv with $$("$(PYTHON)" --version), a few minutes the first time ..."; "$(PYTHON)" -m venv --clear .venv; }
	@$(IN_VENV) pip install -qq --no-input --no-deps --require-hashes -r requirements-dev.txt
	@$(IN_VENV) pip install -qq --no-input --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## sample orders through the whole stack, from real processes to a table of outcomes (KEEP=1 leaves it running)
	@.venv/bin/prorata demo $(if $(KEEP),--keep)

# The tests start some hundred processes. Where Python may keep no bytecode, each compiles all of our modules anew.
test: setup  ## all tests, on real PostgreSQL and Redis (ARGS="-k vat" for pytest, JOBS=1 for one process)
	@env -u PYTHONDONTWRITEBYTECODE $(IN_VENV) pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -q $(ARGS)

test-money: setup  ## the laws of money with many more examples
	@PRORATA_LONG=1 $(IN_VENV) pytest -n $(JOBS) -q --timeout=0 tests/rules tests/ledger tests/closing/test_equation.py $(ARGS)

lint: setup  ## ruff, mypy, import-linter
	@$(IN_VENV) ruff check .
	@$(IN_VENV) ruff format --check .
	@$(IN_VENV) mypy
	@.venv/bin/lint-imports

bench: .venv-bench/.complete  ## measurements, side by side (ARGS=--short for two minutes, ARGS="scenario NAME", "compare REVISION")
	@.venv-bench/bin/python -m benchmarks $(ARGS)

.venv-bench/.complete: .venv/.complete requirements-bench.txt
	@echo "Building .venv-bench with what Prorata is measured against ..."
	@.venv/bin/python -m venv --clear .venv-bench
	@.venv-bench/bin/python -m pip install -qq --no-input --no-deps --require-hashes -r requirements-bench.txt
	@.venv-bench/bin/python -m pip install -qq --no-input --no-deps --no-build-isolation --editable .
	@touch $@

drill: setup  ## kill at every place of every step, then a storm of faults over 10,000 orders (ARGS="storm --seed 7" for one of them)
	@$(if $(ARGS),.venv/bin/prorata drill $(ARGS),.venv/bin/prorata drill && .venv/bin/prorata drill storm --orders 10000 --minutes 20)

compose-test: setup  ## docker-compose.yml up, the end-to-end tests against it from outside, and down again
	@$(IN_VENV) tests.e2e.run_against_compose $(ARGS)

lock:  ## make the locks again from pyproject.toml: names, versions and hashes (needs uv)
	@command -v "$(UV)" >/dev/null || { echo "make lock needs uv: pip install uv, or name it: make lock UV=/path/to/uv" >&2; exit 1; }
	@"$(UV)" pip compile pyproject.toml $(LOCK_OPTIONS) -o requirements.txt
	@"$(UV)" pip compile pyproject.toml --extra dev -c requirements.txt $(LOCK_OPTIONS) -o requirements-dev.txt
	@"$(UV)" pip compile pyproject.toml --extra bench -c requirements-dev.txt $(LOCK_OPTIONS) -o requirements-bench.txt

clean:  ## remove .venv, caches and what runs left behind
	rm -rf .venv .venv-bench .prorata .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
