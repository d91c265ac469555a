# make demo, make test: each sets up .venv with what it needs. PYTHON=python3.12 make … chooses another Python.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test slow lint clean help

help:
	@echo "make demo    learn to translate dates, and see what was attended to"
	@echo "make test    all tests, the comparisons with PyTorch included"
	@echo "make slow    the tests that train for minutes"
	@echo "make lint    ruff and import-linter"
	@echo "make clean   remove .venv"

demo: .venv/demo
	$(BIN)/minis2s demo

test: .venv/test
	$(BIN)/python -m pytest --require-torch

slow: .venv/test
	$(BIN)/python -m pytest --require-torch -m slow

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/lint-imports

clean:
	rm -rf .venv

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "minis2s needs Python 3.11 or newer: install it, then say PYTHON=python3.11 make ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv or ensurepip is missing: on Debian or Ubuntu run 'sudo apt install python3-venv', then make again."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/demo: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[data,plot,progress]'
	@touch $@

.venv/test: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[test,torch]'
	@touch $@
