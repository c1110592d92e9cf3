# Every target does the set-up it needs, in .venv and nowhere else; the second time that costs a moment.
#   make demo [FEED=my.jsonl]   tag a feed, index it, and show what was found
#   make test                   every test that takes seconds; make test-deep the others
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup setup-all demo test test-deep bench chaos tagger-base stack-up stack-down compose-env experiments zoo systems-check zoo-check lint docs lock

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --custom-compile-command "make lock"

# A file of tests stays in one process, and so do the tests of a folder that need real servers (tests/conftest.py).
PARALLEL := --numprocesses logical --maxprocesses 4 --dist loadgroup

help:  ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 10

setup:  ## what is needed to run: leaves .venv/bin/tagstream
	@ops/setup.sh base

setup-all:
	@ops/setup.sh base dev train

demo: setup  ## tag a feed, index it under demo/, show what was found; FEED=my.jsonl for your own posts
	@.venv/bin/tagstream demo $${FEED:+"$$FEED"}

test: setup-all  ## every test that takes seconds, on all cores
	@.venv/bin/python -m pytest $(PARALLEL)

test-deep: setup-all  ## what takes minutes: fuzzing for exceptions and for time, deliberate breaks, kills and faults
	@.venv/bin/python -m pytest $(PARALLEL) tests/deep tests/chaos/test_kill.py --ignore tests/deep/test_hostile_share.py
	@SECONDS_OF_CHAOS="$${SECONDS_OF_CHAOS:-60}" .venv/bin/python -m pytest tests/deep/test_hostile_share.py tests/chaos/stack tests/chaos/stack/hour.py
	@.venv/bin/python -m pytest $(PARALLEL) tests/mutants

bench: setup-all  ## measure the whole pipeline beside the model alone and a transformers pipeline
	@.venv/bin/tagstream bench local

chaos: setup-all  ## the fall of every server, then random faults for an hour; SECONDS_OF_CHAOS=N for another time
	@SECONDS_OF_CHAOS="$${SECONDS_OF_CHAOS:-3600}" .venv/bin/python -m pytest tests/chaos/stack/test_whole_stack.py tests/chaos/stack/hour.py

stack-up: setup  ## start real Kafka, Elasticsearch and Triton on 127.0.0.1, without Docker; STACK=name for another one
	@.venv/bin/python -m ops.stack up --name "$${STACK:-default}"

stack-down: setup  ## stop them; STACK=name
	@.venv/bin/python -m ops.stack down --name "$${STACK:-default}"

experiments: setup-all  ## train every system of the papers (days), write docs/reference/results.md; ROWS=prefix for some
	@.venv/bin/python -m training.experiments --only "$${ROWS:-}"

zoo: experiments  ## the former name of make experiments, for one version

systems-check: setup-all  ## every system on tweets with real photos (TAGSTREAM_DATA), every ablation as ONNX: minutes
	@.venv/bin/python -m pytest tests/deep/training

zoo-check: systems-check  ## the former name of make systems-check, for one version

tagger-base: setup-all  ## make the tagger for GPUs, triton_models/mner_base: hours; again: goes on where it stopped
	@.venv/bin/python -m training.tagger.base

compose-env: setup  ## write .env for docker-compose.yml: versions, and passwords where it has none
	@.venv/bin/python -m ops.stack compose-env

lint: setup-all  ## style, types, and whether the generated pages are current
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m mypy
	@.venv/bin/python -m ops.docs.reference --check
	@.venv/bin/python -m ops.kibana.write --check
	@.venv/bin/python -m training.report --check

docs: setup  ## write the generated pages of docs/reference, and what Kibana is given
	@.venv/bin/python -m ops.docs.reference
	@.venv/bin/python -m ops.kibana.write

lock:  ## resolve requirements/*.txt again from pyproject.toml (needs uv and a network)
	@command -v uv >/dev/null || { echo "make lock needs uv (pip install uv, or your package manager)" >&2; exit 1; }
	@$(LOCK) --upgrade --extra dev --extra train pyproject.toml requirements/build.in -o requirements/all.tmp
	@$(LOCK) -c requirements/all.tmp pyproject.toml requirements/build.in -o requirements/base.txt
	@$(LOCK) -c requirements/all.tmp --extra dev pyproject.toml -o requirements/dev.txt
	@$(LOCK) -c requirements/all.tmp --extra train pyproject.toml -o requirements/train.txt
	@rm requirements/all.tmp
