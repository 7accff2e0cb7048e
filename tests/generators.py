"""Hypothesis strategies of the whole project."""

import json

from hypothesis import strategies as st

NAMES = ("severity", "category", "vigie", "vigie_severity", "vigie_vigie", "message", "")


def _spell(name: str, escaped: set[int]) -> str:
    spelt = json.dumps(name, ensure_ascii=False)[1:-1]
    if len(spelt) != len(name):
        return json.dumps(name)
    return (
        '"' + "".join(f"\\u{ord(c):04x}" if i in escaped and ord(c) < 0x10000 else c for i, c in enumerate(spelt)) + '"'
    )


def json_names() -> st.SearchStrategy[str]:
    """Return names of fields as they stand in JSON, some of them spelt with needless escapes."""
    characters = st.characters(exclude_categories=["Cs"])
    names = st.sampled_from(NAMES) | st.text(characters, max_size=8)
    return st.builds(_spell, names, st.sets(st.integers(0, 8)))


def json_values() -> st.SearchStrategy[str]:
    """Return JSON values as text: every spelling of numbers, half surrogate pairs, nesting."""
    numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    strings = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: json.dumps(text, ensure_ascii=False))
    odd = st.sampled_from([r'"\ud800"', r'"\/"', '"}"', '"{"', '"\\""', "[]", "{}", "null", "true", "false"])
    return st.recursive(
        numbers | strings | odd,
        lambda inner: st.one_of(_arrays(inner), json_objects(inner)),
        max_leaves=8,
    )


def json_objects(values: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[str]:
    """Return JSON objects as text, with any white space JSON allows and names that may repeat."""
    space = st.text(" \t\r\n", max_size=2)
    fields = st.tuples(space, json_names(), space, json_values() if values is None else values).map(
        lambda f: f"{f[0]}{f[1]}{f[2]}:{f[0]}{f[3]}{f[2]}"
    )
    return st.tuples(space, st.lists(fields, max_size=5)).map(lambda o: "{" + (",".join(o[1]) or o[0]) + "}")


def _arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
