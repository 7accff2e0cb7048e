"""JSON objects as strangers write them: read strictly where that is fast, leniently where the standard allows it."""

import json
from typing import Any, Never

import orjson

SPACE = " \t\r\n"


def load_object(payload: bytes) -> dict[str, Any]:
    """Parse one JSON object.

    Everything RFC 8259 allows is taken, also what fast parsers refuse: half surrogate pairs (texts cut in the middle of
    an emoji) and numbers too big for a double. NaN and Infinity, which it does not allow, are refused.

    Parameters
    ----------
    payload
        Valid UTF-8.

    Raises
    ------
    ValueError
        It is no JSON object. The message names the character at fault, and holds nothing of the payload.
    """
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        value = _load_leniently(payload, error)
    if not isinstance(value, dict):
        raise ValueError(f"is a JSON {type_name(value)}, not a JSON object")  # noqa: TRY004 - the caller wants one class
    return value


def type_name(value: object) -> str:
    """Return what JSON calls the type of a parsed value.

    Examples
    --------
    >>> type_name(None), type_name(True), type_name(1.5), type_name([])
    ('null', 'boolean', 'number', 'array')
    """
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]


def without_half_pairs(text: str) -> str:
    """Return a text with each half of a surrogate pair replaced by U+FFFD, so that it can be encoded."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _load_leniently(payload: bytes, error: orjson.JSONDecodeError) -> Any:
    reason = f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    try:
        return json.loads(payload.decode(), parse_int=float, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError(reason) from None


def _refuse(_constant: str) -> Never:
    raise ValueError
