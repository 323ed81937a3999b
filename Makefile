# One environment, .venv/, in this checkout. Each target only adds to it, from requirements/*.txt, whose hashes pip checks.
PYTHON ?= python3
PORT ?= 8081
MODEL_DIR ?= src/flagrank/demo_model
ifdef DATA_DIR
export FLAGRANK_DATA_DIR := $(DATA_DIR)
endif

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
CODE := $(wildcard src tests tools benchmarks)
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock"

.PHONY: help serve setup test check bench bench-full model policy lock

help:
	@echo "make serve   install what serving needs, answer on port $(PORT) (PORT=, DATA_DIR=)"
	@echo "make setup   install every extra and tool"
	@echo "make test    setup, then every test suite, on each Python this machine has"
	@echo "make check   setup, then format, lint, sizes, spelling, dead code, dependencies, layers, types"
	@echo "make bench   setup, then speed and quality, measured side by side"
	@echo "make bench-full   setup, then a thousand promotions, tasks on PgQueuer and Celery, tasks and reports by the ten million (an hour and a half)"
	@echo "make model   setup, then train the bundled model again on synthetic reports (MODEL_DIR=)"
	@echo "make policy  setup, then fit the default policy's pool again on a synthetic history"
	@echo "make lock    setup, then requirements/*.txt from pyproject.toml (UPGRADE=1: newest versions)"
	@echo "PYTHON=python3.12 chooses the interpreter that .venv/ is made from."

serve: .venv/serve.stamp
	@exec $(BIN)/flagrank serve --demo --port $(PORT)

setup: .venv/setup.stamp

test: setup
	@$(BIN)/python tools/run_tests.py

check: setup
	$(BIN)/ruff check --quiet $(CODE)
	$(BIN)/ruff format --quiet --check $(CODE)
	$(BIN)/python tools/check_budgets.py $(CODE)
	$(BIN)/typos
	$(BIN)/vulture
	$(BIN)/deptry src
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy $(CODE)

bench: setup
	@$(BIN)/python -m benchmarks

bench-full: setup
	@$(BIN)/python -m benchmarks full

# The date stands in the package; fixed, so that the same locks and Python make the same bytes.
model: export SOURCE_DATE_EPOCH := 1767225600
model: setup
	@mkdir -p .cache
	$(BIN)/flagrank simulate --rows 20000 --days 60 --seed 1 --out .cache/synthetic-reports.csv
	$(BIN)/flagrank train --data .cache/synthetic-reports.csv --target actionable --architecture xgboost --name synthetic-demo --seed 1 --out $(MODEL_DIR)

policy: setup
	@mkdir -p .cache
	$(BIN)/flagrank simulate --rows 100000 --seed 101 --out .cache/history.parquet
	$(BIN)/flagrank policy fit --history .cache/history.parquet --out src/flagrank/default_policy.toml

lock: setup
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --all-extras --group test -o requirements/all.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra files --extra postgres --extra train --group test -c requirements/all.txt -o requirements/quick.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --group build -c requirements/all.txt -o requirements/serve.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --group build -c requirements/all.txt -o requirements/build.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra postgres -c requirements/all.txt -o requirements/container.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --group peers -c requirements/all.txt -o requirements/peers.txt

# The package itself comes after its locked needs, hatchling among them, so nothing is fetched without a hash.
.venv/serve.stamp: requirements/serve.txt pyproject.toml
	@tools/make_environment.sh $(PYTHON)
	@echo "flagrank: installing what serving needs into .venv/ (once)" >&2
	@$(INSTALL) --require-hashes -r requirements/serve.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/setup.stamp: requirements/all.txt pyproject.toml
	@tools/make_environment.sh $(PYTHON)
	@echo "flagrank: installing every extra and tool into .venv/ (a few minutes, once)" >&2
	@$(INSTALL) --require-hashes -r requirements/all.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch .venv/serve.stamp $@
