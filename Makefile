# Every target that works sets up .venv first, by scripts/setup.sh, which is done in no time where nothing has changed.

#? ARGS=      what make train runs: "dataset=digits net=antisymmetric depth=64"
#? DATASETS=  what make data fetches: "mnist cifar10"
#? DATA=      the data root: $STABLENETS_DATA, else ./data
#? RUNS=      the folder of the runs that make report reads: runs
#? OUT=       where make report writes its table and figure: results/report
#? PROFILE=   of make reproduce-...: smoke, quick, full or paper; quick
#? JOBS=      runs at a time, one thread each: 2
#? DEVICE=    auto, cpu, cuda or cuda:N: auto
#? SEEDS=     seeds of each setting: the profile's own
#? COLLECT=   1: make no runs: tables and figures from ledger and run folders as they are
#? JOIN=      further ledgers, by their folders: runs made on other machines, which are not made again
#? ONLY=      groups of the plan, those of experiments/.../plan.py: make their runs alone
#? WITHIN=    seconds: save and stop when they are over, and until then make group after group
#? PYTHON=    the python to make .venv from: python3
ARGS ?= dataset=digits net=antisymmetric depth=64
DATASETS ?= mnist cifar10
RUNS ?= runs
PROFILE ?= quick
JOBS ?= 2
DEVICE ?= auto
OUT ?= results/report
ifdef DATA
export STABLENETS_DATA := $(DATA)
endif
DATA ?= $(or $(STABLENETS_DATA),data)

BIN := .venv/bin

.PHONY: help setup train data reproduce reproduce-haber2017 reproduce-chang2018 reproduce-galimberti2023 reproduce-ceni2025 report bench \
	memory docs lint test test-all lock clean distclean

help: ## list the targets and variables
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-24s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@awk '/^#[?] / { print "  " substr($$0, 4) }' $(MAKEFILE_LIST)

setup: ## make .venv with the packages of requirements.lock (every target does it by itself)
	@sh scripts/setup.sh

train: setup ## train one network; make train ARGS="net=resnet depth=256"
	$(BIN)/stablenets $(ARGS)

data: setup ## fetch and check data sets
	$(BIN)/python scripts/fetch.py $(DATASETS) --root $(DATA)

reproduce: setup ## re-run all papers that are here, claim by claim
	$(call reproduce,all)

reproduce-haber2017: setup ## re-run Haber & Ruthotto 2017
	$(call reproduce,haber2017)

reproduce-chang2018: setup ## re-run Chang et al. 2018
	$(call reproduce,chang2018)

reproduce-galimberti2023: setup ## re-run Galimberti et al. 2023
	$(call reproduce,galimberti2023)

reproduce-ceni2025: setup ## re-run Ceni 2025
	$(call reproduce,ceni2025)

define reproduce
$(BIN)/python scripts/reproduce.py $(1) --profile $(PROFILE) --jobs $(JOBS) --device $(DEVICE) --runs $(RUNS) \
	$(if $(SEEDS),--seeds $(SEEDS)) $(if $(COLLECT),--collect) $(if $(JOIN),--join $(JOIN)) $(if $(ONLY),--only $(ONLY)) \
	$(if $(WITHIN),--within $(WITHIN))
endef

report: setup ## one table and one figure of all runs
	$(BIN)/python scripts/report.py --runs $(RUNS) --out $(OUT)

bench: setup ## speed, measured here beside the usual way
	$(BIN)/python scripts/bench.py

memory: setup ## how deep a training step goes in memory; takes a quarter of an hour
	$(BIN)/python scripts/memory.py

docs: setup ## build the documentation site in site/; a broken link or reference is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

lint: setup ## ruff: rules and format, 100 columns
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

test: setup ## the tests that take seconds
	$(BIN)/python -m pytest -q -m "not slow"

test-all: setup ## all tests
	$(BIN)/python -m pytest -q

lock: ## bring requirements.lock in line with pyproject.toml, keeping what still fits (needs uv)
	@command -v uv >/dev/null || { echo "make lock: needs uv, which resolves for every platform at once" >&2; exit 2; }
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra docs --no-annotate --custom-compile-command "make lock" \
		--output-file requirements.lock pyproject.toml

clean: ## remove caches and build litter; runs and data stay
	rm -rf build dist site *.egg-info .pytest_cache .hypothesis .ruff_cache
	find . -path ./.venv -prune -o -path ./runs -prune -o -path ./data -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf .venv .setup.lock
