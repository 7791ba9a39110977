# Each target sets up what it needs by itself. `make test ARGS='-k triton'` passes options to pytest.

PYTHON ?= python3
PIP := -m pip install --quiet --disable-pip-version-check
ARGS ?=

.PHONY: help
help:
	@sed -n 's/^## //p' Makefile

## make demo     render specs/ with the light core alone, and print the tree
.PHONY: demo
demo: render
	@find rendered -type f ! -name '.*' | sort

## make render   render specs/ into rendered/
.PHONY: render
render: .venv-demo/complete
	.venv-demo/bin/gen render specs

## make test     run all tests, the ones against real servers included
.PHONY: test
test: .venv/complete
	.venv/bin/python -m pytest $(ARGS)

## make verify   serve the five seed specs on the real servers, compare with the eager models
# Published checkpoints are not downloaded, unless WEIGHTS is empty: make verify WEIGHTS=
WEIGHTS ?= --random-weights
.PHONY: verify
verify: .venv/complete
	.venv/bin/gen export $(WEIGHTS) specs/densenet161.yaml specs/imagenet.yaml
	.venv/bin/gen export specs/cifar10.yaml specs/landmarks.yaml specs/mnist.yaml
	.venv/bin/gen verify $(addprefix specs/,cifar10.yaml densenet161.yaml imagenet.yaml landmarks.yaml mnist.yaml)

## make check    lint, types, formats, and rendered/ against a fresh render
.PHONY: check
check: .venv/complete
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/yamllint --strict .
	.venv/bin/gen render --check specs

## make images   build the rendered images and run them: Debian, root, buildah and podman
.PHONY: images
images: .venv/complete
	.venv/bin/python tests/containers/images.py $(ARGS)

## make bench    measure gen beside its floor, its neighbours and git: docs/performance.md
# make bench ARGS='many --sizes 10000'
.PHONY: bench
bench: .venv/complete
	.venv/bin/python -m benches $(ARGS)

## make bench-peers  install the neighbours that PyPI and npm have, for make bench
.PHONY: bench-peers
bench-peers: .venv/complete
	.venv/bin/python -m benches --install-peers

## make format   sort imports and lay out the code
.PHONY: format
format: .venv/complete
	.venv/bin/ruff check --select I --fix .
	.venv/bin/ruff format .

## make clean    remove virtual environments, caches and build products
.PHONY: clean
clean:
	rm -rf .venv .venv-demo build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find generator tests specs -name __pycache__ -prune -exec rm -rf {} +

# The last file written to an environment: without it, the installation is run again.
.venv-demo/complete: pyproject.toml
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python $(PIP) --editable .
	touch $@

# One command, so that pip settles torch and torchvision together.
.venv/complete: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) --editable '.[test]'
	touch $@
