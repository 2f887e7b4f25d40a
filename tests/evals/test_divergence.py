"""KL divergence, perplexity and agreement against sums written out token by token."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from axk1.evals import windows
from axk1.evals.divergence import compare
from axk1.evals.windows import Floats, Logits, Text

VOCABULARY, START = 23, 3
TEXTS = [Text([4, 5, 6, 7], 9), Text([8], 2), Text(list(range(20)) * 40, 1000)]


def table(seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((VOCABULARY, VOCABULARY)).astype(np.float32) * 3


def bigram(table_VV: Floats) -> Logits:
    """A model that looks at the last token alone."""
    return lambda inputs: [table_VV[np.asarray(ids)] for ids in inputs]


def probabilities(table_VV: Floats) -> npt.NDArray[np.float64]:
    exponentials = np.exp(table_VV.astype(np.float64))
    return exponentials / exponentials.sum(1, keepdims=True)


def steps(text: Text) -> Sequence[tuple[int, int]]:
    return list(zip([START, *text.ids], text.ids, strict=False))


@pytest.mark.parametrize("block", [1 << 20, 3 * VOCABULARY, 1])
def test_every_measure_is_the_sum_it_says(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_BLOCK", block)
    one, other = table(0), table(1)
    found = compare("texts", TEXTS, START, bigram(one), bigram(other))
    p, q = probabilities(one), probabilities(other)
    places = [place for text in TEXTS for place in steps(text)]
    kl = [float((p[last] * np.log(p[last] / q[last])).sum()) for last, _ in places]
    assert (found.documents, found.model.tokens, found.model.bytes) == (3, len(places), 1011)
    assert found.mean_kl == pytest.approx(np.mean(kl), rel=1e-9)
    assert found.kl_99 == pytest.approx(np.percentile(kl, 99), rel=1e-9)
    assert found.agreement == np.mean([p[last].argmax() == q[last].argmax() for last, _ in places])
    for prediction, probability in ((found.reference, p), (found.model, q)):
        bits = [-np.log2(probability[last, token]) for last, token in places]
        assert prediction.bits == pytest.approx(sum(bits))
        assert prediction.perplexity == pytest.approx(2 ** np.mean(bits))
        assert prediction.bits_per_byte == pytest.approx(sum(bits) / 1011)


def test_a_model_beside_itself() -> None:
    found = compare("texts", TEXTS, START, bigram(table(0)), bigram(table(0).copy()))
    assert (found.mean_kl, found.kl_99, found.agreement) == (0.0, 0.0, 1.0)
    assert found.reference == found.model


def test_a_shift_of_all_logits_is_no_difference() -> None:
    found = compare("texts", TEXTS, START, bigram(table(0)), bigram(table(0) + np.float32(50)))
    assert abs(found.mean_kl) < 1e-6


def test_only_what_is_measured_counts() -> None:
    one, other = table(0), table(1)
    found = compare("texts", [Text([4, 5, 6], 2, [False, True, False])], START, bigram(one), bigram(other))
    p, q = probabilities(one)[4], probabilities(other)[4]
    assert found.model.tokens == 1
    assert found.mean_kl == pytest.approx(float((p * np.log(p / q)).sum()))


@pytest.mark.parametrize("texts", [[], [Text([], 0)], [Text([1, 2], 0, [False, False])]])
def test_nothing_to_measure_is_an_error(texts: list[Text]) -> None:
    with pytest.raises(ValueError, match=r"a\.txt: no text to compare with"):
        compare("a.txt", texts, START, bigram(table(0)), bigram(table(1)))
