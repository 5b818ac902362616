# `make demo` and `make test` need nothing but Python 3.11 to 3.13, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Processes that share the tests.
WORKERS ?= 2

# What an installation compiles.
SOURCES := $(wildcard augment/plan/c/*)

export NO_ALBUMENTATIONS_UPDATE := 1
export TF_CPP_MIN_LOG_LEVEL ?= 2

# Seconds for `make fuzz`.
SECONDS ?= 300

.PHONY: demo test golden soak sanitize fuzz lint types api clean

demo: $(VENV)/.installed
	$(BIN)/caudal demo

test: lint types
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not alone' --durations=25
	$(BIN)/python -m pytest -m alone --durations=25

# Programs of tests/programs, which must end, and with their own exit status; random pipelines, of which threads, workers
# and conversions must make equal pixels; then the scenarios of tests/soak: damaged files, kills, limits of resources,
# signals, forks, full disks. Ends with a table of figures.
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.programs.run -n 3 -j $(WORKERS)
	$(BIN)/python -m tests.programs.exact -n 100
	$(BIN)/python -m tests.augment.plan.soak
	$(BIN)/python -m tests.pipeline.soak_streams -n 100
	$(BIN)/python -m tests.soak.run

# The kernels' own tests, and augmentations of the robustness corpus, with a module that reports every access outside an
# object and every undefined operation.
sanitize: $(VENV)/.installed-dev
	SANITIZED_KERNELS=$$($(BIN)/python -m tests.augment.plan.sanitized_kernels build/sanitized) && \
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so)" ASAN_OPTIONS=detect_leaks=0 \
	SANITIZED_KERNELS=$$SANITIZED_KERNELS $(BIN)/python -m pytest --capture=no tests/augment/plan/test_hostile_kernels.py \
	tests/augment/plan/test_corpus_kernels.py

# Headers, records and kernels, coverage-guided where clang is installed; what crashes joins tests/fuzz/corpus.
fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz.run -s $(SECONDS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(SOURCES)

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# Write the digests of the streams of 40 configurations; refuses changed ones without a higher STREAM_VERSION.
golden: $(VENV)/.installed-dev
	$(BIN)/python -m tests.golden

# Write down what is public.
api: $(VENV)/.installed-dev
	$(BIN)/python -m tests.public_api

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt $(SOURCES) | $(BIN)/python
	rm -f augment/plan/*.so
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt $(SOURCES) | $(BIN)/python
	rm -f augment/plan/*.so
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build *.egg-info augment/plan/*.so .mypy_cache .pytest_cache .ruff_cache .hypothesis
