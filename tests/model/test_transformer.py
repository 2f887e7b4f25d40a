"""The model as a whole: packing, loss and its parts, recomputation, dtypes, names and errors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from axk1.checkpoint.names import expected
from axk1.model import Transformer
from axk1.model.plain import IGNORED


def shifted(tokens_BT: Tensor) -> Tensor:
    return functional.pad(tokens_BT[:, 1:], (0, 1), value=IGNORED)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": True, "num_nextn_predict_layers": 2},
        {"model_type": "deepseek_v3", "q_lora_rank": None},
    ],
)
def test_parameter_names_and_shapes_are_those_of_the_checkpoint(model: Any, changes: dict[str, Any]) -> None:
    ours: Transformer = model(**changes)
    shapes = {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()}
    assert shapes == expected(ours.config, mtp=True)


def test_initial_weights_follow_the_seed_and_the_range(config: Any) -> None:
    torch.manual_seed(5)
    first = Transformer(config(initializer_range=0.02))
    torch.manual_seed(5)
    second = Transformer(config(initializer_range=0.02))
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, second.get_parameter(name)), name
        if parameter.ndim == 1:
            assert (parameter == 1).all(), name
        else:
            assert 0.015 < float(parameter.detach().std()) < 0.025, name
    assert not any(router.e_score_correction_bias.any() for router in first.routers)


def test_packed_documents_equal_separate_passes(model: Any, tokens: Tensor) -> None:
    ours = model()
    lengths = [6, 9, 5]
    packed_1T = tokens[:1]
    documents_1T = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths)).unsqueeze(0)
    separate = torch.cat([ours(piece) for piece in packed_1T.split(lengths, dim=1)], dim=1)
    torch.testing.assert_close(ours(packed_1T, documents_1T), separate, rtol=1e-4, atol=1e-5)
    assert (ours(packed_1T) - separate).abs().max() > 0.01, "without ids the documents would see each other"


def test_loss_is_the_mean_over_targets_in_many_chunks(
    model: Any, tokens: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("axk1.model.plain.CHUNK_ROWS", 7)
    ours: Transformer = model()
    targets_BT = shifted(tokens).masked_fill(tokens % 5 == 0, IGNORED)
    expected_loss = functional.cross_entropy(ours(tokens).flatten(0, 1), targets_BT.flatten(), ignore_index=IGNORED)
    expected_loss.backward()
    gradients = {name: parameter.grad for name, parameter in ours.named_parameters()}
    ours.zero_grad()
    losses = ours.loss(tokens, targets_BT)
    losses.total.backward()
    assert losses.tokens == int((targets_BT != IGNORED).sum())
    torch.testing.assert_close(losses.cross_entropy, expected_loss.detach())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-4, atol=1e-6)


def test_a_batch_without_targets_has_loss_zero(model: Any, tokens: Tensor) -> None:
    losses = model().loss(tokens, torch.full_like(tokens, IGNORED))
    assert losses.tokens == 0
    assert losses.total.item() == 0.0


class LargestTensor(TorchDispatchMode):
    """Watches every tensor that an operation returns."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.elements = max(self.elements, out.numel())
        return out


def test_training_never_holds_whole_logits(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axk1.model.plain.CHUNK_ROWS", 16)
    ours = model(vocab_size=4000)
    tokens_BT = torch.randint(4000, (4, 100))
    with LargestTensor() as seen:
        ours.loss(tokens_BT, shifted(tokens_BT)).total.backward()
    assert seen.elements < tokens_BT.numel() * 4000 // 2


@pytest.mark.parametrize("documents", [False, True])
def test_mtp_loss_by_direct_computation(model: Any, tokens: Tensor, documents: bool) -> None:
    """Depth k sees the embedding of token t + k and predicts token t + k + 1, never across a document's end."""
    ours: Transformer = model(num_nextn_predict_layers=2)
    documents_BT = (torch.arange(20) // 8).expand(3, -1) if documents else None
    hidden_BTD, _ = ours.hidden(tokens, documents_BT)
    means = []
    for depth, layer in enumerate(ours.mtp_layers, start=1):
        length = tokens.shape[1] - depth
        kept_documents = None if documents_BT is None else documents_BT[:, :length]
        entry_BTD = layer.enter(hidden_BTD[:, :length], ours.model.embed_tokens(tokens[:, depth:]))
        x_BTD, _ = layer(entry_BTD, *ours.rope.tables(torch.arange(length)), kept_documents)
        hidden_BTD = layer.shared_head.norm(x_BTD)
        log_BTC = (hidden_BTD @ ours.head.T).log_softmax(-1)
        terms = [
            -log_BTC[row, t, tokens[row, t + depth + 1]]
            for row in range(3)
            for t in range(length - 1)
            if documents_BT is None or documents_BT[row, t] == documents_BT[row, t + depth + 1]
        ]
        means.append(torch.stack(terms).mean())
    targets_BT = shifted(tokens)
    if documents_BT is not None:
        targets_BT[:, :-1][documents_BT[:, 1:] != documents_BT[:, :-1]] = IGNORED
    losses = ours.loss(tokens, targets_BT, documents_BT, mtp_weight=0.3)
    torch.testing.assert_close(losses.mtp, torch.stack(means).mean().detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(losses.total.detach(), losses.cross_entropy + 0.3 * losses.mtp)


def test_balance_weight_adds_the_sum_over_sparse_layers(model: Any, tokens: Tensor) -> None:
    ours = model()
    losses = ours.loss(tokens, shifted(tokens), balance_weight=0.01)
    assert 2.0 < float(losses.balance) < 6.0  # two sparse layers, 1 each when even
    torch.testing.assert_close(losses.total.detach(), losses.cross_entropy + 0.01 * losses.balance)
    losses.total.backward()
    with_balance = ours.routers[0].weight.grad.clone()
    ours.zero_grad()
    ours.loss(tokens, shifted(tokens)).total.backward()
    assert not torch.allclose(with_balance, ours.routers[0].weight.grad)


def test_recomputation_changes_neither_gradients_nor_counts(model: Any, tokens: Tensor) -> None:
    results = []
    for recompute in (False, True):
        ours = model(recompute=recompute, num_nextn_predict_layers=1)
        losses = ours.loss(tokens, shifted(tokens), mtp_weight=0.3, balance_weight=0.01)
        losses.total.backward()
        results.append((losses.load_LE, {name: parameter.grad for name, parameter in ours.named_parameters()}))
    (load_LE, gradients), (recomputed_LE, recomputed) = results
    assert torch.equal(load_LE, recomputed_LE)
    rows, columns = tokens.shape
    # three experts per token; the MTP layer has one position less
    assert load_LE.sum(1).tolist() == [3 * rows * columns, 3 * rows * columns, 3 * rows * (columns - 1)]
    assert load_LE.dtype == torch.int64
    for name, gradient in gradients.items():
        torch.testing.assert_close(recomputed[name], gradient)


def test_recomputation_runs_each_block_again(model: Any, tokens: Tensor) -> None:
    """Else the test above would prove nothing."""
    ours = model(recompute=True)
    calls = []
    ours.routers[0].register_forward_hook(lambda *_: calls.append(1))
    ours.loss(tokens, shifted(tokens)).total.backward()
    assert len(calls) == 2


def test_update_bias_moves_every_router_by_its_own_row(model: Any, tokens: Tensor) -> None:
    ours: Transformer = model(num_nextn_predict_layers=1)
    before = [router.e_score_correction_bias.clone() for router in ours.routers]
    load_LE = ours.loss(tokens, shifted(tokens)).load_LE
    assert load_LE[-1].sum() == 0, "the MTP layer did not run"
    ours.update_bias(load_LE, 0.25)
    for router, old_E, load_E in zip(ours.routers, before, load_LE.float(), strict=True):
        moved_E = old_E - 0.25 * torch.sign(load_E - load_E.mean())
        torch.testing.assert_close(router.e_score_correction_bias, moved_E - moved_E.mean())


def test_cast_keeps_routers_and_norms_in_float32_and_the_logits_near(model: Any, tokens: Tensor) -> None:
    ours: Transformer = model()
    exact = ours(tokens)
    ours.cast(torch.bfloat16)
    for name, tensor in ours.state_dict().items():
        assert tensor.dtype == (torch.float32 if ".mlp.gate." in name or "norm" in name else torch.bfloat16), name
    rough = ours(tokens)
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() / exact.norm() < 0.1
    losses = ours.loss(tokens, shifted(tokens), balance_weight=0.01)
    losses.total.backward()
    assert losses.total.dtype == torch.float32
    assert all(parameter.grad is not None for parameter in ours.parameters())


def test_a_model_on_the_meta_device_has_its_positions(config: Any, model: Any, tokens: Tensor) -> None:
    ours = model()
    with torch.device("meta"):
        empty = Transformer(config())
    empty.load_state_dict(ours.state_dict(), assign=True)
    assert torch.equal(empty(tokens), ours(tokens))


def test_errors_say_what_is_wrong(model: Any) -> None:
    ours = model(max_position_embeddings=16)
    tokens_BT = torch.zeros(1, 17, dtype=torch.int64)
    with pytest.raises(ValueError, match="sequence of 17 tokens is longer than the context of 16"):
        ours(tokens_BT)
    with pytest.raises(ValueError, match="num_nextn_predict_layers"):
        ours.loss(tokens_BT[:, :8], tokens_BT[:, :8], mtp_weight=0.1)
