"""Same text, model version, rules and thresholds: same labels and route, whatever the batch size or worker."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_dimension
from vigie.rules import Rules
from vigie.stream.labeller import Labeller
from vigie.stream.routing import Policy

DIMENSIONS = (a_dimension("severity"), a_dimension("mood", ("good", "bad")))
TEXTS = [f"t{place}" for place in range(8)]
SHARES = st.floats(0.01, 0.99)
EVIDENCE = st.lists(st.tuples(SHARES, SHARES), max_size=6).map(tuple)


class Version:
    """A model version that is as sure of each text as it was told."""

    version = "7"
    dimensions = DIMENSIONS

    def __init__(self, sure: list[float], proven: dict[str, tuple[tuple[float, float], ...]]) -> None:
        self.answers = {"t0": {"severity": "error"}}
        self.evidence = proven
        self._sure = dict(zip(TEXTS, sure, strict=True))

    def predict_proba(self, templates: pl.Series) -> dict[str, np.ndarray]:
        sure = np.array([self._sure[template] for template in templates])
        rest = 1 - sure
        return {"severity": np.column_stack([sure, rest / 2, rest / 2]), "mood": np.column_stack([sure, rest])}

    def explain(self, template: str, dimension: str, label: str) -> list[object]:
        return []


@given(
    sure=st.lists(SHARES, min_size=len(TEXTS), max_size=len(TEXTS)),
    proven=st.fixed_dictionaries({"severity": EVIDENCE, "mood": EVIDENCE}),
    targets=st.dictionaries(st.sampled_from(["severity", "mood"]), SHARES),
    texts=st.lists(st.sampled_from(TEXTS), max_size=30),
    size=st.integers(1, 7),
)
@settings(max_examples=60, deadline=None)
def test_routes_when_precision_is_promised_then_batches_and_workers_agree(
    sure: list[float],
    proven: dict[str, tuple[tuple[float, float], ...]],
    targets: dict[str, float],
    texts: list[str],
    size: int,
) -> None:
    one, other = (Labeller(policy, normalise=lambda some: some) for policy in [a_policy(targets)] * 2)
    one.use(model=Version(sure, proven))
    other.use(policy=a_policy({}), model=Version(sure, {}))  # what was in force before leaves no trace
    other.use(policy=a_policy(targets), model=Version(sure, proven))

    whole = one.predict(texts)
    parts = [found for start in range(0, len(texts), size) for found in other.predict(texts[start : start + size])]

    assert whole == parts


def a_policy(targets: dict[str, float]) -> Policy:
    return Policy(DIMENSIONS, Rules.empty(DIMENSIONS), targets=targets)
