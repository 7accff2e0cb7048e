import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulate_fakes
from vigie.errors import SettingsError
from vigie.evaluation.simulate_data import Held, Messages, guess_kind, split
from vigie.labels import Label
from vigie.text import normaliser

MANY = [f"word{'a' * n}" for n in range(1, 31)]


def messages(texts: list[str | None], labels: list[str | None], **options: bool) -> Messages:
    frame = pl.DataFrame({"t": texts, "l": labels}, schema={"t": pl.String, "l": pl.String})
    return Messages.of(frame, "t", {"mood": "l"}, normalise=normaliser("logs"), **options)


def labels(n: int = 30) -> list[str | None]:
    return ["yes", "no"] * (n // 2)


def test_messages_when_rows_lack_a_text_or_a_label_then_they_are_left_out() -> None:
    found = messages([*MANY, None, " ", "x", "y"], [*labels(), "yes", "no", None, "  "])

    assert found.rows["text"].to_list() == MANY
    assert found.dimensions[0].labels == (Label("no"), Label("yes"))
    assert found.rows["row"].to_list() == list(range(30))


def test_messages_when_one_dimension_has_no_label_then_the_row_stays_for_the_other() -> None:
    frame = pl.DataFrame({"t": MANY, "a": labels(), "b": [None] * 10 + ["x", "y"] * 10})

    found = Messages.of(frame, "t", {"a": "a", "b": "b"}, normalise=normaliser("logs"))

    assert found.rows.height == 30
    assert found.rows["label:b"].null_count() == 10


def test_messages_when_kept_once_then_the_first_of_each_template_stays() -> None:
    texts = [f"{word} took {n} ms" for n in (1, 2) for word in MANY]

    found = messages(texts, labels() * 2, once=True)

    assert found.rows["text"].to_list() == texts[:30]


@pytest.mark.parametrize(
    ("texts", "given_labels", "reason"),
    [
        ([], [], "no row has both a text and a label"),
        (MANY, [None] * 30, "no row has both a text and a label"),
        (MANY[:6], labels(6), "the file has 6 different texts, once made comparable; expected at least 20"),
        ([f"took {n} ms" for n in range(30)], labels(), "the file has 1 different texts"),
        (MANY, ["yes"] * 30, r"mood has a single label in column 'l' \('yes'\); expected at least two"),
        (MANY, [f"id-{n}" for n in range(30)], "mood has 30 different labels in 30 rows of column 'l'.*closed"),
    ],
)
def test_messages_when_the_file_has_too_little_then_says_what_is_missing(
    texts: list[str | None], given_labels: list[str | None], reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
        messages(texts, given_labels)


def test_messages_when_a_second_dimension_has_no_label_at_all_then_says_so() -> None:
    frame = pl.DataFrame({"t": MANY, "a": labels(), "b": [None] * 30}, schema_overrides={"b": pl.String})

    with pytest.raises(SettingsError, match=r"b has a single label in column 'b' \(none\)"):
        Messages.of(frame, "t", {"a": "a", "b": "b"}, normalise=normaliser("logs"))


@given(seed=st.integers(0, 2**32), share=st.floats(0.01, 0.95), copies=st.integers(1, 3))
def test_split_when_templates_are_held_out_then_none_is_on_both_sides(seed: int, share: float, copies: int) -> None:
    found = simulate_fakes.messages(60, copies=copies)

    divided = split(found, np.random.default_rng(seed), held=Held.TEMPLATES, share=share)

    assert not set(divided.pool["template"]) & set(divided.test["template"])
    assert divided.pool.height + divided.test.height == found.rows.height
    assert divided.pool.height > 0
    assert divided.test.height > 0
    assert divided.test["group_id"].null_count() == divided.test.height
    assert divided.groups["count"].sum() == divided.pool.height


def test_split_when_messages_are_held_out_then_the_test_names_the_groups_it_shares() -> None:
    found = simulate_fakes.messages(40, copies=5)

    divided = split(found, np.random.default_rng(0), held=Held.MESSAGES, share=0.25)

    assert divided.test.height == 50
    named = divided.test.filter(pl.col("group_id").is_not_null()).join(divided.groups, on="group_id")
    assert named.height > 40
    assert named["template"].to_list() == named["template_right"].to_list()


def test_split_when_drawn_again_with_the_same_seed_then_the_same() -> None:
    found = simulate_fakes.messages(60)
    first, second, other = (
        split(found, np.random.default_rng(seed), held=Held.TEMPLATES, share=0.3).test["row"].to_list()
        for seed in (1, 1, 2)
    )

    assert first == second
    assert first != other


def test_split_when_messages_of_a_group_disagree_then_it_has_the_most_frequent_label() -> None:
    texts = [f"{word} took {n} ms" for word in MANY for n in range(3)]
    found = messages(texts, ["yes", "no", "no"] * 15 + ["yes", None, None] * 15)

    divided = split(found, np.random.default_rng(0), held=Held.TEMPLATES, share=0.1)

    majority = dict(divided.groups.select("template", "label:mood").iter_rows())
    assert divided.groups["count"].to_list() == sorted(divided.groups["count"], reverse=True)
    for word in MANY:
        if (template := f"{word} took <duration>") in majority:
            assert majority[template] == ("no" if MANY.index(word) < 15 else "yes")


def test_guess_kind_when_there_is_no_text_then_social() -> None:
    assert guess_kind(pl.Series([None, None], dtype=pl.String)) == "social"
