# Two commands are enough: `make run` serves, `make test` tests. Everything stays inside this folder.

PYTHON ?= python3
BIN := .venv/bin
DEMO ?= 1
TESTS ?= tests

# What Python compiled is kept: a start takes a third less, and the tests start the program a hundred times.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check lint bench format messages lock

help:  ## say what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: .venv/installed  ## serve riders and staff on http://127.0.0.1:8080 with sample data
	@DEMO=$(DEMO) exec $(BIN)/nuanxin serve

test: .venv/installed  ## run all tests (TESTS=tests/services for some)
	$(BIN)/pytest -n 2 --dist worksteal $(TESTS)

check: lint test  ## lint, types, translations, tests

lint: .venv/installed  ## lint, types, translations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m scripts.messages check

bench: .venv/installed-bench  ## measure, side by side with others
	$(BIN)/python -m bench

format: .venv/installed  ## format the code and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: .venv/installed  ## bring the translations in step with the code
	$(BIN)/python -m scripts.messages update

lock:  ## renew the lock files (needs uv)
	uv lock --quiet
	uv export --quiet --no-header --no-annotate --no-emit-project --group dev --output-file requirements.lock
	uv export --quiet --no-header --no-annotate --no-emit-project --only-group bench --output-file requirements-bench.lock
	rm uv.lock

.venv/installed: requirements.lock pyproject.toml
	@if command -v uv >/dev/null; then \
	  test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) .venv; \
	  uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps -e .; \
	else \
	  test -x $(BIN)/python || $(PYTHON) -m venv .venv 2>/dev/null || $(PYTHON) -m venv --clear --without-pip .venv; \
	  if test -x $(BIN)/pip; then PIP=$(BIN)/pip; else PIP="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
	  $$PIP install --quiet --require-hashes -r requirements.lock && \
	  $$PIP install --quiet --no-deps -e .; \
	fi
	@touch $@

.venv/installed-bench: .venv/installed requirements-bench.lock
	@if command -v uv >/dev/null; then \
	  uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-bench.lock; \
	else \
	  if test -x $(BIN)/pip; then PIP=$(BIN)/pip; else PIP="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
	  $$PIP install --quiet --require-hashes -r requirements-bench.lock; \
	fi
	@touch $@
