# `make demo` and `make test` do all of their own set-up, in .venv; nothing else on the machine is touched.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Tests on Prefect servers would keep each other waiting; the rest takes half the time in two processes.
ALL_TESTS := $(PYTEST) -n 2 --dist loadfile tests/unit tests/wire tests/contract hitl_prefect && \
  $(PYTEST) tests/prefect tests/browser tests/docs tests/benchmarks
WORKFLOWS := $(wildcard hitl_prefect/data/init/.github/workflows/*.yml deployments/github/*.yml .github/workflows/*.yml)
# A kustomization is for kubectl, and no resource of the cluster.
MANIFESTS := $(filter-out %/kustomization.yaml,$(wildcard deployments/kubernetes/*.yaml))
# --without-pip and pip's own --python: Debian ships venv without ensurepip.
INSTALL := $(PYTHON) -m pip --python $(BIN)/python install --quiet --constraint constraints.txt

.PHONY: demo test test-all check bench bench-scoring bench-throughput bench-inbox bench-labels bench-risk-budget
.PHONY: docs docs-serve
.PHONY: demo test test-all check audit bench bench-scoring bench-throughput bench-inbox bench-labels bench-risk-budget
.PHONY: bench-automated bench-reviews bench-many bench-reading bench-scaled bench-soak screenshots clean

demo: .venv/.demo
	$(BIN)/hitl demo $(ARGS)

test: .venv/.dev
	$(if $(ARGS),$(PYTEST) $(ARGS),$(ALL_TESTS))

test-all: .venv/.dev
	export HITL_FULL=1 && $(if $(ARGS),$(PYTEST) $(ARGS),$(ALL_TESTS))

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/hadolint deployments/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deployments/compose.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/kubernetes-validate --strict --quiet $(MANIFESTS)

# Fails on a broken link or anchor, a page outside the navigation, and what a docstring refers to in vain.
docs: .venv/.docs
	$(BIN)/python -m website

docs-serve: .venv/.docs
	$(BIN)/python -m zensical serve $(ARGS)

# Needs the network; exit code 3 of .ci/audit: nobody could be asked.
audit:
	$(PYTHON) .ci/audit

# With HITL_DATA alone all benchmarks run; ARGS are those of the whole plugin's, which then runs alone.
bench: .venv/.dev
	$(BIN)/python -m benchmarks.real_cases $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m benchmarks.scoring)
	$(if $(ARGS),,$(BIN)/python -m benchmarks.risk_budget)
	$(if $(ARGS),,$(BIN)/python -m benchmarks.automated)
	$(if $(ARGS),,$(MAKE) bench-throughput)

bench-scoring: .venv/.dev
	$(BIN)/python -m benchmarks.scoring $(ARGS)

bench-risk-budget: .venv/.dev
	$(BIN)/python -m benchmarks.risk_budget $(ARGS)

bench-automated: .venv/.dev
	$(BIN)/python -m benchmarks.automated $(ARGS)

bench-labels: .venv/.dev
	$(BIN)/python -m benchmarks.labels $(ARGS)

bench-throughput: .venv/.dev
	$(BIN)/python -m benchmarks.throughput --provider openai $(ARGS)
	$(BIN)/python -m benchmarks.throughput --provider anthropic $(ARGS)

bench-inbox: .venv/.dev
	$(BIN)/python -m benchmarks.inbox $(ARGS)

bench-reviews: .venv/.dev
	$(BIN)/python -m benchmarks.reviews $(ARGS)

bench-many: .venv/.dev
	$(BIN)/python -m benchmarks.many $(ARGS)

# PostgreSQL and Redis: apt-get install -y --no-install-recommends postgresql redis-server
bench-scaled: .venv/.dev
	$(INSTALL) --editable '.[learn,dev,scale]'
	$(BIN)/python -m benchmarks.scaled $(ARGS)

bench-reading: .venv/.dev
	$(BIN)/python -m benchmarks.reading $(ARGS)

bench-soak: .venv/.dev
	$(BIN)/python -m benchmarks.soak $(ARGS)

screenshots: .venv/.dev
	HITL_FULL=1 HITL_KEEP_SCREENSHOTS=1 $(BIN)/python -m pytest $$(grep -l 'import picture$$' tests/browser/test_*.py)

clean:
	rm -rf .venv build dist hitl-demo site .cache

.venv/bin/python:
	$(PYTHON) -m venv --without-pip .venv

.venv/.demo: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[learn]'
	touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[learn,dev]'
	touch $@ .venv/.demo

.venv/.docs: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[docs]'
	touch $@
