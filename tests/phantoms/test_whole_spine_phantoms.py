"""Lateral films of the whole spine: landmarks where similar triangles and shadows put them, parameters that follow from them, physiological ranges."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from spinelab.core import TaskError
from spinelab.geometry import LATERAL_LANDMARKS, PARAMETERS
from spinelab.phantoms import whole_spine
from spinelab.phantoms.camera import Camera
from spinelab.phantoms.difficulty import DIFFICULTY
from spinelab.phantoms.patient import draw_patient
from spinelab.phantoms.posture import STANCES, draw_posture
from spinelab.phantoms.skull import head, head_points
from spinelab.phantoms.solids import Ellipsoid, ray_sum
from spinelab.phantoms.whole_spine import _ENDS, _frame

QUICK = 0.06
MIDLINE = ("ODT", "FM_1", "FM_2", "Forehead", "Jaw", "T1", "C7")


@pytest.fixture(scope="module")
def films():
    """Six films, two of each difficulty, one facing either way."""
    return {
        (difficulty, facing): whole_spine(np.random.default_rng(k), difficulty=difficulty, facing=facing, scale=QUICK)
        for k, difficulty in enumerate(DIFFICULTY)
        for facing in ("left", "right")
    }


def space(film, name):
    """Return a landmark's point in the drawing, in LPS millimetres."""
    if name in ("T1", "C7"):
        return film.posture.spine[name].centre_mm
    return head_points(film.posture)[name]


def finer(camera, times):
    """Return the same exposure on pixels that many times as small, by hand."""
    x, y = camera.centre_px
    return Camera(
        camera.source_mm, camera.right, camera.down, camera.forward, camera.distance_mm, camera.spacing_mm / times,
        (camera.shape[0] * times, camera.shape[1] * times), ((x + 0.5) * times - 0.5, (y + 0.5) * times - 0.5),
    )  # fmt: skip


# Where the landmarks are


@pytest.mark.parametrize("facing", ["left", "right"])
def test_distances_between_midline_landmarks_are_those_of_the_drawing(films, facing):
    """On an upright patient's film they are the drawing's, times the magnification, across every seam."""
    film = films["easy", facing]
    forward = 1 if facing == "right" else -1
    pixel = film.spacing_mm / film.magnification
    for name in MIDLINE[1:]:
        seen = (np.array(film.landmarks[name]) - film.landmarks["ODT"]) * pixel
        drawn = space(film, name) - space(film, "ODT")
        assert seen == pytest.approx((-forward * drawn[1], -drawn[2]), abs=0.05)


def test_femoral_heads_fall_where_similar_triangles_put_them(films):
    film = films["easy", "left"]
    first, camera = film.film.parts[-1]
    for k, centre in enumerate(film.posture.heads_mm):
        from_source = centre - camera.source_mm
        factor = camera.distance_mm / abs(from_source[0]) / camera.spacing_mm
        expected = camera.centre_px + factor * np.array([from_source[1], -from_source[2]]) + [0, first]
        assert film.landmarks[f"FH_{k + 1}"] == pytest.approx(tuple(expected), abs=1e-6)
    assert math.dist(film.landmarks["FH_1"], film.landmarks["FH_2"]) > 0.5


def test_a_dense_ball_at_a_landmark_shows_up_there(films):
    for (difficulty, _), film in films.items():
        points = {name: space(film, name) for name in MIDLINE} | {f"FH_{k + 1}": p for k, p in enumerate(film.posture.heads_mm)}
        for name, point in points.items():
            if name not in film.landmarks:
                assert difficulty == "hard"
                continue
            bright = film.film.ray_sum([Ellipsoid(point, (9.0, 9.0, 9.0), core=1.0)])
            y, x = np.indices(bright.shape)
            spot = np.array([(bright * x).sum(), (bright * y).sum()]) / bright.sum()
            inside = all(6 < v < n - 7 for v, n in zip(spot, bright.shape[::-1], strict=True))
            assert not inside or np.linalg.norm(spot - film.landmarks[name]) < 0.5 * 9 / film.spacing_mm


def test_endplate_landmarks_are_corners_of_the_bodies_shadow(films):
    """Each body alone, drawn by the ray sum on fine pixels: its outline passes within 0.8 mm of both ends."""
    for key in (("easy", "left"), ("typical", "right"), ("hard", "left")):
        film = films[key]
        for name, (level, plate) in _ENDS.items():
            v = film.posture.spine[level]
            first, camera = film.film.parts[film.film._part(v.point(plate, 0, 0))]
            fine = finer(camera, 24)
            shadow = ray_sum([v.body(1.0)], fine)
            outline = max(cv2.findContours((shadow > 0.02).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
            for end in (f"{name}_1", f"{name}_2"):
                if end not in film.landmarks:
                    continue
                x, y = film.landmarks[end]
                at = ((x + 0.5) * 24 - 0.5, (y - first + 0.5) * 24 - 0.5)
                assert abs(cv2.pointPolygonTest(outline, at, measureDist=True)) * fine.spacing_mm / film.magnification < 0.8


def test_forehead_and_jaw_lie_on_the_outline_of_the_skull(films):
    film = films["typical", "left"]
    bones = head(np.random.default_rng(0), film.posture, 1.0)[0]
    for name in ("Forehead", "Jaw", "FM_2"):
        first, camera = film.film.parts[film.film._part(space(film, name))]
        fine = finer(camera, 6)
        shadow = ray_sum(bones, fine)
        outline = max(cv2.findContours((shadow > 0.03).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
        x, y = film.landmarks[name]
        at = ((x + 0.5) * 6 - 0.5, (y - first + 0.5) * 6 - 0.5)
        assert abs(cv2.pointPolygonTest(outline, at, measureDist=True)) * fine.spacing_mm / film.magnification < 2.0


def test_the_front_lies_where_the_patient_faces(films):
    for (_, facing), film in films.items():
        sign = 1 if facing == "right" else -1
        for name in ("L1", "T12", "C7", "C2"):
            assert sign * (film.landmarks[f"{name}_1"][0] - film.landmarks[f"{name}_2"][0]) > 0
        assert film.patient_orientation == (("A", "F") if facing == "right" else ("P", "F"))


def test_turning_the_patient_round_mirrors_the_midline(films):
    left, right = films["easy", "left"], films["easy", "right"]
    columns = left.pixels.shape[1]
    assert left.pixels.shape == right.pixels.shape
    for name in MIDLINE:
        x, y = left.landmarks[name]
        assert right.landmarks[name] == pytest.approx((columns - 1 - x, y), abs=1e-6)


def test_easy_and_typical_films_hold_all_landmarks():
    for difficulty in ("easy", "typical"):
        for seed in range(8):
            film = whole_spine(np.random.default_rng([3, seed]), difficulty=difficulty, scale=0.03)
            assert tuple(film.landmarks) == LATERAL_LANDMARKS


def test_what_is_cut_off_is_absent_and_only_its_parameters_are_missing():
    seen = set()
    for seed in range(14):
        film = whole_spine(np.random.default_rng([4, seed]), difficulty="hard", scale=0.03)
        rows, columns = film.pixels.shape
        assert all(0 <= x <= columns - 1 and 0 <= y <= rows - 1 for x, y in film.landmarks.values())
        absent = set(LATERAL_LANDMARKS) - set(film.landmarks)
        seen |= absent
        assert ("pi" in film.parameters) == (not absent & {"FH_1", "FH_2", "S_1", "S_2"})
        assert ("cbva" in film.parameters) == (not absent & {"Forehead", "Jaw"})
    assert seen & {"FH_1", "FH_2"}
    assert seen & {"Forehead", "FM_1", "FM_2"}


# Parameters


def _hand(film):
    """Compute a few parameters from the landmarks with the school formulas, forwards being where the patient faces."""
    sign = 1 if film.facing == "right" else -1
    at = {name: np.array([sign * x, -y]) for name, (x, y) in film.landmarks.items()}

    def slope(name):
        along = at[f"{name}_1"] - at[f"{name}_2"]
        return math.degrees(math.atan2(-along[1], along[0]))

    hips, sacrum = (at["FH_1"] + at["FH_2"]) / 2, (at["S_1"] + at["S_2"]) / 2
    pt = math.degrees(math.atan2(hips[0] - sacrum[0], sacrum[1] - hips[1]))
    return {
        "pt": pt, "ss": slope("S"), "pi": pt + slope("S"), "ll": slope("S") - slope("L1"), "tk": slope("T4") - slope("T12"),
        "t1_slope": slope("T1"), "sva": (at["C7"] - at["S_2"])[0] * film.spacing_mm / film.magnification,
    }  # fmt: skip


def test_parameters_are_those_of_the_landmarks_and_near_those_drawn(films):
    tolerance = {"easy": 0.8, "typical": 3.0, "hard": 6.0}
    for (difficulty, _), film in films.items():
        if len(film.landmarks) < 26:
            continue
        assert tuple(film.parameters) == PARAMETERS
        for name, value in _hand(film).items():
            assert film.parameters[name] == pytest.approx(value, abs=1e-6)
            assert film.drawn[name] == pytest.approx(value, abs=tolerance[difficulty] * (2 if name == "sva" else 1))


def test_drawn_angles_are_the_vertebrae_s():
    posture = draw_posture(np.random.default_rng(8), STANCES["easy"], 45, 1.0, 1.5)
    v, angles = posture.spine, posture.angles

    def tilt(level, plate):
        along = v[level].direction(plate)
        return math.degrees(math.atan2(along[2], along[1]))

    assert tilt("S1", "upper") == pytest.approx(angles.ss, abs=0.1)
    assert tilt("S1", "upper") - tilt("L1", "upper") == pytest.approx(angles.ll, abs=0.2)
    assert tilt("T4", "upper") - tilt("T12", "lower") == pytest.approx(angles.tk, abs=0.2)
    assert tilt("C7", "lower") - tilt("C2", "lower") == pytest.approx(angles.c2_c7, abs=0.2)
    assert tilt("T1", "upper") == pytest.approx(angles.t1_slope, abs=0.2)
    to_sacrum = v["S1"].point("upper", 0, 0)
    assert math.degrees(math.atan2(to_sacrum[1], to_sacrum[2])) == pytest.approx(angles.pt, abs=1e-6)
    assert angles.pi == pytest.approx(angles.pt + angles.ss)


def test_stances_are_physiological_and_change_with_age():
    def drawn(age, n=60):
        stances = [draw_posture(np.random.default_rng([age, s]), STANCES["typical"], age, 1.0, 1.5).angles for s in range(n)]
        return {name: np.array([getattr(a, name) for a in stances]) for name in ("pi", "pt", "ss", "ll", "tk", "c2_c7", "t1_slope", "sva_mm")}

    young, old = drawn(25), drawn(78)
    for group in (young, old):
        for name, (low, high) in {
            "pi": (28, 85), "pt": (-6, 48), "ss": (-12, 70), "ll": (-8, 85), "tk": (6, 85), "t1_slope": (-5, 65), "sva_mm": (-70, 150)
        }.items():  # fmt: skip
            assert group[name].min() >= low - 0.01
            assert group[name].max() <= high + 0.01
    assert 46 < young["pi"].mean() < 58
    assert 8 < young["pt"].mean() < 20
    assert 50 < young["ll"].mean() < 64
    assert 28 < young["tk"].mean() < 46
    assert old["tk"].mean() > young["tk"].mean() + 4
    assert old["sva_mm"].mean() > young["sva_mm"].mean() + 20
    assert old["pt"].mean() > young["pt"].mean() + 2


def test_anomalous_numbers_of_vertebrae_come_only_in_hard_ones():
    some = replace(STANCES["hard"], anomalous=1.0)
    counts = {}
    for seed in range(40):
        posture = draw_posture(np.random.default_rng(seed), some, 40, 1.0, 1.5)
        mobile = [v for v in posture.spine if v[0] != "S"]
        assert posture.presacral == len(mobile) + 1  # the atlas has no body
        assert {"L1", "L4", "T12"} <= set(mobile)
        counts[posture.presacral] = counts.get(posture.presacral, 0) + 1
    assert set(counts) == {23, 25, 26}
    assert STANCES["easy"].anomalous == STANCES["typical"].anomalous == 0


# The film


def test_twelve_bits_and_a_window_that_shows_the_patient(films):
    for film in films.values():
        assert film.pixels.dtype == np.uint16
        assert int(film.pixels.max()) <= 4095
        centre, width = film.window
        shown = np.abs(film.pixels.astype(float) - centre) < width / 2
        x, y = np.array([film.landmarks[n] for n in ("L1_1", "L1_2", "L4_1", "T12_2")]).round().astype(int).T
        assert shown[y, x].mean() >= 0.5


def test_one_state_gives_one_film():
    first, again, other = (whole_spine(np.random.default_rng(s), scale=0.03) for s in (1, 1, 2))
    assert np.array_equal(first.pixels, again.pixels)
    assert first.landmarks == again.landmarks
    assert first.pixels.shape != other.pixels.shape or not np.array_equal(first.pixels, other.pixels)


def test_a_further_film_shows_the_same_patient_in_the_same_stance():
    one, two = (whole_spine(np.random.default_rng(5), taken=taken, scale=0.03) for taken in (None, np.random.default_rng(9)))
    assert one.drawn == two.drawn
    assert one.patient == two.patient
    assert one.film.spacing_mm != two.film.spacing_mm


def test_implants_are_bright_and_move_no_landmark():
    plain, fused = (whole_spine(np.random.default_rng(6), difficulty="easy", implants=metal, scale=0.15) for metal in (False, True))
    assert plain.implants == ()
    assert len(fused.implants) >= 2
    assert plain.landmarks == fused.landmarks
    v = fused.posture.spine[fused.implants[0]]
    x, y = fused.film.project(v.world(np.array([0.0, v.half_depth_mm + 24, 4.0]))).round().astype(int)
    near = np.s_[y - 3 : y + 4, x - 3 : x + 4]
    assert fused.pixels[near].max() > plain.pixels[near].max() + 300


def test_the_film_is_placed_without_regard_to_the_stance():
    """Two patients of one size, one upright and one deformed: film, pixel, magnification and collimation are the same to the last digit."""
    patient = draw_patient(np.random.default_rng(2), DIFFICULTY["typical"], "F", 60)
    stances = [replace(STANCES["typical"], deformed=share) for share in (0.0, 1.0)]
    postures = [draw_posture(np.random.default_rng(11), stance, 60, patient.scale, 1.5) for stance in stances]
    assert postures[0].angles.deformed != postures[1].angles.deformed
    placed = [_frame(np.random.default_rng(3), posture, patient, STANCES["typical"], "left", 0.5, cut=0.0) for posture in postures]
    (one, field), (other, other_field) = placed
    assert (one.shape, one.spacing_mm, one.magnification, field) == (other.shape, other.spacing_mm, other.magnification, other_field)
    assert [first for first, _ in one.parts] == [first for first, _ in other.parts]


def test_an_unknown_difficulty_is_refused():
    with pytest.raises(TaskError, match="easy, typical, hard"):
        whole_spine(np.random.default_rng(0), difficulty="medium")
