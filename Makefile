# The verbs. `make help` lists them; each does the set-up that it needs by itself.
#
#   PYTHON=/path/to/python3   the Python that .venv is made from (default: python3)
#   JOBS=N                    compile N files at once (default: -jN, else all cores)
#   CPU_ONLY=0                build for NVIDIA GPUs, with CUDA 12 or 13 (default: 1, without)
#   CUDA_ARCH='90-real'       GPU generations to compile for, as CMake has them
#   GPU_PACKAGE=FILE          what gpu-package writes (default: output/segflow_gpu.tar.xz)
#   GPU_PYTHON=python3.12     gpu-package: a Python of the version on the GPU machine

python := .venv/bin/python
caffe := $(MAKE) --no-print-directory -C caffe SETUP=true VENV=../.venv

GPU_PACKAGE ?= output/segflow_gpu.tar.xz
GPU_PYTHON ?= $(or $(PYTHON),$(python))

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: deps all pycaffe demo test bench bench-forward bench-train gpu-package lint format check clean help

help: ## this list
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' Makefile | expand -t 16

deps: ## install what is missing: apt packages (with sudo where not root) and .venv
	@caffe/scripts/setup.sh .venv requirements.txt . caffe/python

all: deps ## build the engine and its programs (caffe/build/tools/caffe)
	@+$(caffe) all

pycaffe: deps ## build the Python module: import caffe
	@+$(caffe) pycaffe

demo: pycaffe ## cut out the object and colour the motion of the bundled clip
	@$(python) demo/infer.py

test: all pycaffe ## build and run every test
	@+$(caffe) runtest
	@$(python) -m pytest -q
	@CAFFE_DEVICE=simulated CAFFE_TEST_MODE=gpu $(python) -m pytest -q caffe/python/caffe/test

bench: all pycaffe ## measure speed and memory, tables for people
	@$(python) tools/bench.py all

bench-forward: pycaffe ## one JSON line: a deploy pass of segflow at 480x854
	@$(python) tools/bench.py forward

bench-train: pycaffe ## one JSON line: a training iteration, flow branch frozen
	@$(python) tools/bench.py train

gpu-package: deps ## pack the engine for a GPU machine that has CUDA, cuDNN and Python only
	@$(python) tools/gpu_package.py $(GPU_PACKAGE) --python $(GPU_PYTHON) \
	  --architectures '$(or $(CUDA_ARCH),90-real)' $(if $(JOBS),--jobs $(JOBS))

lint: deps ## check format and types
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@set -- $(wildcard segflow caffe/python/caffe); [ $$# = 0 ] || $(python) -m mypy "$$@"
	@git ls-files -z 'caffe/*.cpp' 'caffe/*.hpp' 'caffe/*.h' 'caffe/*.cu' 'caffe/*.cuh' | \
	  xargs -0 -r .venv/bin/clang-format --dry-run --Werror

format: deps ## put every file into the form that lint asks for
	@$(python) -m ruff check --fix-only .
	@$(python) -m ruff format .
	@git ls-files -z 'caffe/*.cpp' 'caffe/*.hpp' 'caffe/*.h' 'caffe/*.cu' 'caffe/*.cuh' | xargs -0 -r .venv/bin/clang-format -i

check: lint ## lint, builds with warnings as errors (nvcc's, too, where it is), every test
	@+$(caffe) warn
	@+$(caffe) kernels
	@+$(MAKE) --no-print-directory test

clean: ## remove what was built; .venv stays
	@+$(caffe) clean
