# Targets that run something first set up .venv by scripts/setup.sh. It is fast if nothing changed.

#? Options of a run are words of make train: make train net=resnet depth=8 optim.lr=0.01
#?
#? ARGS=           further words of make train: ARGS="-m seed=0,1 hydra.launcher.jobs=2"
#? DATASETS=       data sets that make data downloads: "mnist cifar10"
#? DATA=           folder of the data files; default: $STABLENETS_DATA, or else ./data
#? RUNS=           folder of the run folders; default: runs
#? DEVICE=         auto, cpu, cuda or cuda:N; default: auto
#? OUT=            folder of the page, tables and figures of make report; default: report
#? RESULTS=        folder of the claims in make report, such as reproduced; default: results
#? PYTHON=         the Python that .venv is made from; default: python3
#? EXTRAS=1        install the packages of the extras slurm, ray, search and workspaces, too
#?
#? Of make reproduce, make reproduce-PAPER and make compare:
#? PROFILE=        compute budget: smoke, quick, full or paper; default: quick
#? JOBS=           parallel runs, one thread each; default: 2, or one on each of DEVICES; on a
#?                 cluster 100
#? EXECUTOR=       local (this machine), slurm or ray; default: local; see docs/clusters.md
#? EXECUTOR_OPTIONS=  further options of the executor: "partition=gpu minutes=60"
#? DEVICES=        GPUs of this machine, one for each run: 0-7, or 0,2
#? SEEDS=          seeds of each setting; default: as many as the profile has
#? RUN_GROUPS=     run only these groups of the plan, experiments/PAPER/runs.py or compare/runs.py
#? TIME_LIMIT=     seconds after which runs are saved and stopped; the same command resumes them
#? STALE=redo      make finished runs of other versions of the code again
#? REPORT_ONLY=1   start no runs; write tables and figures from the ledger and the run folders
#? PUBLISH=1       write results/, not reproduced/
#? EXTRA_LEDGERS=  folders with ledgers of other machines, whose runs are not repeated here
VARIABLES := ARGS DATASETS DATA RUNS OUT RESULTS PYTHON EXTRAS PROFILE JOBS EXECUTOR EXECUTOR_OPTIONS \
	DEVICES DEVICE SEEDS RUN_GROUPS TIME_LIMIT STALE \
	REPORT_ONLY PUBLISH EXTRA_LEDGERS SHELL MAKEFLAGS
DATASETS ?= mnist cifar10
RUNS ?= runs
PROFILE ?= quick
EXECUTOR ?= local
DEVICE ?= auto
OUT ?= report
ifdef DATA
export STABLENETS_DATA := $(DATA)
endif
DATA ?= $(or $(STABLENETS_DATA),data)

# The option $(2) of a run, if the variable $(1) was given to make.
if_given = $(if $(filter command,$(origin $(1))),'$(2)=$($(1))')

# All other NAME=VALUE words after make are options of a run. Only make train takes them.
RUN_OPTIONS := $(strip $(foreach name,$(filter-out $(VARIABLES),$(.VARIABLES)),\
	$(if $(filter command,$(origin $(name))),'$(name)=$(value $(name))')))
ifneq ($(RUN_OPTIONS),)
ifneq ($(filter-out train setup,$(or $(MAKECMDGOALS),help)),)
$(error $(RUN_OPTIONS): only make train takes options of a run; make help lists the variables)
endif
endif

BIN := .venv/bin

.PHONY: help setup train data reproduce reproduce-haber2017 reproduce-chang2018 reproduce-galimberti2023 reproduce-ceni2025 compare report \
	bench memory docs lint test test-all test-cluster lock clean distclean

help: ## list the targets and variables
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-24s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@awk '/^#[?]/ { print "  " substr($$0, 4) }' $(MAKEFILE_LIST)

setup: ## install the packages of requirements.lock in .venv; every target does this first
	@sh scripts/setup.sh

train: setup ## train one network, for example make train net=resnet depth=256
	$(BIN)/stablenets $(ARGS) $(call if_given,RUNS,runs) $(call if_given,DEVICE,device) $(RUN_OPTIONS)

data: setup ## download data sets and verify them
	$(BIN)/stablenets fetch $(DATASETS) --root '$(DATA)'

reproduce: setup ## re-run all four papers, claim by claim
	$(call reproduce,all)

reproduce-haber2017: setup ## re-run Haber & Ruthotto 2017
	$(call reproduce,haber2017)

reproduce-chang2018: setup ## re-run Chang et al. 2018
	$(call reproduce,chang2018)

reproduce-galimberti2023: setup ## re-run Galimberti et al. 2023
	$(call reproduce,galimberti2023)

reproduce-ceni2025: setup ## re-run Ceni 2025
	$(call reproduce,ceni2025)

compare: setup ## compare all families on the same data with the same budget
	$(call reproduce,compare)

define reproduce
$(BIN)/stablenets reproduce $(1) --profile $(PROFILE) $(if $(JOBS),--jobs $(JOBS)) --device $(DEVICE) --runs '$(RUNS)' \
	--executor $(EXECUTOR) $(if $(DEVICES),--devices $(DEVICES)) \
	$(if $(EXECUTOR_OPTIONS),--executor-options $(EXECUTOR_OPTIONS)) \
	$(if $(SEEDS),--seeds $(SEEDS)) $(if $(RUN_GROUPS),--groups $(RUN_GROUPS)) \
	$(if $(TIME_LIMIT),--time-limit $(TIME_LIMIT)) $(if $(STALE),--stale $(STALE)) $(if $(REPORT_ONLY),--report-only) \
	$(if $(PUBLISH),--publish) \
	$(if $(EXTRA_LEDGERS),--extra-ledgers $(EXTRA_LEDGERS))
endef

report: setup ## write report/report.html: claims, and all runs side by side; and tables and figures
	$(BIN)/stablenets report --runs '$(RUNS)' --out '$(OUT)' $(if $(RESULTS),--results '$(RESULTS)')

bench: setup ## measure speed, compared with the usual implementation
	$(BIN)/python scripts/bench.py

memory: setup ## measure the memory of training steps by depth; takes 15 minutes
	$(BIN)/python scripts/memory.py

docs: setup ## build the documentation site in site/; a broken link or reference is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

lint: setup ## check code style and format by ruff, and types by mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup ## run the fast tests
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not slow"

test-all: setup ## run all tests
	$(BIN)/python -m pytest -q -n auto --dist worksteal

test-cluster: setup ## run the tests with a real SLURM and Ray on this machine
	$(BIN)/python -m pytest -q -m cluster

# The packages of the extras come last, after a line by which scripts/setup.sh leaves them out.
define compile_lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" $(1) pyproject.toml
endef

lock: ## update requirements.lock from pyproject.toml, keeping pinned versions that still fit (needs uv)
	@command -v uv >/dev/null || { echo "make lock: needs uv, which resolves the versions for all platforms" >&2; exit 2; }
	cp requirements.lock .extras.lock
	$(call compile_lock,--extra dev --extra docs --output-file requirements.lock)
	$(call compile_lock,--all-extras --constraint requirements.lock --output-file .extras.lock \
		$$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.lock))
	{ echo "# extras: make setup EXTRAS=1 installs what follows, too"; grep -v '^#' .extras.lock; } >>requirements.lock
	rm .extras.lock

clean: ## remove caches and build files; runs and data stay
	rm -rf build dist site *.egg-info .pytest_cache .hypothesis .ruff_cache .mypy_cache
	find . -path ./.venv -prune -o -path ./runs -prune -o -path ./data -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	rm -rf .venv .setup.lock
