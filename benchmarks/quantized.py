"""What each part, format and choice of scales costs: KL divergence of a run's models from themselves in fewer bits.

    python benchmarks/quantized.py runs/nano [--save]

The model that talks is measured on what the assistant says in held-out conversations, the pre-trained one on held-out
documents. Activations are those of 16,384 training tokens.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import machine

from axk1.cli.engine import reading, start_of
from axk1.cli.shrink import activations, held_out_conversations
from axk1.corpus.documents import read_documents
from axk1.engine.engine import Engine
from axk1.evals.divergence import compare
from axk1.evals.windows import Text
from axk1.export.quantize import quantize
from axk1.export.quantize_formats import PARTS, Part, named_formats
from axk1.export.quantize_search import best_grid, plain_grid
from axk1.tokenizer.tokenizer import Tokenizer

CONVERSATIONS, DOCUMENTS, CALIBRATION_TOKENS = 400, 250, 16_384
NOTHING: dict[Part, str] = dict.fromkeys(PARTS, "none")
WHOLE: dict[str, dict[Part, str]] = {
    "int8": {**dict.fromkeys(PARTS, "int8"), "head": "none", "embedding": "none"},
    **{f"experts int4-g{group}, rest int8": {"experts": f"int4-g{group}"} for group in (32, 64, 128)},
    **{
        f"int4-g{group}": {**dict.fromkeys(PARTS, f"int4-g{group}"), "head": "none", "embedding": "none"}
        for group in (32, 64)
    },
}
ALONE: dict[str, dict[Part, str]] = {
    f"only {part} {form}": {**NOTHING, part: form} for form in ("int4-g32", "int8") for part in PARTS[:-1]
}


def texts(run: Path, name: str, tokenizer: Tokenizer) -> list[Text]:
    if name == "model":
        return list(held_out_conversations(run / "corpus", tokenizer, 0.5, CONVERSATIONS))
    found = [document.text for document in read_documents(run / "corpus/validation.jsonl.zst")][:DOCUMENTS]
    return [Text(tokenizer.encode(text, special_tokens=False), len(text.encode())) for text in found]


def measured(run: Path, name: str) -> Iterator[dict[str, Any]]:
    source = run / name
    statistics = activations(source, run / "data" / ("sft" if name == "model" else "pretrain"), CALIBRATION_TOKENS)
    ways = {"whole range": (plain_grid, None), "least error": (best_grid, None), "calibrated": (best_grid, statistics)}
    asked = [(label, formats, way) for label, formats in WHOLE.items() for way in ways]
    asked += [(label, formats, "least error") for label, formats in ALONE.items()]
    with Engine.open(source) as original, ExitStack() as stack:
        assert original.tokenizer is not None
        found = texts(run, name, original.tokenizer)
        reference = stack.enter_context(reading(original))
        for label, formats, way in asked:
            with tempfile.TemporaryDirectory() as scratch:
                out = Path(scratch) / "quantized"
                grids, weights = ways[way]
                quantize(source, out, named_formats(formats), weights, grids=grids)
                size = sum(file.stat().st_size for file in out.glob("*.safetensors"))
                with Engine.open(out) as engine, reading(engine) as model:
                    result = compare(name, found, start_of(engine), reference, model)
            yield {"formats": label, "scales": way, "stored_bytes": size, **result.to_mapping()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    for name in ("model", "base"):
        for one in measured(options.run, name):
            print(
                f"{name:6}{one['formats']:34}{one['scales']:13}{one['stored_bytes'] / 1e6:7.2f} MB"
                f"  KL {one['mean_kl']:.5f}  99 % {one['kl_99']:.4f}  same first {one['agreement']:.2%}"
                f"  perplexity {one['reference']['perplexity']:.4f} -> {one['model']['perplexity']:.4f}",
                flush=True,
            )
            if options.save:
                machine.record("quantized", [one], sys.argv[1:])


if __name__ == "__main__":
    main()
