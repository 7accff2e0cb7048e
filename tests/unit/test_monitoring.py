import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from vigie.monitoring import Metrics, Snapshot

TOTALS = pl.DataFrame(
    [
        ("logs", "route", None, "auto", 7),
        ("logs", "route", None, "review", 3),
        ("logs", "label", "severity", "error", 4),
        ("more", "label", "severity", "error", 1),
        ("logs", "confidence", "severity", "19", 6),
        ("logs", "confidence", "severity", "0", 4),
        ("logs", "dead_letter", None, None, 2),
    ],
    schema={"source": pl.String, "kind": pl.String, "dimension": pl.String, "value": pl.String, "count": pl.Int64},
    orient="row",
)


def samples(snapshot: Snapshot) -> dict[tuple[str, ...], float]:
    # label values in the order of their names
    text = Metrics().render(snapshot).decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_render_when_messages_were_counted_then_they_are_told_by_source_and_route():
    found = samples(Snapshot(totals=TOTALS))
    assert found["vigie_messages_total", "auto", "logs"] == 7
    assert found["vigie_messages_total", "review", "logs"] == 3
    assert found["vigie_dead_letters_total", "logs"] == 2
    assert found["vigie_labels_total", "severity", "error"] == 5


def test_render_when_confidences_were_counted_then_they_are_a_histogram():
    found = samples(Snapshot(totals=TOTALS))
    assert found["vigie_prediction_confidence_bucket", "severity", "0.05"] == 4
    assert found["vigie_prediction_confidence_bucket", "severity", "1"] == 10
    assert found["vigie_prediction_confidence_bucket", "severity", "+Inf"] == 10
    assert found["vigie_prediction_confidence_count", "severity"] == 10
    assert found["vigie_prediction_confidence_sum", "severity"] == pytest.approx(4 * 0.025 + 6 * 0.975)


def test_render_when_parts_tell_their_state_then_each_has_a_gauge():
    found = samples(
        Snapshot(
            totals=TOTALS.clear(),
            questions={"open": 5},
            groups=9,
            answers=3,
            aliases={"champion": "4"},
            lag={("kafka", "logs", 2): 11},
            accuracy={"severity": 0.9},
        )
    )
    assert found["vigie_questions", "open"] == 5
    assert found["vigie_groups",] == 9
    assert found["vigie_model_info", "champion", "4"] == 1
    assert found["vigie_consumer_lag_messages", "2", "kafka", "logs"] == 11
    assert found["vigie_accuracy_ratio", "severity"] == 0.9


def test_render_when_a_request_was_timed_then_its_duration_is_told():
    metrics = Metrics()
    with metrics.predict_duration.time():
        pass
    assert b"vigie_predict_duration_seconds_count 1.0" in metrics.render(Snapshot(totals=TOTALS))


def test_render_when_answers_were_checked_then_agreement_gold_and_what_waits_are_told():
    found = samples(
        Snapshot(
            totals=TOTALS,
            agreement={("severity", "kappa"): 0.8, ("severity", "alpha"): 0.7},
            gold_accuracy=0.9,
            review={"disagreements": 2, "doubts": 0},
        )
    )

    assert found["vigie_agreement", "severity", "kappa"] == 0.8
    assert found["vigie_agreement", "severity", "alpha"] == 0.7
    assert found["vigie_gold_accuracy_ratio",] == 0.9
    assert found["vigie_review_waiting", "disagreements"] == 2
    assert found["vigie_review_waiting", "doubts"] == 0


def test_render_when_nobody_answered_gold_then_no_accuracy_is_told():
    assert ("vigie_gold_accuracy_ratio",) not in samples(Snapshot(totals=TOTALS))
