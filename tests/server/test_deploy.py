"""Plans that fit and divide, by their own arithmetic and by that of the published launch; files that parse."""

import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1 import config
from axk1.arch import PRESETS, kv_cache_bytes, parameters, preset
from axk1.server.deploy.files import On, files
from axk1.server.deploy.hardware import GB, GPUS, Cluster, Gpu, gpu
from axk1.server.deploy.launch import Launch, sglang_command, vllm_command
from axk1.server.deploy.plan import DoesNotFitError, Plan, Wish, layouts, plan, why_not
from axk1.server.deploy.weights import Layout, cache_bytes, weight_bytes
from axk1.server.settings import ServeSettings

K1 = preset("k1")
GOLDEN = Path(__file__).with_name("golden_deploy")
FOUR_NODES = Cluster(4, 8, gpu("H100-80"))


def launch(found: Plan) -> Launch:
    return Launch(found, "skt/A.X-K1", "A.X-K1", thinks=True)


def value(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


@pytest.mark.parametrize("name", PRESETS)
def test_one_gpu_holds_the_whole_model(name: str) -> None:
    """Apart from the selection bias of each sparse layer, which `parameters` does not count."""
    shape = PRESETS[name]
    bias = 4 * len(shape.sparse_layers) * shape.n_routed_experts
    found = weight_bytes(shape, Layout(1), "bf16")
    norms = 2 * shape.num_hidden_layers * shape.hidden_size  # a third norm is counted for every layer
    assert 2 * parameters(shape) <= found <= 2 * parameters(shape) + bias + norms


def test_the_published_numbers() -> None:
    """1,038 GB in bf16; eight H200 have 1,128 GB and leave 90; 70,272 bytes of cache a token on every rank."""
    whole = weight_bytes(K1, Layout(1), "bf16")
    assert round(whole / GB) == 1038
    assert round(8 * GPUS["H200-141"].memory / GB) == 1128
    assert round((8 * GPUS["H200-141"].memory - whole) / GB) == 90
    assert cache_bytes(K1, Layout(32), "bf16") == kv_cache_bytes(K1) == 70_272


def test_the_published_launch() -> None:
    """SKT's own: four nodes of eight H100, TP32, four sequences at 131,072 tokens. An H100 shows 85.5 GB."""
    found = plan(Cluster(4, 8, gpu("H100-80", 85.5)), Wish(K1))
    assert found.layout == Layout(32)
    assert found.sequences == 4
    words = vllm_command(launch(found), ray=True)
    published = (
        "--tensor-parallel-size 32 --distributed-executor-backend ray --max-num-seqs 4 --tool-call-parser hermes"
    )
    flags = published.split()
    assert [value(words, flag) for flag in flags[::2]] == flags[1::2]
    assert value(words, "--reasoning-parser") == "deepseek_v3"
    assert value(sglang_command(launch(found)), "--tp-size") == "32"


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    with pytest.raises(DoesNotFitError, match=r"needs 146\.6 GB on a GPU, where 129\.7 GB") as caught:
        plan(Cluster(1, 8, gpu("H200-141")), Wish(K1))
    wider, smaller = caught.value.others
    assert (wider.cluster.nodes, wider.wish.weights) == (2, "bf16")
    assert (smaller.cluster.nodes, smaller.wish.weights) == (1, "fp8")
    with pytest.raises(DoesNotFitError) as caught:
        plan(FOUR_NODES, Wish(K1, sequences=4000))
    assert caught.value.others[0].wish.sequences == 1


@pytest.mark.parametrize(
    ("layout", "weights", "words"),
    [
        (Layout(16), "bf16", "takes 16 GPUs"),
        (Layout(32, expert=True), "bf16", ""),
        (Layout(4, 1, 8), "bf16", ""),
        (Layout(1, 32), "bf16", "32 stages on 4 nodes"),
        (Layout(4, 4, 2), "bf16", "not planned together"),
        (Layout(32), "fp8", "blocks of 128"),
        (Layout(16, 2), "int4", ""),
    ],
)
def test_what_divides(layout: Layout, weights: Any, words: str) -> None:
    found = why_not(FOUR_NODES, Wish(K1, weights), layout)
    assert words in found
    assert bool(found) is bool(words)


def test_heads_and_experts_bound_the_sizes() -> None:
    assert "64 heads" in why_not(Cluster(3, 8, gpu("H100-80")), Wish(K1), Layout(24))
    assert "192 experts" in why_not(Cluster(5, 8, gpu("H100-80")), Wish(K1), Layout(8, 1, 5, expert=True))
    assert "FP8" in why_not(Cluster(1, 8, gpu("A100-80")), Wish(K1, "fp8"), Layout(8))


ANY_GPU = st.builds(Gpu, st.just("x"), st.integers(20, 300).map(lambda size: size * GB))
CLUSTERS = st.builds(Cluster, st.integers(1, 8), st.sampled_from([1, 2, 4, 6, 8]), ANY_GPU)
WISHES = st.builds(
    Wish,
    st.sampled_from([PRESETS[name] for name in ("k1", "deepseek-v3", "30b-a3b", "moonlight-16b-a3b", "base")]),
    st.sampled_from(["bf16", "fp8", "int4"]),
    st.sampled_from(["bf16", "fp8"]),
    st.sampled_from([0, 4096]),
    st.sampled_from([0, 1, 7]),
    prefer=st.sampled_from(["latency", "throughput"]),
)


@settings(max_examples=150, deadline=None)
@given(CLUSTERS, WISHES)
def test_every_accepted_plan_fits_and_divides(cluster: Cluster, wish: Wish) -> None:
    try:
        found = [plan(cluster, wish)]
    except DoesNotFitError as error:
        found = list(error.others)
        assert not any(one.cluster == cluster and one.wish == wish for one in found)
    for one in found:
        layout, shape = one.layout, one.wish.config
        assert (
            one.needed == one.weights + one.activations + one.engine + one.cache <= one.budget < one.cluster.gpu.memory
        )
        assert layout.gpus == one.cluster.total
        assert shape.num_attention_heads % layout.tensor == 0
        divided = shape.n_routed_experts if layout.expert else shape.moe_intermediate_size
        assert divided % layout.expert_ranks == 0
        # together the GPUs hold at least the model
        assert one.cluster.total * one.weights >= weight_bytes(shape, Layout(1), one.wish.weights)
        assert one.sequences * one.wish.tokens <= one.cache_tokens
        assert one.sequences >= (one.wish.sequences or 1)


@settings(max_examples=60, deadline=None)
@given(CLUSTERS, WISHES)
def test_more_gpus_never_hold_more_each(cluster: Cluster, wish: Wish) -> None:
    for layout in layouts(cluster, wish):
        wider = Layout(2 * layout.tensor, layout.pipeline, layout.data, layout.expert)
        assert weight_bytes(wish.config, wider, wish.weights) <= weight_bytes(wish.config, layout, wish.weights)


def plans() -> list[Plan]:
    """One of each kind: one node, tensor, pipeline, data parallel."""
    big = Cluster(4, 8, gpu("B200-192"))
    return [
        plan(Cluster(1, 8, gpu("MI300X-192")), Wish(K1)),
        plan(FOUR_NODES, Wish(K1)),
        plan(big, Wish(K1), Layout(8, 4)),
        plan(big, Wish(K1, prefer="throughput", cache="fp8")),
    ]


@pytest.mark.parametrize("on", ["ray", "slurm", "kubernetes"])
@pytest.mark.parametrize("number", range(4))
def test_every_file_is_read_by_what_it_is_for(on: On, number: int, tmp_path: Path) -> None:
    made = files(launch(plans()[number]), on, "10.0.0.5")
    for name, text in made.items():
        if name.endswith(".toml"):
            served = config.from_mapping(tomllib.loads(text), ServeSettings)
            assert served.upstreams[0].name == "A.X-K1"
        elif name.endswith(".yaml"):
            for document in yaml.safe_load_all(text):
                kubernetes_validate.validate(document, "1.30", strict=True)
        else:
            script = tmp_path / "script"
            script.write_text(text, encoding="utf-8")
            checkers = [["bash", "-n"], *([["shellcheck"]] if shutil.which("shellcheck") else [])]
            for checker in checkers:
                checked = subprocess.run([*checker, str(script)], capture_output=True, text=True)
                assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("on", ["ray", "slurm", "kubernetes"])
def test_the_files_of_four_nodes_are_as_they_were(on: On) -> None:
    """When a change is meant: write `made` to the golden files and read the difference."""
    made = files(launch(plan(FOUR_NODES, Wish(K1))), on, "node0")
    whole = "".join(f"=== {name}\n{text}" for name, text in sorted(made.items()))
    assert whole == (GOLDEN / f"{on}.txt").read_text(encoding="utf-8")


def played(script: str, tmp_path: Path, **environment: str) -> list[list[str]]:
    """The commands that a script runs, by stand-ins that write down their arguments."""
    log = tmp_path / "log"
    for name in ("vllm", "python3", "ray", "srun", "scontrol"):
        stand_in = tmp_path / name
        kept = {
            "srun": 'shift\nexec "$@"',
            "scontrol": "echo node0\nexit",
            "python3": 'case "$2" in *ray*) echo 4; exit;; esac',
        }
        write = f'{{ printf "%s\\037" {name} "$@"; echo; }} >> {log}'
        stand_in.write_text(f"#!/bin/bash\n{kept.get(name, '')}\n{write}\n", encoding="utf-8")
        stand_in.chmod(0o755)
    path = tmp_path / "script"
    path.write_text(script, encoding="utf-8")
    known = {"PATH": f"{tmp_path}:/usr/bin:/bin"} | environment
    subprocess.run(["bash", str(path)], env=known, check=True, capture_output=True, timeout=20)
    return [line.split("\037")[:-1] for line in log.read_text(encoding="utf-8").split("\n") if line]


def test_the_head_starts_ray_and_then_serves(tmp_path: Path) -> None:
    found = launch(plan(FOUR_NODES, Wish(K1)))
    started, served = played(files(found, "ray", "node0")["vllm/head.sh"], tmp_path)
    assert started[:3] == ["ray", "start", "--head"]
    assert served == vllm_command(found, ray=True)


@pytest.mark.parametrize("rank", [0, 3])
def test_each_node_of_a_job_has_its_rank(rank: int, tmp_path: Path) -> None:
    found = launch(plan(FOUR_NODES, Wish(K1)))
    made = files(found, "slurm", "node0")
    (ran,) = played(made["vllm/job.sbatch"], tmp_path, SLURM_NODEID=str(rank), SLURM_JOB_NODELIST="node[0-3]")
    words = vllm_command(found, ray=False)
    known = {"$NODE_RANK": str(rank), "$HEAD": "node0"}
    assert ran == [known.get(word, word) for word in words] + (["--headless"] if rank else [])


def test_data_parallel_nodes_begin_at_their_rank(tmp_path: Path) -> None:
    found = launch(plan(FOUR_NODES, Wish(K1), Layout(8, 1, 4, expert=True)))
    made = files(found, "slurm", "node0")["vllm/job.sbatch"]
    (ran,) = played(made, tmp_path, SLURM_NODEID="2", SLURM_JOB_NODELIST="x")
    assert ran[-3:] == ["--headless", "--data-parallel-start-rank", "2"]


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"context": 10**9}, {"sequences": -1}, {"utilization": 2.0}):
        with pytest.raises(ValueError, match="must be"):
            Wish(K1, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="--gpu-memory"):
        gpu("H900")
    with pytest.raises(ValueError, match="at least 1"):
        Cluster(0, 8, gpu("H100-80"))
