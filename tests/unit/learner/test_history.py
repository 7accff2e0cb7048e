import pytest

from builders import NOON
from vigie.errors import UnavailableError
from vigie.learner.history import MOST, History
from vigie.learner.stopping import predicted_gain
from vigie.learner.trainer import points
from vigie.registry import Registry, VersionInfo


class Counting(Registry):
    """A registry with many versions, some of them deleted, that counts what it is asked."""

    def __init__(self, n: int, deleted: frozenset[int] = frozenset()) -> None:
        self.all = [a_version(number) for number in range(n, 0, -1) if number not in deleted]
        self.asked = 0
        self.away = False

    def versions(self, limit: int = 20, *, before: int | None = None) -> list[VersionInfo]:
        self.asked += 1
        if self.away:
            raise UnavailableError("the registry does not answer")
        return [one for one in self.all if before is None or int(one.version) < before][:limit]


def a_version(number: int) -> VersionInfo:
    n, error = 10 * number, 0.5 * number**-0.5
    metrics = {
        "accuracy.severity": 1 - error,
        "accuracy_low.severity": 0.9 - error,
        "accuracy_high.severity": 1.0,
        "n_audited.severity": float(n),
    }
    tags = {"vigie.recipe": "r", "vigie.n_answers": str(n), "vigie.last_annotation": "1", "validation_status": "passed"}
    return VersionInfo(str(number), NOON, metrics, (), tags)


def test_before_when_there_are_hundreds_of_versions_then_the_learning_curve_spans_most_of_the_answers() -> None:
    registry = Counting(400)
    newest = registry.versions(50)
    assert predicted_gain(points(newest), "severity") is None

    found = History(registry).before(newest)

    assert [int(one.version) for one in found] == [291, 194, 129, 86, 57, 38, 25, 17]
    gain = predicted_gain(points([*newest, *found]), "severity")
    assert gain is not None
    assert gain.value == pytest.approx(0.5 * 400**-0.5 - 0.5 * 405**-0.5, rel=0.01)


def test_before_when_asked_again_then_nothing_is_looked_up_twice() -> None:
    registry = Counting(400)
    history, newest = History(registry), registry.versions(50)
    history.before(newest)
    asked = registry.asked

    assert len(history.before(newest)) == MOST
    assert registry.asked == asked


def test_before_when_versions_were_deleted_then_those_before_them_each_once() -> None:
    registry = Counting(100, deleted=frozenset(range(20, 40)))

    found = History(registry).before(registry.versions(50))

    assert [int(one.version) for one in found] == [19, 17, 11, 7, 5, 3, 2]


@pytest.mark.parametrize("n", [0, 1, 30])
def test_before_when_all_versions_are_new_then_none(n: int) -> None:
    registry = Counting(n)

    assert History(registry).before(registry.versions(50)) == []


def test_before_when_the_registry_does_not_answer_then_it_is_asked_again() -> None:
    registry = Counting(100)
    history, newest = History(registry), registry.versions(50)
    registry.away = True
    with pytest.raises(UnavailableError):
        history.before(newest)
    registry.away = False

    assert history.before(newest)
