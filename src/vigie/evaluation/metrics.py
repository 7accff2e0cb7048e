"""How good predictions are. What the audit sample says of a model is measured in `vigie.learner.numbers`."""

from collections.abc import Sequence

from sklearn.metrics import f1_score


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the mean F1 of the labels that occur in truth or predictions, rare ones counting as much; NaN without any.

    Parameters
    ----------
    truth, predicted
        Labels, length n.
    """
    if not len(truth):
        return float("nan")
    return float(f1_score(truth, predicted, average="macro", zero_division=0))
