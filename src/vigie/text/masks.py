"""Steps that rewrite texts: over whole columns in Polars, and over one text while remembering what was hidden.

Every pattern runs in Rust's regular-expression engine: linear time, no look-around, no back-references. Patterns
spell ASCII classes out and write a word boundary as :data:`EDGE`, because a Unicode class or boundary makes that engine
leave its fast path on texts that are not ASCII.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple, Protocol

import polars as pl

EDGE = r"(?-u:\b)"

# Plane 15 is private use: no ordinary text holds these.
_CUT = "\U000f0000"
_SPARE = r"[\x{F0000}-\x{F01FF}]"
_CODE = "0123456789abcdefABCDEFxX"
_SAFE = {char: chr(0xF0100 + ord(char)) for char in _CODE}
ROUNDS = 5


class Piece(NamedTuple):
    """A stretch of a text before and after a step; `hidden` when the step masked it."""

    before: str
    after: str
    hidden: bool


class Step(Protocol):
    """One rewriting of texts."""

    def over(self, texts: pl.Series) -> pl.Series:
        """Rewrite a column."""
        ...

    def pieces(self, text: str) -> Iterator[Piece]:
        """Split one text into consecutive stretches, saying what this step makes of each."""
        ...


@dataclass(frozen=True, slots=True)
class Mask:
    """Show a placeholder instead of whatever a pattern finds.

    Parameters
    ----------
    target
        What to hide; no capturing groups.
    shown
        The placeholder.
    before, after
        Context that must surround the target and stays. It costs a capture, so leave both out on the hot path.
    unless
        A text in which this pattern is found stays as it is.
    hides
        False for a step that only tidies up, such as collapsing white space.
    """

    target: str
    shown: str
    before: str = ""
    after: str = ""
    unless: str = ""
    hides: bool = True

    @property
    def pattern(self) -> str:
        """The whole pattern; group 1 is what comes before the target, group 2 what comes after."""
        if not (self.before or self.after):
            return self.target
        return f"({self.before})(?:{self.target})({self.after})"

    def over(self, texts: pl.Series) -> pl.Series:
        """Rewrite a column."""
        shown = f"${{1}}{self.shown}${{2}}" if self.before or self.after else self.shown
        masked = texts.str.replace_all(self.pattern, shown)
        if not self.unless:
            return masked
        spared = texts.str.contains(self.unless)
        return texts.zip_with(spared, masked) if spared.any() else masked

    def pieces(self, text: str) -> Iterator[Piece]:
        """Split one text into what stays and what is masked."""
        if self.unless and pl.Series([text]).str.contains(self.unless)[0]:
            yield Piece(text, text, hidden=False)
            return
        captures = bool(self.before or self.after)
        for part, found, groups in _parts(self.pattern, text, captures=captures):
            if not found:
                yield Piece(part, part, hidden=False)
                continue
            before, after = groups if captures else ("", "")
            yield Piece(before, before, hidden=False)
            yield Piece(part[len(before) : len(part) - len(after)], self.shown, hidden=self.hides)
            yield Piece(after, after, hidden=False)


@dataclass(frozen=True, slots=True)
class Keep:
    """Hide a code from the masks that follow, until :class:`Restore` brings it back.

    The engine has no look-behind, so "a number, but not after *status*" cannot be said in one pattern; instead the
    digits of the code become private characters, which no mask matches.

    Parameters
    ----------
    before
        Context that makes a number meaningful, such as ``status=``.
    start
        The classes of the first characters of the code, one each.
    code
        The class of the characters that follow; hexadecimal digits and ``x`` can be kept.
    least, most
        How many of those there are.
    after
        What must follow the code.
    seen
        What a text looks like, once masked, in which this step has something to do.
    """

    before: str
    start: tuple[str, ...] = ()
    code: str = "[0-9]"
    least: int = 1
    most: int = 5
    after: str = EDGE
    seen: str = ""

    @property
    def pattern(self) -> str:
        """Group 1 is the context, the next ones are a character of the code each, the last is what follows."""
        code = "".join(f"({kind})" for kind in (*self.start, *[self.code] * self.least))
        return f"({self.before}){code}{f'({self.code})?' * (self.most - self.least)}({self.after})"

    def over(self, texts: pl.Series) -> pl.Series:
        """Rewrite a column."""
        last = self._n_groups
        marked = "".join(f"{_CUT}${{{group}}}" for group in range(2, last))
        texts = texts.str.replace_all(self.pattern, f"${{1}}{marked}${{{last}}}")
        return texts.str.replace_many([*(_CUT + char for char in _SAFE), _CUT], [*_SAFE.values(), ""], leftmost=True)

    def pieces(self, text: str) -> Iterator[Piece]:
        """Split one text; nothing is hidden and every character keeps its place."""
        safe = {ord(char): private for char, private in _SAFE.items()}
        for part, found, groups in _parts(self.pattern, text, captures=True):
            if not found:
                yield Piece(part, part, hidden=False)
                continue
            before, *code, after = groups
            yield Piece(part, before + "".join(code).translate(safe) + after, hidden=False)

    @property
    def _n_groups(self) -> int:
        return 2 + len(self.start) + self.most


class Clear:
    """Drop private characters that came with the text, so that :class:`Keep` can use them."""

    def over(self, texts: pl.Series) -> pl.Series:
        """Rewrite a column."""
        return texts.str.replace_all(_SPARE, "")

    def pieces(self, text: str) -> Iterator[Piece]:
        """Split one text."""
        for part, found, _ in _parts(_SPARE, text):
            yield Piece(part, "" if found else part, hidden=False)


class Restore:
    """Bring back what :class:`Keep` set aside."""

    def over(self, texts: pl.Series) -> pl.Series:
        """Rewrite a column."""
        return texts.str.replace_many(list(_SAFE.values()), list(_SAFE))

    def pieces(self, text: str) -> Iterator[Piece]:
        """Rewrite one text; every character keeps its place."""
        yield Piece(text, text.translate({ord(safe): char for char, safe in _SAFE.items()}), hidden=False)


def run(steps: Sequence[Step], texts: pl.Series) -> pl.Series:
    """Apply steps one after the other."""
    return reduce(lambda column, step: step.over(column), steps, texts)


def each_once(rewrite: Callable[[pl.Series], pl.Series], texts: pl.Series) -> pl.Series:
    """Rewrite each distinct text once, and give every row its own; exact when rows do not depend on each other."""
    unique = texts.unique()
    known = pl.DataFrame({"before": unique, "after": rewrite(unique)})
    rows = pl.DataFrame({"before": texts})
    return rows.join(known, on="before", how="left", nulls_equal=True, maintain_order="left")["after"]


def until_stable(rewrite: Callable[[pl.Series], pl.Series], texts: pl.Series) -> pl.Series:
    """Rewrite until nothing changes, so that doing it again later changes nothing either.

    Two rounds are enough for real texts. The number of rounds is bounded, which keeps hostile texts linear.
    """
    again = rewrite(texts)
    rows = (again != texts).arg_true()
    for _ in range(ROUNDS):
        if rows.is_empty():
            break
        texts, again = again, again.clone().scatter(rows, rewrite(again.gather(rows)))
        rows = (again != texts).arg_true()
    return again


class Recall:
    """A rewriting that remembers its results, so that texts seen in earlier batches cost one look-up.

    Parameters
    ----------
    rewrite
        Makes one text of each text; rows must not depend on each other.
    capacity
        How many characters are remembered; beyond that everything is forgotten. Safe to share between threads.
    """

    def __init__(self, rewrite: Callable[[pl.Series], pl.Series], *, capacity: int = 10_000_000) -> None:
        self._rewrite = rewrite
        self._capacity = capacity
        self._known: dict[str | None, str | None] = {}
        self._size = 0

    def __call__(self, texts: pl.Series) -> pl.Series:
        """Rewrite each text, unless its result is known."""
        known = self._known
        new = [text for text in texts if text not in known]
        if new:
            results = self._rewrite(pl.Series(new, dtype=pl.String))
            # Most results are the text itself: one string is kept for both.
            known.update((text, text if text == result else result) for text, result in zip(new, results, strict=True))
            self._size += sum(len(text or "") + len(known[text] or "") for text in new)
        if self._size > self._capacity:
            # A fresh dictionary: another thread may still read the old one.
            self._known, self._size = {}, 0
        return pl.Series([known[text] for text in texts], dtype=pl.String)


def _parts(pattern: str, text: str, *, captures: bool = False) -> Iterator[tuple[str, bool, Sequence[str]]]:
    """Split a text into what a pattern does not find (False) and what it does (True, and its groups)."""
    present = set(text)
    mark = next(char for char in map(chr, range(0xF0200, 0x110000)) if char not in present)
    marked: str = pl.Series([text]).str.replace_all(pattern, f"{mark}${{0}}{mark}")[0]
    parts = marked.split(mark)
    matches = parts[1::2]
    groups = iter(_groups(pattern, matches) if captures and matches else [()] * len(matches))
    for index, part in enumerate(parts):
        found = index % 2 == 1
        yield part, found, next(groups) if found else ()


def _groups(pattern: str, matches: list[str]) -> list[tuple[str, ...]]:
    """Return the groups of each match, empty where a group took no part."""
    return pl.Series(matches).str.extract_groups(pattern).struct.unnest().fill_null("").rows()
