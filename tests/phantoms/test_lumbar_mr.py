"""The drawn lumbar spine: widths measured in the drawing are those of the truth, contrast follows the equations, and nothing gives the label away."""

import numpy as np
import pytest

from spinelab.core import TaskError
from spinelab.geometry.planes import plane_of, project, unit_normal
from spinelab.phantoms.lumbar_mr import lumbar_mr
from spinelab.phantoms.lumbar_mr_anatomy import (
    FORAMEN_AT_MM,
    LUMBARISED,
    MR_GRADES,
    MR_LEVELS,
    RECESS_AT_MM,
    ROOT_MM,
    SACRALISED,
    draw_spine,
    mr_grade,
    root_at,
)
from spinelab.phantoms.lumbar_mr_draw import frame_of, paint_slice
from spinelab.phantoms.lumbar_mr_tissue import TISSUE_NUMBER, TISSUES, Sequence, signals

STEP_MM = 0.2


def drawn_tissues(spine, frame, points):
    """Part of each tissue (tissues, n) at points (n, 3): every tissue signals only in its own sequence."""
    identity = np.eye(len(TISSUES), dtype=np.float32)
    return paint_slice(spine, frame, points.astype(np.float32), ((np.zeros(3, np.float32), 1.0),), identity, STEP_MM)


def along(spine, r, s, behind):
    return np.array([spine.to_patient(r, float(a), s) for a in behind])


@pytest.fixture(scope="module", params=["easy", "typical", "hard"])
def spines(request):
    rng = np.random.default_rng(4)
    return [draw_spine(rng, request.param) for _ in range(2)]


def test_the_dural_sac_has_the_area_of_the_truth(spines):
    for spine in spines:
        frame = frame_of(spine)
        across, behind = np.arange(-10, 10, 0.4), np.arange(-1, 19, 0.4)
        for level in spine.levels:
            middle, _ = spine.disc_of(level.name)
            corner = spine.to_patient(0, 0, middle)
            step = spine.to_patient(0, 1, middle) - corner
            points = corner + np.array([[r, 0, 0] + a * step for a in behind for r in across])
            found = drawn_tissues(spine, frame, points)
            inside = found[TISSUE_NUMBER["fluid"]] + found[TISSUE_NUMBER["nerve"]]
            near = np.abs(points[:, 0] - corner[0]) < level.sac_width_mm / 2 + 0.2
            assert inside[near].sum() * 0.4**2 == pytest.approx(level.canal_mm2, rel=0.04, abs=2)


def test_recess_and_foramen_have_the_widths_of_the_truth(spines):
    behind = np.arange(-8, 22, STEP_MM)
    free = [TISSUE_NUMBER[name] for name in ("fat", "nerve", "vessel")]
    for spine in spines:
        frame = frame_of(spine)
        for level in spine.levels:
            middle, height = spine.disc_of(level.name)
            for side, sign in (("left", 1), ("right", -1)):
                tissues = drawn_tissues(spine, frame, along(spine, sign * RECESS_AT_MM, middle, behind))
                window = (behind > level.bulge_mm - 0.6) & (behind < level.bulge_mm + level.recess_mm[side] + 0.6)
                assert tissues[free][:, window].sum() * STEP_MM == pytest.approx(level.recess_mm[side], abs=0.35)
                tissues = drawn_tissues(spine, frame, along(spine, sign * FORAMEN_AT_MM, root_at(middle, height), behind))
                centre = np.argmin(np.abs(behind - _behind(spine, spine.target("foramen", level.name, side), root_at(middle, height))))
                open_here = tissues[free].sum(axis=0) > 0.5
                low = high = centre
                while open_here[low - 1]:
                    low -= 1
                while open_here[high + 1]:
                    high += 1
                assert (high - low + 1) * STEP_MM == pytest.approx(level.foramen_mm[side], abs=0.5)
                root = tissues[TISSUE_NUMBER["nerve"]][low : high + 1].sum() * STEP_MM
                assert root == pytest.approx(min(ROOT_MM, level.foramen_mm[side]), abs=0.6)


def _behind(spine, point, s):
    origin = spine.to_patient(0, 0, s)
    direction = spine.to_patient(0, 1, s) - origin
    return float((point - origin) @ direction)


def test_the_frame_finds_the_coordinates_that_made_a_point(spines):
    rng = np.random.default_rng(0)
    for spine in spines:
        wanted = np.column_stack([rng.uniform(-20, 20, 50), rng.uniform(-35, 30, 50), rng.uniform(-20, 150, 50)])
        points = np.array([spine.to_patient(*row) for row in wanted])
        found = np.stack(frame_of(spine).locate(points.astype(np.float32)), axis=1)
        assert np.abs(found - wanted).max() < 0.25


def test_grades_follow_the_rule_and_leave_the_gap_that_is_promised():
    assert [mr_grade("canal", size) for size in (101, 100, 75.1, 75, 20)] == ["Normal/Mild", "Moderate", "Moderate", "Severe", "Severe"]
    assert [mr_grade("recess", size) for size in (3.1, 3.0, 2.1, 2.0)] == ["Normal/Mild", "Moderate", "Moderate", "Severe"]
    assert [mr_grade("foramen", size) for size in (1.3, 1.25, 0.81, 0.8)] == ["Normal/Mild", "Moderate", "Moderate", "Severe"]
    rng = np.random.default_rng(1)
    for difficulty in ("easy", "typical", "hard"):
        seen = set()
        for _ in range(60):
            for level in draw_spine(rng, difficulty).levels:
                grades = level.grades()
                assert grades["canal", None] == mr_grade("canal", level.canal_mm2)
                seen |= set(grades.items())
        assert {grade for (structure, _), grade in seen if structure == "canal"} == set(MR_GRADES)
    with pytest.raises(TaskError, match="Difficulty"):
        draw_spine(rng, "impossible")


def test_shares_of_grades_are_those_of_large_collections():
    rng = np.random.default_rng(2)
    levels = [spine.levels for spine in (draw_spine(rng, "typical") for _ in range(800))]
    severe_recess = np.mean([row[3].grades()["recess", "left"] == "Severe" for row in levels])
    normal_canal = np.mean([row[4].grades()["canal", None] == "Normal/Mild" for row in levels])
    assert severe_recess == pytest.approx(0.233, abs=0.05)
    assert normal_canal == pytest.approx(0.964, abs=0.02)


@pytest.fixture(scope="module")
def hard_spines():
    rng = np.random.default_rng(8)
    return [draw_spine(rng, "hard") for _ in range(600)]


def test_some_hard_patients_have_a_transitional_vertebra_or_screws(hard_spines):
    kinds = [spine.transition for spine in hard_spines]
    assert kinds.count(SACRALISED) / 600 == pytest.approx(0.07, abs=0.035)
    assert kinds.count(LUMBARISED) / 600 == pytest.approx(0.05, abs=0.03)
    assert np.mean([bool(spine.screws) for spine in hard_spines]) == pytest.approx(0.10, abs=0.04)
    rng = np.random.default_rng(9)
    assert all(spine.transition is None and not spine.screws for spine in (draw_spine(rng, "typical") for _ in range(100)))


def test_a_transitional_vertebra_is_seen_at_the_lumbosacral_discs(hard_spines):
    usual, sacralised, lumbarised = (next(s for s in hard_spines if s.transition == kind and not s.screws) for kind in (None, SACRALISED, LUMBARISED))
    assert sacralised.disc_of("L5/S1")[1] < 3 < usual.disc_of("L5/S1")[1]
    nucleus = {}
    for spine in (usual, lumbarised):
        below_s1 = np.array([spine.to_patient(0, -spine.depth_mm / 2, s) for s in np.arange(-34, -26, STEP_MM)])
        tissues = drawn_tissues(spine, frame_of(spine), below_s1)
        nucleus[spine.transition] = float((tissues[TISSUE_NUMBER["nucleus"]] + tissues[TISSUE_NUMBER["annulus"]]).sum() * STEP_MM)
    assert nucleus[LUMBARISED] > 2 * nucleus[None]


def test_screws_take_the_signal_from_pedicles_and_leave_the_canal_elsewhere(hard_spines):
    spine = next(s for s in hard_spines if s.screws)
    frame = frame_of(spine)
    air = TISSUE_NUMBER["air"]
    for place, (middle, tall) in enumerate(spine.bodies[:5]):
        pedicles = np.array([spine.to_patient(sign * 15.5, 5.0, middle + 0.18 * tall) for sign in (-1, 1)])
        lost = drawn_tissues(spine, frame, pedicles)[air]
        assert np.all(lost > 0.9) if place in spine.screws else np.all(lost < 0.1)


def test_signals_follow_the_equations():
    t1 = dict(zip(TISSUES, signals(Sequence(10, 500)), strict=True))
    t2 = dict(zip(TISSUES, signals(Sequence(100, 4000)), strict=True))
    stir = dict(zip(TISSUES, signals(Sequence(55, 4500, 165)), strict=True))
    assert t1["fat"] > t1["marrow"] > t1["muscle"] > t1["fluid"]
    assert t2["fluid"] > t2["fat"] > t2["nucleus"] > t2["muscle"] > t2["ligament"]
    assert stir["fat"] < 0.1 * stir["fluid"]
    t_1, t_2, density = TISSUES["fat"]
    assert t1["fat"] == pytest.approx(density * (1 - np.exp(-500 / t_1)) * np.exp(-10 / t_2), rel=1e-5)


@pytest.fixture(scope="module")
def phantom():
    return lumbar_mr(np.random.default_rng(6), difficulty="typical", scale=0.5)


def test_three_series_in_one_frame_of_reference(phantom):
    assert [series.description for series in phantom.series] == ["Sagittal T1", "Sagittal T2/STIR", "Axial T2"]
    for series in phantom.series:
        assert series.pixels.dtype == np.uint16
        assert series.pixels.max() <= 4095
        assert len(series.affines) == len(series.pixels)
        wanted = "AXIAL" if series.description.startswith("Axial") else "SAGITTAL"
        assert {plane_of(affine)[0] for affine in series.affines} == {wanted}
        for structure, side in (("canal", None), ("foramen", "left"), ("recess", "right")):
            for level in MR_LEVELS:
                found = project(phantom.spine.target(structure, level, side), series.affines, series.pixels.shape[1:])
                assert found.inside
                if (structure == "recess") == (wanted == "AXIAL"):
                    assert abs(found.distance_mm) < 3.0


def test_the_same_fluid_is_bright_where_both_series_say_it_lies(phantom):
    """The sac's middle, marked in the patient, is bright on sagittal T2 and on axial T2, and dark on sagittal T1."""
    t1, t2, axial = phantom.series
    for level in phantom.spine.levels:
        if level.canal_mm2 < 120:
            continue
        point = phantom.spine.target("canal", level.name, None)
        values = []
        for series in (t1, t2, axial):
            found = project(point, series.affines, series.pixels.shape[1:])
            picture = series.pixels[found.index]
            x, y = round(found.x), round(found.y)
            values.append(float(np.mean(picture[y - 1 : y + 2, x - 1 : x + 2]) / np.median(picture[picture > np.percentile(picture, 30)])))
        assert values[1] > 1.25
        assert values[2] > 1.25
        assert values[0] < 0.8


def test_left_is_the_patients_left(phantom):
    for level in MR_LEVELS:
        assert phantom.spine.target("recess", level, "left")[0] > phantom.spine.target("recess", level, "right")[0]
    axial = phantom.series[2]
    left = project(phantom.spine.target("recess", "L3/L4", "left"), axial.affines, axial.pixels.shape[1:])
    right = project(phantom.spine.target("recess", "L3/L4", "right"), axial.affines, axial.pixels.shape[1:])
    assert left.x > right.x


def test_axial_stacks_follow_the_discs():
    rng = np.random.default_rng(0)
    phantom = lumbar_mr(rng, difficulty="easy", scale=0.25)
    spine, affines = phantom.spine, phantom.series[2].affines
    for place, level in enumerate(MR_LEVELS):
        lean = spine.lean_deg(spine.disc_of(level)[0])
        normal = unit_normal(affines[5 * place + 2])
        assert np.degrees(np.arctan2(-normal[1], abs(normal[2]))) * np.sign(normal[2]) == pytest.approx(lean, abs=0.1)


def test_the_same_seed_gives_the_same_pixels():
    one, two = (lumbar_mr(np.random.default_rng(3), difficulty="hard", scale=0.25) for _ in range(2))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one.series, two.series, strict=True))
