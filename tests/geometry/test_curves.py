"""The clinical rule on drawn spines: end vertebrae, angle, apex, side, region; what noise and one wrong vertebra must not change."""

import math

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.geometry import (
    REGIONAL,
    THORACOLUMBAR,
    apical_translation,
    challenge_cobb,
    clinical_curves,
    coronal_balance,
    curve_pattern,
    region_of,
    regional_cobb,
    t1_l5_offset,
    tilts,
    trunk_tilt_deg,
)

WIDTH = 40.0


def drawn_spine(tilt_deg, *, height=22.0, gap=8.0, wedge_deg=0.0):
    """Vertebrae (n, 4, 2) with these tilts (image-right end lower is positive) along the column's course; lower plates more tilted by ``wedge_deg``."""
    tilt = np.radians(np.asarray(tilt_deg, dtype=float))
    half_wedge = np.radians(np.broadcast_to(np.asarray(wedge_deg, dtype=float), tilt.shape)) / 2
    down = np.stack([-np.sin(tilt), np.cos(tilt)], -1)
    step = (height + gap) * (down[1:] + down[:-1]) / 2
    middle = np.array([400.0, 100.0]) + np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])

    def plate(side, angle):
        along = WIDTH / 2 * np.stack([np.cos(angle), np.sin(angle)], -1)
        centre = middle + side * height / 2 * down
        return centre - along, centre + along

    return np.stack([*plate(-1, tilt - half_wedge), *plate(1, tilt + half_wedge)], axis=1)


def turned(points, degrees, about=(350.0, 420.0)):
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return (points - about) @ turn + about


def mirrored(points):
    flipped = points[..., [1, 0, 3, 2], :].copy()
    flipped[..., 0] = 800 - flipped[..., 0]
    return flipped


# Proximal thoracic left 30 (T2-T5), main thoracic right 52 (T6-T11), lumbar left 34 (T12-L4): turning points at T1/T2, T5/T6, T11/T12, L4.
TRIPLE = np.array([9, 10, 0, -10, -20, -22, -12, -2, 10, 20, 30, 29, 20, 10, 2, -4, -3], dtype=float)
STRAIGHT = np.array([1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, 0, 0, -1, 1, 0, 1], dtype=float)


def summary(curves):
    return [(c.upper_name, c.lower_name, c.apex_name, c.convexity, c.region) for c in curves]


def test_triple_curve_from_endplate_to_endplate():
    wedge = 4.0
    curves = clinical_curves(drawn_spine(TRIPLE, wedge_deg=wedge))
    assert [(c.upper_name, c.lower_name) for c in curves] == [("T2", "T6"), ("T6", "T11"), ("T11", "L4")]
    assert [c.region for c in curves] == ["proximal thoracic", "main thoracic", "lumbar"]
    assert [c.convexity for c in curves] == ["left", "right", "left"]
    # Tilt falls by 32 from T2's upper endplate (10 - 2) to T6's lower one (-22 + 2), and so on.
    assert [c.cobb_deg for c in curves] == pytest.approx([28, 56, 30])
    assert all(c.scoliotic for c in curves)


def test_apex_is_the_farthest_from_the_line_between_the_end_vertebrae():
    curves = clinical_curves(drawn_spine(TRIPLE))
    for curve in curves:
        middle = drawn_spine(TRIPLE).mean(axis=1)
        chord = middle[curve.lower] - middle[curve.upper]
        away = np.abs((middle[:, 0] - middle[curve.upper, 0]) * chord[1] - (middle[:, 1] - middle[curve.upper, 1]) * chord[0])
        inside = np.arange(curve.upper, curve.lower + 1)
        assert abs(inside[away[inside].argmax()] - curve.apex) <= 0.5


@pytest.mark.parametrize(
    ("centre", "half", "ends", "apex", "region"),
    [
        (3, 3, ("T1", "T7"), "T4", "proximal thoracic"),
        (8, 5, ("T4", "L2"), "T9", "main thoracic"),
        (11.5, 4.5, ("T8", "L5"), "T12/L1", "thoracolumbar"),
        (13, 3, ("T11", "L5"), "L2", "lumbar"),
    ],
)
def test_a_single_round_curve_between_straight_stretches(centre, half, ends, apex, region):
    place = np.clip((np.arange(17) - centre) / half, -1, 1)
    (curve,) = clinical_curves(drawn_spine(24 * np.sin(np.pi / 2 * place)))
    assert (curve.upper_name, curve.lower_name) == ends
    assert (curve.apex_name, curve.region, curve.convexity) == (apex, region, "right")
    assert curve.cobb_deg == pytest.approx(48)


@pytest.mark.parametrize(
    ("apex", "region"),
    [
        ("T1", "cervicothoracic"),
        ("T2", "proximal thoracic"),
        ("T5/T6", "proximal thoracic"),
        ("T6", "main thoracic"),
        ("T11/T12", "main thoracic"),
        ("T12", "thoracolumbar"),
        ("L1", "thoracolumbar"),
        ("L1/L2", "lumbar"),
        ("L4/L5", "lumbar"),
        ("L5", "lumbosacral"),
    ],
)
def test_regions_by_apex(apex, region):
    above = apex.split("/")[0]
    assert region_of(THORACOLUMBAR.index(above) + (0.5 if "/" in apex else 0)) == region


def test_a_cropped_film_counts_its_own_vertebrae():
    names = THORACOLUMBAR[4:]
    curves = clinical_curves(drawn_spine(TRIPLE)[4:], names)
    assert [(c.upper_name, c.lower_name) for c in curves] == [("T6", "T11"), ("T11", "L4")]
    assert curves[0].region == "main thoracic"


@pytest.mark.parametrize("degrees", [-25.0, 10.0, 40.0])
@pytest.mark.parametrize("scale", [0.2, 3.0])
def test_turning_and_scaling_change_nothing_and_a_mirror_changes_sides(degrees, scale):
    spine = drawn_spine(TRIPLE, wedge_deg=3)
    expected = clinical_curves(spine)
    for other, same_side in ((turned(spine, degrees) * scale, True), (mirrored(spine) * scale, False)):
        curves = clinical_curves(other)
        assert [c.cobb_deg for c in curves] == pytest.approx([c.cobb_deg for c in expected])
        assert [(c.upper, c.lower, c.apex, c.region) for c in curves] == [(c.upper, c.lower, c.apex, c.region) for c in expected]
        assert all((c.convexity == e.convexity) == same_side for c, e in zip(curves, expected, strict=True))


def test_a_curve_beyond_ninety_degrees_keeps_its_angle():
    tilt = 58 * np.tanh((np.arange(17) - 8) / 3)
    (curve,) = clinical_curves(drawn_spine(tilt))
    assert curve.cobb_deg == pytest.approx(2 * 58 * np.tanh(8 / 3))


def test_a_straight_spine_has_no_curve():
    assert clinical_curves(drawn_spine(STRAIGHT)) == ()
    assert curve_pattern(()) == "no curve of 10 degrees or more"


@pytest.mark.parametrize("place", range(17))
@pytest.mark.parametrize("harm", ["shifted", "turned", "one endplate", "left and right swapped"])
def test_one_wrong_vertebra_makes_no_curve(place, harm):
    for tilt in (STRAIGHT, TRIPLE):
        spine = drawn_spine(tilt)
        expected = clinical_curves(spine)
        if harm == "shifted":
            spine[place, :, 0] += 0.6 * WIDTH
        elif harm == "turned":
            spine[place] = turned(spine[place], 25, about=spine[place].mean(axis=0))
        elif harm == "one endplate":
            spine[place, :2] = turned(spine[place, :2], 25, about=spine[place, :2].mean(axis=0))
        else:
            spine[place] = spine[place][[1, 0, 3, 2]]
        curves = clinical_curves(spine)
        assert [c.convexity for c in curves] == [c.convexity for c in expected]
        assert all(abs(c.upper - e.upper) <= 1 and abs(c.lower - e.lower) <= 1 for c, e in zip(curves, expected, strict=True))
        assert all(abs(c.cobb_deg - e.cobb_deg) < 8 for c, e in zip(curves, expected, strict=True))


def test_corner_noise_makes_no_curve_and_keeps_those_drawn():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.02 * WIDTH, (200, 17, 4, 2))
    straight = [clinical_curves(spine) for spine in drawn_spine(STRAIGHT) + noise]
    assert np.mean([any(c.scoliotic for c in curves) for curves in straight]) < 0.03
    triple = [clinical_curves(spine) for spine in drawn_spine(TRIPLE) + noise]
    assert np.mean([len([c for c in curves if c.scoliotic]) == 3 for curves in triple]) > 0.97


def test_angles_are_those_of_the_endplates_as_drawn():
    spine = drawn_spine(TRIPLE) + np.random.default_rng(5).normal(0, 0.8, (17, 4, 2))
    plates = tilts(spine)
    for curve in clinical_curves(spine):
        assert curve.cobb_deg == pytest.approx(abs(plates.lower_deg[curve.lower] - plates.upper_deg[curve.upper]))


def test_regional_angles_are_those_of_the_curves():
    spine = drawn_spine(TRIPLE, wedge_deg=2)
    curves, regional = clinical_curves(spine), regional_cobb(spine)
    assert regional.angles_deg == pytest.approx([c.cobb_deg for c in curves])
    assert regional.ends.tolist() == [[c.upper, c.lower] for c in curves]
    assert regional.apex.tolist() == [c.apex for c in curves]
    assert regional.convexity.tolist() == [-1, 1, -1]
    assert len(REGIONAL) == 3
    none = regional_cobb(drawn_spine(STRAIGHT))
    assert np.isnan(none.angles_deg).all()
    assert (none.ends == -1).all()
    assert none.convexity.tolist() == [0, 0, 0]


@pytest.mark.parametrize("fixed", [False, True])
def test_many_spines_in_one_call_equal_one_after_the_other(fixed):
    spine = drawn_spine(TRIPLE)
    ends = regional_cobb(spine).ends if fixed else None
    samples = spine + np.random.default_rng(1).normal(0, 1.0, (3, 30, 17, 4, 2))
    together = regional_cobb(samples, ends=ends)
    assert together.angles_deg.shape == (3, 30, 3)
    for index in np.ndindex(3, 30):
        alone = regional_cobb(samples[index], ends=ends)
        assert together.angles_deg[index] == pytest.approx(alone.angles_deg, nan_ok=True)
        assert together.ends[index].tolist() == alone.ends.tolist()
        assert together.apex[index] == pytest.approx(alone.apex, nan_ok=True)


def test_fixed_ends_are_kept_and_a_missing_curve_stays_missing():
    spine = drawn_spine(TRIPLE)
    measured = regional_cobb(spine, ends=[[1, 5], [-1, -1], [11, 15]])
    assert measured.angles_deg == pytest.approx([32, np.nan, 33], nan_ok=True)
    assert np.isnan(measured.apex).tolist() == [False, True, False]


def test_pattern_names_scoliotic_curves_and_the_major_one():
    assert curve_pattern(clinical_curves(drawn_spine(TRIPLE))) == "proximal thoracic left 32, main thoracic right 52 (major), lumbar left 34"


def test_what_cannot_be_measured_is_refused():
    spine = drawn_spine(TRIPLE)
    with pytest.raises(InputError, match="shape"):
        clinical_curves(spine[None])
    with pytest.raises(InputError, match="Vertebra"):
        clinical_curves(spine, [*THORACOLUMBAR[:16], "X9"])
    with pytest.raises(InputError, match="shape"):
        clinical_curves(spine, THORACOLUMBAR[1:])
    spine[3, 2, 0] = np.nan
    with pytest.raises(InputError, match="finite"):
        clinical_curves(spine)


# Balance


def test_balance_offset_and_tilt_are_positive_to_the_image_s_right():
    spine = drawn_spine(np.zeros(17))
    leaning = turned(spine, 6, about=spine[-1].mean(axis=0))  # clockwise: the top goes to the right
    assert trunk_tilt_deg(leaning) == pytest.approx(6)
    assert t1_l5_offset(leaning) == pytest.approx(16 * 30 * math.sin(math.radians(6)))
    assert t1_l5_offset(mirrored(leaning)) == pytest.approx(-t1_l5_offset(leaning))
    assert coronal_balance([[412.0, 5.0], [390.0, 5.0]], [400.0, 900.0]) == pytest.approx([12, -10])


def test_apical_translation_from_a_plumb_line_or_from_the_straight_line():
    spine = drawn_spine(np.zeros(17))
    spine[8] += [15, 0]
    assert apical_translation(spine, 8.0) == pytest.approx(15)
    assert apical_translation(turned(spine, 17), 8.0) == pytest.approx(15)
    assert apical_translation(spine, 8.5) == pytest.approx(7.5)
    assert apical_translation(spine, 8.0, plumb_x=395.0) == pytest.approx(20)
    assert apical_translation(np.stack([spine, spine * 2]), [8.0, np.nan]) == pytest.approx([15, np.nan], nan_ok=True)


def test_no_samples_and_few_vertebrae():
    assert regional_cobb(np.zeros((0, 17, 4, 2))).angles_deg.shape == (0, 3)
    assert challenge_cobb(np.zeros((2, 0, 17, 4, 2))).ends.shape == (2, 0, 3, 2)
    upper, lower = clinical_curves(drawn_spine([0, 20, -15]), ("L3", "L4", "L5"))
    assert (upper.cobb_deg, lower.cobb_deg) == pytest.approx((20, 35))
    assert clinical_curves(np.ones((17, 4, 2))) == ()
