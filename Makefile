# `make exp1` and `make test` set up what they need, once, and then run.

VENV := .venv
PYTHON ?= python3
# Named by the content of these files, so that touching them sets up nothing.
READY := $(VENV)/.ready-$(shell cat envs/requirements.lock envs/snakemake_launcher.py pyproject.toml | cksum | cut -d" " -f1)
# Not `activate`, which some versions of Python write wrong for folders with signs such as `$$`.
RUN := export PATH="$$PWD/$(VENV)/bin:$$PATH" &&
# The first lines of the launcher: a shell starts the Python beside it, whatever the folder is called. To Python they are a text.
STARTER := \#!/bin/sh\n\"eval\" 'exec \"\$$(dirname \"\$$(readlink -f \"\$$0\")\")/python\" \"\$$0\" \"\$$@\"'\n

# As in the Snakefile: otherwise glibc gives every large tensor back to the kernel.
ALLOCATOR := MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000

# What `make plan` plans, and with how many GPUs (on a CPU: jobs) at once.
CONFIG ?= config.yaml
GPUS ?= 1

# Which embedded backbone `make backbone` trains.
FAMILY ?= pocket

# Two processes; the tests of a file stay together and in order (tests/conftest.py).
PYTEST := python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: exp1 ablations plan test test-slow test-cluster setup backbone benchmark
.DEFAULT_GOAL := exp1

exp1: $(READY) ## Experiment 1: its table, verdicts, figures and page
	$(RUN) snakemake --cores all --resources gpu=1

ablations: $(READY) ## the ablation grid over all recipes, and the verdicts on the finalists; says first how long it takes
	$(RUN) python -m workflow_scripts.plan --experiments ablations recipes --no-memory
	$(RUN) snakemake --cores all ablations recipes

plan: $(READY) ## what CONFIG=... with GPUS=... will cost: jobs, hours, money, disk, memory, the critical path
	$(RUN) python -m workflow_scripts.plan $(CONFIG) --gpus $(GPUS)

test: $(READY) ## before every commit: formatting, types, unit tests and a tiny run of the pipeline
	$(RUN) python -m ruff check . && python -m ruff format --check . && python -m snakefmt --check Snakefile rules && python -m mypy
	$(RUN) $(PYTEST)

test-slow: $(READY) ## the other tests: what reruns after which edit, kills, shards, the page in a browser, the README's commands
	$(RUN) $(PYTEST) -m slow

test-cluster: $(READY) ## a tiny run on a real SLURM and a real object server, which it starts on this machine (root on Debian)
	$(RUN) python -m pytest tests/cluster

setup: $(READY) ## the virtual environment with the pinned packages and the launcher

backbone: $(READY) ## train the embedded backbone FAMILY=... from nothing (hours; it can be interrupted) and put it into models
	$(RUN) snakemake --cores all --resources gpu=1 results/pretrain/$(FAMILY)/finished/README.md
	mkdir -p models/$(FAMILY) && cp -r results/pretrain/$(FAMILY)/finished/. models/$(FAMILY)/

benchmark: $(READY) ## the cached sampler against its FLOP limit, on the pocket UNet and one of Stable Diffusion's size (half an hour)
	$(RUN) $(ALLOCATOR) python benchmarks/sampler.py --unet pocket --batch 64 --cuts 0 1 2 --modes default parallel --repeats 2 --memory
	$(RUN) $(ALLOCATOR) python benchmarks/sampler.py --unet sd15 --batch 1 --steps 10 --strides 5 10 --cuts 0 3 --nodes all --modes default --no-rivals --warmup 0

$(READY):
	$(PYTHON) -m venv $(VENV)
	$(RUN) python -m pip install --quiet --disable-pip-version-check --progress-bar off -r envs/requirements.lock
	$(RUN) python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	sed "1s|^|$(STARTER)|" envs/snakemake_launcher.py > $(VENV)/bin/snakemake
	touch $@
