# Two commands matter: `make play` opens the game, `make test` runs the tests. Both need only Python and make.
# PIP_ARGS reaches every pip call, e.g. PIP_ARGS="--index-url …" for another package index.

SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_ARGS ?=
SAVE ?=
BENCH ?=
STAMPS := $(VENV)/.stamps
HAS_GPU := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q GPU && echo yes)
# The extra `gym` is built from source in part; without a compiler its tests say that they were left out.
HAS_CC := $(shell command -v cc >/dev/null 2>&1 && $(PYTHON) -c 'import os, sysconfig, sys; sys.exit(not os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")))' 2>/dev/null && echo yes)
PIP := $(BIN)/python -m pip --disable-pip-version-check
QUIET := $(shell [ -t 2 ] || echo -q)
comma := ,
TESTS ?= tests
# Tests run side by side, a file in one process: some play a real engine, which is shared by the tests of a file.
# A third process gains nothing on two cores.
WORKERS ?= 2

.PHONY: play test test-full lint bench clean

play: $(STAMPS)/play
	@$(BIN)/realm play $(if $(SAVE),--save $(SAVE))

test: $(STAMPS)/test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not full and not gpu" $(TESTS)

test-full: $(STAMPS)/test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "full and not gpu" $(TESTS)

lint: $(STAMPS)/test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMPS)/bench
	@$(BIN)/python -m benchmarks $(BENCH)

clean:
	rm -rf $(VENV) build dist *.egg-info

$(STAMPS)/venv:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "Python 3.11 or newer is missing: install it, or say PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: install a newer one, or say PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing: install it (Debian: apt install python3-venv)"; exit 1; }
	@echo "making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# The environment is made anew only when what it is made from changes.
$(STAMPS)/play: $(STAMPS)/venv pyproject.toml constraints.txt
	@echo "installing (the first time this fetches torch and may take some minutes) …"
	@$(PIP) install $(QUIET) -c constraints.txt $(PIP_ARGS) -e "$(if $(HAS_GPU),.[gpu],.)" || { echo "pip could not install the game: see above; PIP_ARGS can point it to another index"; exit 1; }
	@touch $@

$(STAMPS)/test: $(STAMPS)/play
	@echo "installing the test tools …"
	@$(PIP) install $(QUIET) -c constraints.txt $(PIP_ARGS) -e ".[test$(if $(HAS_GPU),$(comma)gpu)$(if $(HAS_CC),$(comma)gym)]" || { echo "pip could not install the test tools: see above"; exit 1; }
	@touch $@

$(STAMPS)/bench: $(STAMPS)/play
	@echo "installing what the game is compared with …"
	@$(PIP) install $(QUIET) -c constraints.txt $(PIP_ARGS) -e ".[bench$(if $(HAS_GPU),$(comma)gpu)]" || { echo "pip could not install it: see above"; exit 1; }
	@touch $@
