"""What held-out films and time leave behind in a landmark model's record."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spinelab.core import (
    Example,
    Examples,
    Fact,
    Image,
    InputError,
    Landmark,
    Measurement,
    Model,
    NotSureError,
    Quantity,
    Result,
    Run,
    Study,
    TaskError,
    unknown,
)
from spinelab.evaluation import Conformal, error_metrics
from spinelab.train.canvas import PreparedCanvas
from spinelab.train.landmark_calibration import LEAST_MISFIT, _agreement, calibrate, usual
from spinelab.train.landmark_film import FilmKind
from spinelab.train.landmark_fitting import Material, _notes, _record
from spinelab.train.landmark_head import Sighting
from spinelab.train.landmark_heat import seen_where
from spinelab.train.landmark_reading import Reading
from spinelab.train.landmark_settings import LandmarkSettings
from spinelab.train.landmark_task import LandmarkTask

SETTINGS = LandmarkSettings(rows=128, columns=64)
NAMES = ("a", "b", "c")
LENGTH = Quantity("length", "px", "Length")


class Ruler(LandmarkTask):
    """Measures from a to b; what it sees is given."""

    name, title, question, takes, gives, source = "ruler", "ruler", "how long?", "a film", "a length", "made up"
    settings_type = LandmarkSettings

    def __init__(self, seen=()):
        self.seen = list(seen)

    def landmark_names(self, examples, settings):
        return NAMES

    def mirror(self, names, declared):
        return None

    def measure(self, points, spacing_mm, declared):
        return {("length", "px"): np.linalg.norm(points["b"] - points["a"], axis=-1)} if {"a", "b"} <= set(points) else {}

    def withheld(self, quantity, present, spacing, declared):
        return "not on the film"

    def quantities(self, settings):
        return (LENGTH,)

    def sightings(self, model, pixels, shapes, run=None):
        return self.seen

    def examples(self, root):
        raise NotImplementedError

    def phantom(self, rng, difficulty="typical"):
        raise NotImplementedError

    def write_phantoms(self, out, *, n, seed, difficulty="typical", progress=None):
        raise NotImplementedError


def example(number, length=50.0):
    study = Study(f"f{number}", images=(Image(np.zeros((128, 64), np.uint8), spacing_mm=unknown("none")),))
    points = (Landmark("a", 10, 20), Landmark("b", 10, 20 + length), Landmark("c", 40, 90))
    truth = Result("ruler", "reader", study.id, measurements=(Measurement("length", length, "px"),), landmarks=points)
    return Example(study.id, truth, lambda: study, f"p{number}", facts={"spacing_mm": Fact(None, "none")})


def sighting(error, *, share=0.9, there=1.0):
    points = np.array([[10.0, 20.0], [10.0, 70.0 + error], [40.0, 90.0]])
    samples = points + np.random.default_rng(1).normal(0, 1.0, (300, 3, 2))
    return Sighting(points, np.full(3, there), np.full(3, share), samples)


def calibrated(errors, **how):
    task = Ruler([sighting(e, **how) for e in errors])
    model = Model("ruler", SETTINGS, (), {}, {"landmarks": list(NAMES), "calibration": {"head": {}}})
    films = Examples(tuple(example(i) for i in range(len(errors))), Path("ruler"))
    extra = calibrate(task, model, films, np.zeros((len(errors), 1, 128, 64), np.uint8), [{"shape": [128, 64]}] * len(errors), Run())
    return task, model, extra


def test_held_out_errors_make_the_intervals_and_the_agreement():
    errors = np.random.default_rng(4).normal(0.5, 2.0, 60)
    task, model, extra = calibrated(errors)
    agreement = extra["agreement"]["length_px"]
    assert agreement["mae"] == pytest.approx(np.abs(errors).mean())
    assert agreement["bias"] == pytest.approx(errors.mean())
    assert agreement["mdc"] == pytest.approx(1.96 * np.sqrt(2) * errors.std(ddof=1))
    assert agreement["mdc"] == pytest.approx(error_metrics(errors, np.zeros(60))["mdc95"].value)
    width = Conformal.from_dict(model.record["calibration"]["quantities"]["length_px"]).half_width(1.0)
    assert np.quantile(np.abs(errors), 0.9) < width <= np.abs(errors).max() + 1e-9
    (given,) = task._measurements(task.on_film(model, sighting(0.0), example(0).open(), [128, 64]), model)
    assert given.value == pytest.approx(50)
    assert given.interval[0] < 50 < given.interval[1]
    assert model.record["calibration"]["least_certainty"] == pytest.approx(0.6 * 0.9)


class RulerInMillimetres(Ruler):
    """Measures from a to b along x, in both units where the spacing is known."""

    def measure(self, points, spacing_mm, declared):
        across = points["b"][..., 0] - points["a"][..., 0]
        return {("length", "px"): across} | ({("length", "mm"): across * spacing_mm[1]} if spacing_mm else {})

    def quantities(self, settings):
        return (replace(LENGTH, unit="mm"), LENGTH)


@pytest.mark.parametrize("across", [0.0, 30.0, -30.0])
def test_what_was_learnt_on_films_without_spacing_has_an_interval_in_millimetres(across):
    _, model, _ = calibrated(np.random.default_rng(4).normal(0.5, 2.0, 60))
    film = example(0).open()
    film = replace(film, images=(replace(film.images[0], spacing_mm=Fact((0.5, 0.25), "table")),))
    seen = sighting(0.0)
    seen.points[1, 0] += across
    seen.samples[:, 1, 0] += across
    task = RulerInMillimetres()
    length, pixels = task._measurements(task.on_film(model, seen, film, [128, 64]), model)
    assert (length.unit, length.value) == ("mm", pytest.approx(0.25 * across))
    assert length.interval == pytest.approx(tuple(0.25 * limit for limit in pixels.interval))
    assert length.interval[0] < length.value < length.interval[1]


def test_a_film_without_the_landmarks_teaches_no_interval():
    _, model, extra = calibrated([0.0] * 10, there=0.0)
    assert extra == {"agreement": {}}
    assert model.record["calibration"]["quantities"] == {}


def test_one_error_has_no_spread():
    assert _agreement(np.array([2.0]), ["p"]) == {"mae": 2.0, "bias": 2.0, "sd": None, "mdc": None, "films": 1, "patients": 1}


def test_the_limit_of_misfit_follows_the_held_out_films_but_is_never_strict():
    def reading(misfit):
        return Reading(NAMES, np.zeros((3, 2)), np.zeros((5, 3, 2)), np.ones(3, bool), np.full(3, 0.8), np.array(misfit), unknown("none"), (128, 64))

    assert usual([])["misfit_limit"] == LEAST_MISFIT
    assert usual([reading([1.0, 1.0, np.nan])])["misfit_limit"] == LEAST_MISFIT
    assert usual([reading([8.0, 8.0, 8.0])])["misfit_limit"] == pytest.approx(10.0)


class Ended:
    """A loop as it is when it ends."""

    def __init__(self, epoch, stopped, minutes=3.0):
        self.epoch = self.best_epoch = epoch
        self.stopped, self.history, self.seconds, self.peak_memory_mb = stopped, [], 60.0, 1.0
        self.landmark_settings = LandmarkSettings(rows=128, columns=64, epochs=60, minutes=minutes)


def material():
    films = Examples(tuple(example(i) for i in range(4)), Path("ruler"))
    return Material(films, NAMES, np.zeros((4, 1, 128, 64), np.uint8), np.ones((4, 3, 3), np.float32), ["k"] * 4, np.arange(3), np.array([3]))


def test_each_network_that_was_cut_short_is_told_with_its_own_minutes():
    loops = [Ended(60, "last-epoch"), Ended(7, "minutes", minutes=2.0)]
    said = _notes(loops, material(), replace(SETTINGS, minutes=5.0), (0, 1, 2))
    assert said == ["Training of the second network was ended after 7 of 60 passes by its limit of 2 minutes."]
    record = _record(loops, [60.0, 120.0], material(), SETTINGS)
    assert record["stopped"] == "minutes"
    assert [stage["stopped"] for stage in record["stages"]] == ["last-epoch", "minutes"]
    short = _notes([Ended(7, "minutes", minutes=1.0)], material(), SETTINGS, (0, 1, 2))
    assert short == ["Training was ended after 7 of 60 passes by its limit of 1 minute."]
    assert "Training was ended after 7 of 60 passes by its limit of 3 minutes." in _notes([Ended(7, "minutes")], material(), SETTINGS, (0, 1, 2))
    assert _record([Ended(60, "last-epoch")], [1.0], material(), SETTINGS)["stopped"] == "last-epoch"


def test_a_map_of_where_landmarks_were_seen_is_highest_at_each_of_them():
    class Two(torch.nn.Module):
        def forward(self, films):
            maps = torch.full((len(films), 2, 8, 4), -9.0)
            maps[:, 0, 2, 1], maps[:, 1, 6, 3] = 3.0, 9.0
            return maps, torch.zeros(len(films), 2)

    heat = seen_where(Two(), np.zeros((1, 32, 16), np.uint8))
    assert heat.shape == (32, 16)
    assert heat.dtype == np.float32
    assert heat[9:11, 5:7].mean() == pytest.approx(heat[25:27, 13:15].mean(), abs=0.25)
    assert heat[9, 5] > 0.5 > heat[20, 2]
    assert heat.min() >= 0
    assert heat.max() <= 1


def test_a_film_is_shown_to_a_network_where_the_network_is():
    """After reading many films it is where they were read; ``meta`` stands for an accelerator."""

    class Elsewhere(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1, device="meta"))

        def forward(self, films):
            assert films.device == self.weight.device
            return torch.zeros(1, 2, 8, 4), torch.zeros(1, 2)

    assert seen_where(Elsewhere(), np.zeros((1, 32, 16), np.uint8)).shape == (32, 16)


class Lying(Ruler):
    """Sees a film as surely as is given for each way in which it is shown; the film is dark with a bright corner at the top."""

    def __init__(self, as_it_is, upside_down, inverted, both):
        super().__init__()
        self.sure = {(True, True): as_it_is, (True, False): upside_down, (False, False): inverted, (False, True): both}

    def _read(self, model, canvas, study, *, near=True):
        dark = bool(canvas.pixels.mean() < 127)
        share = self.sure[dark, bool(canvas.pixels[0, 0, 0] == 255)]
        return Reading(("a",) * 4, np.zeros((4, 2)), np.zeros((5, 4, 2)), np.ones(4, bool), np.full(4, share), np.zeros(4), unknown("none"), (128, 64))


@pytest.mark.parametrize(
    ("sure", "said"),
    [
        ((0.33, 0.42, 0.82, 0.65), "seems to be inverted"),
        ((0.2, 0.8, 0.3, 0.3), "seems to be upside down"),
        ((0.2, 0.39, 0.61, 0.79), "seems to be upside down and inverted"),
        ((0.3, 0.45, 0.2, 0.2), "does not look like the films"),
        ((0.3, 0.8, 0.78, 0.2), "does not look like the films"),
    ],
)
def test_a_refusal_names_the_way_of_a_film_only_where_one_is_clearly_the_surest(sure, said):
    film = np.zeros((1, 128, 64), np.uint8)
    film[0, 0, 0] = 255
    model = Model("ruler", SETTINGS, (), {}, {"calibration": {"least_certainty": 0.4}})
    task = Lying(*sure)
    canvas = PreparedCanvas(film, facts={"shape": [128, 64]})
    with pytest.raises(NotSureError, match=f"{said}( |\\.)"):
        task._require_usual(task._read(model, canvas, example(0).open()), model, example(0).open(), canvas)


class OfRadiographs(Ruler):
    """Takes pictures in grey only."""

    films = FilmKind(modalities=("DX",))

    def sightings(self, model, pixels, shapes, run=None, *, near=True):
        return [sighting(0.0) for _ in pixels]


def photograph(number):
    colours = np.zeros((128, 64, 3), np.uint8)
    colours[..., 0] = 200
    return replace(example(number), open=lambda: Study(f"f{number}", images=(Image(colours, "YXC", spacing_mm=unknown("none")),)))


def test_a_film_that_is_refused_before_it_is_seen_costs_no_other_its_answer(tmp_path):
    model = Model("ruler", SETTINGS, (), {}, {"landmarks": list(NAMES), "calibration": {}})
    films = Examples((example(0), photograph(1), example(2), photograph(3)), Path("ruler"))
    answers = OfRadiographs().predict_many(model, films, Run(cache=tmp_path))
    assert [answer.study for answer in answers] == ["f0", "f1", "f2", "f3"]
    assert [len(answer.landmarks) for answer in answers] == [3, 0, 3, 0]
    assert all("the picture is in colour" in answer.notes[0] for answer in answers[1::2])
    none = OfRadiographs().predict_many(model, films.subset([1, 3]), Run(cache=tmp_path))
    assert [answer.landmarks for answer in none] == [(), ()]


def test_two_pictures_and_other_settings_are_refused():
    task, study = Ruler(), example(0).open()
    with pytest.raises(InputError, match="2 pictures"):
        task.film(replace(study, images=study.images * 2), SETTINGS)
    with pytest.raises(TaskError, match="LandmarkSettings"):
        task.own(object())
