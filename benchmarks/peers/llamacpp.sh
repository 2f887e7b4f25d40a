#!/usr/bin/env bash
# The environment of llama.cpp: built from source for this CPU (ten minutes on two cores).
#   benchmarks/peers/llamacpp.sh [FOLDER]      default runs/peers/llamacpp
# Needs python3, a C++ compiler and CMake.
set -euo pipefail
folder=${1:-runs/peers/llamacpp}

python3 -m venv "$folder"
python="$folder/bin/python"
# BF16, VNNI and the other extensions that this CPU has: a prebuilt wheel knows only what all CPUs know.
CMAKE_ARGS="-DGGML_NATIVE=ON" "$python" -m pip install --no-binary llama-cpp-python "llama-cpp-python==0.3.36"
"$python" -m pip install "gguf==0.19.0" numpy
"$python" -c 'import llama_cpp; print("llama.cpp", llama_cpp.__version__, llama_cpp.llama_print_system_info().decode())'
