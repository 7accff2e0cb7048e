"""Templates of log lines: what varies is masked, what carries meaning stays."""

import polars as pl

from vigie.text.log_steps import ADDRESSES, HOST, KEPT, KEPT_CODES, NUMBER, REST, TIDY
from vigie.text.masks import ROUNDS, Clear, Recall, Restore, each_once, run, until_stable
from vigie.text.trace import Trace

_CLEAR = Clear()
_RESTORE = Restore()
_EXCEPTIONS = (KEPT_CODES, *KEPT)
_ANY_SEEN = "|".join(f"(?:{keep.seen})" for keep in _EXCEPTIONS)


class LogNormaliser:
    """Mask what varies in log lines.

    Times, addresses, numbers, identifiers, paths, URLs and the like become placeholders such as ``<time>`` and
    ``<num>``; numbers that carry meaning (status and exit codes, signals, severities) stay.

    Examples
    --------
    >>> lines = pl.Series(["10:02:11 GET /a/7 HTTP/1.1 200 took 31 ms", "10:02:12 GET /b/8 HTTP/1.1 500 took 9 s"])
    >>> LogNormaliser().normalise(lines).to_list()
    ['<time> GET <path> HTTP/<num> 200 took <duration>', '<time> GET <path> HTTP/<num> 500 took <duration>']
    """

    def __init__(self) -> None:
        self._finish = Recall(_finish)

    def normalise(self, texts: pl.Series) -> pl.Series:
        """Return the template of each text; null stays null, and a template's template is itself.

        Most rows pass five patterns; everything else is done once per distinct result, of which there are few.
        """
        return each_once(self._finish, _masked(texts.cast(pl.String))).alias(texts.name)

    def unmasked(self, texts: pl.Series) -> pl.Series:
        """Return each text with its white space as in its template, and nothing hidden."""
        return run(TIDY, texts.cast(pl.String))

    def variable_parts(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of one text that its template hides, merged and sorted."""
        template = self.normalise(pl.Series([text]))[0]
        trace = Trace(text)
        for _ in range(ROUNDS):
            _follow(trace)
            if trace.text == template:
                break
        return trace.merged()


def _finish(texts: pl.Series) -> pl.Series:
    return each_once(_stable, run(REST, texts))


def _stable(templates: pl.Series) -> pl.Series:
    return until_stable(lambda some: run(REST, _masked(some)), templates)


def _masked(texts: pl.Series) -> pl.Series:
    """Mask hosts, addresses, times and numbers, except those with a meaning.

    The engine has no look-behind, so the exceptions cost captures. Only texts that look, once masked, as if something
    had been lost are masked again with care.
    """
    texts = run(HOST, texts)
    addressed = run(ADDRESSES, texts)
    masked = NUMBER.over(addressed)
    lost = _lost(masked.unique())
    if lost.is_empty():
        return masked
    rows = masked.is_in(lost["masked"].implode()).arg_true()
    seen = masked.gather(rows).to_frame("masked").join(lost, on="masked", how="left", maintain_order="left")
    return masked.scatter(rows, _with_care(texts.gather(rows), addressed.gather(rows), seen))


def _lost(masked: pl.Series) -> pl.DataFrame:
    """Return the texts in which something may have been lost, and for each exception whether it may be that."""
    some = masked.filter(masked.str.contains(_ANY_SEEN))
    return pl.DataFrame(
        [some.alias("masked"), *(some.str.contains(keep.seen).alias(keep.seen) for keep in _EXCEPTIONS)]
    )


def _with_care(texts: pl.Series, addressed: pl.Series, seen: pl.DataFrame) -> pl.Series:
    kept = _CLEAR.over(addressed)
    rows = seen[KEPT_CODES.seen].arg_true()
    if not rows.is_empty():
        kept = kept.scatter(rows, run((_CLEAR, KEPT_CODES, *ADDRESSES), texts.gather(rows)))
    for keep in KEPT:
        rows = seen[keep.seen].arg_true()
        if not rows.is_empty():
            kept = kept.scatter(rows, keep.over(kept.gather(rows)))
    return run((NUMBER, _RESTORE), kept)


def _follow(trace: Trace) -> None:
    """Take one text through the same steps."""
    trace.follow(HOST)
    lost = _lost(run((*ADDRESSES, NUMBER), pl.Series([trace.text])))
    if lost.is_empty():
        trace.follow((*ADDRESSES, NUMBER, *REST))
        return
    trace.follow((_CLEAR, KEPT_CODES, *ADDRESSES) if lost[KEPT_CODES.seen][0] else (*ADDRESSES, _CLEAR))
    trace.follow([keep for keep in KEPT if lost[keep.seen][0]])
    trace.follow((NUMBER, _RESTORE, *REST))
