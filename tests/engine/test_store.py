"""Experts on disk: the same bits as with all weights in memory, within the memory given, whatever happens to reads."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axk1.arch import ModelConfig, preset
from axk1.chat.sampling import SamplingParams
from axk1.checkpoint import CheckpointError, CheckpointFolder, Scheme, StoredWeight
from axk1.cli import main
from axk1.engine import engine as opening
from axk1.engine.backend import Batch
from axk1.engine.engine import Engine, Limits
from axk1.engine.memory import cache_of, planned
from axk1.engine.native_backend import NativeBackend, simulated
from axk1.engine.native_library import load
from axk1.export.quantize_formats import PARTS, Formats, parse_format
from axk1.export.quantize_random import random_folder
from axk1.native import NativeUnavailableError

try:
    load()
except NativeUnavailableError as reason:
    pytest.skip(str(reason), allow_module_level=True)

BLOCK = 16
SHAPE = dataclasses.replace(
    *(preset("nano"),),
    vocab_size=512,
    num_hidden_layers=4,
    hidden_size=256,
    moe_intermediate_size=128,
    n_routed_experts=32,
    num_experts_per_tok=4,
    n_group=1,
    topk_group=1,
    max_position_embeddings=512,
)
BIG = dataclasses.replace(SHAPE, hidden_size=512, moe_intermediate_size=512, n_routed_experts=128, vocab_size=2048)
LONG = SamplingParams(temperature=0, max_tokens=20, ignore_eos=True)
FORMATS = ("int4-g64", "int4-g64-asym", "int8")
SPARSE_LAYERS = 3


def folder(path: Path, form: str = "int4-g64", config: ModelConfig = SHAPE, **settings: Any) -> CheckpointFolder:
    formats = {part: parse_format("none" if part in ("head", "embedding") else form) for part in PARTS}
    random_folder(config, path, Formats(**formats), skew=1.0, **settings)
    return CheckpointFolder(path)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> CheckpointFolder:
    return folder(tmp_path_factory.mktemp("store") / "model")


def batch(rows: list[list[int]], cached: int = 0) -> Batch:
    """Sequences that all have as many tokens in the cache; every output is wanted."""
    ends = np.cumsum([0, *map(len, rows)])
    blocks = 8
    return Batch(
        np.array([token for row in rows for token in row], np.int32),
        ends.astype(np.int32),
        np.full(len(rows), cached, np.int32),
        np.arange(len(rows) * blocks, dtype=np.int32).reshape(len(rows), blocks),
        np.arange(ends[-1], dtype=np.int32),
    )


def passes(backend: NativeBackend) -> list[np.ndarray[Any, Any]]:
    """A prompt that asks for nearly all experts, single tokens, two sequences at a time."""
    rng = np.random.default_rng(0)
    found = [backend.logits(batch([rng.integers(0, 512, 60).tolist()]))]
    found += [backend.logits(batch([[int(rng.integers(512))]], cached)) for cached in range(60, 100)]
    return [*found, backend.logits(batch([rng.integers(0, 512, size).tolist() for size in (3, 20)]))]


OPENED: list[NativeBackend] = []


@pytest.fixture(autouse=True)
def _close() -> Any:
    yield
    while OPENED:
        OPENED.pop().close()


def closed_later(backend: NativeBackend) -> NativeBackend:
    OPENED.append(backend)
    return backend


def open_backend(source: CheckpointFolder, slots: int | None, **settings: Any) -> NativeBackend:
    """With so many slots; None: all in memory."""
    if slots is None:
        return closed_later(NativeBackend(source, 64, BLOCK, 2))
    whole = NativeBackend(source, 64, BLOCK, 2, expert_bytes=1 << 40)
    assert whole.statistics is not None
    slot = whole.statistics.slot_bytes
    whole.close()
    assert slot <= NativeBackend.footprint(source, 512, 4).slot
    return closed_later(NativeBackend(source, 64, BLOCK, 2, expert_bytes=slots * slot, **settings))


def assert_equal(backend: NativeBackend, expected: list[np.ndarray[Any, Any]]) -> None:
    for ours, theirs in zip(passes(backend), expected, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("read_ahead", [True, False])
def test_the_same_bits_as_in_memory(tmp_path: Path, form: str, read_ahead: bool) -> None:
    source = folder(tmp_path / "model", form)
    expected = passes(open_backend(source, None))
    backend = open_backend(source, 20, read_ahead=read_ahead)  # a prompt needs 32 experts: in waves
    assert_equal(backend, expected)
    found = backend.statistics
    assert found is not None
    assert found.needed > 40 * SPARSE_LAYERS * 4
    assert 0 < found.hits < found.needed
    assert found.misses > SPARSE_LAYERS * 32, "experts were read again, so some had gone"
    assert found.slots == 20
    assert (found.ahead_read > 0) is read_ahead
    assert found.tokens == 60 + 40 + 23
    backend.close()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("kind", ["bfloat16", "float32"])
def test_plain_floats_in_both_layouts(make: Any, fused: bool, kind: str) -> None:
    torch = pytest.importorskip("torch")
    sizes = {"vocab_size": 512, "n_routed_experts": 32, "moe_intermediate_size": 64, "hidden_size": 64}
    saved = make(fused_experts=fused, dtype=getattr(torch, kind), **sizes)
    source = CheckpointFolder(saved.path)
    expected = passes(open_backend(source, None))
    backend = open_backend(source, 12)
    assert_equal(backend, expected)
    found = backend.statistics
    assert found is not None
    assert found.misses > found.slots


def test_enough_slots_read_every_expert_once(source: CheckpointFolder) -> None:
    backend = open_backend(source, SPARSE_LAYERS * 32, read_ahead=False)
    first = passes(backend)
    before = backend.statistics
    assert before is not None
    assert before.bytes_read <= SPARSE_LAYERS * 32 * before.slot_bytes
    assert_equal(backend, first)
    after = backend.statistics
    assert after is not None
    needed = after.since(before)
    assert needed.hit_rate > 0.98
    assert needed.bytes_read < 0.05 * before.bytes_read


def test_ordinary_reads_where_direct_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/shm has no disk below it; older kernels refuse O_DIRECT there."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        pytest.skip("no file system in memory")
    place = shared / f"axk1-test-{os.getpid()}"
    try:
        source = folder(place)
        expected = passes(open_backend(source, None))
        assert_equal(open_backend(source, 20), expected)
    finally:
        subprocess.run(["rm", "-rf", str(place)], check=True)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "experts on disk: hit rate"), ("ko", "디스크의 전문가: 적중률")]
)
def test_the_command_says_what_the_disk_cost(
    tmp_path: Path, language: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder(tmp_path / "model", config=BIG)
    asked = ["--lang", language, "generate", str(source.path), "--ids", "1 2 3", "--max-tokens", "4", "--ignore-eos"]
    assert main([*asked, "--memory", "1M"]) == 2
    needed = re.search(r"needs (\d+M)", capsys.readouterr().err)
    assert needed
    assert main([*asked, "--memory", needed[1]]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.split()) == 4
    assert words in shown.err
    assert "GB/s" in shown.err
    assert main(asked) == 0
    assert capsys.readouterr() == (shown.out, ""), "in memory: the same ids, nothing to say"


def experts_only(source: CheckpointFolder) -> list[Path]:
    files = {info.file for info in source.tensors.values()}
    return [
        one for one in files if all(".experts." in info.name for info in source.tensors.values() if info.file == one)
    ]


def test_a_file_that_became_shorter_is_one_clear_error(tmp_path: Path) -> None:
    # a shard with nothing but experts: truncating what is mapped would end the process, as for any mapped file
    source = folder(tmp_path / "model", shard_bytes=400_000)
    backend = open_backend(source, 20)
    passes(backend)
    only = experts_only(source)
    lengths = {one: one.stat().st_size for one in only}
    whole = {one: one.read_bytes() for one in only}
    for one in only:
        os.truncate(one, 1000)
    with pytest.raises(OSError, match=r"safetensors: ends before byte \d+, it was longer when it was opened"):
        passes(backend)
    for one in only:
        with one.open("r+b") as file:
            file.write(whole[one])
        assert one.stat().st_size == lengths[one]
    assert_equal(backend, passes(open_backend(source, None)))  # the error leaves nothing behind
    backend.close()


def test_an_engine_goes_on_after_a_failed_read(tmp_path: Path) -> None:
    source = folder(tmp_path / "model", config=BIG, shard_bytes=2_000_000)
    limits = Limits(max_batch_tokens=64, max_sequences=4)
    with Engine.open(source.path, memory="100M", limits=limits) as engine:
        expected = engine.generate([[1, 2, 3]], LONG)[0].token_ids
        only = experts_only(source)
        whole = {one: one.read_bytes() for one in only}
        for one in only:
            os.truncate(one, 1000)
        with pytest.raises(OSError, match="it was longer when it was opened"):
            engine.generate([list(range(200))], LONG)
        for one in only:
            with one.open("r+b") as file:
                file.write(whole[one])
        assert engine.generate([[1, 2, 3]], LONG)[0].token_ids == expected


def test_too_little_memory_says_how_much_is_needed(source: CheckpointFolder) -> None:
    limits = Limits(max_batch_tokens=64, max_sequences=4)
    with pytest.raises(ValueError, match=r"memory of 20M is too little: this model needs \d+M$") as refused:
        Engine.open(source.path, memory="20M", limits=limits)
    needed = str(refused.value).split()[-1]
    with Engine.open(source.path, memory=needed, limits=limits) as engine:
        assert engine.logits([1, 2, 3]).shape == (3, 512)


def threads(wanted: int = 0) -> int:
    """A joined thread may be listed a moment longer."""
    found = 0
    for _ in range(50):
        time.sleep(0.02)
        found = len(list(Path("/proc/self/task").iterdir()))
        if found == wanted:
            break
    return found


def test_closing_with_reads_under_way(source: CheckpointFolder) -> None:
    before = threads()
    for _ in range(20):
        backend = open_backend(source, 40)
        backend.logits(batch([[1, 2, 3]]))  # what was read ahead for a next layer may still be coming
        backend.close()
    assert threads(before) == before


def test_too_few_slots_are_refused(source: CheckpointFolder) -> None:
    with pytest.raises(CheckpointError, match=r"memory for 2 experts, at least 8 are needed"):
        open_backend(source, 2)


def test_experts_that_must_be_converted_stay_in_memory(source: CheckpointFolder) -> None:
    """Plain int8 is signed, and the library's is not."""
    plain = CheckpointFolder(source.path)
    parts = [(name, one) for name, one in plain.weights.items() if ".experts." in name]
    as_int8 = {name: one._replace(scheme=Scheme("int-quantized", 8), parts=signed(one)) for name, one in parts}
    plain.weights = {**plain.weights, **as_int8}
    footprint = NativeBackend.footprint(plain, 64, 4)
    assert "int8 that is not packed" in footprint.obstacle
    cache = cache_of(plain.config, 16, 2048, "bf16", footprint.scratch_per_position)
    with pytest.raises(ValueError, match=r"needs \d+M \(all of it has to be in memory: its experts are int8"):
        planned(10 << 20, footprint, cache)


def signed(one: StoredWeight) -> Any:
    return {**one.parts, "values": one.parts["values"]._replace(dtype="I8")}


def traced(source: CheckpointFolder, steps: int = 300) -> Any:
    """One step per token."""
    backend = open_backend(source, None)
    rng = np.random.default_rng(1)
    backend.trace(on=True)
    for step in range(steps):
        backend.logits(batch([[int(rng.integers(512))]], step % 100))
    uses = backend.traced()
    assert len(backend.traced()) == 0
    return uses


def test_a_trace_holds_what_was_chosen_and_what_nearly_was(source: CheckpointFolder) -> None:
    uses = traced(source, 50)
    needed = uses[uses["needed"] == 1]
    assert len(needed) == 50 * SPARSE_LAYERS * 4
    assert set(needed["layer"]) == {1, 2, 3}
    nearly = uses[uses["needed"] == 0]
    assert 0 < len(nearly) <= len(needed)
    assert ((nearly["weight"] > 0) & (nearly["weight"] < 1)).all()


def test_the_simulation_is_what_the_store_does(source: CheckpointFolder) -> None:
    """Hit for hit, without reads ahead."""
    backend = open_backend(source, 30, read_ahead=False)
    rng = np.random.default_rng(2)
    backend.trace(on=True)
    for step in range(200):
        backend.logits(batch([[int(rng.integers(512))]], step % 100))
    found = backend.statistics
    assert found is not None
    assert int(simulated(backend.traced(), found.slots).sum()) == found.hits


def test_the_eviction_is_better_than_least_recent_use(source: CheckpointFolder) -> None:
    uses = traced(source)
    needed = uses["needed"] == 1
    for slots, least in (
        (16, 0.05),
        (32, 0.05),
        (64, 0.0),
    ):  # with slots for two thirds of the experts little is left to win
        ours, recent = simulated(uses, slots)[needed].mean(), simulated(uses, slots, half_life=0.0)[needed].mean()
        assert ours > recent + least, f"{slots} slots: {ours:.3f} against {recent:.3f}"
    curve = [simulated(uses, slots)[needed].mean() for slots in (8, 16, 32, 64, 96)]
    assert curve == sorted(curve)
    cold = len(np.unique(uses[needed][["layer", "expert"]]))
    assert simulated(uses, SPARSE_LAYERS * 32)[needed].sum() == needed.sum() - cold, "only first uses miss"


PROBE = """
import json, re, sys
from pathlib import Path
from axk1.engine.engine import Engine, Limits
from axk1.engine.native_library import load
from axk1.chat.sampling import SamplingParams

def resident(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10

load()
before = resident("VmRSS")
with Engine.open(sys.argv[1], sys.argv[2] or None, limits=Limits(max_batch_tokens=64, max_sequences=4)) as engine:
    prompts = [[(7 * i + j) % 2048 for i in range(200)] for j in range(3)]
    logits = engine.logits(prompts[0])
    outputs = engine.generate(prompts, SamplingParams(temperature=0, max_tokens=40, ignore_eos=True))
    statistics = engine.statistics and vars(engine.statistics)
    print(json.dumps({
        "grown": max(resident("VmRSS"), resident("VmHWM")) - before,
        "logits": logits.tobytes().hex()[:4000], "sum": logits.astype("f8").sum(),
        "tokens": [output.token_ids for output in outputs], "statistics": statistics,
    }, default=list))
"""


def probed(path: Path, memory: str) -> Any:
    command = [sys.executable, "-c", PROBE, str(path), memory]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"})
    return json.loads(done.stdout)


def test_the_memory_given_is_obeyed_and_changes_no_token(tmp_path: Path) -> None:
    source = folder(tmp_path / "model", config=BIG)
    size = sum(file.stat().st_size for file in source.files)
    free, bounded = probed(source.path, ""), probed(source.path, "100M")
    assert size > 1.6 * (100 << 20)
    assert bounded["grown"] < 100 << 20
    assert free["grown"] > 150 << 20
    for name in ("logits", "sum", "tokens"):
        assert bounded[name] == free[name], name
    assert free["statistics"] is None
    found = bounded["statistics"]
    assert found["misses"] + found["ahead_read"] > 2 * found["slots"], "experts had to go"
    assert 0.1 < found["hits"] / (found["hits"] + found["misses"] + found["late"]) < 0.99


def test_little_memory_left_chooses_the_disk_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder(tmp_path / "model", config=BIG)
    monkeypatch.setattr(opening, "available_bytes", lambda: 140 << 20)
    with Engine.open(source.path, limits=Limits(max_batch_tokens=64, max_sequences=4)) as engine:
        engine.logits([1, 2, 3])
        assert engine.statistics is not None
        assert engine.statistics.slots * engine.statistics.slot_bytes < 0.8 * (140 << 20)
    monkeypatch.setattr(opening, "available_bytes", lambda: 1 << 40)
    with Engine.open(source.path) as engine:
        assert engine.statistics is None
