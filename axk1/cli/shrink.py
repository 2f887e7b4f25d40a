"""The last stage: the model in fewer bits, measured beside the original on conversations that training never saw."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from axk1.cli.compare import divergence_table, pair
from axk1.cli.job import Job
from axk1.cli.prepare import EXERCISES_HELD_OUT
from axk1.cli.quantize import progress_of, report_table
from axk1.corpus.exercise_file import read_exercises
from axk1.corpus.split import position
from axk1.data.conversation import encode
from axk1.data.shards import TokenShards
from axk1.evals.divergence import Divergence, compare
from axk1.evals.windows import WINDOW, Text
from axk1.export.calibrate import of_sequences
from axk1.export.quantize import quantize
from axk1.export.statistics import ChannelStatistics
from axk1.model.folder import load
from axk1.model.plain import PlainOperators
from axk1.runs import write_whole
from axk1.tokenizer.special import END_OF_TEXT_ID
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["activations", "held_out_conversations", "make_quantised"]


def make_quantised(job: Job) -> Mapping[str, Any]:
    """model-int4/: the quantised folder; quantize/: report.json with sizes, errors of the parts, perplexity and KL."""
    config = job.recipe.quantize
    assert config is not None  # the stage is left out without it
    source, out = job.folder("model"), job.folder(config.folder)
    tokens = config.calibration_tokens
    statistics = activations(source, job.folder("data") / "sft", tokens) if tokens else None
    with progress_of(job.console, job.say) as hear:
        report = quantize(source, out, config.formats, statistics, hear)
    job.tell("학습에 없던 대화로 원래 모델과 견줍니다.", "comparing with the original on held-out conversations.")
    found = _compared(job, source, out, config.conversations)
    sizes = {"model_bytes": _bytes(source), "quantized_bytes": _bytes(out)}
    values = {"folder": out.name, **sizes, **report.to_json(), "compared": [found.to_mapping()]}
    write_whole(job.run.folder("quantize") / "report.json", json.dumps(values, ensure_ascii=False, indent=1) + "\n")
    for table in (report_table(report, job.say), divergence_table([found], job.say)):
        job.console.print(table)
    before, after = (size / 1e6 for size in sizes.values())
    job.tell(f"{out}: {before:.1f} MB → {after:.1f} MB", f"{out}: {before:.1f} MB → {after:.1f} MB")
    return {**sizes, "mean_kl": found.mean_kl, "agreement": found.agreement}


def activations(model: Path, shards: Path, tokens: int) -> ChannelStatistics:
    """What the model of a folder does on the first documents of token shards, about so many tokens."""
    found = TokenShards.open(shards)
    sequences = ([END_OF_TEXT_ID, *found.document(index, 0, WINDOW - 1).tolist()] for index in range(len(found)))
    return of_sequences(load(model, operators=PlainOperators()), _limited(sequences, tokens))


def _limited(sequences: Iterator[list[int]], tokens: int) -> Iterator[list[int]]:
    for sequence in sequences:
        if tokens <= 0:
            return
        yield sequence
        tokens -= len(sequence)


def _compared(job: Job, reference: Path, model: Path, conversations: int) -> Divergence:
    with pair(reference, model) as both:
        share = job.recipe.data.thinking_share
        texts = held_out_conversations(job.folder("corpus"), both.tokenizer, share, conversations)
        return compare(f"corpus/{EXERCISES_HELD_OUT}", texts, both.start, both.reference, both.model)


def held_out_conversations(corpus: Path, tokenizer: Tokenizer, thinking_share: float, count: int) -> Iterator[Text]:
    """Held-out exercises as conversations, thinking as often as in training; what the assistant says is measured."""
    for exercise in islice(read_exercises(corpus / EXERCISES_HELD_OUT), count):
        (sample,) = encode([exercise], [position(exercise.question, "thinking") < thinking_share], tokenizer)
        said = tokenizer.decode_bytes(sample.ids[sample.loss_mask].tolist())
        yield Text(sample.ids.tolist(), len(said), sample.loss_mask.tolist())


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
