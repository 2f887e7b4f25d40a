"""`axk1 corpus`: the built-in curriculum, corpora made by a pipeline, and personal data in them."""

import argparse
import itertools
import json
from collections.abc import Callable, Mapping

from axk1.cli.corpus_build import corpus_build
from axk1.cli.corpus_classifier import corpus_classifier
from axk1.cli.corpus_samples import corpus_samples
from axk1.cli.corpus_synthesis import corpus_synthesize
from axk1.cli.privacy import make_key, scan, unmask
from axk1.cli.words import Words
from axk1.corpus.curriculum import FAMILIES, exercises
from axk1.corpus.exercise import Exercise
from axk1.corpus.exercise_file import to_mapping

__all__ = ["corpus"]

_VERBS: Mapping[str, Callable[[list[str], Words], int]] = {
    "build": corpus_build,
    "synthesize": corpus_synthesize,
    "samples": corpus_samples,
    "classifier": corpus_classifier,
    "privacy": scan,
    "unmask": unmask,
    "new-key": make_key,
}


def corpus(argv: list[str], say: Words) -> int:
    """List the families, or draw exercises of one; the others are verbs of their own."""
    if argv and argv[0] in _VERBS:
        return _VERBS[argv[0]](argv[1:], say)
    return _families(argv[1:] if argv[:1] == ["families"] else argv, say)


def _families(argv: list[str], say: Words) -> int:
    options = _parser(say).parse_args(argv)
    if options.family is None:
        for family in FAMILIES.values():
            print(f"{family.name:<24}{say(family.title_ko, family.title_en)}")
        return 0
    if options.family not in FAMILIES:
        raise ValueError(f"no family {options.family!r} (known: {', '.join(FAMILIES)})")
    drawn = exercises(options.seed, "held_out" if options.held_out else "train", {options.family: 1.0})
    for exercise in itertools.islice(drawn, options.count):
        print(json.dumps(to_mapping(exercise), ensure_ascii=False) if options.json else _shown(exercise) + "\n")
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 corpus",
        description=say("내장 학습 문제 살펴보기", "look at the built-in curriculum"),
        epilog=say(
            "말뭉치: axk1 corpus build 글 모음을 정제하기 · synthesize 모델로 새 글 만들기"
            " · samples 남긴 문서와 버린 문서 보기 · classifier 글 분류기 학습하기"
            " · privacy 개인정보 찾기 · unmask 가린 값 되돌리기 · new-key 열쇠 만들기",
            "corpora: axk1 corpus build clean a collection of texts; synthesize have a model write new ones;"
            " samples what was kept and dropped; classifier train a text classifier; privacy find personal data;"
            " unmask restore what was masked; new-key make a key",
        ),
    )
    add = parser.add_argument
    add("family", nargs="?", help=say("문제 종류 (없으면 목록)", "a family (none: list them)"))
    add("--count", type=int, default=3, metavar="N", help=say("몇 개", "how many"))
    add("--seed", type=int, default=0)
    add("--held-out", action="store_true", help=say("학습에 쓰지 않는 쪽", "from the side that is never trained on"))
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    return parser


def _shown(exercise: Exercise) -> str:
    call = f"{exercise.call.name} {json.dumps(exercise.call.arguments, ensure_ascii=False)}" if exercise.call else ""
    tools = ", ".join(tool.name for tool in exercise.tools)
    rows = (("Q", exercise.question), ("…", exercise.reasoning), ("A", exercise.answer or call), ("tools", tools))
    return "\n".join(f"{label}: {text}" for label, text in rows if text)
