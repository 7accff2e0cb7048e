"""What the registry keeps of a model version's numbers: one metric per measure and dimension."""

import re
from collections.abc import Mapping

from vigie.learner.numbers import Numbers

_REFUSED = re.compile(r"[^\w\- ]")


def measures(numbers: Mapping[str, Numbers | None]) -> dict[str, float]:
    """Return numbers as metrics: ``accuracy.<dimension>`` and so on; what is not known is left out."""
    found: dict[str, float] = {}
    for dimension, one in numbers.items():
        if one is not None:
            values = {
                "accuracy": one.accuracy.value,
                "accuracy_low": one.accuracy.low,
                "accuracy_high": one.accuracy.high,
                "accuracy_new": one.accuracy.new_value,
                "n_audited": float(one.accuracy.n_audited),
                "macro_f1": one.macro_f1.value,
                "macro_f1_low": one.macro_f1.low,
                "macro_f1_high": one.macro_f1.high,
                "calibration_error": one.calibration.error,
            }
            found |= {metric_name(name, dimension): value for name, value in values.items()}
    return found


def metric_name(measure: str, dimension: str) -> str:
    """Return what a measure of a dimension is called in the registry.

    Examples
    --------
    >>> metric_name("accuracy", "état/jour")
    'accuracy.état_jour'
    """
    return allowed(f"{measure}.{dimension}")


def allowed(name: str) -> str:
    """Return a name that MLflow takes for parameters and metrics; a dot keeps its parts apart."""
    return ".".join(_REFUSED.sub("_", part) or "_" for part in name.split("."))
