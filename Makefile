# Two commands on a fresh machine: `make demo` and `make test`. Each sets up what it needs, once.

PYTHON ?= python3
VENV ?= .venv
BACKENDS ?= jax torch tensorflow
JOBS ?= 2
VERSIONS ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_INPUT = 1
export TF_CPP_MIN_LOG_LEVEL = 3

# Without compiled files each process of a test compiles the project, and each run of pytest all tests.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
PIP := -m pip install --quiet

# torch comes first and alone, pinned: whatever asks for it later is satisfied and does not bring another build
TORCH := $(shell sed -n '/^torch==/p' constraints/ci.txt)

.DEFAULT_GOAL := help
.PHONY: help setup lint format test test-all test-fast test-plain test-lowest test-keras test-rotate test-install test-matrix ci dist $(BACKENDS:%=test-%) demo bench bench-vision docs clean

help:
	@echo "make demo         train a model with many heads on real images (sets up $(VENV)-demo)"
	@echo "make test         lint, then the tests on $(BACKENDS) (sets up $(VENV))"
	@echo "make test-all     the same with the tests that make test leaves out: marked full, or once on other backends"
	@echo "make test-fast    the tests that are not slow, on jax alone"
	@echo "make test-lowest  the tests that are not slow, on the oldest versions that are supported"
	@echo "make test-keras   the tests of tests/versions on other versions of Keras and its backends; VERSIONS=\"3.12 jax\" for some"
	@echo "make test-matrix  that on every Python, backend and extra, and every version of Keras, as one table; MATRIX=\"3.12 jax\" for some"
	@echo "make ci           lint, docs, test, test-lowest and two versions of Keras, $(JOBS) at a time: what .ci/run runs"
	@echo "make dist         build the wheel and the source distribution in dist/, and check them (sets up $(VENV)-dist)"
	@echo "make test-install the same, then install it into empty environments; PYTHONS=\"python3.11 python3.13\" for some"
	@echo "make bench        side by side with other libraries (sets up $(VENV)-bench); BENCH=--short for 5 minutes"
	@echo "make lint | format | bench-vision | docs | setup | clean"

# A stamp in each environment says what it was made from: a second run installs nothing.

$(VENV)/.ready: pyproject.toml constraints/ci.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("polyhead needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) $(TORCH)
	$(BIN)/python $(PIP) --constraint constraints/ci.txt jax tensorflow-cpu --editable '.[demo,test,export,lint,bench]'
	@touch $@

$(VENV)-lowest/.ready: pyproject.toml constraints/lowest.txt
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/python $(PIP) --constraint constraints/lowest.txt $(TORCH) numpy
	$(VENV)-lowest/bin/python $(PIP) --constraint constraints/lowest.txt --editable '.[test]'
	@touch $@

$(VENV)-demo/.ready: pyproject.toml constraints/ci.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("polyhead needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)-demo
	$(VENV)-demo/bin/python $(PIP) --constraint constraints/ci.txt --editable '.[demo]'
	@touch $@

# What is measured against is many libraries, which nothing else needs. The last one would bring an older NumPy.

$(VENV)-bench/.ready: pyproject.toml constraints/ci.txt constraints/bench.txt
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python $(PIP) $(TORCH)
	$(VENV)-bench/bin/python $(PIP) --constraint constraints/ci.txt jax tensorflow-cpu --editable '.[vision,bench]' \
		--requirement constraints/bench.txt
	$(VENV)-bench/bin/python $(PIP) --no-deps mosaicml-streaming==0.13.0
	@touch $@

$(VENV)-docs/.ready: pyproject.toml constraints/ci.txt
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python $(PIP) --constraint constraints/ci.txt --editable '.[docs]'
	@touch $@

$(VENV)-dist/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-dist
	$(VENV)-dist/bin/python $(PIP) build cffconvert check-wheel-contents hatchling twine uv
	@touch $@

setup: $(VENV)/.ready

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What touches Keras runs on each backend, the rest once (see tests/conftest.py). FULL= runs what is left out, too.

FULL ?= and not full

# JAX does not guard its cache against another process that writes it at the same time: each suite has a folder.
CACHE := JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.jax_cache

$(BACKENDS:%=test-%): test-%: $(VENV)/.ready
	KERAS_BACKEND=$* $(BIN)/python -m pytest -q -m "keras $(FULL)"

test-plain: $(VENV)/.ready
	KERAS_BACKEND=$(firstword $(BACKENDS)) $(CACHE)/plain $(BIN)/python -m pytest -q -m "not keras $(FULL)"

# Two at a time, as each uses one core for the most part, the longest first; what they print comes when each is done.

POOL = $(MAKE) --no-print-directory --jobs=$(JOBS) --keep-going --output-sync=target
TESTS := $(BACKENDS:%=test-%) test-plain

test: lint
	@echo "== tests on $(BACKENDS), $(JOBS) at a time"
	@$(POOL) $(TESTS)

test-all: lint
	@$(POOL) $(TESTS) FULL=

ci: $(VENV)/.ready $(VENV)-lowest/.ready $(VENV)-docs/.ready
	@$(POOL) $(BACKENDS:%=test-%) test-plain test-lowest test-rotate docs lint LOWEST="and lowest and not once and not full"

test-fast: $(VENV)/.ready
	KERAS_BACKEND=jax $(BIN)/python -m pytest -q -m "not slow"

# LOWEST="and lowest" leaves out what no library changes, and "and not once" what looks at no backend.

LOWEST ?=

# numba keeps the loops of one version beside their source: an older one that runs at the same time has its own folder.
test-lowest: $(VENV)-lowest/.ready
	KERAS_BACKEND=torch NUMBA_CACHE_DIR=$(CURDIR)/.numba_cache $(VENV)-lowest/bin/python -m pytest -q -m "not slow $(LOWEST)"

# Keras lies in folders under .venv-keras; an environment of a backend is there for as long as its tests run. A checkout
# serves as Keras's master where its repository cannot be reached: KERAS_MASTER=/path/to/keras.

test-keras: $(VENV)/.ready
	@JOBS=$(JOBS) $(BIN)/python tests/versions/run_versions.py $(VERSIONS)

test-rotate: $(VENV)/.ready
	@JOBS=1 $(CACHE)/rotate $(BIN)/python tests/versions/run_versions.py rotate

# What is in dist/ is what a package index gets. tests/install looks at the contents, in `make test` as well.

dist: $(VENV)-dist/.ready
	rm -rf dist
	$(VENV)-dist/bin/python -m build --no-isolation --outdir dist . > /dev/null
	$(VENV)-dist/bin/twine check --strict dist/*
	$(VENV)-dist/bin/check-wheel-contents dist/*.whl
	$(VENV)-dist/bin/cffconvert --validate

PYTHONS ?=

test-install: dist
	$(PYTHON) tests/install/run_install.py $(PYTHONS)

# Every Python and backend, then every version of Keras, and one table of all; MATRIX="3.12 jax" for some, MATRIX=table
# for what was found before.

MATRIX ?=

test-matrix: dist $(VENV)/.ready
	@UV=$(abspath $(VENV)-dist)/bin/uv JOBS=$(JOBS) $(BIN)/python tests/versions/run_matrix.py $(MATRIX)

demo: $(VENV)-demo/.ready
	$(VENV)-demo/bin/polyhead demo

# Arguments go in BENCH, such as BENCH="--short" or BENCH="--write benchmarks/RESULTS.md".

bench: $(VENV)-bench/.ready
	$(VENV)-bench/bin/python -m benchmarks $(BENCH)

bench-vision: $(VENV)-bench/.ready
	$(VENV)-bench/bin/python -m benchmarks.vision $(BENCH)

# A warning ends it: a broken link, a page that is not in the menu; and so does a search that does not find its page first.

docs: $(VENV)-docs/.ready
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict --quiet
	$(VENV)-docs/bin/python tests/docs/search_site.py site
	@echo "site/index.html"

clean:
	rm -rf $(VENV)-bench $(VENV)-demo $(VENV)-dist $(VENV)-docs $(VENV)-keras $(VENV)-lowest build dist site .jax_cache .numba_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
