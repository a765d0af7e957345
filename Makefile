# Every verb sets itself up in $(VENV) on a fresh machine. Another environment: make test VENV=~/env
VENV ?= .venv
PYTHON ?= python3
DEMO ?= demo
BIN := $(VENV)/bin
READY := $(VENV)/.spinelab-ready
DOCS_READY := $(VENV)/.spinelab-docs-ready
BENCH_READY := $(VENV)/.spinelab-bench-ready
WORKERS ?= 2
# One thread a worker: on few cores, threads of several workers only get in each other's way.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench docs serve size clean

help: ## list the verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(READY) ## make $(VENV) with every version pinned

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; try: make install PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(READY): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

$(BENCH_READY): $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

demo: $(READY) ## the main job on phantoms: draw patients, compare models, write a report (about 2 minutes on 2 cores)
	rm -rf $(DEMO)
	$(BIN)/spinelab phantom lumbar-xray --out $(DEMO)/phantoms -n 60 --seed 1 --difficulty typical
	env -u OMP_NUM_THREADS $(BIN)/spinelab compare lumbar-xray --data $(DEMO)/phantoms --out $(DEMO)/comparison \
	  --vary model=simple-cnn,resnet18,slip-logistic --folds 3 --set epochs=6 --set image_size=112 --no-learning-curve
	@echo "Open $(DEMO)/comparison/report.html in a browser."

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

check: $(READY) ## style, types, floors, sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/python scripts/size.py

bench: $(BENCH_READY) ## run every benchmark and print one table
	$(BIN)/python benchmarks/run.py

docs: $(DOCS_READY) ## build the site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

serve:
	@echo "The reading page in the browser is not part of this version. 'spinelab read PATH --model MODEL --out DIR' writes the same report as a file." >&2
	@exit 1

size: $(READY) ## the ten largest functions and files
	$(BIN)/python scripts/size.py

clean: ## remove what the verbs made, except $(VENV)
	rm -rf $(DEMO) site dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
