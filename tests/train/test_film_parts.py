from pathlib import Path

import numpy as np
import pytest

from spinelab import tasks
from spinelab.core import Examples, Image, Run
from spinelab.train.canvas import place
from spinelab.train.film_parts import rows_of, seen_in_parts
from spinelab.train.landmark_truth import on_film


@pytest.mark.parametrize(("axes", "shape"), [("YX", (9, 4)), ("YXC", (9, 4, 3)), ("ZYX", (1, 9, 4))])
def test_rows_of_a_film(axes, shape):
    film = Image(np.arange(np.prod(shape), dtype=np.uint16).reshape(shape).astype(np.uint8), axes=axes)
    part = rows_of(film, 2, 5)
    assert part.shape_yx == (3, 4)
    assert np.array_equal(part.pixels, film.pixels[2:5] if axes[0] == "Y" else film.pixels[:, 2:5])
    assert rows_of(film, 2, None).shape_yx == (7, 4)


@pytest.fixture(scope="module")
def phantom():
    return tasks.load("scoliosis").phantom(np.random.default_rng(3), "easy")


class Spy:
    """Stands for a task; shows what it was given to look at."""

    def __init__(self, task, cuts):
        self.task, self._cuts = task, cuts

    def __getattr__(self, name):
        return getattr(self.task, name)

    def head_of(self, model):
        return self

    def cuts(self, points):
        return self._cuts

    def names_of(self, model):
        return self.task.landmark_names(None, model)

    def sightings(self, model, pixels, shapes, run, *, near):
        assert not near, "the second network sees no names"
        self.shapes = shapes
        return [None] * len(pixels)


class Settled:
    settings = tasks.load("scoliosis").settings_type()


def test_a_cut_film_keeps_the_places_of_all_its_landmarks(phantom):
    examples = Examples((phantom,), Path())
    spy = Spy(tasks.load("scoliosis"), [(0, 300), (200, None)])
    seen, truth = seen_in_parts(spy, Settled, examples, Run())
    film = spy.film(phantom.open(), Settled.settings)
    rows, columns = film.shape_yx
    assert [tuple(shape) for shape in spy.shapes] == [(300, columns), (rows - 200, columns)]
    points = on_film(phantom.truth.landmarks, spy.names_of(Settled.settings))
    for first, shape, canvas in zip((0, 200), spy.shapes, truth, strict=True):
        back = place(tuple(shape), Settled.settings.rows, Settled.settings.columns).to_film(canvas[:, :2])
        assert back == pytest.approx(points - [0, first], abs=1e-2)
    assert len(seen) == 2
    assert seen_in_parts(Spy(tasks.load("scoliosis"), []), Settled, examples, Run())[0] == []
