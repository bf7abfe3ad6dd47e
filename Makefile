# One entry to everything; `make help` lists it. From a bare machine with Python 3.11 to 3.13 and
# make, every target first sets up what it needs, once: the virtual environment from the hashed
# lock, the scripts and the font from npm.

VENV ?= .venv
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info < (3,14))' 2>/dev/null \
	&& echo $$p && break; done)
UV_VERSION = 0.13.9
AUDIT_VERSION = 2.10.1
AUDIT_SERVICE ?= pypi
PY := $(abspath $(VENV))/bin/python
UV := $(abspath $(VENV))/bin/python -m uv
JOBS ?= auto
ARGS ?=
MANAGE = $(PY) manage.py
LOCK_FLAGS = --universal --python-version 3.11.2 --generate-hashes --no-annotate --no-header --quiet

export PYTHONUNBUFFERED = 1
export PORT ONCE

.DEFAULT_GOAL := check
.PHONY: messages help check demo serve test kernel quick services stop lint types migrations format lock bench soak \
	audit walls spark setup venv assets preflight-demo preflight-test run-tests

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) \
		| sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

check: lint types quick ## (plain `make`) lint, types and the quick tests

demo: preflight-demo setup ## the portal with sample data at http://localhost:8000 (PORT=, ONCE=1)
	@$(MANAGE) demo

serve: preflight-demo setup ## the portal with your own data, as `make demo` without the sample (PORT=)
	@$(MANAGE) demo --no-sample

test: preflight-test setup ## everything: lint, types, migrations, templates, all tests (ARGS=)
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory -j2 types kernel
	@$(MANAGE) services -- $(MAKE) --no-print-directory migrations run-tests

# The roll-up's functions are compiled on their first use and kept: once, beside mypy, and not by
# each process of the tests for itself.
kernel: venv
	@echo "kernel ..."
	@$(PY) -m pytest -p no:cacheprovider --no-header --no-summary tests/engagement/test_engine.py

run-tests:
	@echo "tests ..."
	@$(PY) -m pytest -n $(JOBS) $(ARGS)

quick: setup ## the tests without the slow ones and the browser
	@$(MANAGE) services -- $(PY) -m pytest -n $(JOBS) -m "not slow and not browser" $(ARGS)

walls: setup ## the walls on another PostgreSQL: PG_BIN=/usr/lib/postgresql/15/bin
	@test -n "$(PG_BIN)" || { echo "say where: make walls PG_BIN=/usr/lib/postgresql/15/bin"; exit 1; }
	@DAILIES_VAR="$(CURDIR)/var/walls" $(PY) -m portal.services.assets
	@PORTAL_PG_BIN="$(PG_BIN)" DAILIES_VAR="$(CURDIR)/var/walls" $(MANAGE) services -- \
		$(PY) -m pytest -n $(JOBS) -m "not browser" tests/test_walls*.py tests/partners \
		tests/portal/test_setup_database.py $(ARGS)

spark: venv ## also install what `ingest --engine spark` needs (its tests are skipped without)
	@$(PY) -c 'import pyspark' 2>/dev/null || { \
		echo "installing the Python packages of requirements-spark.lock ..." \
		&& $(UV) pip install --quiet --python $(PY) --require-hashes -r requirements-spark.lock; }

services: setup ## start PostgreSQL, Valkey and the mail catcher for work with manage.py
	@$(MANAGE) services

stop: ## stop them, and the demo
	@test -x $(PY) || { echo "nothing is set up here"; exit 0; }; $(MANAGE) services --stop

lint: venv ## ruff and djlint
	@echo "lint ..."
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --quiet --check . || { echo "run make format"; exit 1; }
	@$(PY) -m djlint --quiet --lint templates

types: venv ## mypy
	@echo "types ..."
	@$(PY) -m mypy

migrations: venv ## none missing, one line of them
	@echo "migrations ..."
	@$(MANAGE) services -- $(MANAGE) makemigrations --check --dry-run
	@$(MANAGE) check --fail-level WARNING

format: venv ## ruff, in place
	@$(PY) -m ruff check --quiet --fix . ; $(PY) -m ruff format .

bench: setup ## rows per second, page and bundle times, beside a plain scan in the same run
	@$(MANAGE) services -- $(PY) -m bench $(ARGS)

soak: setup ## keeps the whole portal busy and kills parts of it (ARGS=)
	@$(MANAGE) services -- $(PY) -m bench.soak $(ARGS)

lock: venv ## requirements.lock and package-lock.json anew from requirements.txt and package.json
	@$(UV) pip compile $(LOCK_FLAGS) requirements.txt -o requirements.lock
	@$(UV) pip compile $(LOCK_FLAGS) requirements-node.txt -o requirements-node.lock
	@sed -nE 's/^([a-z][^ ]*==[^ ]*).*/\1/p' requirements.lock > var/pinned.txt
	@$(UV) pip compile $(LOCK_FLAGS) -c var/pinned.txt requirements-spark.txt -o requirements-spark.lock
	@PATH="$(abspath $(VENV))/bin:$$PATH" npm install --package-lock-only

audit: venv ## known weaknesses of the locked packages; one that cannot be looked up fails it
	@failed=0; \
	$(UV) tool run pip-audit==$(AUDIT_VERSION) --strict --disable-pip --require-hashes \
		--vulnerability-service $(AUDIT_SERVICE) --progress-spinner off -r requirements.lock \
		|| failed=1; \
	PATH="$(abspath $(VENV))/bin:$$PATH" npm audit || failed=1; \
	test $$failed = 0 || echo "make audit: see docs/operations.md on what could not be looked up"; \
	exit $$failed

# --- set-up ----------------------------------------------------------------------------------

preflight-demo preflight-test: preflight-%:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.13 found; name one: make PYTHON=..."; exit 1; }
	@$(PYTHON) portal/services/preflight.py $*

setup: venv assets messages

venv: $(PY)
	@cmp -s requirements.lock $(VENV)/installed.lock || { \
		echo "installing the Python packages of requirements.lock ..." \
		&& $(UV) pip sync --quiet --python $(PY) --require-hashes requirements.lock \
		&& cp requirements.lock $(VENV)/installed.lock; }

$(PY):
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.13 found; name one: make PYTHON=..."; exit 1; }
	@echo "creating $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo; \
		echo "Python's venv is not whole here. On Debian or Ubuntu this installs it:"; \
		echo "  apt-get install -y python3-venv"; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
		|| { rm -rf $(VENV); exit 1; }

assets: venv
	@cmp -s package-lock.json node_modules/installed.json || { \
		echo "installing the npm packages of package-lock.json ..."; \
		command -v npm >/dev/null || test -x $(VENV)/bin/npm || { \
			echo "  npm is missing: installing it into $(VENV) ..." && $(UV) pip install --quiet \
			--python $(PY) --require-hashes -r requirements-node.lock; } || exit 1; \
		PATH="$$PATH:$(abspath $(VENV))/bin" npm ci --loglevel=error \
		&& cp package-lock.json node_modules/installed.json; }
	@$(PY) -m portal.services.assets

messages: venv ## the Chinese texts, compiled where they changed
	@$(PY) -m portal.services.messages
