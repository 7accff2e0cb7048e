from vigie.features.keys import LONGEST, key


def test_key_when_a_text_is_short_then_it_is_the_text() -> None:
    assert key("") == ""
    assert key("é" * LONGEST) == "é" * LONGEST


def test_key_when_texts_are_long_then_they_are_told_apart_by_little() -> None:
    texts = ["x" * n for n in range(LONGEST + 1, LONGEST + 500)] + ["x" * 100_000 + letter for letter in "ab😀"]

    keys = [key(text) for text in texts]

    assert len(set(keys)) == len(texts)
    assert {len(one) for one in keys} == {16}
    assert keys == [key(text) for text in texts]
