"""`axk1 arch`: what a model shape holds and costs."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from axk1.arch import PRESETS, Facts, ModelConfig, facts, preset
from axk1.cli.words import Words

__all__ = ["arch", "named_config"]


def arch(argv: list[str], say: Words) -> int:
    """Print parameters, memory and FLOPs of a preset or of a model folder."""
    options = _parser(say).parse_args(argv)
    figures = facts(named_config(options.model), options.model, options.seq)
    if options.json:
        print(json.dumps(asdict(figures), indent=1))
    else:
        _print(figures, say)
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 arch", description=say("모델 구조의 크기와 비용", "what a model shape holds and costs")
    )
    parser.add_argument(
        "model",
        metavar="NAME|FOLDER",
        help=say("이름 또는 모델 폴더: ", "a preset or a model folder: ") + ", ".join(PRESETS),
    )
    parser.add_argument("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    parser.add_argument("--seq", type=int, metavar="N", help=say("문맥 길이 (토큰)", "context length in tokens"))
    return parser


def named_config(name: str) -> ModelConfig:
    """The shape of a preset or of a model folder. ValueError, OSError."""
    file = Path(name) / "config.json"
    if name in PRESETS or not Path(name).is_dir():
        return preset(name)
    return ModelConfig.from_huggingface(json.loads(file.read_text(encoding="utf-8")))


def _print(figures: Facts, say: Words) -> None:
    table = Table(title=f"{figures.name} ({figures.model_type})", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for label, value in _rows(figures, say):
        table.add_row(label, value)
    Console().print(table)


def _rows(figures: Facts, say: Words) -> list[tuple[str, str]]:
    context = f"{figures.context:,}"
    unused = figures.parameters_with_unused_norms
    rows = [
        (say("매개변수", "parameters"), f"{figures.parameters:,}"),
        (
            say("  쓰이지 않는 노름까지", "  with norms that nothing applies"),
            f"{unused:,}" if unused != figures.parameters else "",
        ),
        (
            say("  토큰마다 쓰이는 것", "  active per token"),
            f"{figures.active_parameters:,} ({figures.active_share:.1%})",
        ),
        (say("  임베딩과 출력층", "  embedding and head"), f"{figures.embedding_parameters:,}"),
        (say("  어텐션", "  attention"), f"{figures.attention_parameters:,}"),
        (say("  밀집 MLP", "  dense MLP"), f"{figures.dense_mlp_parameters:,}"),
        (say("  골라 쓰는 전문가", "  routed experts"), f"{figures.routed_expert_parameters:,}"),
        (say("  공유 전문가", "  shared experts"), f"{figures.shared_expert_parameters:,}"),
        (say("  라우터", "  routers"), f"{figures.router_parameters:,}"),
        (say("  노름", "  norms"), f"{figures.norm_parameters:,}"),
        (
            say("  다음다음 토큰 층 (MTP)", "  multi-token prediction, extra"),
            f"{figures.mtp_parameters:,}" if figures.mtp_parameters else "",
        ),
        (
            say(f"학습 연산량/토큰 (문맥 {context})", f"training FLOPs per token at {context}"),
            _giga(figures.training_flops),
        ),
        (
            say(f"입력 연산량/토큰 (문맥 {context})", f"prefill FLOPs per token at {context}"),
            _giga(figures.prefill_flops),
        ),
        (
            say(f"출력 연산량/토큰 (문맥 {context})", f"decoding FLOPs per token at {context}"),
            _giga(figures.decoding_flops),
        ),
    ]
    rows += [
        (say(f"KV 캐시/토큰, {dtype}", f"KV cache per token, {dtype}"), f"{size:,} B")
        for dtype, size in figures.kv_cache_bytes.items()
    ]
    rows += [
        (say(f"가중치, {dtype}", f"weights, {dtype}"), f"{size:,} B") for dtype, size in figures.weight_bytes.items()
    ]
    return [row for row in rows if row[1]]


def _giga(flops: int) -> str:
    return f"{flops / 1e9:,.3f} G"
