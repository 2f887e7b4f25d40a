"""The command `axk1`: a table of verbs, each imported when it is called."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module

from axk1 import __version__
from axk1.cli.notices import build_notices
from axk1.cli.words import LANGUAGES, Words, describe, language_of

__all__ = ["VERBS", "Verb", "main"]

_EXTRAS = {  # the packages by which an extra shows that it is missing
    "train": ("torch", "matplotlib"),
    "serve": ("aiosqlite", "alembic", "fastapi", "greenlet", "sqlalchemy", "uvicorn"),
    "postgres": ("psycopg",),
}
INTERRUPTED = 130  # 128 + SIGINT, as shells count it


@dataclass(frozen=True)
class Verb:
    """A verb: the function `(argv, say) -> exit code` as "module:function", and a line on it in each language."""

    target: str
    korean: str
    english: str


VERBS: Mapping[str, Verb] = {
    "run": Verb(
        "axk1.cli.run:run",
        "레시피를 처음부터 끝까지: 말뭉치, 토크나이저, 학습, 대화 학습, 내보내기, 평가",
        "a recipe from corpus and tokenizer over training to a model folder and its grades",
    ),
    "chat": Verb("axk1.cli.chat:chat", "모델과 대화하기", "talk with a model"),
    "serve": Verb(
        "axk1.cli.serve:serve",
        "모델을 웹 채팅과 OpenAI 호환 API로 열기",
        "offer a model as a web chat and an OpenAI-compatible API",
    ),
    "generate": Verb("axk1.cli.generate:generate", "글 이어 쓰기", "continue a text"),
    "eval": Verb("axk1.cli.evaluate:evaluate", "모델 폴더를 채점하기", "grade a model folder"),
    "quantize": Verb(
        "axk1.cli.quantize:quantize_folder",
        "가중치를 int4나 int8로 줄인 모델 폴더 만들기",
        "write a model folder with int4 or int8 weights",
    ),
    "plot": Verb("axk1.cli.plot:plot", "학습 기록을 그림으로", "draw the curves of one or more runs"),
    "arch": Verb("axk1.cli.arch:arch", "모델 구조의 크기와 비용", "what a model shape holds and costs"),
    "tokenizer": Verb(
        "axk1.cli.tokenizer:tokenizer", "토크나이저 살펴보기", "look at a tokenizer and what it does to a text"
    ),
    "data": Verb(
        "axk1.cli.release:data", "말뭉치를 공개할 폴더로 만들고 확인하기", "publish a corpus, or check a published one"
    ),
    "corpus": Verb(
        "axk1.cli.corpus:corpus",
        "말뭉치 정제하기, 내장 학습 문제 보기",
        "clean a corpus, or look at the built-in curriculum",
    ),
    "deploy": Verb(
        "axk1.cli.deploy:deploy",
        "큰 모델을 여러 GPU에 나눠 띄울 계획과 실행 파일 만들기",
        "plan a large model over many GPUs, and write what starts it",
    ),
    "admin": Verb(
        "axk1.cli.admin:admin",
        "서버의 조직, 키, 한도, 사용량, 감사 기록",
        "organisations, keys, limits, usage and the audit log of a server",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code: 0 done, 1 failed, 2 the user's mistake, 130 interrupted."""
    options, rest = _global_parser().parse_known_args(argv)
    say = Words(options.lang or language_of(os.environ))
    try:
        with build_notices(say):
            return _dispatch(rest, say)
    except KeyboardInterrupt as interrupt:
        notes = getattr(interrupt, "__notes__", ())
        print("\n" + "\n".join([say("멈췄습니다.", "Stopped."), *notes]), file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as `head`, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:  # an extra that this verb needs, and this environment lacks
        if options.debug or (error.name or "axk1").startswith("axk1"):
            raise
        print(f"axk1: {say('오류', 'error')}: {_missing(error, say)}", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        if options.debug:
            raise
        print(f"axk1: {say('오류', 'error')}: {describe(error, say)}", file=sys.stderr)
        return 2


def _missing(error: ModuleNotFoundError, say: Words) -> str:
    extra = next((extra for extra, packages in _EXTRAS.items() if error.name in packages), "corpus")
    return say(
        f"{error.name} 패키지가 없습니다. pip install 'axk1[{extra}]'를 실행해 주세요.",
        f"the package {error.name} is missing: pip install 'axk1[{extra}]'",
    )


def _global_parser() -> argparse.ArgumentParser:
    """The options that may stand anywhere on the line."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--lang", choices=LANGUAGES)
    parser.add_argument("--debug", action="store_true")
    return parser


def _dispatch(argv: list[str], say: Words) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(_help(say))
        return 0
    if argv[0] == "--version":
        print(f"axk1 {__version__}")
        return 0
    name, rest = argv[0], argv[1:]
    if name not in VERBS:
        near = get_close_matches(name, VERBS, n=1)
        hint = say(f" 혹시 {near[0]}?", f" Did you mean {near[0]}?") if near else ""
        known = ", ".join(VERBS)
        raise ValueError(say(f"{name}: 없는 명령입니다.{hint} ({known})", f"no verb {name!r}.{hint} (known: {known})"))
    module, function = VERBS[name].target.split(":")
    code: int = getattr(import_module(module), function)(rest, say)
    return code


def _help(say: Words) -> str:
    lines = [say("사용법: axk1 <명령> …", "usage: axk1 VERB ..."), ""]
    lines += [f"  {name:<11}{say(verb.korean, verb.english)}" for name, verb in VERBS.items()]
    lines += [
        "",
        f"  {'--lang':<11}{say('ko 또는 en (없으면 LANG을 따름)', 'ko or en (else as LANG says)')}",
        f"  {'--debug':<11}{say('오류가 나면 자세한 위치까지', 'show where an error comes from')}",
        f"  {'--version':<11}{say('판 번호', 'the version')}",
        "",
        say("명령마다 --help가 있습니다.", "Every verb has its own --help."),
    ]
    return "\n".join(lines)
