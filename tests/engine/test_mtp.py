"""The MTP layer in the engine against the same layer of the torch model, by both back ends; and what it drafts changes
no output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from axk1 import Engine, SamplingParams
from axk1.chat.sampling import GREEDY
from axk1.checkpoint import CheckpointFolder
from axk1.engine.backend import Batch
from axk1.engine.engine import Limits
from axk1.engine.native_backend import NativeBackend
from axk1.engine.native_library import load
from axk1.engine.reference import ReferenceBackend
from axk1.engine.speculation import Pace
from axk1.engine.speculation_mtp import Mtp
from axk1.engine.step import Part
from axk1.native import NativeUnavailableError

BLOCK = 4
ROWS = [[5, 6, 7, 90, 91, 3, 3, 3, 20, 21, 22, 23, 24, 25, 26, 27, 28, 1, 0], [42, 43], list(range(60, 96))]
PROMPTS = [[5], [7, 8, 9, 10, 11, 12, 13], [90, 3, 3], list(range(1, 15)), [42, 41], list(range(20, 60))]
CONFIGS: dict[str, dict[str, Any]] = {
    "axk1": {},
    "v3": {"model_type": "deepseek_v3"},
    "v3, tied, full-rank": {"model_type": "deepseek_v3", "tie_word_embeddings": True, "q_lora_rank": None},
    "fused experts": {"fused_experts": True},
    "a dense layer drafts": {"model_type": "deepseek_v3", "first_k_dense_replace": 0, "moe_layer_freq": 2},
    "two mtp layers": {"num_nextn_predict_layers": 2},
}
FREE = replace(GREEDY, max_tokens=23, ignore_eos=True)
SAMPLED = SamplingParams(temperature=1.0, top_p=0.9, seed=4, max_tokens=23, ignore_eos=True, logprobs=1)
SMALL = Limits(block_size=4, max_batch_tokens=16, max_sequences=3)


def backends() -> list[Any]:
    try:
        load()
    except NativeUnavailableError as reason:
        return ["reference", pytest.param("native", marks=pytest.mark.skip(str(reason)))]
    return ["reference", "native"]


both = pytest.mark.parametrize("name", backends())
CLASSES: dict[str, Any] = {"reference": ReferenceBackend, "native": NativeBackend}


def step(
    rows: Sequence[Sequence[int]],
    cached: Sequence[int],
    tables: Sequence[Sequence[int]],
    wanted: Sequence[int] | None = None,
) -> Batch:
    flat = [token for row in rows for token in row]
    width = max(map(len, tables))
    places = range(len(flat)) if wanted is None else wanted
    return Batch(
        np.array(flat, np.int32),
        np.cumsum([0, *map(len, rows)]).astype(np.int32),
        np.array(cached, np.int32),
        np.array([[*table, *[-1] * (width - len(table))] for table in tables], np.int32),
        np.array(places, np.int32),
    )


@both
@pytest.mark.parametrize("config", CONFIGS)
def test_drafts_are_those_of_the_torch_model(name: str, config: str, make: Any) -> None:
    """Two ragged prompts, then pieces on top of the cache of both layers, every position wanted."""
    oracle = make(**{"num_nextn_predict_layers": 1, "num_hidden_layers": 3, **CONFIGS[config]}, mtp=True)
    backend = CLASSES[name](CheckpointFolder(oracle.path), 64, BLOCK, 2, drafting=True)
    rows, tables = [ROWS[0], ROWS[2]], [[7, 1, 30, 2, 9], [3, 40, 12, 0, 5, 6, 8, 63, 20]]
    theirs = [oracle.mtp_logits(row) for row in rows]
    places = [0, 0]
    for counts in ((6, 17), (1, 3), (11, 15)):
        ends = [place + count for place, count in zip(places, counts, strict=True)]
        pieces = [row[a:b] for row, a, b in zip(rows, places, ends, strict=True)]
        backend.logits(step(pieces, places, tables))
        following = [row[a + 1 : b + 1] for row, a, b in zip(rows, places, ends, strict=True)]
        batch, in_pass = step(following, places, tables), np.arange(sum(counts), dtype=np.int32)
        expected = np.concatenate([one[a:b] for one, a, b in zip(theirs, places, ends, strict=True)])
        if name == "reference":
            states = backend._states_ND
            np.testing.assert_allclose(backend.draft_logits(batch, in_pass), expected, atol=1e-4)
            backend._states_ND = states
        found = backend.draft(batch, in_pass)
        assert found.dtype == np.int32
        assert found.tolist() == expected.argmax(-1).tolist()
        places = ends
    assert len({*found.tolist()}) > 10, "the drafts must differ to prove anything"
    backend.close()


@both
def test_the_layer_goes_on_from_its_own_state(name: str, foretelling: Any) -> None:
    """A second token: the state of the pass before is the layer's own."""
    backend = CLASSES[name](CheckpointFolder(foretelling.path), 64, BLOCK, 2, drafting=True)
    row, table = ROWS[0], [[7, 1, 30, 2, 9, 11]]
    backend.logits(step([row[:-1]], [0], table, wanted=[]))
    first = backend.draft(step([row[1:]], [0], table, wanted=[len(row) - 2]), np.arange(len(row) - 1, dtype=np.int32))
    second = backend.draft(step([first.tolist()], [len(row) - 1], table), np.array([len(row) - 2], np.int32))
    model, tokens = foretelling.model, torch.tensor([row])
    with torch.no_grad():
        hidden, _ = model.hidden(tokens)
        states, _ = model._mtp_depth(model.mtp_layers[0], hidden[:, :-1], tokens[:, 1:], None)
        draft = int((states[0, -1] @ model.head.T).argmax())
        longer, following = torch.cat((hidden[:, :-1], states[:, -1:]), 1), torch.tensor([[*row[1:], draft]])
        states, _ = model._mtp_depth(model.mtp_layers[0], longer, following, None)
        assert (int(first[0]), int(second[0])) == (draft, int((states[0, -1] @ model.head.T).argmax()))
    backend.close()


@both
def test_plain_answers_are_the_same_with_the_layer(name: str, foretelling: Any) -> None:
    folder = CheckpointFolder(foretelling.path)
    table = [[7, 1, 30, 2, 9]]
    found = [
        CLASSES[name](folder, 64, BLOCK, 2, drafting=on).logits(step([ROWS[0]], [0], table)) for on in (True, False)
    ]
    np.testing.assert_array_equal(*found)


def opened(name: str, folder: Any, **settings: Any) -> Engine:
    return Engine.open(folder.path, backend=name, threads=2, **settings)


@both
@pytest.mark.parametrize("params", [FREE, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("limits", [Limits(), SMALL], ids=str)
def test_the_engine_drafts_with_it_and_answers_the_same(
    name: str, params: SamplingParams, limits: Limits, foretelling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts in pieces, several at once, twice: what is drafted is what the torch model's layer foretells."""
    monkeypatch.setattr(Pace, "length", lambda self, _cost: min(self._longest, 3))
    with opened(name, foretelling, speculation="off", limits=limits) as engine:
        expected = engine.generate(PROMPTS, params)
    guesses: list[tuple[list[int], list[int]]] = []
    draft = Mtp.draft

    def watched(self: Mtp, parts: Sequence[Part], lengths: Sequence[int]) -> list[list[int]]:
        found = draft(self, parts, lengths)
        pairs = zip(parts, found, strict=True)
        guesses.extend((list(part.piece.sequence.tokens), one) for part, one in pairs if one)
        return found

    monkeypatch.setattr(Mtp, "draft", watched)
    with opened(name, foretelling, limits=limits) as engine:
        assert isinstance(engine._speculator._drafter, Mtp), "auto takes the layer where there is one"
        for cold in (True, False):
            outputs = engine.generate(PROMPTS, params)
            for ours, theirs in zip(outputs, expected, strict=True):
                assert (ours.token_ids, ours.finish_reason) == (theirs.token_ids, theirs.finish_reason)
                if name == "native" and cold and limits == Limits():  # the same bits whatever stands beside a row
                    assert ours.logprobs == theirs.logprobs
        assert engine.acceptance.drafted > 100
        assert engine.acceptance.drafted > engine.acceptance.accepted
    assert len(guesses) > 100
    assert {len(one) for _, one in guesses} == {1, 2, 3}
    for tokens, found in guesses[:60]:
        assert found[0] == foretelling.mtp_logits(tokens)[-1].argmax()


@both
def test_readings_beside_and_preemption(name: str, foretelling: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "length", lambda self, _cost: 2)
    with opened(name, foretelling, speculation="off") as engine:
        expected = engine.generate(PROMPTS, SAMPLED)
        rows, states = engine.logits(PROMPTS[5]), engine.hidden(PROMPTS[5])
    limits = Limits(block_size=4, max_batch_tokens=32, cache_tokens=18 * 4)
    with opened(name, foretelling, limits=limits) as engine:
        assert len(engine._loop._scheduler.pool._references) == 18
        preempted: list[int] = []
        forced = engine._loop._scheduler._preempt
        engine._loop._scheduler._preempt = lambda one: (preempted.append(1), forced(one))  # type: ignore[method-assign]
        streams = [engine.stream(prompt, SAMPLED) for prompt in PROMPTS]
        np.testing.assert_allclose(engine.logits(PROMPTS[5]), rows, atol=1e-5)
        np.testing.assert_allclose(engine.hidden(PROMPTS[5]), states, atol=1e-5)
        assert [one.output().token_ids for one in streams] == [one.token_ids for one in expected]
        assert preempted
        assert engine.acceptance.drafted > 20


def test_a_folder_that_promises_a_layer_and_has_none_is_looked_up(make: Any) -> None:
    """As published folders do."""
    saved = make(num_nextn_predict_layers=0)
    config = saved.path / "config.json"
    text = config.read_text(encoding="utf-8")
    assert '"num_nextn_predict_layers": 0' in text
    config.write_text(text.replace('"num_nextn_predict_layers": 0', '"num_nextn_predict_layers": 1'), encoding="utf-8")
    assert not ReferenceBackend.can_draft(CheckpointFolder(saved.path))
    with Engine.open(saved.path, backend="reference") as engine:
        assert not isinstance(engine._speculator._drafter, Mtp)
        assert engine.generate([[5]], FREE)[0].token_ids == tuple(saved.greedy([5], 23))
    with pytest.raises(ValueError, match="no MTP layer"):
        Engine.open(saved.path, backend="reference", speculation="mtp")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_row_of_a_draft_is_the_same_bits_as_alone(dtype: torch.dtype, make: Any) -> None:
    """What makes the native back end's outputs equal, not only likely to be."""
    try:
        load()
    except NativeUnavailableError as reason:
        pytest.skip(str(reason))
    row, table = list(range(20, 70)), [list(range(13))]
    backend = NativeBackend(CheckpointFolder(make(dtype=dtype).path), 64, BLOCK, 2)
    backend.logits(step([row[:40]], [0], table, wanted=[]))
    alone = [backend.logits(step([[token]], [place], table))[0] for place, token in enumerate(row[40:48], 40)]
    backend.logits(step([row[:40]], [0], table, wanted=[]))
    np.testing.assert_array_equal(backend.logits(step([row[40:48]], [40], table)), np.stack(alone))
    backend.close()
