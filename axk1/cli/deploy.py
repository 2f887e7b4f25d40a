"""`axk1 deploy`: how a large model fits on a cluster, and the files that start it there with vLLM or SGLang."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import get_args

from rich.console import Console

from axk1.arch import PRESETS
from axk1.cli.arch import named_config
from axk1.cli.deploy_show import figures, readme, refusal, table
from axk1.cli.words import Words
from axk1.runs import write_whole
from axk1.server.deploy.files import On, files
from axk1.server.deploy.hardware import GPUS, Cluster, gpu
from axk1.server.deploy.launch import Launch
from axk1.server.deploy.plan import CacheType, DoesNotFitError, Plan, Prefer, Wish, plan
from axk1.server.deploy.weights import Layout, WeightType

__all__ = ["deploy"]

_HUB = {  # where the released models are, and what they are called
    "k1": ("skt/A.X-K1", "A.X-K1"),
    "deepseek-v3": ("deepseek-ai/DeepSeek-V3", "DeepSeek-V3"),
    "moonlight-16b-a3b": ("moonshotai/Moonlight-16B-A3B-Instruct", "Moonlight-16B-A3B"),
    "30b-a3b": ("kakaocorp/kanana-2-30b-a3b-instruct", "kanana-2-30b-a3b"),
}


def deploy(argv: list[str], say: Words) -> int:
    """Show the plan and write its files; what does not fit is an error that names a plan that would."""
    options = _parser(say).parse_args(argv)
    wish = _wish(options)
    try:
        found = plan(Cluster(options.nodes, options.gpus, gpu(options.gpu, options.gpu_memory)), wish, _forced(options))
    except DoesNotFitError as error:
        raise ValueError(refusal(error, options.model, say)) from error
    launch = _launch(options, found, say)
    if options.json:
        print(json.dumps(figures(found), ensure_ascii=False, indent=1))
    else:
        Console().print(table(found, launch.name, say))
    _write(options, launch, say)
    return 0


def _write(options: argparse.Namespace, launch: Launch, say: Words) -> None:
    made = files(launch, options.on, options.head)
    made["README.md"] = readme(launch, options.on, sorted(made), say)
    made["plan.json"] = json.dumps(figures(launch.plan), ensure_ascii=False, indent=1) + "\n"
    for name, text in made.items():
        path = options.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
        if name.endswith(".sh"):
            path.chmod(0o755)
    if not options.json:
        print(say(f"{options.out}/README.md부터 읽어 주세요.", f"Begin with {options.out}/README.md."))


def _wish(options: argparse.Namespace) -> Wish:
    return Wish(
        named_config(options.model),
        options.weights,
        options.cache,
        options.context,
        options.sequences,
        options.utilization,
        options.prefer,
    )


def _forced(options: argparse.Namespace) -> Layout | None:
    """What of a layout is given; the data parallel size follows from the others."""
    if options.tensor is None:
        if options.pipeline != 1 or options.expert:
            raise ValueError("--pipeline and --expert go with --tensor")
        return None
    total = options.nodes * options.gpus
    if min(options.tensor, options.pipeline) < 1 or total % (options.tensor * options.pipeline):
        raise ValueError(f"--tensor {options.tensor} x --pipeline {options.pipeline} does not divide {total} GPUs")
    return Layout(options.tensor, options.pipeline, total // (options.tensor * options.pipeline), options.expert)


def _launch(options: argparse.Namespace, found: Plan, say: Words) -> Launch:
    path, name = _HUB.get(options.model, ("", options.model))
    if options.model not in PRESETS:
        path, name = str(Path(options.model).resolve()), Path(options.model).resolve().name
    if options.model in PRESETS and options.weights != "bf16" and found.wish.config.model_type == "axk1":
        path = ""  # no smaller A.X K1 is published
    path = options.model_path or path
    if not path:
        raise ValueError(
            say(
                f"{options.model}의 {options.weights} 가중치가 어디 있는지 알려 주세요: --model-path 폴더",
                f"say where the {options.weights} weights of {options.model} lie: --model-path FOLDER",
            )
        )
    return Launch(found, path, options.name or name, found.wish.config.model_type == "axk1")


def _parser(say: Words) -> argparse.ArgumentParser:
    about = say(
        "큰 모델을 여러 GPU에 나눠 띄울 계획과 실행 파일 만들기",
        "plan a large model over many GPUs, and write what starts it",
    )
    parser = argparse.ArgumentParser(prog="axk1 deploy", description=about)
    add = parser.add_argument
    named = say("이름 또는 모델 폴더: ", "a preset or a model folder: ") + ", ".join(PRESETS)
    add("model", metavar="NAME|FOLDER", help=named)
    add("--nodes", type=int, default=1, metavar="N", help=say("서버 대수", "machines"))
    add("--gpus", type=int, default=8, metavar="N", help=say("서버 한 대의 GPU 수", "GPUs in each"))
    add("--gpu", default="H100-80", metavar="NAME", help=say("GPU 이름: ", "the GPU: ") + ", ".join(GPUS))
    add("--gpu-memory", type=float, metavar="GB", help=say("GPU 메모리를 직접 지정", "its memory, if it is another"))
    add("--on", choices=get_args(On), default="ray", help=say("어디에 띄울지", "what starts the processes"))
    add("--out", type=Path, default=Path("deploy"), metavar="FOLDER", help=say("파일을 쓸 폴더", "where files go"))
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    _add_wish(parser, say)
    _add_names(parser, say)
    return parser


def _add_wish(parser: argparse.ArgumentParser, say: Words) -> None:
    add = parser.add_argument
    add("--weights", choices=get_args(WeightType), default="bf16", help=say("가중치 형식", "type of the weights"))
    add("--cache", choices=get_args(CacheType), default="bf16", help=say("캐시 형식", "type of the cache"))
    add("--context", type=int, default=0, metavar="N", help=say("문맥 길이 (기본: 모델의 최대)", "tokens of context"))
    sequences = say("가득 찬 문맥으로 동시에 처리할 요청 수", "requests at once at full context (default: what fits)")
    add("--sequences", type=int, default=0, metavar="N", help=sequences)
    add("--utilization", type=float, default=0.92, metavar="X", help=say("GPU 메모리 사용 비율", "share of the memory"))
    prefer = say("빠른 응답(latency)이나 많은 동시 요청(throughput)", "few fast answers, or many at once")
    add("--prefer", choices=get_args(Prefer), default="latency", help=prefer)
    add("--tensor", type=int, metavar="N", help=say("텐서 병렬 크기를 직접 지정", "fix the tensor parallel size"))
    add("--pipeline", type=int, default=1, metavar="N", help=say("파이프라인 단계 수", "and the pipeline stages"))
    add("--expert", action="store_true", help=say("전문가를 통째로 나누기", "and give whole experts to GPUs"))


def _add_names(parser: argparse.ArgumentParser, say: Words) -> None:
    add = parser.add_argument
    place = say("서버들에서 보이는 모델 폴더나 허브 이름", "the model's folder on the machines, or its hub name")
    add("--model-path", default="", metavar="PATH", help=place)
    add("--name", default="", help=say("요청에서 쓸 모델 이름", "the name that requests use"))
    add("--head", default="node0", metavar="HOST", help=say("첫 서버의 주소", "address of the first machine"))
