# Every developer action is one word; CI uses the same words. `make` alone lists them.

VENV ?= .venv
BIN := $(VENV)/bin
# Changes when the lock or the project's own metadata do; then, and only then, the environment is filled again.
STAMP := $(VENV)/.filled
ROOMS := bench edge exchange_gw infra order_svc price_svc runtime stockmesh
PROTOS := $(wildcard protos/trading/v1/*.proto)
GEN ?= gen
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: abuse asyncapi bench check clean coverage deploy-check faults format fuzz gateway-check help imports lint lock proto proto-check proto-release recovery run setup simulate static \
	test test-e2e test-integration test-replicas test-unit types

## Use
run: $(STAMP)  ## Start the whole system on this machine; REPLICAS=2 starts two of every service; Ctrl-C stops it
	@exec $(BIN)/python -m infra.local $(if $(REPLICAS),--replicas $(REPLICAS))

setup: $(STAMP)  ## Make the environment in .venv (every other word does it, too)

## Test
test: $(STAMP)  ## Run all tests
	@$(PYTEST)

test-unit: $(STAMP)  ## Run the tests that touch nothing
	@$(PYTEST) tests/unit

test-integration: $(STAMP)  ## Run the tests with real servers
	@$(PYTEST) tests/integration

test-e2e: $(STAMP)  ## Run the tests with every process
	@$(PYTEST) tests/e2e

faults: $(STAMP)  ## Kill, freeze, cut and confuse real processes; ARGS="--seed 7 --cases K9,F19" repeats a run
	@$(BIN)/python -m tests.faults $(ARGS)

simulate: $(STAMP)  ## Run the order path in virtual time; ARGS="--seeds 10000" or "--seed 42"
	@$(BIN)/python -m tests.simulation $(ARGS)

fuzz: $(STAMP)  ## Fire malformed inputs at every decoder; ARGS="--seconds 300" for longer
	@$(BIN)/python -m tests.fuzz $(ARGS)

recovery: $(STAMP)  ## Lose every store of a running system and go on from a backup
	@$(BIN)/python -m pytest tests/recovery

abuse: $(STAMP)  ## Flood the edge: connections, pings, giant and tiny frames
	@$(BIN)/python -m pytest tests/abuse

test-replicas: $(STAMP)  ## Kill one replica of each service under load
	@$(BIN)/python -m pytest tests/replicas

coverage: $(STAMP)  ## Run all tests and show what they never reach
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered

bench: $(STAMP)  ## Measure speed, as ratios against a named baseline; ARGS="orders" measures one thing
	@$(BIN)/python -m bench $(ARGS)

## Check
check: static test  ## Run everything that CI runs

static: proto-check lint types imports gateway-check deploy-check  ## Run every check that is not a test

lint: $(STAMP)  ## Check style, spelling, sizes, links and the protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python -m infra.tidy
	$(BIN)/buf format --diff --exit-code protos
	@mkdir -p build
	$(call protoc,--include_imports --include_source_info --descriptor_set_out=build/lint.binpb)
	$(BIN)/buf lint build/lint.binpb --path trading/v1
	$(BIN)/buf breaking build/lint.binpb --against protos/released.binpb --path trading/v1

types: $(STAMP)  ## Check types
	$(BIN)/mypy

imports: $(STAMP)  ## Check who imports whom
	$(BIN)/lint-imports --no-logo

gateway-check: $(STAMP)  ## Validate Envoy's configuration
	$(BIN)/python -m infra.local.gateway build/envoy

deploy-check: $(STAMP)  ## Validate image, compose file, manifests, dashboards and alert rules
	$(BIN)/python -m infra.deploy_check

format: $(STAMP)  ## Put code and protos in form
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/buf format --write protos

## Generate
proto: $(STAMP)  ## Generate gen/ from protos/
	@rm -rf $(GEN)/trading && mkdir -p $(GEN)
	$(call protoc,--python_out=$(GEN) --grpc_python_out=$(GEN) --mypy_out=quiet:$(GEN) --mypy_grpc_out=quiet:$(GEN))
	@# What Envoy loads; without the error details the bodies of its errors are empty.
	$(call protoc,--include_imports --descriptor_set_out=$(GEN)/trading.binpb,google/rpc/error_details.proto)
	@# protoc writes imports from the proto path; gen/ is a package of its own.
	@find $(GEN)/trading -name '*_pb2*.py*' -exec sed -i.draft -E \
	    "s/^(from|import) trading\./\1 gen.trading./; s/'trading\.v1\.([a-z_]+_pb2)'/'gen.trading.v1.\1'/" {} +
	@find $(GEN)/trading -name '*.draft' -delete
	@touch $(GEN)/trading/__init__.py $(GEN)/trading/v1/__init__.py

proto-release: $(STAMP)  ## Make today's contract the one that later ones are compared with; only in a release's commit
	$(call protoc,--include_imports --descriptor_set_out=protos/released.binpb)

proto-check: $(STAMP)  ## Check that gen/ is what protos/ say
	@rm -rf build/gen
	@$(MAKE) --no-print-directory proto GEN=build/gen >/dev/null
	diff -r -x __pycache__ build/gen/trading gen/trading
	cmp build/gen/trading.binpb gen/trading.binpb

lock: $(STAMP)  ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile pyproject.toml --extra local --group dev --universal --python-version 3.11 --upgrade \
	    --no-annotate --no-emit-index-url --no-emit-find-links --quiet --custom-compile-command "make lock" \
	    --output-file requirements.lock

## Tidy
clean:  ## Delete the environment and everything built; the state of `make run` in .stockmesh stays
	rm -rf $(VENV) build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .grimp_cache
	find $(ROOMS) gen tests -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## List these words
	@awk -F ':.*## ' '/^## /{sub("## ",""); printf "\n%s\n",$$0} /^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n",$$1,$$2}' $(MAKEFILE_LIST)

asyncapi: $(STAMP)  ## Write docs/asyncapi.yaml from what the edge decodes
	@$(BIN)/python -m edge.asyncapi

# protoc as PyPI brings it, with its plugins: $(call protoc,<options>,<files beside our own>)
protoc = @PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m grpc_tools.protoc -I protos \
	-I "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" $(1) $(PROTOS) $(2)

$(STAMP): requirements.lock pyproject.toml | $(BIN)/python
	@$(BIN)/python -m infra.install
	@touch $@

# The first Python that has wheels of everything (3.11 to 3.13), else any newer one.
$(BIN)/python:
	@for limit in 14 99; do for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	    if $$python -c "import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, $$limit))" 2>/dev/null; then \
	        echo "stockmesh  making $(VENV) with $$($$python --version)"; exec $$python -m venv --clear $(VENV); \
	    fi; done; done; \
	echo "stockmesh needs Python 3.11 or newer with its venv module; this machine has: $$(python3 --version 2>&1)." >&2; \
	echo "On Debian and Ubuntu: apt install python3-venv. Elsewhere: https://www.python.org/downloads/" >&2; exit 1
