"""The radiograph engine: chords and projections against hand-computed values, and films whose drawn points are where they are said to be."""

import math

import cv2
import numpy as np
import pytest

from spinelab.core import TaskError
from spinelab.geometry import LINES, measure_frontal, measure_lateral
from spinelab.phantoms import ap_spine, lumbar_radiographs
from spinelab.phantoms.camera import camera
from spinelab.phantoms.column import build
from spinelab.phantoms.difficulty import DIFFICULTY
from spinelab.phantoms.patient import draw_age, draw_patient, with_slips
from spinelab.phantoms.solids import Cylinder, Ellipsoid, Integrated, ShellPatch, Tube, ray_sum
from spinelab.phantoms.spine import CURVED_FROM_DEG

QUICK = 0.12


def tube(view="AP", **changed):
    settings = {"aim_mm": np.zeros(3), "film_mm": 100.0, "distance_mm": 1100.0, "spacing_mm": 1.0, "shape": (201, 201), "centre_px": (100.0, 100.0)}
    return camera(view, **(settings | changed))


# Geometry of the exposure


@pytest.mark.parametrize(
    ("view", "point", "where"),
    [
        ("AP", (20, 0, 0), (122, 100)),  # the patient's left is on the image right
        ("AP", (0, 0, 20), (100, 78)),  # up is up
        ("LEFT", (0, -20, 0), (78, 100)),  # seen from the left, the front is on the image left
        ("RIGHT", (0, -20, 0), (122, 100)),
    ],
)
def test_a_point_falls_where_similar_triangles_put_it(view, point, where):
    """1100 mm from focus to film and 1000 mm to the point: 20 mm become 22."""
    assert tube(view).project(np.array(point, float)) == pytest.approx(where)


def test_a_rolled_film_turns_the_picture_and_keeps_lengths():
    straight, rolled = (tube(roll_deg=angle).project(np.array([[0.0, 0, 50], [0, 0, -50]])) for angle in (0, 10))
    assert np.linalg.norm(rolled[0] - rolled[1]) == pytest.approx(np.linalg.norm(straight[0] - straight[1]))
    assert abs(math.degrees(math.atan2(*(rolled[1] - rolled[0])))) == pytest.approx(10)


def test_a_coarse_film_covers_the_same_detector():
    fine, coarse = tube(), tube().coarser(4)
    x, y = fine.project(np.array([13.0, 4, -9]))
    assert coarse.project(np.array([13.0, 4, -9])) == pytest.approx(((x - 1.5) / 4, (y - 1.5) / 4))


# Solids: what a ray through the middle loses


def middle(solid, view="AP"):
    return ray_sum([solid], tube(view))[100, 100]


def test_chords_through_simple_solids():
    assert middle(Ellipsoid(np.zeros(3), (10, 20, 30), core=0.01)) == pytest.approx(0.01 * 40, rel=1e-4)
    assert middle(Ellipsoid(np.zeros(3), (10, 20, 30), core=0.01), "LEFT") == pytest.approx(0.01 * 20, rel=1e-4)
    shelled = Ellipsoid(np.zeros(3), (10, 20, 30), core=0.01, cortex=0.05, shell_mm=2)
    assert middle(shelled) == pytest.approx(0.05 * 4 + 0.01 * 36, rel=1e-4)
    assert middle(Cylinder(np.zeros(3), (10, 20, 30), core=0.01, cortex=0.05, shell_mm=2)) == pytest.approx(0.05 * 4 + 0.01 * 36, rel=1e-3)
    assert middle(ShellPatch(np.zeros(3), (40, 50, 60), thickness_mm=5, density=0.02)) == pytest.approx(0.02 * 10, rel=1e-3)
    assert middle(Integrated(np.zeros(3), (10, 20, 30), density=lambda x, y, z: np.full_like(x, 0.01))) == pytest.approx(0.4, rel=1e-4)
    rod = Tube(np.array([[0, 0, 40.0], [0, 0, -40.0]]), np.array([5.0, 5.0]), core=0.01, cortex=0.05, shell_mm=1)
    assert middle(rod) == pytest.approx(0.05 * 2 + 0.01 * 8, rel=0.02)


def test_a_cylinder_seen_end_on_is_a_ring():
    end_on = Cylinder(np.zeros(3), (10, 10, 5), np.eye(3)[:, [0, 2, 1]], core=0.0, cortex=0.05, shell_mm=3)
    film = ray_sum([end_on], tube())
    assert film[100, 100] == pytest.approx(0)
    assert film[100, 100 + round(8.5 * 1.1)] == pytest.approx(0.05 * 10, rel=0.01)


def test_a_ball_has_its_volume():
    """The integral over the film of the chord, brought back to the ball's plane, is the volume (distant source)."""
    far = tube(distance_mm=100_000.0, film_mm=0.0, spacing_mm=0.5)
    film = ray_sum([Ellipsoid(np.zeros(3), (20, 20, 20), core=1.0)], far)
    assert film.sum() * 0.25 == pytest.approx(4 / 3 * math.pi * 20**3, rel=2e-3)


# Truth


@pytest.mark.parametrize("difficulty", DIFFICULTY)
def test_slips_measured_from_projected_endplates_are_the_drawn_ones(difficulty):
    """Exact for an upright patient; a turned one changes the projection by what a reader would also see."""
    tolerance = {"easy": 0.6, "typical": 2.2, "hard": 5.0}[difficulty]
    for seed, kind in enumerate(("anterolisthesis", "retrolisthesis", "left-laterolisthesis", "right-laterolisthesis")):
        drawn = lumbar_radiographs(np.random.default_rng(seed), difficulty=difficulty, disorder=kind, scale=QUICK)
        lateral, frontal = drawn.films["LATERAL"], drawn.films["AP"]
        side = measure_lateral(lateral.endplates, anterior=lateral.anterior)
        front = measure_frontal(frontal.endplates)
        for level in side.levels:
            assert level.slip_percent == pytest.approx(drawn.forward_percent[level.name], abs=tolerance)
        for level in front.levels:
            assert level.slip_percent == pytest.approx(drawn.left_percent[level.name], abs=tolerance)


def test_drawn_millimetres_are_the_distance_between_corners_in_space():
    limits = DIFFICULTY["easy"]
    patient = draw_patient(np.random.default_rng(4), limits)
    stack = with_slips(patient.stack, ())
    stack.forward_mm["L4"], stack.left_mm["L4"], stack.left_mm["L3"] = 7.5, 0.0, -4.0
    spine = build(stack, dict.fromkeys(stack.levels, patient.scale), 1.5)
    along = spine["L5"].direction("upper")
    assert (spine["L5"].point("upper", 0, 1) - spine["L4"].point("lower", 0, 1)) @ along == pytest.approx(7.5)
    aside = spine["L4"].axes[:, 0]
    assert (spine["L3"].point("lower", 0, 0) - spine["L4"].point("upper", 0, 0)) @ aside == pytest.approx(-4.0)


def test_a_left_slip_lies_to_the_image_right_and_a_forward_one_where_the_patient_faces():
    drawn = {
        kind: lumbar_radiographs(np.random.default_rng(3), difficulty="easy", disorder=kind, scale=QUICK)
        for kind in ("left-laterolisthesis", "anterolisthesis")
    }
    slip, film = drawn["left-laterolisthesis"].slips[0], drawn["left-laterolisthesis"].films["AP"]
    upper = LINES.index(f"{slip.vertebra} lower")
    assert film.endplates[upper, :, 0].mean() > film.endplates[upper + 1, :, 0].mean()
    slip, film = drawn["anterolisthesis"].slips[0], drawn["anterolisthesis"].films["LATERAL"]
    upper = LINES.index(f"{slip.vertebra} lower")
    end, sign = (1, 1) if film.anterior == "right" else (0, -1)
    assert sign * (film.endplates[upper, end, 0] - film.endplates[upper + 1, end, 0]) > 0


@pytest.mark.parametrize("view", ["AP", "LATERAL"])
def test_the_ends_of_the_lines_are_corners_of_the_bodies_shadow(view):
    """The shadow of each body alone, drawn by the ray sum, has its outline within 1.5 mm of all four ends."""
    for seed in range(2):
        drawn = lumbar_radiographs(np.random.default_rng(seed), difficulty="typical", disorder="normal", scale=0.5)
        film = drawn.films[view]
        for index, level in enumerate(("L1", "L2", "L3", "L4", "L5")):
            shadow = ray_sum([drawn.spine[level].body(1.0)], film.camera)
            outline = max(cv2.findContours((shadow > 0.02).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
            for end in film.endplates[2 * index : 2 * index + 2].reshape(-1, 2):
                distance_px = abs(cv2.pointPolygonTest(outline, (float(end[0]), float(end[1])), measureDist=True))
                assert distance_px * film.spacing_mm / film.magnification < 1.5


def test_a_lateral_film_is_denser_in_the_bodies_than_in_the_discs():
    steps = []
    for seed in range(3):
        film = lumbar_radiographs(np.random.default_rng(seed), difficulty="easy", disorder="normal", scale=0.6).films["LATERAL"]
        shift = 4.0 * film.magnification / film.spacing_mm
        for index in range(2, 8):
            line = film.endplates[index]
            down = np.array([line[0, 1] - line[1, 1], line[1, 0] - line[0, 0]]) / np.linalg.norm(line[1] - line[0])
            inwards = shift * down * (1 if index % 2 == 0 else -1)
            steps.append(profile(film.pixels, line + inwards) - profile(film.pixels, line - 0.5 * inwards))
    assert np.mean(np.array(steps) > 0) > 0.85


def profile(pixels, line):
    part = np.linspace(0.25, 0.75, 60)[:, None]
    at = (line[0] + part * (line[1] - line[0])).astype(np.float32)
    return float(cv2.remap(pixels.astype(np.float32), at[None, :, 0], at[None, :, 1], cv2.INTER_LINEAR).mean())


def test_a_dense_ball_at_every_corner_shows_up_at_its_landmark():
    drawn = lumbar_radiographs(np.random.default_rng(8), difficulty="easy", disorder="normal", scale=0.5)
    for view, (left, back) in {"AP": (1.0, 0.0), "LATERAL": (0.0, 1.0)}.items():
        film = drawn.films[view]
        for line, name in zip(film.endplates, LINES, strict=False):
            level, plate = name.split()
            for sign in (-1, 1):
                ball = Ellipsoid(drawn.spine[level].point(plate, sign * left, sign * back), (2.5, 2.5, 2.5), core=1.0)
                bright = ray_sum([ball], film.camera)
                y, x = np.indices(bright.shape)
                spot = np.array([(bright * x).sum(), (bright * y).sum()]) / bright.sum()
                assert np.linalg.norm(line - spot, axis=1).min() < 1.0


def test_every_endplate_lies_on_the_film():
    for difficulty in DIFFICULTY:
        for seed in range(6):
            drawn = lumbar_radiographs(np.random.default_rng([9, seed]), difficulty=difficulty, disorder="anterolisthesis", scale=QUICK)
            for film in drawn.films.values():
                rows, columns = film.pixels.shape
                assert film.pixels.dtype == np.uint8
                assert (film.endplates >= 0).all()
                assert (film.endplates[..., 0] <= columns - 1).all()
                assert (film.endplates[..., 1] <= rows - 1).all()


def test_ends_run_from_image_left_to_image_right():
    film = lumbar_radiographs(np.random.default_rng(2), scale=QUICK).films["LATERAL"]
    assert (film.endplates[:, 0, 0] < film.endplates[:, 1, 0]).all()


# Drawing


def test_only_the_spine_differs_between_a_slip_and_none():
    """The same state of the generator gives the same film, frame, marker and exposure; a slip moves bone and nothing else."""
    films = [
        lumbar_radiographs(np.random.default_rng(21), difficulty="easy", disorder=kind, scale=0.25).films["LATERAL"] for kind in ("normal", "anterolisthesis")
    ]
    assert films[0].pixels.shape == films[1].pixels.shape
    assert np.array_equal(films[0].camera.source_mm, films[1].camera.source_mm)
    # Photons are counted one by one, so the noise differs; the blur takes it out.
    change = np.abs(np.subtract(*(cv2.GaussianBlur(film.pixels.astype(np.float32), (0, 0), 2) for film in films)))
    border = np.ones(change.shape, bool)
    border[4:-4, 4:-4] = False
    assert change[border].mean() < 0.5 * change.mean()


def test_a_state_gives_one_film_and_another_state_another():
    first, again, other = (lumbar_radiographs(np.random.default_rng(s), scale=QUICK).films["AP"].pixels for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_a_missing_view_changes_nothing_else():
    both, one = (lumbar_radiographs(np.random.default_rng(5), disorder="normal", missing_view=v, scale=QUICK) for v in (None, "AP"))
    assert set(one.films) == {"LATERAL"}
    assert np.array_equal(both.films["LATERAL"].pixels, one.films["LATERAL"].pixels)


def test_ages_are_the_sources():
    ages = [draw_age(np.random.default_rng(s)) for s in range(2000)]
    assert min(ages) >= 6
    assert max(ages) <= 89
    assert np.mean(ages) == pytest.approx(50.2, abs=2)


def test_old_women_have_thinner_bone_and_men_larger_vertebrae():
    limits = DIFFICULTY["typical"]
    drawn = {key: [draw_patient(np.random.default_rng(s), limits, *key) for s in range(60)] for key in (("F", 80), ("F", 40), ("M", 40))}
    mean = {key: (np.mean([p.density for p in group]), np.mean([p.scale for p in group])) for key, group in drawn.items()}
    assert mean["F", 80][0] < mean["F", 40][0] - 0.2
    assert mean["M", 40][1] > mean["F", 40][1]


def test_unknown_words_are_refused():
    with pytest.raises(TaskError, match="easy, typical, hard"):
        lumbar_radiographs(np.random.default_rng(0), difficulty="medium")
    with pytest.raises(TaskError, match="retrolisthesis"):
        lumbar_radiographs(np.random.default_rng(0), disorder="scoliosis")


# The whole spine


@pytest.mark.parametrize("cobb", [0.0, 25.0, 60.0])
def test_the_drawn_cobb_angle_is_on_the_film(cobb):
    film = ap_spine(np.random.default_rng(6), cobb_deg=cobb, difficulty="easy", scale=QUICK)
    along = film.endplates[:, 1] - film.endplates[:, 0]
    tilt = np.degrees(np.arctan2(along[:, 1], along[:, 0]))
    assert np.ptp(tilt) == pytest.approx(cobb, abs=2.5)
    assert film.endplates.shape == (34, 2, 2)


def test_the_main_curve_bows_to_the_named_side():
    for seed in range(4):
        film = ap_spine(np.random.default_rng(seed), cobb_deg=50, difficulty="easy", scale=QUICK)
        middles = film.endplates.mean(axis=1)
        apex = 2 * [f"T{i}" for i in range(1, 13)].index(film.apex) if film.apex[0] == "T" else 24
        chord = (middles[max(apex - 8, 0), 0] + middles[min(apex + 9, 33), 0]) / 2
        assert (middles[apex, 0] > chord) == (film.convex == "left")


def test_straight_and_curved_fall_on_their_sides_of_the_limit():
    for difficulty in DIFFICULTY:
        for seed in range(2):
            for curved in (True, False):
                film = ap_spine(np.random.default_rng(seed), curved=curved, difficulty=difficulty, scale=0.06)
                assert film.curved is curved is (film.cobb_deg >= CURVED_FROM_DEG)
