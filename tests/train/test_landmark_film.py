"""Which picture of a study a landmark task measures on, and what it refuses unread, by the header."""

from dataclasses import replace

import numpy as np
import pytest

from spinelab import tasks
from spinelab.core import Fact, Image, InputError, Model, NotSureError, Study, unknown
from spinelab.tasks.scoliosis.classifier import Classifier
from spinelab.train import ImageSettings, film_scale
from spinelab.train.landmark_film import contradiction

GREY = np.zeros((900, 400), np.uint8)
SIDE = Image(GREY, view=Fact("LATERAL", "DICOM"), modality=Fact("DX", "DICOM"))
FRONT = Image(GREY, view=Fact("AP", "DICOM ViewPosition"), modality=Fact("DX", "DICOM"))
SLICE = Image(GREY, modality=Fact("MR", "DICOM"))
PHOTOGRAPH = Image(np.tile(np.array([220, 120, 30], np.uint8), (900, 400, 1)), axes="YXC")


def film(name: str, *images: Image) -> Image:
    task = tasks.load(name)
    return task.film(Study("film", images=images), task.settings_type())


@pytest.mark.parametrize(("task", "wanted"), [("whole-spine", SIDE), ("scoliosis", FRONT)])
def test_the_film_of_the_right_view_is_chosen(task, wanted):
    assert film(task, FRONT, SIDE) is wanted
    assert film(task, SIDE, FRONT) is wanted


@pytest.mark.parametrize(("name", "wanted"), [("whole-spine", SIDE), ("scoliosis", FRONT)])
def test_the_page_shows_the_film_that_is_measured_on(name, wanted):
    task = tasks.load(name)
    shown = task.shown(Model("m", task.settings_type(), (), {}), Study("film", images=(FRONT, SIDE)))
    assert shown.images == (wanted,)


@pytest.mark.parametrize(
    ("task", "image", "says"),
    [
        ("whole-spine", FRONT, "the view is AP"),
        ("scoliosis", SIDE, "the view is LATERAL"),
        ("whole-spine", SLICE, "no radiograph"),
        ("scoliosis", SLICE, "no radiograph"),
        ("whole-spine", Image(np.zeros((200, 90), np.uint8)), "only 90 x 200 pixels"),
        ("whole-spine", PHOTOGRAPH, "in colour"),
        ("scoliosis", PHOTOGRAPH, "in colour"),
    ],
)
def test_what_cannot_be_such_a_film_is_refused(task, image, says):
    with pytest.raises(NotSureError, match=says):
        film(task, image)


@pytest.mark.parametrize(("axes", "spacing"), [("ZYX", (3.0, 0.2, 0.1)), ("TYX", (0.2, 0.1))])
def test_a_stack_of_one_picture_is_that_picture_with_its_own_spacing(axes, spacing):
    """A spacing of three numbers begins with that of the slices."""
    one = film("scoliosis", Image(GREY[None], axes=axes, spacing_mm=Fact(spacing, "made up")))
    assert (one.axes, one.shape_yx, one.spacing_mm.value) == ("YX", (900, 400), (0.2, 0.1))
    assert film_scale.notes(one, "Distances are")[0] == "Pixel spacing: 0.2 mm (rows) x 0.1 mm (columns) (made up)."


def oriented(image: Image, orientation: str) -> Image:
    return replace(image, facts={"PatientOrientation": Fact(orientation, "DICOM PatientOrientation (0020,0020)")})


@pytest.mark.parametrize(
    ("image", "task", "orientation", "of"), [(FRONT, "scoliosis", "A\\F", "of the side"), (SIDE, "whole-spine", "L\\F", "of the front or back")]
)
def test_an_orientation_of_another_view_is_told_and_refused_where_no_view_is_stated(image, task, orientation, of):
    kind, one = tasks.load(task).films, oriented(image, orientation)
    (said,) = contradiction(one, kind)
    assert f"the view is {image.view.value}" in said
    assert of in said
    assert contradiction(image, kind) == ()
    assert contradiction(oriented(image, "L\\F" if task == "scoliosis" else "P\\F"), kind) == ()
    (said,) = contradiction(oriented(image, "L\\H" if task == "scoliosis" else "P\\H"), kind)
    assert "the head lies at the bottom" in said
    assert "does not tell left from right" in said
    assert film(task, one) is one
    with pytest.raises(NotSureError, match=f"states no view, and .*{of}"):
        film(task, replace(one, view=unknown("DICOM ViewPosition absent")))


def test_a_classifier_of_the_front_refuses_the_side():
    with pytest.raises(NotSureError, match="the view is LATERAL"):
        Classifier().prepare(Study("film", images=(SIDE,)), ImageSettings())


@pytest.mark.parametrize("image", [FRONT, SIDE, SLICE, PHOTOGRAPH])
def test_points_of_your_own_are_found_on_any_picture(image):
    assert film("landmarks", image) is image


@pytest.mark.parametrize("task", ["whole-spine", "scoliosis", "landmarks"])
def test_volumes_and_several_films_are_refused(task):
    plain = Image(GREY)
    with pytest.raises(InputError, match="2 pictures"):
        film(task, plain, plain)
    with pytest.raises(InputError, match="no single picture"):
        film(task, Image(np.zeros((3, 900, 400), np.uint8), axes="ZYX"))


def test_a_grey_film_stored_in_colour_and_one_with_a_faint_tint_are_read():
    grey = np.full((900, 400, 3), 90, np.uint8)
    assert film("whole-spine", Image(grey, axes="YXC")).shape_yx == (900, 400)
    assert film("scoliosis", Image(grey + np.array([round(0.06 * 255), 8, 0], np.uint8), axes="YXC")).shape_yx == (900, 400)


def test_a_heatmap_over_a_film_is_no_film():
    map_like = np.full((900, 400, 3), 90, np.uint8) + np.array([round(0.095 * 255), 8, 0], np.uint8)
    with pytest.raises(NotSureError, match="a heatmap"):
        film("scoliosis", Image(map_like, axes="YXC"))
