"""What every engine back end, ours or another package's, must keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from axk1 import registry
from axk1.arch import RopeParameters
from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.engine.backend import Backend
from axk1.export.huggingface import save
from axk1.model import Transformer
from batches import batch
from tiny_models import tiny_model

NAMES = registry.names("engine_backend")
BLOCK, BLOCKS = 16, 12
ROW = np.random.default_rng(5).integers(0, 97, 70).tolist()


def model() -> Transformer:
    """A.X K1 in small: groups, YaRN, a dense layer; sizes that vector code finds convenient."""
    rope = RopeParameters("yarn", factor=4.0, original_max_position_embeddings=32, mscale_all_dim=0.0)
    return tiny_model(
        hidden_size=64, intermediate_size=96, moe_intermediate_size=32, n_routed_experts=16, num_experts_per_tok=4,
        q_lora_rank=48, kv_lora_rank=32, qk_nope_head_dim=16, qk_rope_head_dim=16, v_head_dim=16,
        initializer_range=0.1, rope_parameters=rope,
    ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def oracle() -> Transformer:
    return model()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, oracle: Transformer) -> Path:
    path = tmp_path_factory.mktemp("backend") / "model"
    save(oracle.state_dict(), oracle.config, path, {})
    return path


@pytest.fixture(params=NAMES)
def backend(request: pytest.FixtureRequest, folder: Path) -> Any:
    made: Backend = registry.load("engine_backend", request.param)(CheckpointFolder(folder), BLOCKS, BLOCK, 1)
    yield made
    made.close()


def truth(oracle: Transformer, row: list[int]) -> Any:
    with torch.no_grad():
        return oracle(torch.tensor([row]))[0].log_softmax(-1).numpy()


def close(ours: Any, theirs: Any) -> None:
    """Log-probabilities of logits, within 1e-4; the same token is the likeliest."""
    logprobs = torch.tensor(ours).log_softmax(-1).numpy()
    np.testing.assert_allclose(logprobs, theirs, atol=1e-4)
    assert (logprobs.argmax(-1) == theirs.argmax(-1)).all()


def test_there_are_back_ends() -> None:
    assert "reference" in NAMES


def test_it_says_what_it_is(backend: Backend, oracle: Transformer) -> None:
    assert (backend.blocks, backend.block_size) == (BLOCKS, BLOCK)
    assert backend.config == oracle.config


def test_whole_prompts_side_by_side(backend: Backend, oracle: Transformer) -> None:
    """Blocks in no order, of unequal number."""
    short = ROW[30:37]
    rows = backend.logits(batch((ROW, 0, [7, 2, 11, 0, 5]), (short, 0, [3])))
    assert rows.dtype == np.float32
    close(rows, np.concatenate([truth(oracle, ROW), truth(oracle, short)]))


@pytest.mark.parametrize("cuts", [[1, 2, 3], [15, 16, 17], [16, 32, 48], [40, 41, 69]])
def test_pieces_of_a_prompt_equal_the_whole(backend: Backend, oracle: Transformer, cuts: list[int]) -> None:
    table, rows = [4, 9, 1, 8, 6], []
    for start, end in zip([0, *cuts], [*cuts, len(ROW)], strict=True):
        rows.append(backend.logits(batch((ROW[start:end], start, table))))
    close(np.concatenate(rows), truth(oracle, ROW))


def test_one_token_each_beside_a_prompt(backend: Backend, oracle: Transformer) -> None:
    """A step of decoding and prefilling at once; only some rows are wanted."""
    backend.logits(batch((ROW[:33], 0, [0, 1, 2]), (ROW[40:50], 0, [3]), wanted=[]))
    step = batch((ROW[33:34], 33, [0, 1, 2]), (ROW[:20], 0, [5, 4]), (ROW[50:51], 10, [3]), wanted=[0, 19, 20, 21])
    expected = [truth(oracle, ROW[:34])[-1], *truth(oracle, ROW[:20])[-2:], truth(oracle, ROW[40:51])[-1]]
    close(backend.logits(step), np.stack(expected))


def test_a_shared_beginning_is_read_by_two(backend: Backend, oracle: Transformer) -> None:
    backend.logits(batch((ROW[:32], 0, [6, 7])))
    first, second = [*ROW[:32], 1, 2, 3], [*ROW[:32], 4, 5, 6]
    rows = backend.logits(batch((first[32:], 32, [6, 7, 8]), (second[32:], 32, [6, 7, 9])))
    close(rows, np.concatenate([truth(oracle, first)[32:], truth(oracle, second)[32:]]))


def test_what_a_block_held_before_is_forgotten(backend: Backend, oracle: Transformer) -> None:
    backend.logits(batch((ROW[::-1], 0, [0, 1, 2, 3, 4])))
    close(backend.logits(batch((ROW[:20], 0, [4, 0]))), truth(oracle, ROW[:20]))


def test_hidden_states_are_those_that_the_head_sees(backend: Backend, oracle: Transformer) -> None:
    states = backend.hidden(batch((ROW, 0, [0, 1, 2, 3, 4]), wanted=[3, 69]))
    with torch.no_grad():
        theirs = oracle.hidden(torch.tensor([ROW]))[0][0].numpy()
    assert states.dtype == np.float32
    np.testing.assert_allclose(states, theirs[[3, 69]], atol=1e-4)


def test_results_belong_to_the_caller(backend: Backend) -> None:
    step = batch((ROW[:4], 0, [0]))
    first = backend.logits(step)
    kept = first.copy()
    second = backend.logits(step)
    second += 1
    np.testing.assert_array_equal(first, kept)


def test_nothing_wanted_gives_no_rows(backend: Backend) -> None:
    assert backend.logits(batch((ROW[:4], 0, [0]), wanted=[])).shape == (0, 97)
    assert backend.hidden(batch((ROW[:4], 0, [0]), wanted=[])).shape == (0, 64)


def test_close_may_be_called_twice(backend: Backend) -> None:
    backend.close()


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_are_not_numbers_are_refused(name: str, tmp_path: Path) -> None:
    broken = model()
    with torch.no_grad():
        broken.model.layers[1].self_attn.o_proj.weight[0, 0] = float("nan")  # type: ignore[union-attr, index, operator]
    save(broken.state_dict(), broken.config, tmp_path / "model", {})

    def opened_and_asked() -> None:
        registry.load("engine_backend", name)(CheckpointFolder(tmp_path / "model"), BLOCKS, BLOCK, 1).logits(
            batch((ROW[:5], 0, [0]))
        )

    # when it is built, or by the first answer: who maps 500 GB of weights does not read them all before
    with pytest.raises(CheckpointError, match=r"NaN or infin"):
        opened_and_asked()


@pytest.mark.parametrize("name", NAMES)
def test_answers_that_are_not_numbers_are_refused(name: str, tmp_path: Path) -> None:
    """Weights that are numbers, but lead beyond them."""
    broken = model()
    with torch.no_grad():
        broken.lm_head.weight *= 1e38  # type: ignore[union-attr]
        broken.model.norm.weight.fill_(1e9)  # type: ignore[union-attr, operator]
    save(broken.state_dict(), broken.config, tmp_path / "model", {})
    opened = registry.load("engine_backend", name)(CheckpointFolder(tmp_path / "model"), BLOCKS, BLOCK, 1)
    with np.errstate(all="ignore"), pytest.raises(CheckpointError, match="the output is NaN or infinite"):
        opened.logits(batch((ROW[:5], 0, [0])))
    opened.close()
