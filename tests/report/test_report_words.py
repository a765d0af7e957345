"""Numbers as people read them, axes, pictures."""

import numpy as np
import pytest

from spinelab.core import Explanation
from spinelab.evaluation.types import Estimate
from spinelab.report import words
from spinelab.report.charts import Curve, roc_chart
from spinelab.report.layout import rarest, scale, table
from spinelab.report.pictures import film, overlay, size


def test_weights_and_precision_are_said_in_words():
    asked = {"asked": "scratch", "used": "scratch", "why": "asked for", "source": None}
    assert words.settled(asked) == "trained from scratch, as asked"
    instead = {"asked": "imagenet", "used": "scratch", "why": "the hub gave no weights", "source": None}
    assert words.settled(instead) == "trained from scratch although imagenet weights were asked for: the hub gave no weights"
    found = {"asked": "imagenet", "used": "imagenet", "why": "from the timm hub", "source": "resnet18"}
    assert words.settled(found) == "started from ImageNet weights: from the timm hub (resnet18)"
    assert words.settled({"asked": "auto", "used": "32", "why": "this device has no bf16"}) == "32 bits: this device has no bf16"
    assert words.settled({"patients": 3}) == {"patients": 3}


def test_numbers():
    assert words.number(-0.1234) == "−0.123"
    assert words.number(-0.0001) == "0.000"
    assert words.number(None) == words.number(float("nan")) == "–"
    assert words.interval(Estimate(0.5, 0.25, 0.75), 2) == "0.25 to 0.75"
    assert words.interval(Estimate(0.5)) == ""
    assert [words.p_value(p) for p in (0.0004, 0.012, 0.21, None)] == ["< 0.001", "0.012", "0.21", "–"]
    assert [words.duration(s) for s in (4.25, 42, 125, 7320, None)] == ["4.2 s", "42 s", "2 min", "2 h 02 min", "–"]
    assert words.count(11177538) == "11\u202f177\u202f538"
    assert words.sentence({"F": 3, "unknown": None, "known": True}) == "F 3, unknown unknown, known yes"


def test_probability_in_words_covers_the_scale():
    steps = [words.likelihood(p) for p in (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)]
    assert steps == ["very unlikely", "unlikely", "less likely than not", "undecided", "more likely than not", "likely", "very likely", "very likely"]


@pytest.mark.parametrize("values", [[0.86, 0.8, 0.91], [0.5], [], [-0.05, 0.2], [0.701, 0.702], [12.0, 340.0]])
def test_axis_holds_every_value_between_round_limits(values):
    axis = scale([Estimate(v) for v in values], 0.5 if values == [0.5] else None)
    assert all(axis.low <= v <= axis.high for v in values)
    assert 2 <= len(axis.ticks) <= 6
    assert axis.percent(axis.low) == 0
    assert axis.percent(axis.high) == 100


def test_rarest_counts_patients_where_they_are_known():
    assert rarest({"a": {"images": 9, "patients": 5}, "b": {"images": 8, "patients": 6}}) == ("a", 5, "patients")
    assert rarest({"a": {"images": 9, "patients": None}, "b": {"images": 8, "patients": None}}) == ("b", 8, "images")
    assert rarest({}) is None


def test_tables_of_every_form():
    assert table([{"a": 1}, {"b": 2}]).rows == ((1, ""), ("", 2))
    assert table([["a", "b"], [1, 2]]).columns == ("a", "b")
    assert table({"columns": ["a"], "rows": [[1], [2]]}).total == 2
    assert table(()) is None
    assert table({"a": n} for n in range(100)).total == 100


def decode(uri):
    import base64
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_heat_colours_only_where_it_is_hot():
    heat = np.zeros((40, 40), np.float32)
    heat[:, 20:] = 1
    picture = np.full((400, 300), 100, np.uint8)
    drawn = decode(overlay(Explanation("Grad-CAM", "x", picture, heat))).astype(int)
    assert drawn.shape == (size(picture)["height"], size(picture)["width"], 3) == (224, 168, 3)
    assert np.abs(drawn[:, :60] - 100).max() < 8
    assert (drawn[:, 110:, 0] - drawn[:, 110:, 2]).min() > 20
    assert decode(film(picture)).shape == (224, 168)
    assert decode(film(np.zeros((50, 40, 3), np.uint8))).shape == (50, 40, 3)


def test_figures_keep_text_share_no_identifier_and_repeat_exactly():
    line = Curve(np.array([0.0, 0.2, 1.0]), np.array([0.0, 0.8, 1.0]))
    one, again, other = (roc_chart(key, line, [], 'a "b" <c>') for key in ("roc-0", "roc-0", "roc-1"))
    assert one == again
    assert "<text" in one
    assert "http" not in one
    assert 'aria-label="a &#34;b&#34; &lt;c&gt;"' in one
    import re

    assert not set(re.findall(r' id="([^"]+)"', one)) & set(re.findall(r' id="([^"]+)"', other))


@pytest.mark.parametrize(("p", "digits", "said"), [(1.0, 2, "> 0.99"), (0.9967, 2, "> 0.99"), (0.9967, 3, "0.997"), (0.0, 3, "< 0.001"), (0.5, 2, "0.50")])
def test_no_probability_is_printed_as_certain(p, digits, said):
    assert words.chance(p, digits) == said
