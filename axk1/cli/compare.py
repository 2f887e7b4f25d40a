"""Two model folders side by side on the same texts: what `axk1 eval --against` and `axk1 quantize --compare` show."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from axk1.cli.engine import EngineOptions, open_engine, reading, start_of
from axk1.cli.words import Words
from axk1.corpus.source import Source
from axk1.engine.engine import Engine
from axk1.evals.divergence import Divergence, compare_files
from axk1.evals.windows import Logits
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["Pair", "compare_folders", "divergence_table", "pair"]


@dataclass(frozen=True)
class Pair:
    """A reference and a model as readers of windows, with the tokenizer that both have."""

    tokenizer: Tokenizer
    start: int
    reference: Logits
    model: Logits


@contextmanager
def pair(reference: Path, model: Path, options: EngineOptions | None = None) -> Iterator[Pair]:
    """Both folders open. ValueError unless they share tokenizer and vocabulary; CheckpointError, TokenizerError."""
    with open_engine(reference, options) as first, open_engine(model, options) as second:
        tokenizer = _shared_tokenizer(first, second, f"{reference} and {model}")
        with reading(first) as of_reference, reading(second) as of_model:
            yield Pair(tokenizer, start_of(first), of_reference, of_model)


def compare_folders(
    reference: Path, model: Path, sources: Sequence[Source], options: EngineOptions | None = None
) -> list[Divergence]:
    """How far the model is from the reference on every file of the sources. As `pair`; CorpusError."""
    with pair(reference, model, options) as both:
        readers = (both.tokenizer, both.start, both.reference, both.model)
        return [one for source in sources for one in compare_files(source, *readers)]


def divergence_table(found: Sequence[Divergence], say: Words) -> Table:
    """A row for every text."""
    caption = say("앞이 원래 모델, KL은 토큰당 나트", "the reference first; KL in nats a token")
    table = Table(title=say("원래 모델과의 차이", "beside the reference"), title_justify="left", caption=caption)
    table.add_column(say("글", "text"), overflow="fold")
    for heading in (
        *(say("토큰", "tokens"), say("혼란도", "perplexity"), say("비트/바이트", "bits/byte")),
        *(say("KL 평균", "mean KL"), say("KL 상위 1%", "99 % KL"), say("같은 첫째", "same first")),
    ):
        table.add_column(heading, justify="right")
    for one in found:
        first, second = one.reference, one.model
        perplexity = f"{first.perplexity:.3f} → {second.perplexity:.3f}"
        bits = f"{first.bits_per_byte:.4f} → {second.bits_per_byte:.4f}"
        kl = (f"{one.mean_kl:.5f}", f"{one.kl_99:.4f}", f"{one.agreement:.2%}")
        table.add_row(Text(one.text), f"{second.tokens:,}", perplexity, bits, *kl)
    return table


def _shared_tokenizer(reference: Engine, model: Engine, names: str) -> Tokenizer:
    first, second = reference.tokenizer, model.tokenizer
    if first is None or second is None:
        raise ValueError(f"{names}: texts need a tokenizer, and a folder has none")
    if first.token_bytes != second.token_bytes or reference.config.vocab_size != model.config.vocab_size:
        raise ValueError(f"{names} have different tokenizers or vocabularies: their tokens cannot be compared")
    return first
