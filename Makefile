# make run · make demo · make test · make lint: each makes .venv and installs what it needs, and does nothing twice.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# Tests run in two processes, each test file in one of them, with one thread each: small models gain nothing from more.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: run demo test test-heavy test-recipes test-all lint format clean

run: .venv/.installed
	$(BIN)/python app.py $(ARGS)

demo: .venv/.installed
	$(BIN)/python cli.py demo $(ARGS)

# Everything but the heavier suites, which `make test-all` adds.
test: .venv/.installed-dev
	$(PYTEST) -m "not heavy" $(ARGS)

test-heavy: .venv/.installed-dev
	$(PYTEST) -m "heavy and not recipe" $(ARGS)

# Whole recipes, from their data to their verdict: half an hour and more. `make test` covers each of their parts.
test-recipes: .venv/.installed-dev
	$(PYTEST) -m recipe $(ARGS)

test-all: .venv/.installed-dev
	$(PYTEST) $(ARGS)

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv

# A stamp that is newer than the lists means that nothing has to be installed.
.venv/.installed: requirements.txt requirements-overlay.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hearth needs Python 3.11 or newer; set PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing packages into .venv (once; a few minutes, about 8 GB on disk) …"
	@$(BIN)/pip install --disable-pip-version-check --quiet -r requirements.txt
	@$(BIN)/pip install --disable-pip-version-check --quiet --no-deps -r requirements-overlay.txt
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	@$(BIN)/pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	@touch $@
