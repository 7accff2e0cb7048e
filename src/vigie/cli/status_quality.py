"""How good the answers are, as lines of `vigie status`."""

from collections.abc import Iterator, Mapping
from typing import Any


def quality(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return what is known of the answers, as pairs of a name and a sentence.

    Parameters
    ----------
    found
        What `Services.status` returns under ``quality``.
    """
    for dimension, one in found["agreement"].items():
        kappa, alpha = one["kappa"], one["alpha"]
        if kappa or alpha:
            pairs = (("Cohen's kappa", kappa), ("Krippendorff's alpha", alpha))
            shown = "; ".join(f"{name} {_measure(measure)}" for name, measure in pairs if measure)
            yield f"{dimension} agreed", f"{shown}; groups answered twice: {(kappa or alpha)['n_groups']:,}"
    gold = found["gold"]
    if gold["accuracy"]:
        one = gold["accuracy"]
        yield (
            "gold questions",
            f"{one['value']:.1%} right ({one['low']:.1%} to {one['high']:.1%}; answers: {one['n']:,})",
        )
    waiting = {
        "people disagree": found["disagreements"],
        "doubted": found["doubts"],
        "too fast": found["too_fast"],
    }
    if any(waiting.values()):
        yield "to review", ", ".join(f"{n:,} {name}" for name, n in waiting.items() if n)


def _measure(one: Mapping[str, float]) -> str:
    return f"{one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
