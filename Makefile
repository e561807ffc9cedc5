PYTHON ?= python3.11
BIN := .venv/bin
# Most of a test's time goes to one thread that traces graphs. Files in the order that tests/conftest.py gives them: the
# longest have few tests, and would come last.
PARALLEL := --numprocesses 2 --dist loadfile --no-loadscope-reorder

PEERS := .venv-peers/bin/python
RESULTS := docs/results/benchmarks
# Where the real neonates lie.
NEONATES ?= ../shared/data/albert-neonates

# The Pythons that `pip install` is tried with.
PYTHONS ?= $(PYTHON)
ALL_PYTHONS ?= python3.11 python3.12 python3.13

.PHONY: demo test-unit test test-all test-install lint reference bench bench-accuracy

demo: .venv/run.stamp
	$(BIN)/python -m tf_msgan.train --out runs/demo --overwrite

# Within two minutes on two cores: mathematics, files and options.
test-unit: .venv/dev.stamp
	$(BIN)/python -m pytest $(PARALLEL) -m "not integration and not slow"

# Within twelve: all but what is marked slow.
test: .venv/dev.stamp
	$(BIN)/python -m pytest $(PARALLEL)

# All, and an installation with every Python.
test-all: .venv/dev.stamp
	$(BIN)/python -m pytest $(PARALLEL) -m ""
	$(MAKE) test-install PYTHONS="$(ALL_PYTHONS)"

# In an empty folder, for each Python: `pip install`, a tiny training, a prediction, and the README's Python.
test-install:
	for python in $(PYTHONS); do $(PYTHON) tests/try_install.py $$python || exit 1; done

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

# docs/reference.md, from the code.
reference: .venv/run.stamp
	$(BIN)/python docs/write_reference.py

# All but accuracy. A short training first: the coarse stage must have learnt where the brain is.
bench: .venv/run.stamp .venv-peers/stamp
	$(BIN)/python -m tf_msgan.train --epochs 2 --out runs/bench --overwrite --no-progress
	$(BIN)/python -m benchmarks.throughput --peers $(PEERS) --json $(RESULTS)/throughput.json
	$(BIN)/python -m benchmarks.pipeline --peers $(PEERS) --json $(RESULTS)/pipeline.json
	$(BIN)/python -m benchmarks.whole_volume runs/bench --peers $(PEERS) --json $(RESULTS)/whole_volume.json
	$(BIN)/python -m benchmarks.limit --json $(RESULTS)/limit.json
	$(BIN)/python -m benchmarks.growth_training --known $(RESULTS)/throughput.json --json $(RESULTS)/growth_training.json
	$(BIN)/python -m benchmarks.growth_volume runs/bench --json $(RESULTS)/growth_volume.json
	$(BIN)/python -m benchmarks.growth_cohort --json $(RESULTS)/growth_cohort.json
	$(BIN)/python -m benchmarks.first_minute runs/bench --json $(RESULTS)/first_minute.json
	$(BIN)/python -m benchmarks.report $(RESULTS)

# Six trainings of an hour each.
bench-accuracy: .venv/run.stamp .venv-peers/stamp
	$(BIN)/python -m benchmarks.accuracy --peers $(PEERS) --data $(NEONATES) --runs runs/$(RESULTS) --out $(RESULTS)/accuracy
	$(BIN)/python -m benchmarks.report $(RESULTS)

.venv-peers/stamp: benchmarks/requirements-peers.txt
	$(PYTHON) -m venv .venv-peers
	$(PEERS) -m pip install --quiet --no-deps --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu
	$(PEERS) -m pip install --quiet --requirement benchmarks/requirements-peers.txt
	touch $@

.venv/run.stamp: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	touch $@
