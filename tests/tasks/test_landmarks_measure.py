import json
import math

import numpy as np
import pytest

from spinelab.core import Fact, InputError, Landmark, Result, unknown
from spinelab.tasks.landmarks.declaration import Declaration
from spinelab.tasks.landmarks.drawing import strokes
from spinelab.tasks.landmarks.measure import measure, measurements
from spinelab.tasks.landmarks.toml_file import read_declaration

NAMES = tuple("abcdef")
AT = {"a": (0.0, 0.0), "b": (10.0, 0.0), "c": (0.0, -10.0), "d": (10.0, -20.0), "e": (5.0, 5.0), "f": (0.0, 30.0)}
"""y points down: c and d lie above a and b."""


def declared(tmp_path, text, names=NAMES):
    path = tmp_path / "measurements.toml"
    path.write_text(text, encoding="utf-8")
    return read_declaration(path).with_landmarks(names, path.name)


def values(declaration, points=None, spacing=None):
    given = {name: np.array(at) for name, at in (points or AT).items()}
    return {key: float(v) for key, v in measure(given, spacing, declaration).items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('lines = [["a", "b"], ["c", "d"]]', 45.0),
        ('lines = [["a", "b"], ["d", "c"]]', 135.0),
        ('lines = [["a", "b"], ["c", "d"]]\nsigned = true', 45.0),
        ('lines = [["c", "d"], ["a", "b"]]\nsigned = true', -45.0),
        ('points = ["b", "a", "c"]', 90.0),
        ('points = ["b", "a", "d"]', math.degrees(math.atan2(20, 10))),
        ('line = ["c", "d"]\nto = "horizontal"', 45.0),
        ('line = ["d", "c"]\nto = "horizontal"\nsigned = true', 45.0),
        ('line = ["a", "e"]\nto = "horizontal"\nsigned = true', -45.0),
        ('line = ["a", "d"]\nto = "vertical"', math.degrees(math.atan2(10, 20))),
        ('line = ["a", "d"]\nto = "vertical"\nsigned = true', -math.degrees(math.atan2(10, 20))),
        ('line = ["f", "a"]\nto = "horizontal"\nsigned = true', 90.0),
        ('lines = [["a", "b"], [["a", "b"], "e"]]', 90.0),
    ],
)
def test_angles_on_a_drawing(tmp_path, text, expected):
    assert values(declared(tmp_path, f"[angle.x]\n{text}")) == {("x", "deg"): pytest.approx(expected)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('points = ["a", "d"]', math.hypot(10, 20)),
        ('points = ["a", "d"]\nalong = "horizontal"', 10),
        ('points = ["a", "d"]\nalong = "vertical"', 20),
        ('points = ["a", "d"]\nalong = "vertical"\nsigned = true', -20),
        ('points = ["b", "a"]\nalong = "horizontal"\nsigned = true', -10),
        ('points = [["a", "b"], "e"]', 5),
        ('point = "e"\nline = ["a", "b"]', 5),
        ('point = "b"\nline = ["c", "d"]', 20 / math.sqrt(2)),
    ],
)
def test_distances_on_a_drawing(tmp_path, text, expected):
    declaration = declared(tmp_path, f"[distance.x]\n{text}")
    assert values(declaration) == {("x", "px"): pytest.approx(expected)}
    in_mm = values(declaration, spacing=(0.5, 0.5))
    assert in_mm == {("x", "px"): pytest.approx(expected), ("x", "mm"): pytest.approx(expected / 2)}


def test_pixels_that_are_not_square(tmp_path):
    declaration = declared(tmp_path, '[angle.x]\npoints = ["b", "a", "d"]\n[distance.y]\npoints = ["a", "d"]')
    found = values(declaration, spacing=(0.5, 2.0))
    assert found["x", "deg"] == pytest.approx(math.degrees(math.atan2(20 * 0.5, 10 * 2)))
    assert found["y", "mm"] == pytest.approx(math.hypot(20, 10))


def test_many_samples_at_once_and_one_by_one(tmp_path):
    text = """
    [angle.u]
    lines = [["a", "b"], ["c", "d"]]
    [angle.v]
    line = ["a", "f"]
    to = "vertical"
    signed = true
    [distance.w]
    point = "e"
    line = ["a", "b"]
    """
    declaration = declared(tmp_path, text)
    samples = {name: np.asarray(at) + np.random.default_rng(1).normal(0, 1, (3, 4, 2)) for name, at in AT.items()}
    many = measure(samples, (0.3, 0.4), declaration)
    for place in np.ndindex(3, 4):
        one = values(declaration, {name: at[place] for name, at in samples.items()}, (0.3, 0.4))
        assert {key: many[key][place] for key in many} == pytest.approx(one)


def rotated(points, degrees, scale=1.0, shift=(0.0, 0.0)):
    turn = math.radians(degrees)
    matrix = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return {name: matrix @ np.array(at) + shift for name, at in points.items()}


def test_turning_shifting_and_enlarging_the_picture(tmp_path):
    text = '[angle.u]\nlines=[["a","b"],["c","d"]]\nsigned=true\n[angle.v]\npoints=["b","a","d"]\n[angle.h]\nline=["a","b"]\nto="horizontal"\nsigned=true\n'
    declaration = declared(tmp_path, text + '[distance.w]\npoints=["a","d"]')
    before, after = values(declaration), values(declaration, rotated(AT, -25, 3, (7, -2)))
    assert after["u", "deg"] == pytest.approx(before["u", "deg"])
    assert after["v", "deg"] == pytest.approx(before["v", "deg"])
    assert after["w", "px"] == pytest.approx(3 * before["w", "px"])
    assert after["h", "deg"] == pytest.approx(25)  # counter-clockwise as displayed
    mirrored = values(declaration, {name: (-x, y) for name, (x, y) in AT.items()})
    assert mirrored["u", "deg"] == pytest.approx(-before["u", "deg"])
    assert mirrored["v", "deg"] == pytest.approx(before["v", "deg"])


def test_what_is_withheld_and_why(tmp_path):
    text = '[angle.u]\nlines=[["a","b"],["c","d"]]\n[angle.v]\npoints=["b","a","e"]\n[distance.w]\npoints=["a","b"]\n[distance.x]\npoints=["e","f"]'
    declaration = declared(tmp_path, text)
    landmarks = (*(Landmark(name, *AT[name]) for name in "ab"), Landmark("e", 0.0, 0.0))
    given = {(m.name, m.unit): m for m in measurements(landmarks, unknown("a JPG does not state it"), declaration)}
    assert given["u", "deg"].withheld == "c and d are not in the picture"
    assert given["v", "deg"].withheld == "two of its points fall together, so that a direction is not defined"
    assert given["w", "px"].value == 10
    assert given["w", "mm"].withheld == "no pixel spacing: a JPG does not state it"
    assert given["x", "mm"].withheld == given["x", "px"].withheld == "f is not in the picture"
    known = {(m.name, m.unit): m for m in measurements(landmarks, Fact((0.2, 0.2), "header"), declaration)}
    assert known["w", "mm"].value == pytest.approx(2)


FULL = """
landmarks = ["a", "b", "c", "d"]
[angle.alpha]
title = "Alpha angle"
lines = [["a", "b"], [["c", "a"], "d"]]
[distance.size]
points = ["a", "b"]
along = "horizontal"
signed = true
[mirror]
pairs = [["a", "b"]]
[regions]
upper = ["a", "b"]
lower = ["c", "d"]
"""


def test_a_declaration_says_what_it_is_and_survives_being_stored(tmp_path):
    declaration = declared(tmp_path, FULL)
    assert [(q.name, q.unit, q.column) for q in declaration.quantities] == [
        ("alpha", "deg", "alpha_deg"),
        ("size", "mm", "size_mm"),
        ("size", "px", "size_px"),
    ]
    assert declaration.quantities[0].title == "Alpha angle"
    assert declaration.quantities[0].how == "angle between the directions a to b and the middle of c and a to d"
    assert declaration.quantities[1].how == "horizontal distance from a to b, positive to the right or downwards"
    assert declaration.swapped() == {"a": "b", "b": "a", "c": "c", "d": "d"}
    assert Declaration.from_dict(json.loads(json.dumps(declaration.to_dict()))) == declaration
    with pytest.raises(InputError, match="stored declaration"):
        Declaration.from_dict({"landmarks": []})


def test_without_mirror_nothing_is_flipped(tmp_path):
    assert not declared(tmp_path, "").flips
    assert declared(tmp_path, "[mirror]\npairs = []").flips


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[angle", "cannot be read"),
        ("[angel.x]", "unknown entry 'angel'"),
        ("angle = 3", "angle is no group of tables"),
        ("[angle.x]", "has nothing to measure"),
        ('[angle.x]\nline=["a","b"]\npoints=["a","b","c"]', "has points and line"),
        ('[angle.x]\nlines=[["a","b"]]', "lines ="),
        ('[angle.x]\nlines=[["a","b"],["c"]]', "2 points"),
        ('[angle.x]\nlines=[["a","a"],["c","d"]]', "names a twice"),
        ('[angle.x]\nlines=[["a","b"],["b","a"]]', "both lines run through the same points"),
        ('[angle.x]\npoints=["a","b","a"]', "names a twice"),
        ('[angle.x]\nline=["a","b"]', "has no `to`"),
        ('[angle.x]\nline=["a","b"]\nto="diagonal"', "to = 'diagonal'"),
        ('[angle.x]\npoints=["a","b","z"]', r"\[angle.x\] names a point 'z'"),
        ('[angle.x]\npoints=["a","b",3]', "a list of names|3"),
        ('[angle."x y"]\npoints=["a","b","c"]', "letters, digits and underscores|angle.x y"),
        ('[angle.x]\npoints=["a","b","c"]\n[distance.X]\npoints=["a","b"]', "X is declared twice"),
        ('[angle.x]\npoints=["a","b","c"]\nsign=true', "unknown entry 'sign'"),
        ('[angle.x]\nlines=[["a","b"],["c","d"]]\nsigned="yes"', "signed = 'yes'"),
        ('[angle.x]\npoints=["a","b","c"]\ntitle=""', "title = ''"),
        ("[distance.x]", "has nothing to measure"),
        ('[distance.x]\npoints=["a","a"]', "names a twice"),
        ('[distance.x]\npoints=["a","b"]\nsigned=true', "signed and along no axis"),
        ('[distance.x]\npoints=["a","b"]\nalong="up"', "along = 'up'"),
        ('[distance.x]\npoint="a"', "has a point and no line"),
        ('[distance.x]\npoint="a"\nline=["a","b"]', "names a twice"),
        ('[distance.x]\npoints=[["a","b"],["b","a"]]', "names b and a twice"),
        ("[mirror]", "without pairs"),
        ('[mirror]\npairs=[["a","b"],["b","c"]]', "names 'b' twice"),
        ('[mirror]\npairs=[["a","a"]]', "names a twice"),
        ('[mirror]\npairs=[["a","q"]]', r"\[mirror.pairs\] names a point 'q'"),
        ('[mirror]\npairs=[[["a","c"],"b"]]', "pairs several points at once"),
        ("[mirror]\npairs=true", "pairs = True"),
        ('[regions]\ntop=["a","a"]', "names 'a' twice"),
        ("[regions]\ntop=[]", r"\[regions\] top"),
        ('[regions]\ntop=["q"]', r"\[regions.top\] names a point 'q'"),
        ('landmarks = ["a","a"]', "names 'a' twice"),
        ('landmarks = ["q"]', r"\[landmarks\] names a point 'q'"),
        ('landmarks = ["a"]\n[distance.x]\npoints=["a","b"]', r"\[distance.x\] names a point 'b'"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused_in_words(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        declared(tmp_path, text)


def test_everything_measured_is_drawn_and_nothing_else(tmp_path):
    text = """
    [angle.u]
    lines = [["a", "b"], ["c", "d"]]
    [angle.v]
    points = ["b", "a", "c"]
    [angle.w]
    line = ["a", "d"]
    to = "vertical"
    [distance.x]
    points = ["a", "b"]
    [distance.y]
    points = ["a", "d"]
    along = "vertical"
    [distance.z]
    point = "e"
    line = ["a", "b"]
    [distance.gone]
    points = ["a", "f"]
    """
    declaration = declared(tmp_path, text)
    landmarks = tuple(Landmark(name, *AT[name]) for name in "abcde")
    result = Result("landmarks", "t", "s", measurements=measurements(landmarks, Fact((0.5, 0.5), "t"), declaration), landmarks=landmarks)
    marks = strokes(result, declaration)
    assert {m.measurement for m in marks if m.role != "landmark"} == set("uvwxyz")
    assert sum(m.kind == "point" for m in marks) == 5
    texts = {m.measurement: m.text for m in marks if m.kind == "label"}
    assert texts == {"u": "u 45.0°", "v": "v 90.0°", "w": "w 26.6°", "x": "x 5.0 mm", "y": "y 10.0 mm", "z": "z 2.5 mm"}
    foot = next(m for m in marks if m.measurement == "z" and m.points[0] == (5.0, 5.0))
    assert foot.points[1] == pytest.approx((5.0, 0.0))
