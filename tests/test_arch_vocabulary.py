import pytest

from axk1.arch.vocabulary import best_vocabulary


@pytest.mark.parametrize(
    ("other_parameters", "hidden_size", "equal_compute", "derivative"),
    [  # arXiv:2407.13623, table 1, widths of its code: thousands of entries
        (3e9, 3200, 39, 43),
        (7e9, 4096, 62, 67),
        (13e9, 5120, 83, 91),
        (30e9, 6048, 142, 154),
        (70e9, 8192, 212, 231),
        (130e9, 12288, 237, 258),
        (300e9, 16384, 356, 389),
    ],
)
def test_published_points(other_parameters: float, hidden_size: int, equal_compute: int, derivative: int) -> None:
    found = best_vocabulary(other_parameters, hidden_size)
    assert found.equal_compute / 1000 == pytest.approx(equal_compute, abs=1)
    assert found.derivative / 1000 == pytest.approx(derivative, abs=1)


def test_the_measured_point_is_given_back() -> None:
    assert best_vocabulary(33e6, 512).derivative == 6144


def test_nothing_has_no_vocabulary() -> None:
    with pytest.raises(ValueError, match="needs parameters"):
        best_vocabulary(0, 512)
