"""The vocabulary that a model of a given size wants, by the law of Tao et al. 2024 (arXiv:2407.13623).

Fitted on dense models from 33 M to 3 B parameters, each trained on as much text as its compute is best spent on: at the
optimum the vocabulary's parameters N_v = entries · hidden size grow as the 0.83th power of all others, N_nv. Of models
with experts the law says nothing: neither of their two counts is what it was fitted on.
"""

import math
from typing import NamedTuple

__all__ = ["VocabularyRange", "best_vocabulary"]

# Approach 1: N_nv = e^-2.4847 · FLOPs^0.5 and N_v = e^-1.5890 · FLOPs^0.41636 along the best runs of each budget.
_LOG_SCALE = -1.589031299255507 + 2 * 0.4163622634135234 * 2.4846510161625193
_EXPONENT = 2 * 0.4163622634135234
# Approach 2: N_v from the derivative of the compute by the vocabulary, from one point that was measured.
_MEASURED = (33e6, 3_145_728)
_DERIVED_EXPONENT = 0.8353974035228025


class VocabularyRange(NamedTuple):
    """Entries by the paper's first fit (runs of equal compute) and by its second (the derivative)."""

    equal_compute: int
    derivative: int


def best_vocabulary(other_parameters: float, hidden_size: int) -> VocabularyRange:
    """For a model with so many parameters besides embedding and head. ValueError if there are none."""
    if other_parameters <= 0 or hidden_size <= 0:
        raise ValueError(f"a model needs parameters and a width, found {other_parameters:g} and {hidden_size}")
    first = math.exp(_LOG_SCALE) * other_parameters**_EXPONENT
    measured, parameters = _MEASURED
    second = parameters * (other_parameters / measured) ** _DERIVED_EXPONENT
    return VocabularyRange(round(first / hidden_size), round(second / hidden_size))
