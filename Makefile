# make demo, make test: each sets up .venv with what it needs. PYTHON=python3.12 make … chooses another Python.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo figures test slow lint chapters check-chapters notebooks student teacher clean help

help:
	@echo "make demo            learn to translate dates, and see what was attended to"
	@echo "make figures         draw the pictures of the chapters into figures/"
	@echo "make test            all tests, the comparisons with PyTorch included"
	@echo "make slow            the tests that train for minutes"
	@echo "make lint            ruff and import-linter"
	@echo "make notebooks       open the chapters in JupyterLab"
	@echo "make chapters        run every chapter's source and write its notebook"
	@echo "make check-chapters  run every chapter's source and compare, as CI does"
	@echo "make student         the chapters without solutions and outputs, in build/student"
	@echo "make teacher         the chapters with solutions and hidden tests for nbgrader, in build/teacher"
	@echo "make clean           remove .venv"

demo: .venv/demo
	$(BIN)/minis2s demo

figures: .venv/demo
	$(BIN)/minis2s figures

test: .venv/test
	$(BIN)/python -m pytest --require-torch

slow: .venv/test
	$(BIN)/python -m pytest --require-torch -m slow

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/lint-imports

notebooks: .venv/notebooks
	$(BIN)/jupyter lab chapters

chapters: .venv/notebooks
	$(BIN)/python chapters/build.py

check-chapters: .venv/notebooks
	$(BIN)/python chapters/build.py --check

student teacher: .venv/notebooks
	$(BIN)/python chapters/build.py --edition $@

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

.venv/notebooks: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[notebooks]'
	@touch $@
