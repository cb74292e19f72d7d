# The verbs of the project; `make` alone lists them. The environment is .venv, made by scripts/prepare.py.

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-frameworks coverage check torture bench bench-peers screenshots wheel lock clean

PYTHON ?= python3
BIN := .venv/bin
# Two workers on two cores; more do not pay below a few hundred tests per worker.
TEST_WORKERS ?= 2
# Where the data of `make bench` lies and where its results go.
SOURCE ?=
OUT ?= results/bench
# The report that `make screenshots` looks at.
REPORT ?= $(OUT)/report.html
# Which fault tests `make torture` runs; all of them where nothing is said.
PART ?=
ENGINE ?=
OP ?=
TRIALS ?=
SEED ?=
# What `make bench-peers` measures with: the CIFAR-10 archive or folder, and a folder of JPEG photos; OPTIONS as --quick or --only ffcv,dali.
CIFAR ?=
PHOTOS ?=
OPTIONS ?=

help: ## List these verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

setup: ## Make .venv: pinned libraries, the native core, pixstore itself
	@for python in "$(PYTHON)" python3.14 python3.13 python3.12 python3.11; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then exec "$$python" scripts/prepare.py; fi; \
	done; \
	echo "pixstore needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1 || true). Install one, or name it: make PYTHON=/path/to/python3.12" >&2; \
	exit 1

demo: setup ## Compare ways of keeping images on built-in ones, in about two minutes
	@$(BIN)/pixstore bench --out results/demo
	@echo "  (pixstore is $(BIN)/pixstore; after \`. $(BIN)/activate\` just pixstore)"

test: setup ## Run the tests of the package and of the native core
	@$(BIN)/python scripts/native.py test
	@$(BIN)/python -m pytest -q -n $(TEST_WORKERS)

test-slow: setup ## Run the tests that take long
	@$(BIN)/python -m pytest -q -m slow

test-frameworks: setup ## Run the tests that need PyTorch, TensorFlow, JAX, Keras and Ray, in an environment of their own (16 GB of disk)
	@$(BIN)/python scripts/frameworks.py

coverage: setup ## Run the tests and show the lines that none reaches; fails under 90 %
	@$(BIN)/python -m pytest -q -n $(TEST_WORKERS) --cov --cov-report=term

check: setup ## Style, types, lints of both languages, and the rules of the architecture
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python scripts/native.py check
	@$(BIN)/python -m pytest -q tests/test_architecture.py tests/test_locks.py

torture: setup ## Kill, fill disks, cut power, rot: make torture [PART=kill,rot ENGINE=lmdb OP=append TRIALS=9 SEED=0]; writes docs/reliability.md
	@PYTHONPATH=tests $(BIN)/python -m faults.torture $(if $(PART),--part "$(PART)") $(if $(ENGINE),--engine "$(ENGINE)") \
		$(if $(OP),--op "$(OP)") $(if $(TRIALS),--trials "$(TRIALS)") $(if $(SEED),--seed "$(SEED)") --jobs $(TEST_WORKERS)

bench: setup ## Measure the ways of keeping images: make bench SOURCE=photos OUT=results/photos
	@$(BIN)/pixstore bench $(if $(SOURCE),"$(SOURCE)") --out "$(OUT)"

bench-peers: setup ## Measure the loader beside FFCV, DALI, torch …: make bench-peers CIFAR=ARCHIVE PHOTOS=FOLDER (40 minutes, 13 GB)
	@test -n "$(CIFAR)" -a -n "$(PHOTOS)" || { \
		echo "name the data: make bench-peers CIFAR=cifar-10-batches-py.tar.gz PHOTOS=folder/of/jpegs" >&2; exit 2; }
	@$(BIN)/python benchmarks/peers/run.py --cifar "$(CIFAR)" --photos "$(PHOTOS)" $(OPTIONS)

screenshots: setup ## Look at a report in headless Chromium, desktop and phone, light and dark: make screenshots REPORT=results/bench/report.html
	@$(BIN)/python scripts/screenshots.py "$(REPORT)"

wheel: setup ## Build both wheels into dist/ and try them in an empty environment
	@$(BIN)/python scripts/wheels.py

lock: setup ## Pin the newest versions that pyproject.toml allows into requirements.lock
	@env -u PIP_FIND_LINKS -u UV_FIND_LINKS $(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --upgrade \
		--no-emit-index-url --no-header --python-version 3.11 --quiet --output-file requirements.lock
	@env -u PIP_FIND_LINKS -u UV_FIND_LINKS $(BIN)/uv pip compile pyproject.toml --group frameworks --universal --generate-hashes --upgrade \
		--no-emit-index-url --no-header --python-version 3.11 --quiet --output-file requirements-frameworks.lock

clean: ## Remove everything that these verbs made, but for the peers' environments in .peers
	rm -rf .venv .venv-frameworks dist results native/target htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
