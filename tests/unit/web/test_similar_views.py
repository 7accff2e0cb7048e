import pytest

from vigie.labelling import Similar, SimilarGroup
from vigie.labels import Origin, Prediction, Route
from vigie.web.desk import Applied
from vigie.web.label_texts import applied_text
from vigie.web.views import MAX_CHARACTERS_IN_A_ROW, similar_view
from vigie.web.words import words_in
from web_fakes import spans

EN, FR = words_in("en"), words_in("fr")
SAID = Prediction(Route.REVIEW, {"severity": "error"}, {"severity": 0.93}, {"severity": Origin.MODEL}, "t", "3")


def a_group(text: str = "disk 91% full", *, count: int = 1200, similarity: float = 0.874) -> SimilarGroup:
    return SimilarGroup(7, count, text, similarity, SAID)


def test_similar_view_when_groups_are_found_then_shows_message_size_and_what_the_model_says() -> None:
    view = similar_view(Similar((a_group(),), 5, 5), spans, EN)

    assert view["progress"] == ""
    assert view["groups"] == [
        {
            "id": 7,
            "parts": [("disk ", False), ("91", True), ("% full", False)],
            "count": 1200,
            "covers": "1,200 messages",
            "similarity": "87% alike",
            "share": 0.874,
            "far": False,
            "model": "3",
            "beliefs": {"severity": {"label": "error", "confidence": 0.93, "text": "model, 93% sure"}},
        }
    ]


def test_similar_view_when_a_message_is_long_then_it_is_cut() -> None:
    text = "x" * (MAX_CHARACTERS_IN_A_ROW - 2) + " 12345"

    parts = similar_view(Similar((a_group(text),), 5, 5), spans, EN)["groups"][0]["parts"]

    assert "".join(part for part, _ in parts) == text[:MAX_CHARACTERS_IN_A_ROW] + "…"


def test_similar_view_when_groups_are_still_being_read_then_says_how_far() -> None:
    view = similar_view(Similar((a_group(similarity=-0.1),), 1200, 10_000), spans, EN)

    assert view["progress"].startswith("1,200 of 10,000 kinds of message are compared so far")
    assert view["groups"][0]["similarity"] == "0% alike"
    assert (view["groups"][0]["share"], view["groups"][0]["far"]) == (0.0, True)
    assert similar_view(Similar((), 1, 2), spans, FR)["progress"].startswith("1 sortes de messages sur 2")


@pytest.mark.parametrize(
    ("applied", "english", "french"),
    [
        (Applied(2, 2, []), "2 similar groups took the answer too.", "2 groupes semblables ont reçu la réponse aussi."),
        (Applied(3, 1, []), "1 similar group took the answer too. 2 did not: someone else has them", "2 ne l"),
        (Applied(1, 0, []), "0 similar groups took the answer too. 1 did not: someone else has it", "1 ne l"),
    ],
)
def test_applied_text_when_some_or_all_took_it_then_says_so(applied: Applied, english: str, french: str) -> None:
    assert english in applied_text(applied, EN)
    assert french in applied_text(applied, FR)
