"""Which key chooses which label."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest

from vigie.labels import Dimension

DIGITS = "1234567890"
LETTERS = "abcdefghilmnopqrstuvwxyzjk"
"""As they are given to labels that none of their own is left for; j and k move in the panels."""

ACTIONS = {
    "undo": "u",
    "skip": "s",
    "flag": "f",
    "open": "o",
    "similar": "m",
    "find": "/",
    "guidelines": "g",
    "keys": "?",
}
"""What the other keys do; with Enter they never choose a label."""

Pair = tuple[str, str]


def assign(dimensions: Sequence[Dimension], *, reserved: str = "") -> dict[str, dict[str, str]]:
    """Give each label a key of its own.

    The first dimension takes the digits, in order. The others take letters that can be remembered: the label's first
    letter, else the first letter of another of its words, else any letter of it, else any letter. No letter depends on
    where a keyboard has it, so AZERTY, QWERTZ and QWERTY agree. Labels beyond the last free letter have no key; they
    are found by typing, or clicked.

    Parameters
    ----------
    dimensions
        What is asked.
    reserved
        Letters that choose no label, besides those of `ACTIONS`.

    Returns
    -------
    Dimension → label → key, in the order of the dimensions and their labels.

    Examples
    --------
    >>> from vigie.labels import Label
    >>> assign([Dimension("severity", (Label("info"), Label("error"))), Dimension("kind", (Label("Network"),))])
    {'severity': {'info': '1', 'error': '2'}, 'kind': {'Network': 'n'}}
    """
    pairs = [(dimension.name, label) for dimension in dimensions for label in dimension.label_names]
    first = [pair for pair in pairs if pair[0] == dimensions[0].name]
    keys = {pair: digit for pair, digit in zip_longest(first, DIGITS[: len(first)]) if digit}
    free = [letter for letter in LETTERS if letter not in {*ACTIONS.values(), *reserved}]
    for candidates in (_initial, _initials, _plain, lambda _: LETTERS):
        _give(candidates, [pair for pair in pairs if pair not in keys], keys=keys, free=free)
    return {
        dimension.name: {pair[1]: keys[pair] for pair in pairs if pair[0] == dimension.name and pair in keys}
        for dimension in dimensions
    }


def _give(candidates: Callable[[str], str], pairs: Iterable[Pair], *, keys: dict[Pair, str], free: list[str]) -> None:
    for pair in pairs:
        key = next((letter for letter in candidates(pair[1]) if letter in free), None)
        if key is not None:
            free.remove(key)
            keys[pair] = key


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKD", name).lower()


def _initial(name: str) -> str:
    return _plain(name)[:1]


def _initials(name: str) -> str:
    words = "".join(letter if letter.isalpha() else " " for letter in _plain(name)).split()
    return "".join(word[0] for word in words)
