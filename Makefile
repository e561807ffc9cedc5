PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test test-all lint

demo: .venv/run.stamp
	$(BIN)/python -m tf_msgan.train --out runs/demo --overwrite

test: .venv/dev.stamp
	$(BIN)/python -m pytest

test-all: .venv/dev.stamp
	$(BIN)/python -m pytest -m ""

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
