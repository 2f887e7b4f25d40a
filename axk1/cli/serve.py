"""`axk1 serve`: a model, or servers behind this one, as a web chat and an OpenAI-compatible API."""

import argparse
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from axk1 import config
from axk1.cli.engine import add_engine_options, engine_options
from axk1.cli.words import Words
from axk1.server.calls import Provider
from axk1.server.engine.provider import EngineProvider
from axk1.server.run import run
from axk1.server.settings import ServeSettings, UpstreamSettings
from axk1.server.upstream.opening import open_upstreams

__all__ = ["serve", "settings_of"]

# Where the thread of the README leaves its model; a run folder holds its models under these names, the smallest first.
_DEFAULT_RUN = Path("runs/nano")
_IN_A_RUN = ("model-int4", "model")
_RECIPE = "serve.toml"


def serve(argv: list[str], say: Words) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    parser = _parser(say)
    options, rest = parser.parse_known_args(argv)
    strange = [one for one in rest if one.startswith("-") or "=" not in one]
    if strange:
        parser.error(say(f"모르는 인자: {' '.join(strange)}", f"unknown arguments: {' '.join(strange)}"))
    settings = settings_of(options, rest, say)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("axk1.access").setLevel(logging.INFO if options.access_log else logging.WARNING)
    for chatty in ("httpx", "alembic", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    names = ", ".join([settings.model] if settings.model else [one.name for one in settings.upstreams])
    print(say(f"{names}: 모델을 여는 중입니다.", f"opening {names}"), file=sys.stderr, flush=True)

    def open_models() -> Mapping[str, Provider]:
        return _providers(settings, options)

    run(settings, open_models, lambda address: _announce(address, settings, say))
    print(say("멈췄습니다.", "Stopped."), file=sys.stderr)
    return 0


def settings_of(options: argparse.Namespace, changes: list[str], say: Words) -> ServeSettings:
    """The recipe's settings, if it is one, under the options. ValueError for a model that is not there."""
    given: Path | None = options.model
    recipe = _recipe_in(given)
    read = config.read(recipe, changes)
    settings = config.from_mapping(read, ServeSettings, str(recipe or "serve"))
    said = {name: getattr(options, name) for name in ("host", "port", "folder", "name")}
    said = {name: value for name, value in said.items() if value is not None}
    if options.keys:
        said["keys"] = True
    if options.no_web:
        said["web"] = False
    settings = replace(settings, **said)
    if options.upstream_model and not options.upstream:
        words = "--model은 --upstream과 함께 씁니다. 모델 폴더는 이름만: axk1 serve 폴더"
        raise ValueError(say(words, "--model goes with --upstream; a folder is named alone: axk1 serve FOLDER"))
    if options.upstream:
        more = tuple(_upstream(one, options.upstream_model, say) for one in options.upstream)
        own = settings.model if recipe is not None or given is None else str(_model_in(given, say))
        return replace(settings, upstreams=settings.upstreams + more, model=own)
    if recipe is None or not (settings.model or settings.upstreams):
        return replace(settings, model=str(_model_in(given, say)))
    return settings


def _recipe_in(given: Path | None) -> Path | None:
    if given is None:
        return None
    if given.suffix == ".toml":
        return given
    return given / _RECIPE if (given / _RECIPE).is_file() else None


def _model_in(given: Path | None, say: Words) -> Path:
    """The folder itself, or the smallest model of a run folder; without a folder, of the README's run."""
    place = given or _DEFAULT_RUN
    for folder in (place, *(place / name for name in _IN_A_RUN)):
        if (folder / "config.json").is_file():
            return folder
    if given is None:
        raise ValueError(
            say(
                f"{place}에 모델이 없습니다. make quickstart로 만들거나 모델 폴더를 알려 주세요: axk1 serve 폴더",
                f"no model in {place}: make one with 'make quickstart', or name a folder: axk1 serve FOLDER",
            )
        )
    raise ValueError(
        say(f"{place}: 모델 폴더가 아닙니다 (config.json이 없음)", f"{place}: no model folder (no config.json in it)")
    )


def _upstream(url: str, model: str | None, say: Words) -> UpstreamSettings:
    if not model:
        raise ValueError(say("--upstream에는 --model 이름이 필요합니다", "--upstream needs --model NAME"))
    return UpstreamSettings(url=url, name=model)


def _providers(settings: ServeSettings, options: argparse.Namespace) -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    if settings.model:
        folder = Path(settings.model)
        name = settings.name or _name_of(folder)
        found[name] = EngineProvider.open(folder, name, **vars(engine_options(options)))
    for name, fleet in open_upstreams(settings.upstreams, os.environ).items():
        if name in found:
            raise ValueError(f"two models are called {name}: give the upstream another name")
        found[name] = fleet
    return found


def _name_of(folder: Path) -> str:
    """A run's model has the run's name: "model" would say nothing to a client."""
    whole = folder.resolve()
    return f"{whole.parent.name}-{whole.name}" if whole.name in _IN_A_RUN else whole.name


def _announce(address: str, settings: ServeSettings, say: Words) -> None:
    lines = [say(f"API  {address}/v1  (설명서 {address}/docs)", f"API  {address}/v1  (documented at {address}/docs)")]
    if settings.web:
        lines.insert(0, say(f"채팅 {address}/", f"chat {address}/"))
    if settings.keys:
        lines.append(
            say(
                f"키 만들기: axk1 admin key create 이름 --folder {settings.folder}",
                f"make a key: axk1 admin key create NAME --folder {settings.folder}",
            )
        )
    else:
        lines.append(say("키 없이 이 컴퓨터에서만 쓸 수 있습니다.", "No keys: only this machine may ask."))
    lines.append(say("Ctrl-C로 멈춥니다.", "Ctrl-C stops it."))
    print("\n".join(lines), file=sys.stderr, flush=True)


def _parser(say: Words) -> argparse.ArgumentParser:
    about = say("모델을 웹 채팅과 OpenAI 호환 API로 열기", "offer a model as a web chat and an OpenAI-compatible API")
    parser = argparse.ArgumentParser(prog="axk1 serve", description=about)
    add = parser.add_argument
    add(
        "model",
        nargs="?",
        type=Path,
        help=say("모델 폴더, 실행 폴더, 또는 serve.toml", "a model folder, a run folder, or a serve.toml"),
    )
    add("--upstream", action="append", metavar="URL", help=say("뒤에 둘 서버 (…/v1)", "a server behind this one"))
    add("--model", dest="upstream_model", metavar="NAME", help=say("그 서버의 모델 이름", "its model's name"))
    add("--name", help=say("클라이언트가 부를 모델 이름", "the model's name for clients"))
    add("--host", help=say("주소 (기본 127.0.0.1)", "the address to listen on (127.0.0.1)"))
    add("--port", type=int, help=say("포트 (기본 8000)", "the port (8000)"))
    add("--folder", type=Path, help=say("키와 기록을 둘 폴더", "where keys and records are kept (runs/serve)"))
    add("--keys", action="store_true", help=say("요청마다 API 키 받기", "ask for an API key"))
    add("--no-web", action="store_true", help=say("웹 채팅 없이", "without the web chat"))
    add("--access-log", action="store_true", help=say("요청마다 한 줄 기록", "a line of JSON for each request"))
    add_engine_options(parser, say)
    return parser
