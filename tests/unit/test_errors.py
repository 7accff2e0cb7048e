import inspect
import re

import pytest

from vigie import errors
from vigie.errors import MissingExtraError, UnavailableError, VigieError

KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, VigieError)]
PLAIN = [kind for kind in KINDS if kind is not MissingExtraError]
TREE = (errors.__doc__ or "").splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_error_when_it_can_be_raised_then_the_tree_has_it_once(kind: type[VigieError]) -> None:
    assert sum(re.search(rf"\b{kind.__name__}\b", line) is not None for line in TREE) == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.__base__ is VigieError or len(kind.__bases__) > 1])
def test_error_when_callers_expect_a_builtin_then_it_is_one_and_the_tree_says_which(kind: type[VigieError]) -> None:
    builtin = next(base for base in kind.__bases__ if not issubclass(base, VigieError))

    assert any(f"{kind.__name__} ({builtin.__name__})" in line for line in TREE)
    assert issubclass(builtin, Exception)


@pytest.mark.parametrize("kind", PLAIN)
def test_error_when_nothing_is_said_then_its_docstring_is_the_message(kind: type[VigieError]) -> None:
    assert str(kind()) == kind.__doc__
    assert str(kind("")) == kind.__doc__
    assert str(kind("what failed")) == "what failed"


def test_missing_extra_when_raised_then_it_names_the_command() -> None:
    assert str(MissingExtraError("bert.v1", "bert")) == (
        "bert.v1 needs more packages; install them with: pip install 'vigie[bert]'"
    )


def test_unavailable_when_nothing_is_said_then_it_is_tried_again_in_a_second() -> None:
    assert UnavailableError("away").retry_after_seconds == 1.0
    assert UnavailableError("away", retry_after_seconds=7).retry_after_seconds == 7
