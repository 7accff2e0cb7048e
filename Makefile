# Two commands do all the set-up on a fresh machine: `make run` starts the demo, `make test` runs every check.

VENV ?= .venv
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
BIN := $(VENV)/bin
PORT ?= 8080
PYTEST_ARGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help:  ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@scripts/system-packages python
	@test -n "$(PYTHON)" || { echo "Vigie needs Python 3.11 or newer; python3 is $$(python3 --version 2>&1)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[embeddings]'
	@touch $@

$(VENV)/installed-test: $(BIN)/python pyproject.toml constraints.txt scripts/system-packages
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,postgres,embeddings,peers,quality]'
	@scripts/system-packages test
	@touch $(VENV)/installed $@

.PHONY: install
install: $(VENV)/installed  ## Create the environment and install Vigie

.PHONY: run
run: $(VENV)/installed  ## Start the demo (PORT=8080)
	$(BIN)/vigie demo --port $(PORT)

.PHONY: lint
lint: $(VENV)/installed-test  ## Check format, style, types, layers and shape
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test
test: lint  ## Run every check and test
ifeq ($(PYTEST_ARGS),)
	@status=0; \
	$(BIN)/python -m pytest -n 2 --ignore=tests/integration --ignore=tests/acceptance || status=1; \
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/integration tests/acceptance || status=1; \
	exit $$status  # the second half starts brokers, servers and browsers: a file's tests share theirs
else
	$(BIN)/python -m pytest $(PYTEST_ARGS)
endif

.PHONY: bench
bench: $(VENV)/installed-test  ## Measure speed, as ratios against references of the same run
	$(BIN)/python -m benchmarks

.PHONY: docs
docs: $(VENV)/installed  ## Write the generated reference pages
	$(BIN)/python -m docs.reference

.PHONY: constraints
constraints:  ## Resolve every dependency anew and pin it
	rm -rf $(VENV)-constraints && $(PYTHON) -m venv $(VENV)-constraints
	$(VENV)-constraints/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-constraints/bin/python -m pip install --quiet --editable '.[all,peers,test]'
	$(VENV)-constraints/bin/python -m pip freeze --exclude-editable > constraints.txt
	rm -rf $(VENV)-constraints

.PHONY: clean
clean:  ## Remove what the other commands made
	rm -rf $(VENV) tests/integration/kafka/target .mypy_cache .ruff_cache .pytest_cache .hypothesis
