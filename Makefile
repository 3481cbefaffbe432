# `make` prints the targets. Each runs the plain command that stands beside it; README.md and docs/ explain them.
.DEFAULT_GOAL := help
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## print this
	@awk -F ':.*## ' -v width="$$(stty size 2>/dev/null | cut -d' ' -f2)" '/^[a-z-]+:.*## /{ \
	  line = sprintf("  make %-10s", $$1); n = split($$2, words, " "); \
	  for (i = 1; i <= n; i++) { \
	    if (i > 1 && width && length(line) + length(words[i]) + 1 > width) { print line; line = sprintf("%17s", "") } \
	    line = line " " words[i] } \
	  print line }' $(MAKEFILE_LIST)

PIP = .venv/bin/python -m pip install --disable-pip-version-check --require-hashes

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; this = "%d.%d" % sys.version_info[:2]; \
	  this in ("3.11", "3.12", "3.13") or sys.exit("This is Python " + this + ". Expected 3.11, 3.12 or 3.13, \
	for which there is TensorFlow: make $(MAKECMDGOALS) PYTHON=python3.13")'
	@echo "Installing into .venv: about 3 GB, once; it takes some minutes"
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements.lock -c requirements.lock
	@.venv/bin/python -m flows.memory.local
	@touch $@

.venv/developer: .venv/installed requirements-dev.lock
	@echo "Installing what tests and style checks need into .venv"
	$(PIP) --quiet -r requirements-dev.lock -c requirements.lock
	@touch $@

install: .venv/installed ## make .venv from the locked dependencies

run: .venv/installed ## train the Fashion-MNIST pipeline: python flows/fashion.py
	@python flows/fashion.py

linear: .venv/installed ## train the smallest pipeline: python flows/linear.py
	@python flows/linear.py

new: .venv/installed ## a pipeline on your own data: make new NAME=digits FROM=path/to/data (and TARGET=column)
	@python -m flows new "$(NAME)" "$(FROM)" $(if $(TARGET),--target "$(TARGET)")

train: .venv/installed ## train any pipeline: make train NAME=digits
	@python -m flows train "$(NAME)"

sweep: .venv/installed ## try other parameters of a pipeline: make sweep NAME=digits
	@python -m flows sweep "$(NAME)"

serve: .venv/installed ## answer HTTP requests with a trained model: make serve NAME=digits
	@python -m flows export "$(NAME)"
	@exec python -m flows serve "$(NAME)"

plan: .venv/installed ## what would run; and why: make plan NAME=digits
	@python -m flows plan $(if $(NAME),"$(NAME)")

repro: .venv/installed ## the same pipelines by DVC alone: dvc repro
	@dvc repro

ui: .venv/installed ## Prefect's server with its UI, for this project: python -m flows ui
	@python -m flows ui

worker: .venv/installed ## run what the UI starts and schedules (beside `make ui`): python -m flows worker
	@python -m flows worker

join: .venv/installed ## work for another machine's server: make join SERVER=http://HOST:4200 (and ON, PORT: docs/machines.md)
	@exec python -m flows worker --server "$(SERVER)" $(if $(ON),--on "$(ON)" $(if $(PORT),--port "$(PORT)"))

test: .venv/developer ## all tests: pytest -n 3 --dist loadfile
	@python -m pytest -n 3 --dist loadfile

tools: ## what the browser's and PostgreSQL's tests need: Debian's packages chromium and postgresql (as root)
	@command -v chromium >/dev/null && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium postgresql; }

test-ui: tools .venv/developer ## the tests in a real browser and on PostgreSQL: pytest tests/promises/test_browser.py tests/promises/test_team.py
	@python -m pytest tests/promises/test_browser.py tests/promises/test_team.py

soak: .venv/developer ## kill and damage at random for some hours, and compare bytes: pytest tests/promises/test_kill.py tests/promises/test_soak.py
	@KILLS=100 python -m pytest -n 2 tests/promises/test_kill.py -k again -rP  # one driver a worker
	@ROUNDS=250 python -m pytest -n 2 tests/promises/test_soak.py -k killed -rP

soak-sweep: .venv/developer ## kill sweeps and their trials at random, and compare bytes: pytest tests/promises/test_sweep_kill.py
	@SWEEP_KILLS=50 python -m pytest tests/promises/test_sweep_kill.py -rP

verify: .venv/installed ## run the last commit again in a clean place and compare every hash: python -m flows verify
	@python -m flows verify

lint: .venv/developer ## style, imports and types: ruff check, ruff format --check, mypy
	@ruff check .
	@ruff format --check .
	@mypy flows tasks

LOCK = uv pip compile --universal --python-version 3.11 --generate-hashes --no-header
lock: ## write both lock files anew (needs uv)
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) --group dev -c requirements.lock -o requirements-dev.lock

.PHONY: help install run linear new train sweep serve plan repro ui worker join test tools test-ui soak soak-sweep verify lint lock
