import math
from collections import Counter

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axk1.data.evaluation import Evaluation
from axk1.data.rows import IGNORED
from axk1.data.shards import ShardError


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=30).filter(any),
    *(st.integers(1, 9), st.integers(1, 4), st.none() | st.integers(1, 40)),
)
def test_every_token_of_the_chosen_documents_is_a_target_once(make_shards, lengths, seq_len, batch_size, chosen):
    documents = [[100 * number + place + 10 for place in range(length)] for number, length in enumerate(lengths)]
    shards = make_shards(documents)
    evaluation = Evaluation(shards, seq_len, batch_size, chosen)
    targets: Counter[int] = Counter()
    for batch in evaluation:
        assert batch.tokens_BT.shape[1] == seq_len
        assert 1 <= len(batch.tokens_BT) <= batch_size
        targets.update(batch.targets_BT.flatten().tolist())
        follows = batch.targets_BT[:, :-1]
        assert torch.equal(follows[follows != IGNORED], batch.tokens_BT[:, 1:][follows != IGNORED])
    del targets[IGNORED]
    seen = {target // 100 for target in targets}
    assert targets == Counter(token for number in seen for token in documents[number])
    assert evaluation.text_bytes == sum(3 * len(documents[number]) for number in seen)
    if chosen is None or chosen >= len(lengths):
        assert seen == {number for number, length in enumerate(lengths) if length}
    else:
        assert len(seen) <= chosen


def test_bits_per_byte_of_an_even_guess_does_not_depend_on_the_rows(make_shards):
    """A model that thinks all 256 ids equally likely spends 8 bits a token, on 3 bytes of text each."""
    shards = make_shards([[5] * n for n in (3, 50, 1, 17)], vocab_size=256)
    for seq_len, batch_size in ((4, 2), (16, 3), (200, 1)):
        evaluation = Evaluation(shards, seq_len, batch_size)
        nats = sum(int((batch.targets_BT != IGNORED).sum()) * math.log(256) for batch in evaluation)
        assert nats / math.log(2) / evaluation.text_bytes == pytest.approx(8 / 3)


def test_nothing_to_measure_is_an_error(make_shards):
    with pytest.raises(ShardError, match="holds no tokens"):
        Evaluation(make_shards([]), 4, 1)
