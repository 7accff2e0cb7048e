"""Writing the labels into each message, whose own bytes stay as they are."""

from collections.abc import Iterable, Iterator, Sequence

import orjson
import polars as pl

from vigie.labels import Dimension
from vigie.messages import confidence_column, label_column, origin_column
from vigie.stream.json_objects import SPACE, load_object

DETAILS = "vigie"
PREFIX = "vigie_"
MESSAGE = "message"
DECIMALS = 4


def enrich(frame: pl.DataFrame, dimensions: Sequence[Dimension], *, revision: int = 0) -> pl.DataFrame:
    """Add ``output`` (Binary) to labelled messages: the original object's bytes with our fields appended.

    Plain text becomes ``{"message": text, …}``. An original field is never touched: ours gets the prefix ``vigie_``,
    again until its name is free. An unknown label is written as null. Cost: about 0.7 µs a message, 2 µs when the
    original may have a field of one of our names.

    Parameters
    ----------
    frame
        What `decode` and the labeller return; rows without a text get no output.
    dimensions
        One field each, in this order, then the object ``vigie`` with route, confidences (rounded to 4 decimals), origins,
        model version, template and revision. At least one.
    revision
        0 for the first output of a message, one more for each correction.
    """
    labelled = frame.with_columns(_readable())
    wanted = [*(dimension.name for dimension in dimensions), DETAILS]
    names = _names(labelled["payload"], wanted)
    values = [
        *(_json(pl.col(label_column(dimension.name))) for dimension in dimensions),
        _details(dimensions, revision),
    ]
    fields = [part for pair in zip(names, values, strict=True) for part in pair]
    whole = pl.concat_str([pl.coalesce(_opened(pl.col("payload")), _message(pl.col("text"))), *fields, pl.lit("}")])
    return frame.with_columns(
        labelled.select(pl.when(pl.col("text").is_not_null()).then(whole.cast(pl.Binary)).alias("output"))
    )


def free_names(wanted: Sequence[str], taken: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which our fields are written, beside original fields whose names are `taken`.

    Examples
    --------
    >>> free_names(["severity", "vigie"], ["severity", "vigie_severity"])
    ('vigie_vigie_severity', 'vigie')
    """
    original = set(taken)
    used = original.union(wanted)
    names: list[str] = []
    for name in wanted:
        free = name
        while free in used and (free in original or free != name or name in names):
            free = PREFIX + free
        used.add(free)
        names.append(free)
    return tuple(names)


def _readable() -> pl.Expr:
    """Return the payloads of JSON objects as String, null for all others."""
    rows = pl.col("is_object") & pl.col("text").is_not_null()
    # Polars checks also what lies under a null, so bytes that are no UTF-8 must go before the cast.
    readable = pl.when(rows).then("payload").otherwise(pl.lit(b"")).cast(pl.String)
    return pl.when(rows).then(readable).alias("payload")


def _names(payloads: pl.Series, wanted: Sequence[str]) -> list[pl.Expr]:
    """Return the opening of each of our fields (name and colon); only payloads that may have a field so named are parsed.

    A *way* names all fields: number 0 is the usual one, then that of plain text, then others as messages need them.
    """
    ways = {tuple(wanted): 0}
    plain = ways.setdefault(free_names(wanted, [MESSAGE]), len(ways))
    rows = payloads.to_frame("payload").select(_doubtful(wanted).fill_null(value=False)).to_series()
    found = pl.Series(_choose(payloads.filter(rows).cast(pl.Binary).to_list(), wanted, ways), dtype=pl.Int64)
    place = pl.lit(rows.cast(pl.Int64).cum_sum() - 1)
    otherwise = pl.when(payloads.is_null()).then(plain).otherwise(0)
    way = pl.coalesce(pl.lit(found).gather(pl.when(rows).then(place)), otherwise)
    return [pl.lit(column).gather(way) for column in _as_openings(list(ways))]


def _doubtful(wanted: Sequence[str]) -> pl.Expr:
    """Return whether a payload may have a field of one of our names, perhaps spelt with escapes."""
    spelt = [orjson.dumps(name).decode() for name in wanted]
    escape = "\\" if any("\\" in name or "/" in name for name in spelt) else "\\u"
    return pl.any_horizontal([pl.col("payload").str.contains(part, literal=True) for part in (*spelt, escape)])


def _choose(payloads: Iterable[bytes], wanted: Sequence[str], ways: dict[tuple[str, ...], int]) -> Iterator[int]:
    """Return for each payload the number of the way it needs, adding to `ways` what is new."""
    chosen: dict[tuple[str, ...], int] = {}  # messages of one program mostly have the same fields
    for payload in payloads:
        taken = tuple(load_object(payload))
        way = chosen.get(taken)
        if way is None:
            way = chosen[taken] = ways.setdefault(free_names(wanted, taken), len(ways))
        yield way


def _as_openings(ways: Sequence[Sequence[str]]) -> list[pl.Series]:
    """Return one column per field: its name and colon in each way, after a comma unless it comes first."""
    commas = ["", *[","] * (len(ways[0]) - 1)]
    return [
        pl.Series([f"{comma}{orjson.dumps(name).decode()}:" for name in names], dtype=pl.String)
        for comma, names in zip(commas, zip(*ways, strict=True), strict=True)
    ]


def _opened(payload: pl.Expr) -> pl.Expr:
    """Return JSON objects without their closing brace, ready for more fields."""
    rest = payload.str.strip_chars_end(SPACE).str.strip_suffix("}").str.strip_chars_end(SPACE)
    return pl.when(rest.str.strip_chars_start(SPACE) == "{").then(rest).otherwise(pl.concat_str([rest, pl.lit(",")]))


def _message(text: pl.Expr) -> pl.Expr:
    return pl.concat_str([pl.lit(f'{{"{MESSAGE}":'), _json(text), pl.lit(",")])


def _json(column: pl.Expr) -> pl.Expr:
    """Return a String column as JSON strings, or null."""
    encoded = pl.struct(column.cast(pl.String).alias("x")).struct.json_encode()
    return encoded.str.strip_prefix('{"x":').str.strip_suffix("}")


def _details(dimensions: Sequence[Dimension], revision: int) -> pl.Expr:
    names = [dimension.name for dimension in dimensions]
    confidences = [pl.col(confidence_column(name)).cast(pl.Float64).round(DECIMALS).alias(name) for name in names]
    return pl.struct(
        pl.col("route").cast(pl.String),
        pl.struct(confidences).alias("confidence"),
        pl.struct([pl.col(origin_column(name)).cast(pl.String).alias(name) for name in names]).alias("origin"),
        pl.col("model").cast(pl.String),
        pl.col("template").cast(pl.String),
        pl.lit(revision, dtype=pl.Int64).alias("revision"),
    ).struct.json_encode()
