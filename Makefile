# `make demo` and `make test` do all of their own set-up, in .venv; nothing else on the machine is touched.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# A file at a time in each of two processes: one computes while the other waits for its servers.
ALL_TESTS := $(PYTEST) -n 2 --dist loadfile
WORKFLOWS := $(wildcard hitl_prefect/data/init/.github/workflows/*.yml deployments/github/*.yml .github/workflows/*.yml)
# A kustomization is for kubectl, and no resource of the cluster.
MANIFESTS := $(filter-out %/kustomization.yaml,$(wildcard deployments/kubernetes/*.yaml deployments/kubernetes/*/*.yaml))
# --without-pip and pip's own --python: Debian ships venv without ensurepip.
INSTALL := $(PYTHON) -m pip --python $(BIN)/python install --quiet --constraint constraints.txt

.PHONY: test-lowest test-newest test-boto3 coverage mutation docs docs-serve
.PHONY: demo test test-all check audit bench bench-scoring bench-throughput bench-inbox bench-labels bench-risk-budget
.PHONY: bench-automated bench-reviews bench-many bench-reading bench-scaled bench-soak screenshots clean

demo: .venv/.demo
	$(BIN)/hitl demo $(ARGS)

test: .venv/.dev
	$(if $(ARGS),$(PYTEST) $(ARGS),$(ALL_TESTS))

test-all: .venv/.dev
	export HITL_FULL=1 && $(if $(ARGS),$(PYTEST) $(ARGS),$(ALL_TESTS))

# Where versions matter: the SDKs' wires, forms and records, stores, and a flow on a Prefect server. PYTHON=python3.13 for
# another Python; ARGS for other tests.
VERSION_TESTS := tests/wire tests/contract/test_put_once.py tests/contract/test_reading.py tests/contract/test_urls.py \
  tests/unit/test_forms.py tests/unit/test_form_reading.py tests/unit/test_outcomes.py tests/unit/test_answers.py \
  tests/unit/test_models.py tests/unit/test_public.py tests/unit/test_fitting.py tests/unit/test_signing.py \
  tests/prefect/test_review.py::test_a_sure_draft_ships_without_a_person \
  tests/prefect/test_review.py::test_an_unsure_draft_waits_and_the_edit_ships

# The first release of Anthropic's SDK 2 writes a schema's bounds into its descriptions in other words than the newest.
test-lowest: .venv-lowest/.dev
	.venv-lowest/bin/python -m pytest \
	  --deselect tests/wire/test_anthropic.py::test_the_whole_request_is_what_anthropic_documents $(or $(ARGS),$(VERSION_TESTS))

test-newest:
	$(PYTHON) -m venv --without-pip --clear .venv-newest
	$(PYTHON) -m pip --python .venv-newest/bin/python install --quiet --editable '.[learn,dev]'
	.venv-newest/bin/python -m pytest $(or $(ARGS),$(VERSION_TESTS))

# BOTO3=1.36.0: the stores with that boto3, and all else as it is.
BOTO3 ?= 1.43.117
test-boto3: .venv/.dev
	$(PYTHON) -m pip install --quiet --upgrade --target .venv/boto3-$(BOTO3) boto3==$(BOTO3)
	PYTHONPATH=$(CURDIR)/.venv/boto3-$(BOTO3) $(PYTEST) $(or $(ARGS),tests/contract)

# The tests that start no Prefect server must take 95% of the branches of the floors 0 to 2 (tests/floors.py).
coverage: .venv/.dev
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 2 --dist loadfile $(or $(ARGS),tests/unit tests/wire tests/contract hitl_prefect)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m tests.floors

# What the tests of routing and forms notice of small faults; CONTRIBUTING.md has the score.
mutation: .venv/.dev
	$(INSTALL) mutmut
	rm -rf mutants
	$(BIN)/mutmut run $(ARGS)
	$(BIN)/mutmut results

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
	rm -rf .venv .venv-lowest .venv-newest mutants build dist hitl-demo site .cache

.venv/bin/python:
	$(PYTHON) -m venv --without-pip .venv

.venv-lowest/.dev: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv --without-pip --clear .venv-lowest
	$(PYTHON) -m pip --python .venv-lowest/bin/python install --quiet --no-deps --requirement constraints-lowest.txt --editable .
	touch $@

.venv/.demo: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[learn]'
	touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[learn,dev]'
	touch $@ .venv/.demo

.venv/.docs: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[docs]'
	touch $@
