"""Which characters of one text the masks hid."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from vigie.text.masks import Piece, Step


@dataclass(slots=True)
class Trace:
    """One text on its way through steps; each character knows the original characters it stands for.

    Parameters
    ----------
    text
        The text as it came; afterwards, as it is now.
    """

    text: str
    hidden: list[tuple[int, int]] = field(default_factory=list)
    _starts: list[int] = field(init=False)
    _ends: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._starts = list(range(len(self.text)))
        self._ends = list(range(1, len(self.text) + 1))

    def follow(self, steps: Sequence[Step]) -> None:
        """Apply steps one after the other."""
        for step in steps:
            self._apply(list(step.pieces(self.text)))

    def merged(self) -> list[tuple[int, int]]:
        """Return the spans hidden so far, sorted, those that touch or overlap as one."""
        spans: list[tuple[int, int]] = []
        for start, end in sorted(self.hidden):
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return spans

    def _apply(self, pieces: Sequence[Piece]) -> None:
        if all(piece.before == piece.after for piece in pieces):
            return
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for before, after, hidden in pieces:
            old = slice(at, at + len(before))
            at = old.stop
            if len(before) == len(after) and not hidden:
                starts += self._starts[old]
                ends += self._ends[old]
            elif before:
                span = (self._starts[old.start], self._ends[old.stop - 1])
                starts += [span[0]] * len(after)
                ends += [span[1]] * len(after)
                if hidden:
                    self.hidden.append(span)
        self.text = "".join(piece.after for piece in pieces)
        self._starts, self._ends = starts, ends
