"""Models that decline to answer: few declined examinations are left out for all, a model that declines most is left out itself."""

from types import SimpleNamespace

import numpy as np
import pytest

from spinelab.core import TaskError
from spinelab.experiments.assemble import answered
from spinelab.experiments.declined import reasons
from spinelab.experiments.words import statements
from spinelab.report.content import DataSummary


def trained(*names):
    return [SimpleNamespace(plan=SimpleNamespace(key=name, name=name)) for name in names]


def table(*given):
    """Answers of one repeat for examinations that were all held out: True where one was given."""
    rows = np.where(np.array(given)[:, None], 0.5, np.nan)[None]
    return np.repeat(rows, 2, axis=2), np.zeros((1, len(given)), dtype=np.int64)


def test_an_examination_that_one_model_declines_counts_for_none():
    kept, judged, unanswered = answered(trained("a", "b"), {"a": table(1, 1, 1, 0), "b": table(1, 1, 1, 1)})
    assert kept.tolist() == [True, True, True, False]
    assert judged == {"a", "b"}
    assert unanswered == {"a": 1, "b": 0}


def test_a_model_that_declines_most_does_not_take_the_examinations_from_the_others():
    kept, judged, unanswered = answered(trained("a", "b"), {"a": table(1, 0, 0, 0), "b": table(1, 1, 1, 1)})
    assert kept.all()
    assert judged == {"b"}
    assert unanswered == {"a": 3, "b": 0}


@pytest.mark.parametrize("tables", [{"a": table(0, 0, 0), "b": table(1, 0, 0)}, {"a": table(1, 1, 0, 0), "b": table(0, 0, 1, 1)}])
def test_nothing_in_common_is_refused_with_the_counts(tables):
    with pytest.raises(TaskError, match="a declined"):
        answered(trained("a", "b"), tables)


def test_who_is_left_out_is_said():
    data = DataSummary("", "", 4, 4, 4, {})
    told = statements([], [], data, {"unanswered": {"a": 3, "b": 0}, "compared": 4, "left_out": ["a"]})
    assert any("every other model" in text for text in told)
    assert any("a declined more than half: its classes are not judged" in text for text in told)
    assert not any("more than half" in text for text in statements([], [], data, {"unanswered": {"a": 1}, "compared": 3, "left_out": []}))


def refused(why, *names):
    """The same refusal of each of these films, which it names."""
    return [(why.format(name), SimpleNamespace(id=name, of=None)) for name in names]


def test_a_reason_that_names_the_film_is_told_once():
    first, second = reasons([*refused("{}: another kind", "c"), *refused("{} has no AP film", "a", "b")])
    assert (first["why"], first["count"], first["example"]) == ("each has no AP film", 2, "a")
    assert (second["why"], second["count"], second["example"]) == ("another kind", 1, "c")
    (alone,) = reasons(refused("{} has no AP film", "a"))
    assert alone["why"] == "it has no AP film"


def test_a_reason_that_differs_in_what_was_counted_is_told_once_and_one_of_another_level_is_not():
    counted = [*refused("{}: 2 of 5 levels, certainty 0.41", "a"), *refused("{}: 3 of 5 levels, certainty 0.5", "b")]
    (one,) = reasons(counted)
    assert (one["why"], one["count"]) == ("2 of 5 levels, certainty 0.41", 2)
    placed = [*refused("it lies outside the Sagittal T1 series", "a"), *refused("it lies outside the Sagittal T2 series", "b")]
    assert len(reasons(placed)) == 2


def test_reasons_are_said_with_their_example_and_the_rest_is_counted():
    data = DataSummary("", "", 9, 9, 9, {})
    others = [case for letter in "bcdefgh" for case in refused(letter, "z")]
    why = [{"model": "a", **one} for one in reasons([*refused("{} has no AP film", "x", "y"), *others])]
    told = statements([], [], data, {"unanswered": {"a": 9}, "unanswered_why": why, "compared": 1})
    assert "a: 2 examinations are not answered (such as x): each has no AP film." in told
    assert "a: 1 examination is not answered (z): b." in told
    assert "2 more reasons stand in the JSON." in told
