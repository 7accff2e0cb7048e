import numpy as np
import polars as pl

from learner_fakes import SEVERITY, KnowingModel
from vigie.learner.recalled import Recalled


class CountingModel(KnowingModel):
    def __init__(self) -> None:
        super().__init__({"severity": {"b": SEVERITY.label_names[1]}})
        self.asked: list[list[str]] = []

    def predict_proba(self, templates: pl.Series) -> dict[str, np.ndarray]:
        self.asked.append(templates.to_list())
        return super().predict_proba(templates)


def test_predict_proba_when_asked_again_then_only_new_texts_reach_the_model() -> None:
    model = CountingModel()
    recalled = Recalled(model)
    recalled.predict_proba(pl.Series(["a", "b", "a"]))

    said = recalled.predict_proba(pl.Series(["b", "c", "a"]))

    assert model.asked == [["a", "b"], ["c"]]
    np.testing.assert_array_equal(
        said["severity"], KnowingModel.predict_proba(model, pl.Series(["b", "c", "a"]))["severity"]
    )


def test_predict_proba_when_texts_are_long_then_they_are_known_again_and_not_kept() -> None:
    model = CountingModel()
    recalled = Recalled(model)
    texts = pl.Series(["a" * 100_000, "b" * 100_000])

    first, again = recalled.predict_proba(texts), recalled.predict_proba(texts)

    assert len(model.asked) == 1
    np.testing.assert_array_equal(first["severity"], again["severity"])
    assert max(map(len, recalled._rows)) < 200


def test_predict_proba_when_there_are_no_texts_then_dimensions_all_the_same() -> None:
    said = Recalled(CountingModel()).predict_proba(pl.Series([], dtype=pl.String))

    assert said["severity"].shape == (0, len(SEVERITY.labels))


def test_predict_proba_when_more_texts_than_are_kept_then_it_forgets_and_stays_right() -> None:
    recalled = Recalled(CountingModel(), max_texts=2)
    recalled.predict_proba(pl.Series(["a", "b"]))

    said = recalled.predict_proba(pl.Series(["c", "b"]))

    assert len(recalled) == 2
    assert said["severity"].argmax(axis=1).tolist() == [0, 1]
