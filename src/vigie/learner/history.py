"""A few versions from long before the newest ones, so that a learning curve spans more than the last trainings."""

from collections.abc import Sequence

from vigie.registry import Registry, VersionInfo

GROWTH = 1.5
"""About each of them has so many times the number of the one before: with ten answers to a training, so many times the answers."""

MOST = 8
"""So many at most: back to a twenty-fifth of the answers."""

_NUMBERS = sorted({int(GROWTH**power) for power in range(1, 40)})


class History:
    """Finds them, and remembers them: what their trainings measured never changes.

    Parameters
    ----------
    registry
        Where versions are.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[int, VersionInfo | None] = {}

    def before(self, newest: Sequence[VersionInfo]) -> list[VersionInfo]:
        """Return versions older than these, newest first, each once.

        Parameters
        ----------
        newest
            The newest versions, newest first.

        Raises
        ------
        UnavailableError
            The registry does not answer.
        """
        oldest = int(newest[-1].version) if newest else 0
        numbers = [number for number in _NUMBERS if number < oldest][-MOST:]
        found = {one.version: one for one in map(self._at, reversed(numbers)) if one is not None}
        return list(found.values())

    def _at(self, number: int) -> VersionInfo | None:
        """Return the version with a number, or the last before it, where that was deleted."""
        if number not in self._known:
            self._known[number] = next(iter(self._registry.versions(limit=1, before=number + 1)), None)
        return self._known[number]
