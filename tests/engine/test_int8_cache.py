"""The latent cache in int8: smaller by what its cells say, near the plain one, and otherwise just as indifferent to
how a text is cut, shared, preempted and drafted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from axk1.arch import preset
from axk1.chat.sampling import SamplingParams
from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.cli import main
from axk1.engine.backend import CacheChoice
from axk1.engine.engine import Engine, Limits
from axk1.engine.memory import token_bytes
from axk1.engine.native_backend import NativeBackend
from axk1.engine.native_library import load
from axk1.engine.output import RequestOutput
from axk1.export.huggingface import save
from axk1.export.quantize_formats import PARTS, Formats, parse_format
from axk1.export.quantize_random import random_folder
from axk1.native import NativeUnavailableError
from batches import batch
from kernel_sets import SETS
from tiny_models import tiny_model

try:
    LIBRARY = load()
except NativeUnavailableError as reason:
    pytest.skip(str(reason), allow_module_level=True)

# A whole group of 64 and a part of one; a key; all experts are chosen, so that no error flips a router.
SIZES: dict[str, Any] = {
    "hidden_size": 64, "q_lora_rank": 48, "kv_lora_rank": 82, "qk_nope_head_dim": 16, "qk_rope_head_dim": 16,
    "v_head_dim": 16, "n_routed_experts": 4, "num_experts_per_tok": 4, "n_group": 1, "topk_group": 1,
    "initializer_range": 0.1, "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
BLOCK, BLOCKS = 16, 24
ROW = np.random.default_rng(5).integers(2, 97, 100).tolist()
TABLE = [4, 9, 1, 8, 6, 2, 0]
KERNELS = [name for name in SETS if LIBRARY.axk1_use(name.encode()) == 0]
GREEDY = SamplingParams(temperature=0, max_tokens=12, ignore_eos=True)


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CheckpointFolder:
    path = tmp_path_factory.mktemp("cells") / "model"
    model = tiny_model(**SIZES)
    save(model.state_dict(), model.config, path, {}, dtype=request.param)
    return CheckpointFolder(path)


@pytest.fixture(params=KERNELS)
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each kind of kernels that this CPU runs."""
    assert LIBRARY.axk1_use(request.param.encode()) == 0
    yield request.param
    LIBRARY.axk1_use(KERNELS[-1].encode())


def opened(folder: CheckpointFolder, cache: CacheChoice = "int8", **settings: Any) -> NativeBackend:
    return NativeBackend(folder, BLOCKS, BLOCK, 2, cache=cache, **settings)


def logprobs(rows: Any) -> Any:
    return torch.from_numpy(np.asarray(rows)).log_softmax(-1).numpy()


def in_pieces(backend: NativeBackend, ends: list[int], read: str = "logits") -> Any:
    starts = [0, *ends[:-1]]
    parts = [batch((ROW[start:end], start, TABLE)) for start, end in zip(starts, ends, strict=True)]
    return np.concatenate([getattr(backend, read)(part) for part in parts])


PROMPT, TOKENS = [100], [7, 8, 9, 24, 39, 40, *range(41, 101)]  # by the kernels of prompts, and of few tokens


@pytest.mark.parametrize("ends", [PROMPT, TOKENS], ids=["prompt", "tokens"])
def test_it_is_near_the_plain_cache(folder: CheckpointFolder, kernels: str, ends: list[int]) -> None:
    plain, ours = (logprobs(in_pieces(opened(folder, cache), ends)) for cache in ("auto", "int8"))
    error = np.abs(plain - ours)
    assert 1e-3 < error.mean() < 0.02, kernels
    assert error.max() < 0.2
    assert (plain.argmax(-1) == ours.argmax(-1)).mean() >= 0.9


@pytest.mark.parametrize("ends", [PROMPT, TOKENS], ids=["prompt", "tokens"])
def test_the_output_of_one_layer_is_within_what_eight_bits_lose(tmp_path: Path, ends: list[int]) -> None:
    """Steps of 1/127 of the largest of 64 normal numbers (about 2.4 deviations) lose 2.4 / 127 / sqrt(12) = 0.55 %."""
    one = saved(tmp_path / "model", num_hidden_layers=1)
    plain, ours = (in_pieces(opened(one, cache), ends, "hidden") for cache in ("auto", "int8"))
    assert 0.002 < np.linalg.norm(plain - ours) / np.linalg.norm(plain) < 0.01


def test_the_rotary_key_is_not_rounded_to_eight_bits(tmp_path: Path) -> None:
    """A key with values of very different size, as trained ones have: one scale for all would lose the small ones."""
    model = tiny_model(**{**SIZES, "num_hidden_layers": 1})
    with torch.no_grad():
        attention = model.blocks[0].self_attn
        keys = attention.kv_a_proj_with_mqa.weight[SIZES["kv_lora_rank"] :]
        keys[:2] *= 100
        heads = attention.q_b_proj.weight.view(4, -1, SIZES["q_lora_rank"])
        heads[:, SIZES["qk_nope_head_dim"] : SIZES["qk_nope_head_dim"] + 2] /= 100
    save(model.state_dict(), model.config, tmp_path / "model", {})
    one = CheckpointFolder(tmp_path / "model")
    plain, ours = (in_pieces(opened(one, cache), PROMPT, "hidden") for cache in ("auto", "int8"))
    assert np.linalg.norm(plain - ours) / np.linalg.norm(plain) < 0.01


@pytest.mark.parametrize("ends", [[16, 100], [20, 37, 53, 100], [50, 66, 100]])
def test_pieces_of_a_prompt_give_the_same_bits(folder: CheckpointFolder, ends: list[int]) -> None:
    assert np.array_equal(in_pieces(opened(folder), ends), in_pieces(opened(folder), PROMPT))


@pytest.mark.parametrize("ends", [list(range(5, 101, 5)), [3, 15, 30, 40, 55, 68, 80, 90, 100]])
def test_one_token_after_the_other_gives_the_same_bits_as_some(folder: CheckpointFolder, ends: list[int]) -> None:
    assert np.array_equal(in_pieces(opened(folder), ends), in_pieces(opened(folder), list(range(1, 101))))


def test_tokens_after_a_prompt_see_what_the_prompt_saw(folder: CheckpointFolder) -> None:
    """Two kinds of kernels; what the cache gives is the same for both. float32 shows it."""
    whole, pieces = (logprobs(in_pieces(opened(folder), ends)) for ends in (PROMPT, TOKENS))
    exact = NativeBackend.cache_format(folder) == "fp32"
    np.testing.assert_allclose(pieces, whole, atol=1e-3 if exact else 0.2)


def test_a_shared_beginning_is_read_by_two(folder: CheckpointFolder) -> None:
    first, second = [*ROW[:32], 1, 2, 3], [*ROW[:32], 4, 5, 6]
    backend = opened(folder)
    backend.logits(batch((ROW[:32], 0, [6, 7])))
    together = backend.logits(batch((first[32:], 32, [6, 7, 8]), (second[32:], 32, [6, 7, 9])))
    for rows, tokens in ((together[:3], first), (together[3:], second)):
        alone = opened(folder)
        alone.logits(batch((tokens[:32], 0, [0, 1])))
        assert np.array_equal(alone.logits(batch((tokens[32:], 32, [0, 1, 2]))), rows)


@pytest.mark.parametrize("cache", ["auto", "int8"])
def test_the_library_holds_as_many_bytes_as_computed(folder: CheckpointFolder, cache: CacheChoice) -> None:
    cells = NativeBackend.cache_format(folder, cache)
    assert opened(folder, cache).bytes == BLOCKS * BLOCK * token_bytes(folder.config, cells)


def test_bytes_of_a_token_of_k1() -> None:
    k1 = preset("k1")
    assert token_bytes(k1, "bf16") == 70_272
    assert token_bytes(k1, "int8") == 61 * (512 + 4 * 512 // 64 + 2 * 64) == 40_992


def test_the_same_memory_holds_more_tokens(folder: CheckpointFolder) -> None:
    plain, ours = (blocks_in(folder, cache) for cache in ("auto", "int8"))
    cells = [token_bytes(folder.config, NativeBackend.cache_format(folder, one)) for one in ("auto", "int8")]
    assert ours / plain == pytest.approx(cells[0] / cells[1], rel=0.03)
    assert ours / plain > 1.5


def blocks_in(folder: CheckpointFolder, cache: CacheChoice) -> int:
    limits = Limits(max_batch_tokens=32, max_sequences=200)
    with Engine.open(folder.path, memory="42M", backend="native", limits=limits, cache=cache) as engine:
        return engine._backend.blocks


def saved(path: Path, **changes: Any) -> CheckpointFolder:
    model = tiny_model(**{**SIZES, **changes})
    save(model.state_dict(), model.config, path, {}, mtp="num_nextn_predict_layers" in changes)
    return CheckpointFolder(path)


def assert_same_but_for_ties(
    found: Sequence[RequestOutput], expected: Sequence[RequestOutput], tolerance: float
) -> None:
    """The same tokens up to the first place, if any, where two of them are as likely as makes no difference.

    Kernels of prompts and of other tokens round bfloat16 in other orders, and how a prompt is cut into pieces, which
    depends on the threads' timing, decides which ones a position meets.
    """
    for one, other in zip(found, expected, strict=True):
        assert one.logprobs is not None
        assert other.logprobs is not None
        for token, wanted, likely, expected_likely in zip(
            one.token_ids, other.token_ids, one.logprobs, other.logprobs, strict=True
        ):
            for common in {token, wanted} & set(likely) & set(expected_likely):
                assert abs(likely[common].logprob - expected_likely[common].logprob) < tolerance
            if token != wanted:
                assert abs(expected_likely[token].logprob - expected_likely[wanted].logprob) < tolerance
                break  # what follows is another text


def test_preempted_shared_and_cold_requests_give_the_same_tokens(folder: CheckpointFolder) -> None:
    prompts = [ROW[:40], ROW[:40], ROW[:33], ROW[50:90], ROW[20:60]]

    exact = folder.path.joinpath("config.json").read_text(encoding="utf-8").count("bfloat16") == 0
    tolerance = 1e-4 if exact else 0.05
    scored = dataclasses.replace(GREEDY, logprobs=8)

    def run(**limits: Any) -> tuple[list[RequestOutput], int]:
        given = Limits(block_size=4, **limits)
        with Engine.open(folder.path, backend="native", limits=given, cache="int8") as engine:
            preempted: list[object] = []
            scheduler = engine._loop._scheduler
            forced = scheduler._preempt
            scheduler._preempt = lambda sequence: (preempted.append(sequence), forced(sequence))  # type: ignore[assignment, method-assign, return-value]
            cold = engine.generate(prompts, scored)
            assert_same_but_for_ties(engine.generate(prompts, scored), cold, tolerance)
            return cold, len(preempted)

    roomy, none = run()
    cramped, some = run(cache_tokens=104, max_batch_tokens=32)
    assert (none, some > 0) == (0, True)
    assert_same_but_for_ties(cramped, roomy, tolerance)


def test_drafts_of_the_mtp_layer_change_nothing(tmp_path: Path) -> None:
    source = saved(tmp_path / "model", num_nextn_predict_layers=1)
    settings: dict[str, Any] = {"backend": "native", "cache": "int8"}
    with Engine.open(source.path, **settings, speculation="off") as engine:
        expected = [one.token_ids for one in engine.generate([ROW[:30], ROW[40:60]], GREEDY)]
    with Engine.open(source.path, **settings, speculation="mtp") as engine:
        assert [one.token_ids for one in engine.generate([ROW[:30], ROW[40:60]], GREEDY)] == expected
        assert engine.acceptance.drafted > 0
    drafting = opened(source, drafting=True)
    assert drafting.bytes == BLOCKS * BLOCK * token_bytes(source.config, "int8") * 4 // 3, "one layer more"


def test_experts_on_disk_give_the_same_bits(tmp_path: Path) -> None:
    shape = dataclasses.replace(preset("nano"), vocab_size=512, num_hidden_layers=3, max_position_embeddings=512)
    formats = {part: parse_format("none" if part in ("head", "embedding") else "int4-g64") for part in PARTS}
    random_folder(shape, tmp_path / "model", Formats(**formats))
    source = CheckpointFolder(tmp_path / "model")
    resident, stored = opened(source), opened(source, expert_bytes=1 << 22)
    assert stored.statistics is not None
    assert np.array_equal(in_pieces(stored, TOKENS), in_pieces(resident, TOKENS))
    assert stored.statistics is not None
    assert stored.statistics.misses > 0


@pytest.mark.parametrize("row", [70, SIZES["kv_lora_rank"] + 3], ids=["latent", "key"])
def test_weights_that_are_not_numbers_are_still_noticed(tmp_path: Path, row: int) -> None:
    model = tiny_model(**SIZES)
    with torch.no_grad():
        model.blocks[1].self_attn.kv_a_proj_with_mqa.weight[row] = torch.nan
    save(model.state_dict(), model.config, tmp_path / "model", {})
    with pytest.raises(CheckpointError, match="the output is NaN or infinite"):
        in_pieces(opened(CheckpointFolder(tmp_path / "model")), TOKENS)


def test_who_cannot_says_so(folder: CheckpointFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"^the reference back end has no int8 cache$"):
        Engine.open(folder.path, backend="reference", cache="int8")
    with pytest.raises(ValueError, match=r"^cache must be auto or int8, not 'int4'$"):
        Engine.open(folder.path, cache="int4")  # type: ignore[arg-type]
    arguments = ["generate", str(folder.path), "--ids", "5 6 7", "--max-tokens", "4", "--cache", "int8"]
    assert main(arguments) == 0
    assert len(capsys.readouterr().out.split()) == 4
