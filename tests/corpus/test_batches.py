from axk1.corpus.batches import in_batches
from axk1.corpus.documents import Document


def test_batches_are_bounded_by_their_size():
    sizes = [len(batch) for batch in in_batches((Document("x" * n, "", "") for n in [60, 60, 150, 1, 1]), 100, 4096)]
    assert sizes == [2, 1, 2]


def test_batches_are_bounded_by_their_number():
    assert [len(batch) for batch in in_batches((Document("x", "", "") for _ in range(5)), 100, 2)] == [2, 2, 1]
