"""A film that shows a part of the spine is measured in part; what a network imagines beyond the film's edge is not believed."""

import numpy as np
import pytest

from spinelab import io, phantoms, tasks
from spinelab.core import Fact, Image, NotSureError, Study, unknown
from spinelab.geometry import LATERAL_LANDMARKS
from spinelab.geometry.shape import fit_shape
from spinelab.tasks.whole_spine.piece import FROM_THE_TOP, LEAST_SHARE, only_the_piece, unlike_the_training_films
from spinelab.train.canvas import place
from spinelab.train.landmark_head import Sighting
from spinelab.train.landmark_reading import on_film

HEIGHT, WIDTH = 640, 288
TOP = {
    "FM_1": (150, 80),
    "FM_2": (170, 82),
    "Forehead": (100, 40),
    "Jaw": (105, 110),
    "C2_1": (150, 120),
    "C2_2": (162, 121),
    "ODT": (155, 92),
    "C7": (165, 170),
    "C7_1": (158, 175),
    "C7_2": (172, 174),
    "C7_3": (171, 165),
    "T1": (167, 185),
    "T1_1": (160, 180),
    "T1_2": (174, 178),
    "T4_1": (172, 220),
    "T4_2": (188, 216),
    "T12_1": (150, 350),
    "T12_2": (172, 354),
    "L1_1": (149, 354),
    "L1_2": (171, 358),
    "L4_1": (135, 430),
    "L4_2": (160, 428),
    "S_1": (140, 480),
    "S_2": (163, 470),
    "FH_1": (138, 530),
    "FH_2": (144, 533),
}
MEAN = np.array([TOP[name] for name in LATERAL_LANDMARKS], np.float64)
PRESENT_FROM_T12 = ("T12_1", "T12_2", "L1_1", "L1_2", "L4_1", "L4_2", "S_1", "S_2", "FH_1", "FH_2")


def patients(count, seed):
    rng = np.random.default_rng(seed)
    sway = rng.normal(0, 6, (count, 1, 1)) * np.sin(np.linspace(0, 3, len(MEAN)))[None, :, None] * [1, 0]
    return MEAN * rng.normal(1, 0.05, (count, 1, 1)) + sway + rng.normal(0, 1.5, (count, *MEAN.shape))


@pytest.fixture(scope="module")
def prior():
    return fit_shape(patients(80, 1), np.ones((80, len(MEAN)), bool), HEIGHT)


def seen(points, share, there=None):
    share = np.asarray(share, np.float64)
    there = np.ones(len(points)) if there is None else np.asarray(there, np.float64)
    return Sighting(points, there, share, np.repeat(points[None], 5, axis=0), {"first_share": share})


def cropped(rng, *, first=PRESENT_FROM_T12, up=260.0):
    """Return what a network sees of a film that begins at T6: the rest moves up, and it imagines the others near the upper edge, unsure."""
    points = patients(1, rng)[0] - [0, up]
    rng = np.random.default_rng(rng)
    on = np.isin(LATERAL_LANDMARKS, first)
    points[~on] = rng.uniform([60, 5], [200, 90], (int((~on).sum()), 2))
    return seen(points, np.where(on, 0.95, rng.uniform(0.1, 0.55, len(on)))), on


def reading(sighting, prior):
    return on_film(sighting, LATERAL_LANDMARKS, place((HEIGHT, WIDTH), HEIGHT, WIDTH), unknown("absent"), (HEIGHT, WIDTH), prior, HEIGHT)


def test_every_landmark_has_one_place_among_the_structures():
    assert sorted(name for names in FROM_THE_TOP.values() for name in names) == sorted(LATERAL_LANDMARKS)


def test_a_whole_spine_stays_whole(prior):
    for points in patients(10, 2):
        kept = only_the_piece(seen(points, np.full(26, 0.9)), LATERAL_LANDMARKS, prior, HEIGHT)
        assert (kept.there == 1).all()
        assert kept.facts["set_aside"] == []
        assert unlike_the_training_films(reading(kept, prior)) == ""


@pytest.mark.parametrize("rng", range(6))
def test_of_a_film_that_begins_at_t6_only_what_lies_below_is_kept(prior, rng):
    sighting, on = cropped(rng)
    kept = only_the_piece(sighting, LATERAL_LANDMARKS, prior, HEIGHT)
    assert (kept.there.astype(bool) == on).all()
    assert set(kept.facts["set_aside"]) == {name for name, there in zip(LATERAL_LANDMARKS, on, strict=True) if not there}
    assert unlike_the_training_films(reading(kept, prior)) == ""


def test_a_short_and_narrow_film_shows_the_patient_larger(prior):
    points = (MEAN - [155, 330]) * 1.6 + [150, 60]
    on = np.isin(LATERAL_LANDMARKS, PRESENT_FROM_T12)
    kept = only_the_piece(seen(points, np.full(26, 0.95), on), LATERAL_LANDMARKS, prior, HEIGHT)
    assert (kept.there.astype(bool) == on).all()
    assert np.nanmax(reading(kept, prior).misfit) < 5


def test_an_unsure_landmark_at_the_edge_is_beyond_it_and_one_in_the_middle_is_not(prior):
    share = np.full(26, 0.95)
    share[LATERAL_LANDMARKS.index("T12_2")] = share[LATERAL_LANDMARKS.index("L4_1")] = 0.5
    kept = only_the_piece(seen(MEAN, share, np.isin(LATERAL_LANDMARKS, PRESENT_FROM_T12)), LATERAL_LANDMARKS, prior, HEIGHT)
    assert kept.facts["set_aside"] == ["T12_2"]


def test_a_few_structures_are_no_spine(prior):
    neck = np.isin(LATERAL_LANDMARKS, [*FROM_THE_TOP["C7"], *FROM_THE_TOP["T1"], *FROM_THE_TOP["T4"]])
    assert "only C7, T1, T4 lie as in a spine" in unlike_the_training_films(reading(seen(MEAN, np.full(26, 0.95), neck), prior))
    hips = np.isin(LATERAL_LANDMARKS, FROM_THE_TOP["the hips"])
    assert "only the hips lie as in a spine" in unlike_the_training_films(reading(seen(MEAN, np.full(26, 0.95), hips), prior))
    nothing = seen(MEAN, np.zeros(26), np.zeros(26))
    assert "nothing lies as in a spine" in unlike_the_training_films(reading(only_the_piece(nothing, LATERAL_LANDMARKS, prior, HEIGHT), prior))


def test_a_piece_that_was_not_seen_clearly_is_not_believed(prior):
    part = np.isin(LATERAL_LANDMARKS, PRESENT_FROM_T12)
    assert unlike_the_training_films(reading(seen(MEAN, np.full(26, LEAST_SHARE + 0.01), part), prior)) == ""
    assert "was not seen clearly enough" in unlike_the_training_films(reading(seen(MEAN, np.full(26, LEAST_SHARE - 0.01), part), prior))


@pytest.fixture(scope="module")
def shipped():
    return io.load_model("builtin:whole-spine", {name: tasks.load(name).settings_type for name in tasks.names()})


def study(pixels, spacing):
    return Study("film", images=(Image(pixels, view=Fact("LATERAL", "phantom"), spacing_mm=spacing),))


def test_a_film_cropped_at_t6_is_measured_in_part(shipped):
    film = phantoms.whole_spine(np.random.default_rng([707, 0]), scale=0.6)
    rows = film.landmarks["T4_1"][1] + 0.25 * (film.landmarks["T12_1"][1] - film.landmarks["T4_1"][1])
    result = tasks.load("whole-spine").predict(shipped, study(film.pixels[int(rows) :], Fact((film.spacing_mm,) * 2, "phantom")))
    found = {m.name: m for m in result.measurements if m.unit == "deg"}
    assert {name for name, m in found.items() if m.value is not None} == {"pi", "pt", "ss", "ll", "l4_s1", "pi_ll"}
    assert found["tk"].withheld == "the upper endplate of T4 is not on the film"
    for name in ("pi", "ss", "ll"):
        assert found[name].value == pytest.approx(film.parameters[name], abs=6)
    assert {p.name for p in result.landmarks} == set(PRESENT_FROM_T12)


def test_a_chest_film_gives_no_t1_slope(shipped):
    chest = phantoms.not_a_spine(np.random.default_rng([707, 0]), "chest", scale=0.6)
    with pytest.raises(NotSureError, match="too little to be sure"):
        tasks.load("whole-spine").predict(shipped, study(chest.pixels, unknown("absent")))
