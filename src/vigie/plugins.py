"""Finding interchangeable parts by name, through entry points, so that other packages can add theirs."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from vigie.errors import UnknownPartError

FAMILIES = {"sources": "source", "sinks": "sink", "classifiers": "classifier", "strategies": "query strategy"}
"""What to ask for, and what one of them is called."""


def names(family: str) -> list[str]:
    """List the installed parts of a family (``sources``, ``sinks``, ``classifiers``, ``strategies``), sorted."""
    return sorted({point.name for point in _points(family)})


def load(family: str, name: str) -> Any:
    """Import and return the class registered as `name` in a family.

    Raises
    ------
    UnknownPartError
        No such part is installed; the message lists those that are.
    MissingExtraError
        The part is there, but not the packages it needs.
    """
    for point in _points(family):
        if point.name == name:
            return point.load()
    raise UnknownPartError(
        f"no {FAMILIES.get(family, family)} is called {name!r}; installed are: {', '.join(names(family))}"
    )


def _points(family: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"vigie.{family}"))
