"""Models that decline to answer: few declined examinations are left out for all, a model that declines most is left out itself."""

from types import SimpleNamespace

import numpy as np
import pytest

from spinelab.core import TaskError
from spinelab.experiments.assemble import answered
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
