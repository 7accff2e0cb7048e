import pytest

from vigie.errors import UnknownPartError
from vigie.text import NORMALISERS, normaliser


@pytest.mark.parametrize("name", ["logs", "social"])
def test_normaliser_when_name_is_known_then_makes_it(name: str) -> None:
    assert type(normaliser(name)) is NORMALISERS[name]


def test_normaliser_when_name_is_unknown_then_lists_the_known() -> None:
    with pytest.raises(UnknownPartError, match=r"'tweets'; known are: logs, social"):
        normaliser("tweets")
