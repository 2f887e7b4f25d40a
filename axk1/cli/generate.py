"""`axk1 generate`: the continuation of a prompt, by the engine."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from axk1.chat.sampling import SamplingParams
from axk1.cli.words import Words
from axk1.engine.backend import CacheChoice
from axk1.engine.disk import read_rate
from axk1.engine.engine import Engine
from axk1.engine.output import RequestOutput
from axk1.engine.prompt import Prompt
from axk1.engine.speculation import Speculation
from axk1.engine.streaming import ExpertStatistics

__all__ = ["generate"]


def generate(argv: list[str], say: Words) -> int:
    """Continue prompts with the model of a folder; text, or ids where the folder has no tokenizer, as it is made."""
    options = _parser(say).parse_args(argv)
    prompts = _prompts(options, say)
    params = _params(options)
    opened = (options.folder, options.memory, options.threads, options.backend)
    began = time.perf_counter()
    with Engine.open(*opened, speculation=options.speculation, cache=options.cache) as engine:
        if options.json:
            for output in engine.generate(prompts, params):
                print(json.dumps(_mapping(output), ensure_ascii=False))
        else:
            for prompt in prompts:
                _print(engine, prompt, params)
        if engine.statistics:
            sys.stderr.write(_disk(engine.statistics, options.folder, time.perf_counter() - began, say) + "\n")
    return 0


def _disk(found: ExpertStatistics, folder: Path, seconds: float, say: Words) -> str:
    """What experts on disk cost, beside what the disk could give."""
    limit = read_rate(sorted(folder.glob("*.safetensors")), found.slot_bytes)
    share, megabytes = found.bytes_read / seconds / limit, found.bytes_per_token / 1e6
    disk, waited = f"{limit / 1e9:.2f} GB/s", found.waited_seconds
    held = f"{found.slots:,} x {found.slot_bytes / 1e6:.1f} MB"
    korean = (
        f"디스크의 전문가: 적중률 {found.hit_rate:.1%}, 토큰마다 {megabytes:.1f} MB 읽음, "
        f"디스크 한계 {disk}의 {share:.0%}, 기다린 시간 {waited:.1f}초, 메모리에 {held}"
    )
    english = (
        f"experts on disk: hit rate {found.hit_rate:.1%}, {megabytes:.1f} MB read per token, "
        f"{share:.0%} of the disk's {disk}, waited {waited:.1f} s, {held} in memory"
    )
    return say(korean, english)


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 generate", description=say("글을 이어 쓰기", "continue a text with a model")
    )
    add = parser.add_argument
    add("folder", type=Path, help=say("모델 폴더", "the model's folder"))
    add("--prompt", action="append", metavar="TEXT", help=say("이어 쓸 글 (여러 번 가능)", "the text; may be repeated"))
    add("--ids", action="append", metavar='"1 2 3"', help=say("글 대신 토큰 번호", "token ids instead of a text"))
    add(
        "--max-tokens",
        type=int,
        default=128,
        metavar="N",
        help=say("새 토큰의 최대 개수", "at most so many new tokens"),
    )
    add("--temperature", type=float, default=0.0, help=say("0이면 항상 가장 그럴듯한 말", "0 = always the likeliest"))
    add("--top-p", type=float, default=1.0)
    add("--top-k", type=int, default=0, help=say("0이면 모든 토큰", "0 = all tokens"))
    add("--min-p", type=float, default=0.0)
    add("--seed", type=int, help=say("같은 수는 같은 답", "the same number, the same answer"))
    add("--stop", action="append", default=[], metavar="TEXT", help=say("이 글 앞에서 멈춤", "end before this text"))
    add("--ignore-eos", action="store_true", help=say("끝 토큰을 무시", "go on behind the model's own end"))
    add("--logprobs", type=int, metavar="N", help=say("토큰마다 로그 확률 (--json)", "log-probabilities, with --json"))
    add("--json-schema", metavar="JSON", help=say("답이 따를 JSON 스키마", "the schema that the answer follows"))
    add("--regex", help=say("답이 따를 정규식", "the pattern that the answer follows"))
    add("--memory", metavar="SIZE", help=say("가중치와 캐시에 쓸 메모리 (예: 6G)", "for weights and cache, such as 6G"))
    add(
        "--cache",
        choices=get_args(CacheChoice),
        default="auto",
        help=say("int8이면 같은 메모리에 토큰 1.7배", "int8 holds 1.7 times the tokens in the same memory"),
    )
    add("--threads", type=int, metavar="N", help=say("스레드 개수", "threads"))
    add("--backend", default="auto", help=say("계산 방식: auto, reference, …", "auto, reference, ..."))
    add(
        "--speculation",
        choices=get_args(Speculation),
        default="auto",
        help=say("토큰을 미리 짐작해 빠르게 (답은 같음)", "draft tokens ahead for speed; the answer is the same"),
    )
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON lines, for machines"))
    return parser


def _prompts(options: argparse.Namespace, say: Words) -> list[Prompt]:
    prompts: list[Prompt] = [*(options.prompt or ()), *(_ids(text, say) for text in options.ids or ())]
    if not prompts:
        raise ValueError(say("--prompt 또는 --ids가 있어야 합니다", "give --prompt or --ids"))
    return prompts


def _ids(text: str, say: Words) -> list[int]:
    try:
        return [int(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        wanted = say("--ids에는 토큰 번호를 씁니다", "--ids wants token ids")
        raise ValueError(f'{wanted}: "1 2 3"') from error


def _params(options: argparse.Namespace) -> SamplingParams:
    names = ("max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "ignore_eos", "logprobs")
    return SamplingParams(
        **{name: getattr(options, name) for name in (*names, "json_schema", "regex")},
    )


def _print(engine: Engine, prompt: Prompt, params: SamplingParams) -> None:
    for delta in engine.stream(prompt, params):
        ids = "".join(f"{token} " for token in delta.token_ids)
        sys.stdout.write(ids if engine.tokenizer is None else delta.text)
        sys.stdout.flush()
    print()


def _mapping(output: RequestOutput) -> dict[str, Any]:
    """What JSON can hold; what was not asked for is left out."""
    return {name: value for name, value in asdict(output).items() if value is not None}
