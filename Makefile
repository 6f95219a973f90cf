# A bare clone, Python 3.11 or newer, make and git are enough: each target that needs
# an environment makes it in .venv first. Say PYTHON=/path/to/python to choose one.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check bench gallery golden clean

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
SIZES ?= 1000 10000 100000

help: ## Say what can be made (this list)
	@echo "obs2anki turns the flashcards of an Obsidian vault into an Anki deck."
	@echo
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1 \2/p' Makefile \
	  | while read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done
	@echo
	@echo "Nothing has to be installed first: an environment is made in $(VENV) when needed."

demo: $(VENV)/run.installed ## Export the demo vault to demo.apkg, and say what to do next
	@echo "Exporting the vault fixtures/vaults/demo to demo.apkg."
	@echo
	@$(BIN)/obs2anki export fixtures/vaults/demo -o demo.apkg
	@echo
	@echo "To see the cards: in Anki choose File > Import, and pick demo.apkg in this folder."
	@echo "For your own vault: $(BIN)/obs2anki export path/to/your/vault -o deck.apkg"

test: $(VENV)/test.installed ## Run all tests, on every processor core
	@echo "Running the tests."
	@$(BIN)/python -m pytest -n auto

check: $(VENV)/dev.installed ## Check style, types and the direction of imports
	@echo "Checking style (ruff)."
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@echo "Checking types (mypy)."
	@$(BIN)/python -m mypy
	@echo "Checking that imports point down only (import-linter)."
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/run.installed ## Measure exports and watches of 1,000 to 100,000 cards (or SIZES="...")
	@$(BIN)/python -m benchmarks.export $(SIZES)
	@$(BIN)/python -m benchmarks.render

GALLERY ?= build/gallery

gallery: $(VENV)/test.installed ## Take pictures of cards with Chromium, into build/gallery (or GALLERY=...)
	@$(BIN)/python -m tests.gallery $(GALLERY)

golden: $(VENV)/test.installed ## Write the golden expectations anew, then show what changed
	@echo "Writing the golden expectations anew: read the difference before you commit it."
	@tests=$$(grep -l OBS2ANKI_GOLDEN tests/test_*.py) || { echo "No test has any."; exit 0; }; \
	  OBS2ANKI_GOLDEN=1 $(BIN)/python -m pytest -q $$tests
	@git --no-pager diff --stat -- fixtures

clean: ## Remove all that make has made: environment, demo deck, caches
	rm -rf $(VENV) demo.apkg build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find obs2anki tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- the environment

# An environment whose Python has gone is made anew, so nothing is installed in it.
ifeq ($(shell $(BIN)/python -c 'print(1)' 2>/dev/null),)
$(shell rm -f $(VENV)/*.installed $(BIN)/python)
endif

NEEDS_run := .
NEEDS_test := .[test]
NEEDS_dev := .[dev]
WHAT_run := obs2anki and what it needs to run
WHAT_test := obs2anki and what its tests need
WHAT_dev := obs2anki and what its checks need

# `make test` after `make check` has nothing to install: the larger set holds the smaller.
HOLDS_test := run
HOLDS_dev := run test

$(VENV)/%.installed: pyproject.toml | $(BIN)/python
	@echo "Installing $(WHAT_$*) into $(VENV); this happens once and takes a minute or so."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -e '$(NEEDS_$*)' \
	  || { echo "pip could not install it (see above). Is there a network? Then say make again."; exit 1; }
	@for set in $(HOLDS_$*) $*; do touch $(VENV)/$$set.installed; done

# It has to run venv and ensurepip too: Debian ships a Python without them.
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

$(BIN)/python:
	@for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	  if "$$python" -c '$(USABLE)' >/dev/null 2>&1; then \
	    echo "Making an environment in $(VENV) with $$("$$python" --version) ($$(command -v "$$python"))."; \
	    exec "$$python" -m venv --clear $(VENV); \
	  fi; \
	done; \
	echo "obs2anki needs Python 3.11 or newer with its venv module, and $(or $(PYTHON),python3) is not one."; \
	echo "Install one from https://www.python.org/downloads/ (on Debian or Ubuntu: apt install python3-venv),"; \
	echo "or say where it is: make PYTHON=/path/to/python3"; \
	exit 1
