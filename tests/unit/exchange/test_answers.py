import uuid
from datetime import timedelta, timezone

import pytest

from builders import NOON
from vigie.exchange.answers import Answer, name_of


def test_name_of_when_the_zone_differs_then_is_the_same_uuid() -> None:
    paris = NOON.astimezone(timezone(timedelta(hours=1)))

    name = name_of("disk <n> failed", "ann", NOON)

    assert name == name_of("disk <n> failed", "ann", paris)
    assert uuid.UUID(name).version == 8
    assert uuid.UUID(name).variant == uuid.RFC_4122


@pytest.mark.parametrize(
    "other",
    [("disk", "ann", NOON), ("a", "bob", NOON), ("a", "ann", NOON + timedelta(microseconds=1)), ("aa", "nn", NOON)],
)
def test_name_of_when_anything_differs_then_is_another(other: tuple[str, str, object]) -> None:
    assert name_of(*other) != name_of("a", "ann", NOON)  # type: ignore[arg-type]


def test_answers_when_only_the_line_differs_then_are_equal() -> None:
    assert Answer("a", {"severity": "info"}, line=1) == Answer("a", {"severity": "info"}, line=2)
