from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from builders import a_dimension
from vigie.labels import Dimension, Origin, Route
from vigie.rules import Rules
from vigie.stream.labeller import Labeller
from vigie.stream.routing import Policy

SEVERITY = a_dimension("severity", ("info", "warning", "error"), default="info")
MOOD = a_dimension("mood", ("good", "bad"))
RULES = """
[[rules]]
name = "failed"
pattern = 'failed'
labels = { severity = "error" }
"""


class FixedModel:
    """Says what it was told about each template; the rest is undecided."""

    def __init__(
        self,
        proba: Mapping[str, Sequence[float]],
        *,
        answers: Mapping[str, Mapping[str, str]] | None = None,
        evidence: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    ) -> None:
        self.version = "7"
        self.dimensions: Sequence[Dimension] = (SEVERITY,)
        self.answers = answers or {}
        self.evidence = evidence or {}
        self.asked: list[str] = []
        self._proba = proba

    def predict_proba(self, templates: pl.Series) -> dict[str, np.ndarray]:
        self.asked += templates.to_list()
        return {"severity": np.array([self._proba.get(t, (0.4, 0.3, 0.3)) for t in templates])}


def a_labeller(
    model: FixedModel | None = None,
    *,
    rules: str = "",
    precedence: str = "fallback",
    dimensions: tuple[Dimension, ...] = (SEVERITY,),
) -> Labeller:
    policy = Policy(dimensions, Rules.parse(rules, dimensions), precedence, 0.75)  # type: ignore[arg-type]
    labeller = Labeller(policy, normalise=lambda texts: texts.str.replace_all(r"\d+", "<num>"))
    labeller.use(model=model)
    return labeller


def test_predict_when_there_is_no_model_then_defaults_go_to_review():
    prediction = a_labeller(dimensions=(SEVERITY, MOOD)).predict(["hello 12"])[0]
    assert prediction.labels == {"severity": "info", "mood": None}
    assert prediction.confidence == {"severity": 0.0, "mood": 0.0}
    assert set(prediction.origin.values()) == {Origin.DEFAULT}
    assert prediction.route is Route.REVIEW
    assert prediction.template == "hello <num>"
    assert prediction.model is None


def test_predict_when_the_model_is_sure_then_the_message_goes_on_by_itself():
    prediction = a_labeller(FixedModel({"hello <num>": (0.1, 0.1, 0.8)})).predict(["hello 12"])[0]
    assert prediction.labels["severity"] == "error"
    assert prediction.confidence["severity"] == pytest.approx(0.8)
    assert prediction.route is Route.AUTO
    assert prediction.model == "7"


def test_predict_when_the_model_is_exactly_as_sure_as_asked_then_it_is_sure():
    assert a_labeller(FixedModel({"a": (0.75, 0.25, 0.0)})).predict(["a"])[0].route is Route.AUTO


def test_predict_when_the_model_hesitates_then_someone_should_look():
    assert a_labeller(FixedModel({"a": (0.7, 0.3, 0.0)})).predict(["a"])[0].route is Route.REVIEW


def test_predict_when_a_person_answered_then_the_answer_stands_above_model_and_rules():
    model = FixedModel({"it failed": (0.9, 0.1, 0.0)}, answers={"it failed": {"severity": "warning"}})
    prediction = a_labeller(model, rules=RULES, precedence="override").predict(["it failed"])[0]
    assert prediction.labels["severity"] == "warning"
    assert prediction.origin["severity"] is Origin.HUMAN
    assert prediction.confidence["severity"] == 1.0
    assert prediction.route is Route.AUTO


def test_predict_when_people_answered_in_every_dimension_then_the_model_is_not_asked() -> None:
    answers = {"a": {"severity": "error", "mood": "bad"}, "b": {"severity": "error"}, "d": {"severity": "gone"}}
    model = FixedModel({"b": (0.9, 0.1, 0.0), "c": (0.1, 0.8, 0.1)}, answers=answers)
    both, one = a_labeller(model, dimensions=(SEVERITY, MOOD)), a_labeller(model)

    assert [each.labels["mood"] for each in both.predict(["a", "b", "c"])] == ["bad", None, None]
    assert model.asked == ["b", "c"]
    assert [each.labels["severity"] for each in one.predict(["a", "c", "b", "d"])] == [
        "error",
        "warning",
        "error",
        "info",
    ]
    assert model.asked == ["b", "c", "c", "d"]
    assert one.predict(["a"])[0].confidence == {"severity": 1.0}


def test_predict_when_an_answer_names_a_label_that_is_gone_then_the_model_decides():
    model = FixedModel({"a": (0.9, 0.1, 0.0)}, answers={"a": {"severity": "gone"}})
    assert a_labeller(model).predict(["a"])[0].origin["severity"] is Origin.MODEL


def test_predict_when_the_model_hesitates_and_a_rule_speaks_then_the_rule_decides():
    prediction = a_labeller(FixedModel({"it failed": (0.6, 0.1, 0.3)}), rules=RULES).predict(["it failed"])[0]
    assert prediction.labels["severity"] == "error"
    assert prediction.origin["severity"] is Origin.RULE
    assert prediction.confidence["severity"] == pytest.approx(0.3)
    assert prediction.route is Route.RULE


def test_predict_when_the_model_is_sure_and_rules_are_a_fallback_then_the_model_decides():
    prediction = a_labeller(FixedModel({"it failed": (0.9, 0.1, 0.0)}), rules=RULES).predict(["it failed"])[0]
    assert prediction.labels["severity"] == "info"
    assert prediction.route is Route.AUTO


def test_predict_when_rules_override_then_they_beat_a_sure_model():
    labeller = a_labeller(FixedModel({"it failed": (0.9, 0.1, 0.0)}), rules=RULES, precedence="override")
    assert labeller.predict(["it failed"])[0].labels["severity"] == "error"


def test_predict_when_a_rule_settles_one_dimension_only_then_someone_should_look():
    prediction = a_labeller(rules=RULES, dimensions=(SEVERITY, MOOD)).predict(["it failed"])[0]
    assert prediction.labels == {"severity": "error", "mood": None}
    assert prediction.route is Route.REVIEW


def test_predict_when_a_rule_looks_for_what_the_mask_hides_then_it_still_finds_it():
    rules = RULES.replace("failed", "code 7")
    first, second = a_labeller(rules=rules).predict(["code 7", "code 8"])
    assert first.template == second.template
    assert (first.labels["severity"], second.labels["severity"]) == ("error", "info")


def test_predict_when_the_model_knows_another_list_of_labels_then_they_are_matched_by_name():
    severity = a_dimension("severity", ("error", "fatal", "info"))
    prediction = a_labeller(FixedModel({"a": (0.1, 0.1, 0.8)}), dimensions=(severity,)).predict(["a"])[0]
    assert prediction.labels["severity"] == "error"


def test_label_when_a_row_is_undecodable_then_it_stays_without_labels():
    frame = a_labeller(FixedModel({})).label(pl.DataFrame({"text": ["a", None, "b"], "other": [1, 2, 3]}))[0]
    assert frame["other"].to_list() == [1, 2, 3]
    assert frame["route"].to_list() == ["review", None, "review"]
    assert frame["template"].to_list() == ["a", None, "b"]


def test_label_when_the_batch_is_empty_then_all_columns_are_there():
    labeller = a_labeller(FixedModel({}), rules=RULES)
    empty, _ = labeller.label(pl.DataFrame({"text": []}, schema={"text": pl.String}))
    assert empty.height == 0
    assert empty.columns == labeller.label(pl.DataFrame({"text": ["a"]}))[0].columns


def test_label_when_the_batch_is_cut_otherwise_then_labels_are_the_same():
    texts = [f"line {i % 7} failed {i}" if i % 3 else f"line {i}" for i in range(60)]
    whole = a_labeller(FixedModel({"line <num>": (0.0, 0.9, 0.1)}), rules=RULES)
    frame = pl.DataFrame({"text": texts})
    parts = [whole.label(frame.slice(start, 7))[0] for start in range(0, 60, 7)]
    assert_frame_equal(pl.concat(parts), a_labeller(whole.model, rules=RULES).label(frame)[0])  # type: ignore[arg-type]


def test_use_when_a_new_model_comes_then_old_probabilities_are_forgotten():
    labeller = a_labeller(FixedModel({"a": (0.9, 0.1, 0.0)}))
    assert labeller.predict(["a"])[0].labels["severity"] == "info"
    labeller.use(model=FixedModel({"a": (0.0, 0.1, 0.9)}))
    assert labeller.predict(["a"])[0].labels["severity"] == "error"


def test_use_when_the_threshold_rises_then_the_model_stays_and_more_is_reviewed():
    labeller = a_labeller(FixedModel({"a": (0.8, 0.2, 0.0)}))
    labeller.use(policy=Policy((SEVERITY,), Rules.empty((SEVERITY,)), "fallback", 0.9))
    prediction = labeller.predict(["a"])[0]
    assert (prediction.model, prediction.route) == ("7", Route.REVIEW)


PROVEN = {"severity": ((0.95, 0.99), (0.8, 0.96), (0.6, 0.9))}


def promising(model: FixedModel | None, target: float, rules: str = "") -> Labeller:
    """Return a labeller whose dimension has a promise instead of a fixed threshold."""
    labeller = a_labeller(model, rules=rules)
    policy = Policy((SEVERITY,), Rules.parse(rules, (SEVERITY,)), targets={"severity": target})
    labeller.use(policy=policy)
    return labeller


@pytest.mark.parametrize(("target", "route"), [(0.95, Route.AUTO), (0.98, Route.REVIEW), (0.995, Route.REVIEW)])
def test_predict_when_a_precision_is_promised_then_the_evidence_decides(target: float, route: Route):
    model = FixedModel({"a": (0.85, 0.1, 0.05)}, evidence=PROVEN)

    assert promising(model, target).predict(["a"])[0].route is route


def test_predict_when_a_promise_has_no_evidence_then_someone_should_look():
    assert promising(FixedModel({"a": (1.0, 0.0, 0.0)}), 0.5).predict(["a"])[0].route is Route.REVIEW
    assert promising(None, 0.5).predict(["a"])[0].route is Route.REVIEW


def test_predict_when_a_promise_has_no_evidence_then_people_and_rules_are_heard_still():
    model = FixedModel({"failed": (0.9, 0.1, 0.0)}, answers={"seen": {"severity": "info"}})

    routes = [found.route for found in promising(model, 0.9, RULES).predict(["seen", "failed"])]

    assert routes == [Route.AUTO, Route.RULE]


def test_use_when_a_model_with_more_evidence_comes_then_more_passes_at_once():
    labeller = promising(FixedModel({"a": (0.85, 0.1, 0.05)}), 0.95)
    assert labeller.predict(["a"])[0].route is Route.REVIEW

    labeller.use(model=FixedModel({"a": (0.85, 0.1, 0.05)}, evidence=PROVEN))

    assert labeller.predict(["a"])[0].route is Route.AUTO
    assert labeller.policy.threshold("severity") == 0.8


def test_use_when_another_precision_is_promised_then_the_same_model_follows():
    labeller = promising(FixedModel({"a": (0.7, 0.2, 0.1)}, evidence=PROVEN), 0.95)
    assert labeller.predict(["a"])[0].route is Route.REVIEW

    labeller.use(policy=Policy((SEVERITY,), Rules.empty((SEVERITY,)), targets={"severity": 0.85}))

    assert labeller.predict(["a"])[0].route is Route.AUTO


def test_predict_when_only_one_dimension_has_a_promise_then_the_other_keeps_the_fixed_threshold():
    labeller = a_labeller(FixedModel({"a": (0.8, 0.1, 0.1)}, evidence=PROVEN), dimensions=(SEVERITY, MOOD))
    labeller.use(policy=Policy((SEVERITY, MOOD), Rules.empty((SEVERITY, MOOD)), targets={"severity": 0.95}))

    assert labeller.policy.threshold("severity") == 0.8
    assert labeller.policy.threshold("mood") == 0.75


def test_predict_when_nobody_answered_a_dimension_then_its_default_stands():
    prediction = a_labeller(FixedModel({"a": (1 / 3, 1 / 3, 1 / 3)})).predict(["a"])[0]
    assert prediction.labels["severity"] == "info"
    assert prediction.origin["severity"] is Origin.DEFAULT
    assert prediction.confidence["severity"] == 0.0
    assert prediction.route is Route.REVIEW
