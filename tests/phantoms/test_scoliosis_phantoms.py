"""AP films with up to three curves: corners on the bodies' shadows, angles as drawn, and the challenge's layout."""

import csv
import json
import re
from collections import Counter
from itertools import pairwise

import cv2
import numpy as np
import pytest

from spinelab.core import Result
from spinelab.geometry import CORNER_LANDMARKS, challenge_cobb
from spinelab.phantoms import DrawnCurve, ap_spine, is_phantom, scoliosis_collection, scoliosis_film, write_aasce
from spinelab.phantoms.column import LUMBAR, bend_deg, draw_presacral, presacral_levels
from spinelab.phantoms.difficulty import DIFFICULTY
from spinelab.phantoms.patient import draw_patient
from spinelab.phantoms.scoliosis import _wedges, scoliosis_visits
from spinelab.phantoms.trunk import rib_reach

QUICK = 0.12


def tilts(film):
    corners = film.corners
    middle = (corners[:, 1] + corners[:, 3] - corners[:, 0] - corners[:, 2]) / 2
    return np.degrees(np.arctan2(middle[:, 1], middle[:, 0]))


@pytest.mark.parametrize("cobb", [5.0, 40.0, 80.0])
def test_a_single_curve_has_the_drawn_angle(cobb):
    film = scoliosis_film(np.random.default_rng(3), difficulty="easy", curves=1, cobb_deg=cobb, scale=QUICK)
    assert len(film.curves) == 1
    assert film.angles_deg[0] == pytest.approx(cobb, abs=3.5)


@pytest.mark.parametrize("number", [2, 3])
def test_every_curve_is_on_the_film(number):
    for seed in range(3):
        film = scoliosis_film(np.random.default_rng(seed), difficulty="easy", curves=number, cobb_deg=50, scale=QUICK)
        assert len(film.curves) == number
        tilt = tilts(film)
        for curve in film.curves:
            ends = tilt[[round(curve.upper), min(round(curve.lower), 16)]]
            assert abs(ends[1] - ends[0]) == pytest.approx(curve.angle_deg, abs=6)
        sides = [curve.convex for curve in film.curves]
        assert all(a != b for a, b in pairwise(sides))


@pytest.mark.parametrize("convex", ["left", "right"])
def test_a_curve_bows_to_the_named_side(convex):
    """The patient's left is on the image right."""
    curve = DrawnCurve(5.0, 11.0, 45.0, convex)
    film = scoliosis_film(np.random.default_rng(4), difficulty="easy", curves=[curve], scale=QUICK)
    x = film.corners[:, :, 0].mean(axis=1)
    assert (x[8] > (x[5] + x[11]) / 2) == (convex == "left")


def test_vertebrae_turn_with_the_curve():
    film = scoliosis_film(np.random.default_rng(4), difficulty="easy", curves=[DrawnCurve(4.0, 12.0, 60.0, "right")], scale=QUICK)
    straight = scoliosis_film(np.random.default_rng(4), difficulty="easy", curves=[DrawnCurve(4.0, 12.0, 0.0, "right")], scale=QUICK)
    assert film.pixels.shape != straight.pixels.shape or not np.array_equal(film.pixels, straight.pixels)
    width, plain = (np.linalg.norm(f.corners[8, 1] - f.corners[8, 0]) * f.spacing_mm / f.magnification for f in (film, straight))
    assert width != pytest.approx(plain, abs=0.2)


def test_corners_are_in_order_and_on_the_film():
    for seed in range(8):
        film = scoliosis_film(np.random.default_rng([1, seed]), difficulty="hard", scale=0.06)
        rows, columns = film.pixels.shape
        corners = film.corners
        assert corners.shape == (17, 4, 2)
        assert (corners >= 0).all()
        assert (corners <= [columns - 1, rows - 1]).all()
        assert (corners[:, 0::2, 0] < corners[:, 1::2, 0]).all()
        assert (corners[:, :2, 1].mean(axis=1) < corners[:, 2:, 1].mean(axis=1)).all()
        assert (np.diff(corners[..., 1].mean(axis=1)) > 0).all()
        assert 1.5 < rows / columns < 3.6
        assert film.pixels.dtype == np.uint8


def test_films_are_cropped_from_neck_to_sacrum():
    for seed in range(5):
        film = scoliosis_film(np.random.default_rng([2, seed]), scale=0.06)
        y = film.corners[..., 1] / film.pixels.shape[0]
        assert 0.005 < y.min() < 0.08
        assert 0.86 < y.max() < 0.97


def test_implants_are_bright_and_at_the_named_levels():
    plain, fused = (scoliosis_film(np.random.default_rng(9), implants=metal, scale=0.25) for metal in (False, True))
    assert plain.implants == ()
    assert len(fused.implants) >= 4
    assert np.array_equal(plain.corners, fused.corners)
    level = [*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6))].index(fused.implants[1])
    box = cv2.boundingRect(fused.corners[level].astype(np.float32))
    part = np.s_[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    share = [(film.pixels[part] > 245).mean() for film in (fused, plain)]
    assert share[0] > share[1]


def test_the_older_film_has_its_corners_too():
    film = ap_spine(np.random.default_rng(6), cobb_deg=30, scale=QUICK)
    assert film.corners.shape == (17, 4, 2)
    assert np.array_equal(film.corners[3, 2], film.endplates[7, 0])
    assert challenge_cobb(film.corners).angles_deg[0] == pytest.approx(30, abs=4)


# The challenge's layout


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("aasce")
    write_aasce(out, scoliosis_collection(7, seed=2, scale=0.1), seed=2, n=7)
    return out


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_the_layout_is_the_challenges(written):
    labels = written / "labels" / "training"
    names = [row[0] for row in table(labels / "filenames.csv")]
    assert len(names) == len(set(names)) == 7
    assert sorted(p.name for p in (written / "data" / "training").iterdir()) == sorted(names)
    assert all(re.fullmatch(r"\w+-\d\d-[A-Z][a-z]{2}-\d{4}-\d+ [A-D] AP\.jpg", name) for name in names)
    assert is_phantom(written)
    patients = [name.split(" ")[0] for name in names]
    assert len(set(patients)) < len(patients)


def test_written_angles_follow_from_written_landmarks(written):
    labels = written / "labels" / "training"
    for (name,), points, angles in zip(*(table(labels / f"{t}.csv") for t in ("filenames", "landmarks", "angles")), strict=True):
        rows, columns = cv2.imread(str(written / "data" / "training" / name), cv2.IMREAD_GRAYSCALE).shape
        values = np.array(points, dtype=float)
        assert values.shape == (136,)
        corners = np.stack([values[:68] * columns, values[68:] * rows], axis=1).reshape(17, 4, 2)
        assert challenge_cobb(corners, rows).angles_deg == pytest.approx(np.array(angles, dtype=float), abs=0.05)


def test_the_truth_beside_it_is_the_same(written):
    truth = [Result.from_dict(r) for r in json.loads((written / "labels" / "training" / "truth.json").read_text(encoding="utf-8"))]
    angles = table(written / "labels" / "training" / "angles.csv")
    for result, row in zip(truth, angles, strict=True):
        assert [m.name for m in result.measurements] == ["cobb_max", "cobb_upper", "cobb_lower"]
        assert [m.value for m in result.measurements] == pytest.approx([float(v) for v in row])
        assert tuple(p.name for p in result.landmarks) == CORNER_LANDMARKS


def test_later_films_of_a_patient_show_the_same_curves():
    films = list(scoliosis_collection(7, seed=2, scale=0.06))
    same = [(a, b) for a, b in pairwise(films) if a.patient == b.patient]
    assert same
    for a, b in same:
        assert [c.convex for c in a.film.curves] == [c.convex for c in b.film.curves]
        assert a.film.patient == b.film.patient
        assert abs(a.film.angles_deg[0] - b.film.angles_deg[0]) < 25


def test_a_longer_collection_begins_with_the_shorter_one():
    short, long = (list(scoliosis_collection(n, seed=5, scale=0.05)) for n in (2, 3))
    for a, b in zip(short, long, strict=False):
        assert a.name == b.name
        assert np.array_equal(a.film.pixels, b.film.pixels)


# Numbers of vertebrae above the sacrum, and films in 12 bits


@pytest.fixture(scope="module")
def numbered():
    """One spine with 23, 24, 25 and 26 vertebrae above the sacrum, nearly straight."""
    return {
        n: scoliosis_film(np.random.default_rng(4), difficulty="easy", curves=1, cobb_deg=8.0, presacral=n, stored=True, scale=QUICK) for n in (23, 24, 25, 26)
    }


def test_levels_are_counted_from_the_top_and_only_t1_to_l5_have_corners(numbered):
    for number, film in numbered.items():
        assert film.presacral == number
        assert film.levels[0] == "T1"
        assert film.levels[-1] == ("L4" if number == 23 else "L5")
        assert film.corners.shape == (len(film.levels), 4, 2)


def test_vertebrae_without_corners_have_their_room(numbered):
    """Below L5 a sixth lumbar vertebra fits in; between T12 and L1 of 26 a thirteenth thoracic one does."""
    for number, film in numbered.items():
        middle = film.corners.mean(axis=1)[:, 1]
        steps = np.diff(middle)
        assert steps[11] / steps[10] > 1.8 if number == 26 else steps[11] / steps[10] < 1.3
        below = (film.pixels.shape[0] - film.corners[-1, 2:, 1].mean()) / steps[-1]
        usual = (numbered[24].pixels.shape[0] - numbered[24].corners[-1, 2:, 1].mean()) / np.diff(numbered[24].corners.mean(axis=1)[:, 1])[-1]
        assert (below > usual + 0.6) == (number in (25, 26))


def test_a_thirteenth_pair_of_ribs_comes_with_a_thirteenth_thoracic_vertebra():
    assert "T13" in rib_reach(np.random.default_rng(0), presacral_levels(26), (100, 122))
    twelve = rib_reach(np.random.default_rng(0), presacral_levels(25), (100, 122))
    assert tuple(twelve) == tuple(f"T{n}" for n in range(1, 13))
    assert twelve == {k: v for k, v in rib_reach(np.random.default_rng(0), presacral_levels(26), (100, 122)).items() if k != "T13"}


def test_lordosis_is_shared_out_over_the_lumbar_vertebrae_that_there_are():
    stack = draw_patient(np.random.default_rng(3), DIFFICULTY["typical"], "F", 20).stack

    def lordosis(lumbar):
        wedge = _wedges(stack, lumbar)
        return sum(wedge[v] + bend_deg(v) for v in lumbar)

    five = lordosis(LUMBAR)
    assert lordosis(LUMBAR[:4]) == pytest.approx(five)
    assert lordosis((*LUMBAR, "L6")) == pytest.approx(five)


def test_other_numbers_come_in_hard_films_alone_and_only_where_they_are_asked_for():
    def numbers(difficulty, anomalous):
        return {next(scoliosis_visits(np.random.default_rng(k), 1, difficulty=difficulty, anomalous=anomalous, scale=0.02)).presacral for k in range(25)}

    assert numbers("typical", True) == {24}
    assert numbers("hard", False) == {24}
    assert numbers("hard", True) > {24}
    shares = Counter(draw_presacral(np.random.default_rng(k), 0.12) for k in range(2000))
    assert 0.09 < 1 - shares[24] / 2000 < 0.15
    assert shares[26] < shares[23]


def test_a_stored_film_has_twelve_bits_and_a_window_that_shows_the_spine(numbered):
    for film in numbered.values():
        assert film.pixels.dtype == np.uint16
        assert 255 < int(film.pixels.max()) <= 4095
        centre, width = film.window
        x, y = film.corners.mean(axis=1).round().astype(int).T
        shown = np.abs(film.pixels[y, x].astype(float) - centre) < width / 2
        assert shown.mean() > 0.8


def test_how_a_film_is_stored_moves_no_corner():
    plain, stored = (scoliosis_film(np.random.default_rng(8), stored=bits, scale=0.06) for bits in (False, True))
    assert plain.window is None
    assert np.array_equal(plain.corners, stored.corners)
    assert plain.pixels.shape == stored.pixels.shape
    assert (plain.spacing_mm, plain.magnification) == (stored.spacing_mm, stored.magnification)
