"""What the engine benchmark computes from its times, who is loaded with whom, and how its processes talk."""

import os
import signal
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PEAKS = {"gemm_bf16_gflops": 400.0, "gemm_fp32_gflops": 200.0, "read_gb_s": 40.0}
SLEEPER = """
import time
from contest import serve
serve(lambda line: lambda: time.sleep(float(line)))
"""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The benchmark's modules, which import each other by their own names."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    names = ("contest", "engine_contenders", "engine_groups", "engine_report", "workload")
    modules: dict[str, ModuleType] = {name: __import__(name) for name in names}
    return SimpleNamespace(**modules)


def answer(bench: SimpleNamespace, name: str, seconds: list[float], comparison: int = 0) -> object:
    candidate = next(one for one in bench.engine_contenders.CANDIDATES if one.name == name)
    return bench.engine_report.result("mini", "decode 1 128", comparison, candidate, seconds, 8, 10**9, PEAKS)


def test_ours_is_compared_with_the_best_peer_of_as_many_bits(bench: SimpleNamespace) -> None:
    results = [
        answer(bench, "ours bf16", [0.1, 0.2, 0.3]),
        answer(bench, "llama.cpp BF16", [0.2, 0.2, 0.2]),
        answer(bench, "vLLM bf16", [0.4, 0.5, 0.6]),
        answer(bench, "ours int8", [0.05]),
        answer(bench, "llama.cpp Q4_K", [0.01]),
    ]
    (ratio,) = bench.engine_report.ratios(results)
    assert (ratio.bits, ratio.peer) == (16, "llama.cpp BF16")
    assert ratio.best == pytest.approx(2)
    assert ratio.median == pytest.approx(1)


def test_a_peer_is_compared_with_ours_of_the_same_minutes(bench: SimpleNamespace) -> None:
    results = [
        answer(bench, "ours bf16", [0.1], 0),
        answer(bench, "llama.cpp BF16", [0.2], 0),  # 2 x
        answer(bench, "ours bf16", [0.4], 1),  # a slow hour
        answer(bench, "vLLM bf16", [0.6], 1),  # 1.5 x, though slower than llama.cpp was
    ]
    (ratio,) = bench.engine_report.ratios(results)
    assert (ratio.peer, ratio.best) == ("vLLM bf16", pytest.approx(1.5, abs=0.01))


def test_the_share_of_memory_is_that_of_the_bytes_read(bench: SimpleNamespace) -> None:
    # 10^9 weights of 16 bits at 40 GB/s: 20 tokens/s; 8 tokens in 0.8 s are 10
    assert answer(bench, "ours bf16", [0.8]).memory_share == 0.5
    assert answer(bench, "llama.cpp Q8_0", [0.8]).memory_share == pytest.approx(0.266)


def test_all_run_together_where_memory_allows(bench: SimpleNamespace) -> None:
    candidates = bench.engine_contenders.CANDIDATES
    (group,) = bench.engine_groups.grouped(candidates, dict.fromkeys(candidates, 1.0), 9.0)
    assert set(group.members) == set(candidates)
    assert len(group.members) == len(candidates)


def test_ours_is_loaded_with_every_peer_it_is_compared_with(bench: SimpleNamespace) -> None:
    candidates = bench.engine_contenders.CANDIDATES
    groups = bench.engine_groups.grouped(candidates, dict.fromkeys(candidates, 7.0), 15.0)
    for peer in (one for one in candidates if not one.ours):
        (group,) = [one for one in groups if peer in one.members]
        assert any(one.ours and one.bits == peer.bits for one in group.members)
    assert all(7.0 * len(group.members) <= 15.0 for group in groups)


def test_a_pair_too_large_for_memory_alternates(bench: SimpleNamespace) -> None:
    pair = bench.engine_contenders.chosen("30b-a3b", ["*"])
    groups = bench.engine_groups.grouped(pair, dict.fromkeys(pair, 17.0), 22.0)
    assert [one.members[0].program for one in groups] == ["ours", "llama.cpp", "ours", "llama.cpp"]
    assert {one.comparison for one in groups} == {0}
    assert {one.share for one in groups} == {0.5}


def test_an_unknown_contender_is_one_clear_error(bench: SimpleNamespace) -> None:
    with pytest.raises(SystemExit, match=r"no contender 'llama' at mini: ours bf16, llama\.cpp BF16"):
        bench.engine_contenders.chosen("mini", ["llama"])


def test_what_is_not_installed_is_named_with_its_command(bench: SimpleNamespace, tmp_path: Path) -> None:
    (zentorch,) = bench.engine_contenders.chosen("mini", ["vLLM+zentorch*"])
    command = bench.engine_contenders.how_to_install(zentorch, tmp_path)
    script, folder = command.split()
    assert (BENCHMARKS.parent / script).exists()
    assert folder == str(tmp_path / "vllm")


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("PYTHONPATH", str(BENCHMARKS))
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER, encoding="utf-8")
    return [sys.executable, str(script)]


def is_stopped(process_id: int) -> bool:
    """The signal takes a moment to arrive on a busy machine."""
    for _ in range(100):
        if Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T":
            return True
        time.sleep(0.05)
    return False


def test_a_contender_is_stopped_until_it_is_asked_and_gone_when_closed(
    bench: SimpleNamespace, sleeper: list[str]
) -> None:
    with bench.contest.Contender(sleeper, 1) as contender:
        process_id = contender._child.pid
        assert is_stopped(process_id)
        assert contender.ask("0.02") >= 0.02
        assert is_stopped(process_id)
    assert not Path(f"/proc/{process_id}").exists()


def test_a_contender_that_dies_is_one_clear_error(bench: SimpleNamespace, sleeper: list[str]) -> None:
    with bench.contest.Contender(sleeper, 1) as contender:
        os.kill(contender._child.pid, signal.SIGKILL)
        with pytest.raises(SystemExit, match="ended with -9"):
            contender.ask("0.01")


def test_a_contender_that_does_not_start_is_one_clear_error(bench: SimpleNamespace, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(SystemExit, match=r"ended with 3; see .*log"):
        bench.contest.Contender([sys.executable, "-c", "raise SystemExit(3)"], 1, log=log)
