import krippendorff
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score

from learner_fakes import SEVERITY, TOPIC, Said, effective
from vigie.quality.agreement import MIN_GROUPS, agreements, alphas, kappas

LABELS = SEVERITY.label_names


def said_by(annotator: str, codes: list[int], first: int = 0) -> list[Said]:
    return [Said(first + group, LABELS[code], annotator=annotator) for group, code in enumerate(codes)]


def noisy(codes: list[int], share: float, seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return [int(rng.integers(3)) if rng.random() < share else code for code in codes]


@pytest.mark.parametrize("seed", range(5))
def test_alphas_when_compared_with_the_package_then_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.array([rng.multinomial(rng.integers(2, 5), [0.5, 0.3, 0.2]) for _ in range(40)])
    weights = np.array([np.ones(40), rng.integers(3, size=40)])

    found = alphas(counts, weights)

    expected = [
        krippendorff.alpha(value_counts=np.repeat(counts, row.astype(int), axis=0), level_of_measurement="nominal")
        for row in weights
    ]
    assert found.tolist() == pytest.approx(expected)


TRUTH = [int(code) for code in np.random.default_rng(7).choice(3, 60, p=[0.6, 0.3, 0.1])]


@pytest.mark.parametrize("seed", range(5))
def test_kappas_when_compared_with_scikit_learn_then_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(4, size=(2, 50))
    weights = np.array([np.ones(50), rng.integers(3, size=50)])

    found = kappas(first, second, weights, 4)

    expected = [cohen_kappa_score(first, second, sample_weight=row) for row in weights]
    assert found.tolist() == pytest.approx(expected)


def test_agreements_when_two_people_answered_then_as_the_libraries_say_with_an_interval_around_it() -> None:
    first, second = TRUTH, noisy(TRUTH, 0.3, 1)

    found = agreements(effective(*said_by("ann", first), *said_by("bob", second)), [SEVERITY])["severity"]

    assert found.kappa is not None
    assert found.alpha is not None
    assert found.kappa.value == pytest.approx(cohen_kappa_score(first, second))
    alpha = krippendorff.alpha(reliability_data=[first, second], level_of_measurement="nominal")
    assert found.alpha.value == pytest.approx(alpha)
    for one in (found.kappa, found.alpha):
        assert one.low < one.value < one.high
        assert (one.n_groups, one.n_annotators) == (60, 2)


def test_agreements_when_three_people_overlap_then_kappa_is_the_mean_over_pairs_by_groups_in_common() -> None:
    ann, bob, eve = TRUTH, noisy(TRUTH[:40], 0.3, 2), noisy(TRUTH[:20], 0.5, 3)
    pairs = [(ann[:40], bob), (ann[:20], eve), (bob[:20], eve)]

    found = agreements(effective(*said_by("ann", ann), *said_by("bob", bob), *said_by("eve", eve)), [SEVERITY])[
        "severity"
    ]

    mean = np.average([cohen_kappa_score(*pair) for pair in pairs], weights=[40, 20, 20])
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(mean)
    assert (found.kappa.n_groups, found.kappa.n_annotators) == (40, 3)


def test_agreements_when_computed_again_then_the_same() -> None:
    said = effective(*said_by("ann", TRUTH), *said_by("bob", noisy(TRUTH, 0.3, 1)))

    assert agreements(said, [SEVERITY], seed=3) == agreements(said, [SEVERITY], seed=3)
    assert agreements(said, [SEVERITY], seed=3) != agreements(said, [SEVERITY], seed=4)


@pytest.mark.parametrize(
    "said",
    [
        [],
        said_by("ann", TRUTH),
        [*said_by("ann", TRUTH), *said_by("bob", TRUTH[: MIN_GROUPS - 1])],
        [*said_by("ann", [1] * 20), *said_by("bob", [1] * 20)],
        [Said(group, "gone", annotator=name) for group in range(20) for name in ("ann", "bob")],
    ],
    ids=["nothing", "one person", "too few", "one label only", "labels of another time"],
)
def test_agreements_when_there_is_too_little_to_say_then_nothing(said: list[Said]) -> None:
    found = agreements(effective(*said), [SEVERITY, TOPIC])

    assert [(one.kappa, one.alpha) for one in found.values()] == [(None, None)] * 2


def test_agreements_when_a_reviewer_settled_then_that_is_no_opinion_of_its_own() -> None:
    settled = [Said(group, "info", annotator="rev", settled=True) for group in range(20)]

    assert agreements(effective(*said_by("ann", TRUTH), *settled), [SEVERITY])["severity"].kappa is None


def test_agreements_when_everybody_agrees_on_several_labels_then_one() -> None:
    found = agreements(effective(*said_by("ann", TRUTH), *said_by("bob", TRUTH)), [SEVERITY])["severity"]

    assert found.kappa is not None
    assert found.alpha is not None
    assert (found.kappa.value, found.alpha.value) == (1.0, 1.0)


@pytest.mark.parametrize("name", ["group_id", "template", "annotator", "row", "column", "code"])
def test_agreements_when_a_person_is_called_like_a_column_then_the_same(name: str) -> None:
    others = noisy(TRUTH, 0.3, 1)

    found = agreements(effective(*said_by(name, TRUTH), *said_by("zoe", others)), [SEVERITY])
    usual = agreements(effective(*said_by("ann", TRUTH), *said_by("zoe", others)), [SEVERITY])

    assert found == usual


def test_agreements_when_one_person_spoke_of_parts_that_have_no_group_of_their_own_yet_then_that_is_no_comparison() -> (
    None
):
    said = effective(*said_by("ann", TRUTH), *said_by("bob", noisy(TRUTH, 0.3, 1)))
    parts = effective(Said(99, LABELS[0]), Said(99, LABELS[1])).with_columns(template=pl.Series(["t 200", "t 500"]))

    assert agreements(pl.concat([said, parts]), [SEVERITY]) == agreements(said, [SEVERITY])
