"""`axk1 run`: a recipe from text to a graded model; what is finished is skipped, what was broken off goes on."""

import argparse
import json
import shlex
import time
from pathlib import Path

from axk1.cli import screen
from axk1.cli.job import Job, Stage
from axk1.cli.recipe import Recipe, load_recipe
from axk1.cli.stages import STAGES
from axk1.cli.words import Words
from axk1.config import to_mapping
from axk1.runs import Run
from axk1.train.device import device_for

__all__ = ["run"]


def run(argv: list[str], say: Words) -> int:
    """Run the stages of a recipe, in their order."""
    options = _parser(say).parse_intermixed_args(argv)
    recipe = load_recipe(options.recipe, options.changes, options.text)
    stages = _until(options.until, recipe)
    if options.dry_run:
        print(json.dumps(_settings(recipe), ensure_ascii=False, indent=1))
        return 0
    for training in [recipe.pretrain.training] + ([recipe.sft.training] if recipe.sft else []):
        device_for(training.device)  # a GPU that is not there is found out now, not after the corpus
    folder = options.out or Path("runs") / recipe.name
    try:
        _run(recipe, stages, folder, say)
    except KeyboardInterrupt as interrupt:
        command = shlex.join(["axk1", "run", *argv])
        interrupt.add_note(say(f"이어서 하려면: {command}", f"To go on: {command}"))
        raise
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 run",
        description=say(
            "레시피를 처음부터 끝까지 실행합니다. 끝난 단계는 건너뛰고, 멈춘 곳에서 이어집니다.",
            "Run a recipe from text to a graded model. Finished stages are skipped; a stopped one goes on.",
        ),
        epilog=say("단계: ", "stages: ") + ", ".join(stage.name for stage in STAGES),
    )
    add = parser.add_argument
    add(
        "recipe",
        type=Path,
        metavar="RECIPE",
        help=say("레시피 폴더, 예: recipes/nano", "a recipe folder, e.g. recipes/nano"),
    )
    add("changes", nargs="*", metavar="STAGE.KEY=VALUE", help=say("설정 바꾸기", "settings to change"))
    add("--out", type=Path, metavar="DIR", help=say("실행 폴더 (없으면 runs/이름)", "the run folder (else runs/NAME)"))
    add(
        "--text",
        type=Path,
        metavar="DIR",
        default=Path(),
        help=say("글 파일이 있는 폴더", "the folder of the sources' texts"),
    )
    add("--until", metavar="STAGE", help=say("이 단계까지만", "stop after this stage"))
    add("--dry-run", action="store_true", help=say("설정만 확인하고 보여주기", "check and show the settings only"))
    return parser


def _until(last: str | None, recipe: Recipe) -> list[Stage]:
    names = [stage.name for stage in STAGES]
    if last is not None and last not in names:
        raise ValueError(f"--until {last}: no such stage (known: {', '.join(names)})")
    wanted = STAGES if last is None else STAGES[: names.index(last) + 1]
    return [stage for stage in wanted if stage.name in _settings(recipe)]


def _settings(recipe: Recipe) -> dict[str, object]:
    """The settings by stage, as the run folder records them."""
    settings = to_mapping(recipe)
    left_out = {"sft", "evals", "quantize"} if recipe.sft is None else set()
    left_out |= {"quantize"} if recipe.quantize is None else set()
    return {stage.name: settings[stage.name] for stage in STAGES if stage.name not in left_out}


def _recorded(recipe: Recipe) -> dict[str, object]:
    """The settings without the devices: a run that began on one may go on on another."""
    settings = json.loads(json.dumps(_settings(recipe)))
    for stage in settings.values():
        stage.get("training", {}).pop("device", None)
    return settings  # type: ignore[no-any-return]


def _run(recipe: Recipe, stages: list[Stage], folder: Path, say: Words) -> None:
    console = screen.console()
    folder_of_run = Run.open(folder, _recorded(recipe), recipe.pretrain.training.seed)
    try:
        job = Job(recipe, folder_of_run, say, console)
        for number, stage in enumerate(stages, start=1):
            _one(stage, job, f"[{number}/{len(stages)}]")
    finally:
        folder_of_run.close()
    console.print(say(f"끝났습니다: {folder}", f"Done: {folder}"), markup=False)


def _one(stage: Stage, job: Job, place: str) -> None:
    title = job.say(stage.korean, stage.english)
    if job.run.done(stage.name):
        job.console.print(f"{place} {title}: {job.say('이미 끝남', 'done before')}", style="dim", markup=False)
        return
    _refuse_stale(stage, job)
    job.console.print(f"{place} {title}", style="bold", markup=False)
    began = time.monotonic()
    summary = stage.make(job)
    job.run.finish(stage.name, {**summary, "seconds": round(time.monotonic() - began, 1)})


def _refuse_stale(stage: Stage, job: Job) -> None:
    """A later stage that is done was made from an older version of this one."""
    names = [one.name for one in STAGES]
    for later in names[names.index(stage.name) + 1 :]:
        if job.run.done(later):
            raise ValueError(
                f"{job.run.path / later} was made from an older stage {stage.name}, which is gone: remove it first"
            )
