"""Measures which input columns of each weight matter: the mean squared activation on some text, by the torch model.

Needs torch and the whole model in memory, unlike quantising itself; the result is small and can be kept as a file.
Letters: N tokens, I input columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from axk1.checkpoint.names import DOWN, GATE_UP
from axk1.corpus.documents import Document
from axk1.corpus.readers import read
from axk1.corpus.source import Source
from axk1.export.statistics import ChannelStatistics
from axk1.model.folder import load
from axk1.model.mlp import MLP
from axk1.model.plain import PlainOperators
from axk1.model.transformer import Transformer
from axk1.tokenizer.tokenizer import Tokenizer

TOKENS = 65_536
SEQUENCE = 512
# Experts that met fewer tokens say too little on their own and take the mean over all experts of the layer
FEWEST_TOKENS = 64


def measure(folder: Path, text: Path, tokens: int = TOKENS) -> ChannelStatistics:
    """Statistics of the model in `folder` over the first `tokens` tokens of a text file (.txt, .jsonl, .parquet).

    ValueError when the file holds no text.
    """
    tokenizer = Tokenizer.load(folder)
    texts = (document.text for document in read(Source(str(text)), _ignore))
    sequences = _sequences((tokenizer.encode(one) for one in texts), tokens)
    if not sequences:
        raise ValueError(f"{text}: no text to calibrate with")
    return of_sequences(load(folder, operators=PlainOperators()), sequences)


def _ignore(_document: Document, _reason: str) -> None:
    """Records without text say nothing about activations."""


@torch.no_grad()
def of_sequences(model: Transformer, sequences: Iterable[Sequence[int]]) -> ChannelStatistics:
    """Statistics of a model that computes with `PlainOperators`, over sequences of token ids."""
    recorder = _Recorder(_places(model))
    handles = [
        module.register_forward_pre_hook(recorder.hook((f"{name}.gate_proj", f"{name}.up_proj")))
        for name, module in model.named_modules()
        if isinstance(module, MLP)  # joins its two weights, so that neither is seen by itself
    ]
    with recorder:
        for ids, documents in _rows(sequences):
            model(torch.tensor([ids]), torch.tensor([documents]))
    for handle in handles:
        handle.remove()
    return ChannelStatistics(_means(recorder.sums, recorder.counts))


class _Recorder(TorchFunctionMode):
    """Sums the squared inputs of every matrix product whose weight has a place in memory that is known."""

    def __init__(self, places: Mapping[int, tuple[str, ...]]) -> None:
        super().__init__()
        self.places = places
        self.sums: dict[str, NDArray[np.float64]] = {}
        self.counts: dict[str, int] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is functional.linear:
            self.add(self.places.get(args[1].data_ptr(), ()), args[0])
        return func(*args, **(kwargs or {}))

    def hook(self, names: tuple[str, ...]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        """A forward pre-hook that adds a module's input under these names."""
        return lambda _module, inputs: self.add(names, inputs[0])

    def add(self, names: tuple[str, ...], x: Tensor) -> None:
        x_NI = x.reshape(-1, x.shape[-1])
        for name in names:
            self.sums[name] = self.sums.get(name, 0.0) + x_NI.double().square().sum(0).numpy()
            self.counts[name] = self.counts.get(name, 0) + len(x_NI)


def _rows(sequences: Iterable[Sequence[int]]) -> Iterator[tuple[list[int], list[int]]]:
    """Short sequences side by side, about SEQUENCE tokens, with the number of each token's: read together, unmixed."""
    ids: list[int] = []
    documents: list[int] = []
    for number, sequence in enumerate(sequences):
        if ids and len(ids) + len(sequence) > SEQUENCE:
            yield ids, documents
            ids, documents = [], []
        ids += sequence
        documents += [number] * len(sequence)
    if ids:
        yield ids, documents


def _places(model: Transformer) -> dict[int, tuple[str, ...]]:
    """Address of a weight, or of one expert's, to the names of the modules that it is in a checkpoint."""
    places: dict[int, tuple[str, ...]] = {}
    for name, value in model.state_dict().items():
        if name.endswith((GATE_UP, DOWN)):
            prefix = name.rpartition(".")[0]
            parts = ("down_proj",) if name.endswith(DOWN) else ("gate_proj", "up_proj")
            for expert, weight in enumerate(value.unbind()):
                places[weight.data_ptr()] = tuple(f"{prefix}.{expert}.{part}" for part in parts)
        elif value.ndim == 2:
            places[value.data_ptr()] = (name.removesuffix(".weight"),)
    return places


def _means(sums: Mapping[str, NDArray[np.float64]], counts: Mapping[str, int]) -> dict[str, NDArray[np.float32]]:
    """Each module's mean, and that over all experts of a layer under the name without a number."""
    means: dict[str, NDArray[np.float32]] = {}
    pooled: dict[str, tuple[NDArray[np.float64], int]] = {}
    for name, total in sums.items():
        before, experts, rest = name.partition(".experts.")
        if experts:
            together = before + experts + rest.partition(".")[2]
            old = pooled.get(together, (np.zeros_like(total), 0))
            pooled[together] = (old[0] + total, old[1] + counts[name])
        if not experts or counts[name] >= FEWEST_TOKENS:
            means[name] = (total / counts[name]).astype(np.float32)
    return {**means, **{name: (total / count).astype(np.float32) for name, (total, count) in pooled.items()}}


def _sequences(documents: Iterable[list[int]], tokens: int) -> list[list[int]]:
    """The first `tokens` tokens, cut into sequences that the model can take."""
    sequences: list[list[int]] = []
    left = tokens
    for ids in documents:
        for first in range(0, min(len(ids), left), SEQUENCE):
            sequences.append(ids[first : first + min(SEQUENCE, left)])
            left -= len(sequences[-1])
        if left <= 0:
            break
    return [sequence for sequence in sequences if sequence]
