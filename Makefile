PYTHON ?= python3.11
BIN := .venv/bin
# Most of a test's time goes to one thread that traces graphs. Files in their order: the longest have few tests, and
# would come last.
PARALLEL := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-all lint

demo: .venv/run.stamp
	$(BIN)/python -m tf_msgan.train --out runs/demo --overwrite

test: .venv/dev.stamp
	$(BIN)/python -m pytest $(PARALLEL)

test-all: .venv/dev.stamp
	$(BIN)/python -m pytest $(PARALLEL) -m ""

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/run.stamp: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	touch $@
