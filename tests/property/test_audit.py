"""The audit sample measures and never trains, and its estimates are true."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from benchmarks.audit_coverage import coverage
from hypothesis import given, settings
from hypothesis import strategies as st

from learner_fakes import EFFECTIVE, SEVERITY, TOPIC, KnowingModel, Said, effective
from vigie.learner.answers import Answers
from vigie.learner.audit import Estimate, draw, successive
from vigie.learner.numbers import measure
from vigie.learner.training import DataSet

DIMENSIONS = (SEVERITY, TOPIC)
PROJECTS = 300


def said() -> st.SearchStrategy[list[Said]]:
    """Return annotations of few groups by few people, each about one thing once."""
    labels = st.sampled_from([("severity", name) for name in SEVERITY.label_names] + [("topic", "disk")])
    each = st.builds(
        lambda group, label, annotator, purpose, minute: Said(
            group, label[1], label[0], annotator, purpose, count=1 + group * 3, minute=minute
        ),
        st.integers(0, 6),
        labels,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["train", "audit"]),
        st.integers(0, 60),
    )
    return st.lists(each, max_size=25, unique_by=lambda one: (one.group_id, one.dimension, one.annotator))


@given(said())
def test_training_rows_when_some_groups_are_audited_then_never_hold_one(annotations: list[Said]) -> None:
    frame = effective(*annotations)
    audited = set(frame.filter(pl.col("purpose") == "audit")["template"])

    answers = Answers.of(frame, DIMENSIONS)

    assert not audited & set(DataSet.of(answers, DIMENSIONS).texts)
    assert set(answers.audit["template"]) <= audited
    assert not set(answers.train["group_id"]) & set(answers.audit["group_id"])


@given(said(), st.randoms(use_true_random=False))
def test_data_set_when_annotations_are_shuffled_then_stays_the_same(annotations: list[Said], random: Any) -> None:
    shuffled = random.sample(annotations, len(annotations))

    one, other = (DataSet.of(Answers.of(effective(*some), DIMENSIONS), DIMENSIONS) for some in (annotations, shuffled))

    assert one.digest == other.digest
    assert one.labels.equals(other.labels)


@given(said(), st.sets(st.integers(0, 6)), st.integers(0, 500))
def test_estimate_when_made_then_is_a_share_within_its_interval(
    annotations: list[Said], wrong: set[int], n_messages: int
) -> None:
    says = {f"t{one.group_id}": one.label for one in annotations if one.group_id not in wrong}
    model = KnowingModel({"severity": {t: label for t, label in says.items() if label in SEVERITY.label_names}})

    found = measure(Answers.of(effective(*annotations), [SEVERITY]), model, [SEVERITY], n_messages=n_messages)

    known = found["severity"]
    for one in (known.accuracy, known.macro_f1) if known else ():
        assert -1e-9 <= one.low <= one.value + 1e-9 <= one.high + 2e-9 <= 1 + 3e-9
        assert one.new_low <= one.new_value + 1e-9 <= one.new_high + 2e-9


@given(st.lists(st.tuples(st.integers(1, 1000), st.booleans()), min_size=1, max_size=30))
def test_successive_when_every_group_was_drawn_then_holds_at_least_what_is_known(
    groups: list[tuple[int, bool]],
) -> None:
    sizes, flags = np.array([size for size, _ in groups], dtype=float), np.array([flag for _, flag in groups])

    share = successive(sizes, flags, sizes.sum())

    assert -1e-9 <= share <= 1 + 1e-9
    if flags.all() or not flags.any():
        assert share == pytest.approx(float(flags[0]))


@given(st.lists(st.integers(1, 10**6), max_size=60), st.integers(0, 80), st.integers(0, 2**32))
@settings(max_examples=50)
def test_draw_when_made_then_returns_different_rows(sizes: list[int], n: int, seed: int) -> None:
    rows = draw(np.array(sizes, dtype=np.int64), n, np.random.default_rng(seed)).tolist()

    assert len(rows) == len(set(rows)) == min(n, len(sizes))
    assert set(rows) <= set(range(len(sizes)))


class Project:
    """A pool of groups of very different sizes, some of which people answered for training, and what a model gets right.

    It is right about nine in ten of the groups it has seen, and about seven in ten of the others; larger ones are easier.
    """

    def __init__(self, rng: np.random.Generator, largest: float) -> None:
        self.n = 800
        self.sizes = rng.zipf(1.6, self.n).clip(1, 5000).astype(np.int64)
        self.sizes[0] = max(1, int(largest * self.sizes.sum()))
        self.seen = np.argsort(-self.sizes * rng.random(self.n))[:60]
        easy = np.where(self.sizes > np.median(self.sizes), 0.8, 0.65)
        easy[self.seen] = 0.9
        self.right = rng.random(self.n) < easy
        self.truth = float((self.sizes * self.right).sum() / self.sizes.sum())

    def estimate(self, n_audited: int, rng: np.random.Generator) -> Estimate:
        """Draw an audit sample and estimate the share of messages that is right."""
        others = np.setdiff1d(np.arange(self.n), self.seen)
        drawn = others[draw(self.sizes[others], n_audited, rng)]
        answers = Answers.of(pl.concat([self._said(self.seen, "train"), self._said(drawn, "audit")]), [SEVERITY])
        model = KnowingModel({"severity": {f"t{row}": "error" for row in np.flatnonzero(self.right)}})
        found = measure(answers, model, [SEVERITY], n_messages=int(self.sizes.sum()))["severity"]
        assert found is not None
        return found.accuracy

    def _said(self, rows: np.ndarray[Any, Any], purpose: str) -> pl.DataFrame:
        said = [
            Said(int(row), "error", purpose=purpose, count=int(self.sizes[row]), minute=minute)
            for minute, row in enumerate(rows)
        ]
        return effective(*said) if said else pl.DataFrame(schema=EFFECTIVE)


@pytest.mark.parametrize("largest", [0.05, 1.5])
@pytest.mark.parametrize("n_audited", [10, 40])
def test_estimate_when_many_projects_are_simulated_then_it_is_unbiased_and_covers_the_truth(
    largest: float, n_audited: int
) -> None:
    rng = np.random.default_rng(20)
    projects = [Project(rng, largest) for _ in range(PROJECTS)]

    estimates = [project.estimate(n_audited, rng) for project in projects]

    errors = [one.value - project.truth for one, project in zip(estimates, projects, strict=True)]
    covered = [one.low <= project.truth <= one.high for one, project in zip(estimates, projects, strict=True)]
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(PROJECTS) + 0.005
    assert np.mean(covered) >= 0.93


def test_numbers_when_projects_are_simulated_then_intervals_and_promises_keep_their_word() -> None:
    found = coverage(60, seed=4)

    assert {name: share for name, (share, _) in found.items() if share < 0.93} == {}
    assert found["promise, model on new groups 0.9"][1] >= 20
