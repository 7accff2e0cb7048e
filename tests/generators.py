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


LOG_PIECES = (
    *(
        "status=404",
        "code: 7",
        "exit 1",
        '" 200 ',
        "HTTP/1.1",
        "HTTP/<num>",
        "<34>",
        "%LINK-3-UPDOWN:",
        "error 0x80070005",
    ),
    *(
        "10.0.0.1",
        "10.0.0.1:80",
        "fe80::1",
        "::",
        "00:1a:2b:3c:4d:5e",
        "4bf92f3577b34da6",
        "0x1f",
        "R02-M1-N0-C:J12-U11",
    ),
    *("2024-01-02", "T10:11:12.345Z", "10:11:12", "Jan  2 10:11:12 ", "Mon", "Dec 05", "2005", "+0200", "UTC", "AM"),
    *("blk_-12", "attempt_14_r_0", "x7k2p", "12", "-3", "1e-5", "5ms", "1h2m", "10 KB", "3G", "0 errors", "user=bob"),
    *(
        "/a/b7",
        "/a",
        "C:\\x\\y",
        "http://a/b",
        "s3://b",
        "a@b.co",
        "a.b.com",
        "web-3 sshd[1]: ",
        "host=a",
        "Mozilla/5.0 (x)",
    ),
    *(
        "<num>",
        "<time>",
        "<ip>",
        "<",
        ">",
        "[",
        "]",
        " ",
        "  ",
        "\n",
        "\tat x.Y(Z.java:3)",
        '\n  File "x", line 1',
        ":",
        "-",
    ),
    *(
        "_",
        ".",
        ",",
        "/",
        "=",
        "0",
        "7",
        "a",
        "f",
        "Z",
        "é",
        "\x00",
        "\U000f0134",
        "@",
        "://",
        "?",
        '"',
        "goroutine 1 [run]:",
    ),
)
SOCIAL_PIECES = (
    *(
        "@bob",
        "@",
        "#Fail",
        "http://t.co/x",
        "www.",
        "htttp://x",
        "a@b.co",
        "&amp;",
        "&amp;amp;lt;",
        "&#38;#64;",
        "&",
        ";",
    ),
    *(
        "sooo",
        "NOOOO",
        "!!!",
        "...",
        "\u2019",
        "\u200b",
        "👍🏽",
        "❤️",
        "🤦\u200d♀️",
        "哈哈哈",
        "ß",
        "İ",
        "ﬁ",
        "\ufdfa",
        "1000",
        "<",
    ),
    *(">", " ", "\n", "\x00", "a", "A", "\u0301", "\u200d", "<url>", "RT "),
)


def log_texts() -> st.SearchStrategy[str]:
    """Return texts made of what log lines are made of, put together at random."""
    return st.lists(st.sampled_from(LOG_PIECES), max_size=12).map("".join)


def social_texts() -> st.SearchStrategy[str]:
    """Return texts made of what social texts are made of, put together at random."""
    return st.lists(st.sampled_from(SOCIAL_PIECES), max_size=10).map("".join)


def any_texts() -> st.SearchStrategy[str]:
    """Return texts of any characters that can be encoded."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
