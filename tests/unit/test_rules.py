from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest

from builders import a_dimension
from vigie.errors import SettingsError
from vigie.labels import Dimension
from vigie.rules import Rule, Rules, rule_column
from vigie.settings import parse

DIMENSIONS = (a_dimension(), a_dimension("kind", labels=("network", "security")))
FULL = """
# a comment
[[rules]]
name = "refused"
pattern = 'connection refused'
labels = { severity = "error", kind = "network" }
priority = 5
ignore_case = true

[[rules]]
name = "log-in"
pattern = '(?:login|log-in) \\d+'
labels = { kind = "security" }
"""


def rules(*some: Rule, dimensions: Sequence[Dimension] = DIMENSIONS) -> Rules:
    return Rules(some, tuple(dimensions))


def spoken(some: Rules, *texts: str | None) -> list[tuple[str | None, ...]]:
    return some.apply(pl.Series(texts, dtype=pl.String)).rows()


def test_parse_when_file_is_full_then_reads_every_key() -> None:
    parsed = Rules.parse(FULL, DIMENSIONS)

    assert len(parsed) == 2
    assert parsed.rules[0] == Rule(
        "refused", "connection refused", {"severity": "error", "kind": "network"}, priority=5, ignore_case=True
    )
    assert parsed.rules[1] == Rule("log-in", r"(?:login|log-in) \d+", {"kind": "security"})


def test_parse_when_text_is_empty_then_has_no_rules() -> None:
    assert Rules.parse("# nothing yet\n", DIMENSIONS) == Rules.empty(DIMENSIONS)


RULE = """[[rules]]
name = "first"
pattern = 'x'
labels = {{ severity = "info" }}

[[rules]]
{}
"""


@pytest.mark.parametrize(
    ("rule", "line", "reason"),
    [
        (
            'name = "a"\npattern = "x"\nlabels = { severty = "info" }',
            9,
            "'severty' is unknown; did you mean 'severity'?",
        ),
        (
            'name = "a"\npattern = "x"\nlabels = { colour = "red" }',
            9,
            "'colour' is unknown; expected one of: severity, kind",
        ),
        (
            'name = "a"\npattern = "x"\nlabels = { severity = "eror" }',
            9,
            "severity 'eror' is unknown; did you mean 'error'?",
        ),
        (
            'name = "a"\npattern = "x"\nlabels.severity = 3',
            9,
            "severity 3 is unknown; expected one of: info, warning, error",
        ),
        (
            'name = "a"\npattern = "x"\n[rules.labels]\nkind = "net"',
            10,
            "kind 'net' is unknown; did you mean 'network'?",
        ),
        ('name = "a"\npattern = "x"\nlabels = {}', 9, "labels is {}; expected a table such as"),
        ('name = "a"\npattern = "x"\nlabels = "info"', 9, "labels is 'info'; expected a table such as"),
        ('name = "a"\npattern = "x"', 7, "labels is missing; expected a table such as"),
        ('pattern = "x"\nlabels = { severity = "info" }', 6, "name is missing; expected a name in quotes"),
        ('name = ""\npattern = "x"\nlabels = { severity = "info" }', 7, "name is ''; expected a name in quotes"),
        ('name = "first"\npattern = "x"\nlabels = { severity = "info" }', 7, "taken by another rule in line 2"),
        (
            'name = "a"\npatern = "x"\npattern = "x"\nlabels = { severity = "info" }',
            8,
            "'patern' is unknown; did you mean 'pattern'?",
        ),
        ('name = "a"\npattern = 3\nlabels = { severity = "info" }', 8, "pattern is 3; expected a regular expression"),
        (
            "name = 'a'\npattern = '(x'\nlabels = { severity = 'info' }",
            8,
            "'(x' cannot be used: unclosed group, at character 1",
        ),
        ("name = 'a'\npattern = 'x(?=y)'\nlabels = { severity = 'info' }", 8, "is not supported, at character 2"),
        (
            "name = 'a'\npattern = '(x)\\1'\nlabels = { severity = 'info' }",
            8,
            "backreferences are not supported, at character 4",
        ),
        ("name = 'a'\npattern = 'a(b'\nignore_case = true\nlabels = { severity = 'info' }", 8, "group, at character 2"),
        (
            "name = 'a'\npattern = 'é\u200b(?P<x>a)(?P<x>b)'\nlabels = { severity = 'info' }",
            8,
            "group name, at character 7",
        ),
        ('name = "a"\npattern = "(a\\nb"\nlabels = { severity = "info" }', 8, "cannot be used: unclosed group"),
        ("name = 'a'\npattern = 'x*'\nlabels = { severity = 'info' }", 8, "matches the empty text"),
        (
            "name = 'a'\npattern = 'x'\nlabels = { severity = 'info' }\npriority = 1.5",
            10,
            "priority is 1.5; expected a whole number",
        ),
        (
            "name = 'a'\npattern = 'x'\nlabels = { severity = 'info' }\npriority = true",
            10,
            "priority is True; expected a whole number",
        ),
        (
            "name = 'a'\npattern = 'x'\nlabels = { severity = 'info' }\nignore_case = 1",
            10,
            "ignore_case is 1; expected true or false",
        ),
    ],
)
def test_parse_when_a_rule_is_broken_then_says_line_and_reason(rule: str, line: int, reason: str) -> None:
    with pytest.raises(SettingsError) as error:
        Rules.parse(RULE.format(rule), DIMENSIONS)

    assert str(error.value).startswith(f"rules.toml, line {line}, rule 2: ")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert "str.contains" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[rules]]\nname = \npattern = 3", "rules.toml is not valid TOML: .*line 2"),
        (f"x = {'[' * 5000}{']' * 5000}", "rules.toml is nested too deeply"),
        ("x = 1\n", "rules.toml, line 1: 'x' is unknown"),
        ("\nrules = 3\n", "rules.toml, line 2: 'rules' is one value"),
        ("rules = [1]\n", "rules.toml, line 1: 'rules' is one value"),
        ("[rules]\nname = 'a'\n", "rules.toml, line 1: 'rules' is one value"),
        ("rules = [{ name = 'a', pattern = '[', labels = { kind = 'network' } }]", "rules.toml, rule 1: pattern"),
    ],
)
def test_parse_when_the_file_is_broken_then_says_where(text: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        Rules.parse(text, DIMENSIONS)


def test_load_when_file_is_there_then_reads_it(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(FULL, encoding="utf-8")

    assert len(Rules.load(tmp_path / "mine.toml", DIMENSIONS)) == 2


def test_load_when_file_is_missing_then_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no rules file .*; write one, or set rules.path"):
        Rules.load(tmp_path / "rules.toml", DIMENSIONS)


def test_load_when_file_is_not_text_then_says_so(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match="cannot be read"):
        Rules.load(tmp_path / "rules.toml", DIMENSIONS)


def test_load_when_a_rule_is_broken_then_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[[rules]]\n", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"^mine.toml, line 1, rule 1: name is missing"):
        Rules.load(tmp_path / "mine.toml", DIMENSIONS)


def test_apply_when_rules_match_then_says_label_and_rule_per_dimension() -> None:
    frame = Rules.parse(FULL, DIMENSIONS).apply(
        pl.Series("text", ["Connection REFUSED", "login 7", "login x", None, ""])
    )

    assert frame.to_dict(as_series=False) == {
        "label:severity": ["error", None, None, None, None],
        "rule:severity": ["refused", None, None, None, None],
        "label:kind": ["network", "security", None, None, None],
        "rule:kind": ["refused", "log-in", None, None, None],
    }
    assert set(frame.dtypes) == {pl.String()}
    assert rule_column("kind") in frame.columns


def test_apply_when_several_rules_speak_then_highest_priority_wins_and_ties_go_by_order() -> None:
    some = rules(
        Rule("low", "a", {"severity": "info", "kind": "network"}, priority=-1),
        Rule("first", "a", {"severity": "warning"}, priority=3),
        Rule("second", "a", {"severity": "error"}, priority=3),
    )

    assert spoken(some, "a") == [("warning", "first", "network", "low")]


def test_apply_when_case_counts_then_only_the_given_case_matches() -> None:
    some = rules(
        Rule("strict", "Ab", {"kind": "network"}), Rule("loose", "xy|Z", {"kind": "security"}, ignore_case=True)
    )

    kinds = [row[2] for row in spoken(some, "Ab", "ab", "XY", "z", "ABz")]

    assert kinds == ["network", None, "security", "security", "security"]


def test_apply_when_there_are_no_rules_then_says_nothing() -> None:
    assert spoken(Rules.empty(DIMENSIONS), "a", None) == [(None,) * 4] * 2
    assert spoken(Rules.empty(DIMENSIONS)) == []


def test_apply_when_nothing_matches_then_says_nothing() -> None:
    assert spoken(rules(Rule("a", "a", {"kind": "network"})), "b", None) == [(None,) * 4] * 2


def test_apply_when_one_by_one_then_equals_the_batch() -> None:
    some = rules(
        Rule("a", "a", {"kind": "network"}), Rule("b", "[ab]c", {"kind": "security", "severity": "info"}, priority=1)
    )
    texts = ["a", "ac", "bc", "c", None]

    assert spoken(some, *texts) == [spoken(some, text)[0] for text in texts]


def test_apply_when_one_expression_cannot_hold_all_rules_then_still_answers() -> None:
    # A comment reaches to the end of its expression, so this pattern cannot be put between parentheses.
    some = rules(Rule("odd", "(?x) a b # comment", {"kind": "network"}), Rule("c", "c", {"kind": "security"}))

    assert [row[2] for row in spoken(some, "xaby", "c", "x")] == ["network", "security", None]


def test_parse_when_a_commented_pattern_ignores_case_then_is_taken() -> None:
    rule = "name = 'odd'\npattern = '(?x) a b # comment'\nlabels = { kind = 'network' }\nignore_case = true"

    assert spoken(Rules.parse(RULE.format(rule), DIMENSIONS), "AB")[0][2] == "network"


def test_apply_when_a_pattern_would_backtrack_then_time_stays_linear() -> None:
    some = rules(Rule("evil", r"(a+)+(b+)+$", {"kind": "network"}))

    assert spoken(some, "a" * 1_000_000 + "c")[0][2] is None


@pytest.mark.parametrize(("template", "count"), [("logs", 10), ("social", 0)])
def test_load_when_rules_come_with_a_template_then_fit_its_dimensions(template: str, count: int) -> None:
    folder = Path(str(files("vigie") / "templates" / template))
    dimensions = parse((folder / "vigie.toml").read_text(encoding="utf-8")).as_dimensions()

    assert len(Rules.load(folder / "rules.toml", dimensions)) == count


@pytest.mark.parametrize(
    ("text", "severity", "rule"),
    [
        ("kernel: Kernel panic - not syncing", "critical", "kernel-panic"),
        ("Out of memory: Killed process 12 (java)", "error", "resource-exhausted"),
        ("write /x: No space left on device", "error", "resource-exhausted"),
        ("traps: segfault at 0 ip 00", "error", "crash"),
        ("ERROR sshd: Failed password for root from 1.2.3.4", "warning", "authentication-failure"),
        ("session opened for user root", "info", "log-in"),
        ('"GET /x HTTP/1.1" 503 12', "error", "http-server-error"),
        ('"GET /healthz HTTP/1.1" 200 2', "info", "health-check"),
        ("ERROR [main] it broke", "error", "level-error"),
        ('{"level":"warn","msg":"x"}', "warning", "level-warning"),
        ("all is well, no errors", None, None),
        ("connect(): connection refused", None, None),
    ],
)
def test_apply_when_rules_of_the_logs_template_speak_then_they_mean_it(
    text: str, severity: str | None, rule: str | None
) -> None:
    folder = Path(str(files("vigie") / "templates" / "logs"))
    dimensions = parse((folder / "vigie.toml").read_text(encoding="utf-8")).as_dimensions()

    row = Rules.load(folder / "rules.toml", dimensions).apply(pl.Series([text])).row(0, named=True)

    assert (row["label:severity"], row["rule:severity"]) == (severity, rule)


def test_load_when_the_file_begins_with_a_byte_order_mark_then_it_is_read_as_without(tmp_path: Path) -> None:
    rule = "name = 'net'\npattern = 'link'\nlabels = { kind = 'network' }"
    (tmp_path / "rules.toml").write_text("\ufeff" + RULE.format(rule), encoding="utf-8")

    assert len(Rules.load(tmp_path / "rules.toml", DIMENSIONS)) == 2


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[[rules]]\nname = '\xe9'\n"])
def test_load_when_the_file_is_no_utf_8_then_it_cannot_be_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(content)

    with pytest.raises(SettingsError, match=r"rules\.toml cannot be read"):
        Rules.load(tmp_path / "rules.toml", DIMENSIONS)


def test_load_when_the_path_is_impossible_then_it_cannot_be_read() -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Rules.load(Path("\x00"), DIMENSIONS)
