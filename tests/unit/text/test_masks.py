import polars as pl
import pytest

from vigie.text.masks import Clear, Keep, Mask, Recall, Restore, each_once, run, until_stable


def test_mask_when_context_is_given_then_it_stays() -> None:
    mask = Mask("[0-9]+", "<num>", before="id=", after=";|$")

    assert mask.over(pl.Series(["id=7; 8", "id=9", "10", None])).to_list() == ["id=<num>; 8", "id=<num>", "10", None]


def test_mask_when_a_text_is_spared_then_others_are_masked() -> None:
    mask = Mask("bob", "<user>", unless="root")

    assert mask.over(pl.Series(["bob", "bob root", None])).to_list() == ["<user>", "bob root", None]
    assert [piece.after for piece in mask.pieces("bob root")] == ["bob root"]


def test_mask_when_split_into_pieces_then_only_the_target_is_hidden() -> None:
    pieces = list(Mask("[0-9]+", "<num>", before="id=").pieces("an id=7 é id=8"))

    assert "".join(piece.before for piece in pieces) == "an id=7 é id=8"
    assert "".join(piece.after for piece in pieces) == "an id=<num> é id=<num>"
    assert [piece.before for piece in pieces if piece.hidden] == ["7", "8"]


def test_mask_when_it_only_tidies_then_hides_nothing() -> None:
    assert not any(piece.hidden for piece in Mask(" +", " ", hides=False).pieces("a   b"))


@pytest.mark.parametrize("text", ["code=404 is 404", "code=4, code=12345 and 6", "code=123456", "no", ""])
def test_keep_when_numbers_are_masked_in_between_then_brings_the_code_back(text: str) -> None:
    steps = (Keep("code="), Mask("[0-9]+", "<num>"), Restore())
    expected = {"code=404 is 404": "code=404 is <num>", "code=4, code=12345 and 6": "code=4, code=12345 and <num>"}

    assert run(steps, pl.Series([text]))[0] == expected.get(text, text.replace("123456", "<num>"))


def test_keep_when_split_into_pieces_then_every_character_keeps_its_place() -> None:
    keep = Keep("code=", start=("0", "[xX]"), code="[0-9a-f]", most=4)
    text = "code=0xbeef 0xbeef"

    pieces = list(keep.pieces(text))

    after = "".join(piece.after for piece in pieces)
    assert len(after) == len(text)
    assert after == keep.over(pl.Series([text]))[0]
    assert "".join(piece.after for piece in Restore().pieces(after)) == text


def test_clear_when_private_characters_are_there_then_drops_them() -> None:
    text = "a\U000f0134b\U000f0000"

    assert Clear().over(pl.Series([text]))[0] == "ab"
    assert "".join(piece.after for piece in Clear().pieces(text)) == "ab"


def test_each_once_when_texts_repeat_then_rewrites_each_once_in_place() -> None:
    seen: list[str | None] = []

    def rewrite(texts: pl.Series) -> pl.Series:
        seen.extend(texts)
        return texts.str.to_uppercase()

    assert each_once(rewrite, pl.Series(["a", None, "b", "a", None])).to_list() == ["A", None, "B", "A", None]
    assert sorted(text or "" for text in seen) == ["", "a", "b"]


def test_until_stable_when_rows_need_different_rounds_then_all_get_theirs() -> None:
    def halve(texts: pl.Series) -> pl.Series:
        return texts.str.replace("aa", "a", literal=True)

    assert until_stable(halve, pl.Series(["aaaa", "a", None, "aa"])).to_list() == ["a", "a", None, "a"]


def test_until_stable_when_it_never_ends_then_gives_up() -> None:
    assert len(until_stable(lambda texts: texts + "!", pl.Series(["a"]))[0]) < 10


def test_recall_when_texts_come_again_then_are_not_rewritten_again() -> None:
    calls: list[list[str | None]] = []

    def rewrite(texts: pl.Series) -> pl.Series:
        calls.append(texts.to_list())
        return texts + "!"

    recall = Recall(rewrite)
    recall(pl.Series(["a", "b"]))

    assert recall(pl.Series(["b", "c", None])).to_list() == ["b!", "c!", None]
    assert recall(pl.Series(["c", "a", None])).to_list() == ["c!", "a!", None]
    assert calls == [["a", "b"], ["c", None]]


def test_recall_when_it_is_full_then_forgets_and_still_answers() -> None:
    calls: list[str] = []
    recall = Recall(lambda texts: calls.extend(texts) or texts, capacity=10)

    assert recall(pl.Series(["a" * 6])).to_list() == ["a" * 6]
    assert recall(pl.Series(["a" * 6])).to_list() == ["a" * 6]
    assert len(calls) == 2


def test_recall_when_there_is_nothing_then_returns_nothing() -> None:
    assert Recall(lambda texts: texts)(pl.Series(dtype=pl.String)).to_list() == []
