"""Templates of log lines: what varies is masked, what carries meaning stays."""

import polars as pl

from vigie.text.log_steps import HOST, KEPT, KEPT_SEEN, NUMBERS, PRIORITY, REST
from vigie.text.masks import ROUNDS, Clear, Recall, Restore, Step, each_once, run, until_stable
from vigie.text.trace import Trace, hidden_spans

_CAREFUL: tuple[Step, ...] = (Clear(), *PRIORITY, *KEPT, *NUMBERS, Restore())


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

    def variable_parts(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of one text that its template hides, merged and sorted."""
        return hidden_spans(text, _follow, ROUNDS)


def _finish(texts: pl.Series) -> pl.Series:
    def again(some: pl.Series) -> pl.Series:
        return until_stable(lambda templates: run(REST, _masked(templates)), some)

    return each_once(again, run(REST, texts))


def _masked(texts: pl.Series) -> pl.Series:
    """Mask hosts, addresses, times and numbers, except those with a meaning.

    The engine has no look-behind, so the exceptions cost captures. Only texts that look, once masked, as if something
    had been lost are masked again with care.
    """
    texts = run(HOST, texts)
    masked = run(NUMBERS, texts)
    unique = masked.unique()
    rows = masked.is_in(unique.filter(_lossy(unique)).implode()).arg_true()
    if rows.is_empty():
        return masked
    return masked.scatter(rows, run(_CAREFUL, texts.gather(rows)))


def _lossy(masked: pl.Series) -> pl.Series:
    return masked.str.contains(KEPT_SEEN).fill_null(value=False)


def _follow(trace: Trace) -> None:
    """Take one text through the same steps."""
    trace.follow(HOST)
    lossy = _lossy(run(NUMBERS, pl.Series([trace.text])))[0]
    trace.follow((*(_CAREFUL if lossy else NUMBERS), *REST))
