# Every command sets itself up: a virtual environment in .venv, made once.
PYTHON ?= python3
VENV := .venv
# CI also tests the oldest and the newest versions that pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# How many tests run at once: many of them only wait.
WORKERS ?= 3

.PHONY: help lint-page pictures demo listen test test-slow soak-gates soak fuzz lint types bless bench bench-networks docs check format clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "faustwire needs Python 3.10 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[dev]'
	@touch $@

demo: $(READY) ## two trainings, one bridge, one stand-in plugin; results in demo-out/
	PYTHONPATH=examples $(BIN)/python -m demo --out demo-out

listen: $(READY) ## two small models train, and the page that plays them opens in the browser
	PYTHONPATH=examples $(BIN)/python -m demo --out demo-out --listen --steps 1500

# Tests start hundreds of Python processes: each would compile the same modules.
test test-slow: export PYTHONDONTWRITEBYTECODE :=

test: $(READY) ## the suite, in WORKERS= processes at once (3)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-slow: $(READY) ## the long forms of tests: more scripts, more kills, more networks
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m slow --timeout 1800 -o faulthandler_timeout=1900

soak-gates: $(READY) ## 100,000 random graphs and texts through the gates, all played; hours, or COUNT=
	$(BIN)/python tools/gate_fuzz.py --count $(or $(COUNT),100000)

fuzz: $(READY) ## a million mutated messages at the codec, 100,000 at a live bridge; COUNT=, LIVE=
	$(BIN)/python tools/wire_fuzz.py --count $(or $(COUNT),1000000)
	$(BIN)/python tools/live_fuzz.py --count $(or $(LIVE),100000)

soak: $(READY) ## 16 trainings and a bridge, killed and cut at random; ten minutes, or MINUTES=
	$(BIN)/python tools/soak.py --minutes $(or $(MINUTES),10)

lint: $(READY) ## ruff and the import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(READY) ## mypy, strict
	$(BIN)/mypy

bless: $(READY) ## write again what the frozen recordings give; git diff shows what has changed
	for file in tests/recordings/*/*.mcap; do \
		$(BIN)/faustwire replay --offline $${file%.mcap} $$file || test $$? = 1 || exit 1; \
	done

bench: $(READY) ## times of update and of compiling beside adac's, how exact the programs are, what a bridge takes; half an hour
	$(BIN)/python benchmarks/update_time.py
	$(BIN)/python benchmarks/compile_time.py $(if $(shell command -v valgrind),--instructions)
	$(BIN)/python benchmarks/exactness.py
	PYTHONPATH=tools $(BIN)/python benchmarks/denormals.py
	$(BIN)/python benchmarks/gate_time.py
	$(BIN)/python benchmarks/judge_time.py
	$(BIN)/python benchmarks/inaudible.py
	PYTHONPATH=tools $(BIN)/python benchmarks/publish_cost.py
	$(BIN)/python benchmarks/growth.py
	PYTHONPATH=tools $(BIN)/python benchmarks/bridge_throughput.py
	PYTHONPATH=tools $(BIN)/python benchmarks/bridge_fairness.py
	PYTHONPATH=tools $(BIN)/python benchmarks/bridge_neighbour.py
	PYTHONPATH=tools $(BIN)/python benchmarks/listener_floods.py
	PYTHONPATH=tools $(BIN)/python benchmarks/recording.py --steps 50 --bridge --rounds 3
	$(BIN)/python benchmarks/record_replay.py --steps 300 --skip-real-time

bench-networks: $(READY) ## how soon a training publishes again after trouble with the network; four minutes
	PYTHONPATH=tools $(BIN)/python benchmarks/reconnect.py

check: lint types test test-slow docs ## all that CI checks

docs: $(VENV)/.docs ## the guides and the API reference as a site, in site/; fails on a warning
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

$(VENV)/.docs: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[docs]'
	@touch $@

format: $(READY) ## ruff's formatter and its safe fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove what the commands made
	rm -rf $(VENV) demo-out site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

pictures: $(READY) ## the page's pictures in docs/pictures, from a demo that is run for them; needs Chromium
	mkdir -p docs/pictures
	FAUSTWIRE_PICTURES=$(CURDIR)/docs/pictures $(BIN)/python -m pytest -m slow -k test_pictures \
		-o faulthandler_timeout=1900 \
		--timeout 1800 tests/bridge/listen/test_recorded_page.py

lint-page: ## eslint and the TypeScript compiler over the page's JavaScript; needs npm
	npm ci --no-audit --no-fund
	npm run --silent lint
	npm run --silent types
