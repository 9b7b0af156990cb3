# make demo    the main job, end to end: simulate, score, plot, compare, report
# make test    lint, types and all tests
# Both make their own virtual environment in .venv the first time and use it again afterwards.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO ?= demo
UNITS := -m exact_fp32 -m ax_fpm

.PHONY: demo test lint wheel clean
.DEFAULT_GOAL := demo

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "accelsim needs Python >= 3.11, %s is %s; try: make PYTHON=python3.11" % (sys.executable, sys.version.split()[0]))'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt --editable '.[test]'
	touch $@

demo: $(INSTALLED)
	$(BIN)/accelsim simulate lenet5_digits $(UNITS) --images 16 --out $(DEMO)/simulate
	$(BIN)/accelsim score lenet5_digits $(UNITS) --attack fgsm --attack pgd --images 200 --out $(DEMO)/score
	$(BIN)/accelsim plot $(DEMO)/simulate --kind energy --out $(DEMO)/energy.png
	$(BIN)/accelsim plot $(DEMO)/simulate --kind latency --out $(DEMO)/latency.png
	$(BIN)/accelsim compare $(DEMO)/simulate $(DEMO)/score
	$(BIN)/accelsim report $(DEMO)/simulate $(DEMO)/score --out $(DEMO)/report.html
	@echo 'Written: $(DEMO)/simulate and $(DEMO)/score (tables), $(DEMO)/energy.png, $(DEMO)/latency.png, $(DEMO)/report.html'

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Builds the wheel, installs it into an environment of its own and runs it from another folder.
wheel: $(INSTALLED)
	PYTHON=$(abspath $(BIN))/python tests/wheel.sh

clean:
	rm -rf $(VENV) build dist *.egg-info $(DEMO)
