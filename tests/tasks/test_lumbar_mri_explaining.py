"""Questions by name, and maps that say where in the patient they lie."""

from dataclasses import replace

import numpy as np
import pytest

from spinelab import tasks
from spinelab.core import Examples, Explanation, TaskError
from spinelab.tasks.lumbar_mri.explaining import as_it_hangs, chosen, named
from spinelab.tasks.lumbar_mri.finding import asked_at
from spinelab.tasks.lumbar_mri.inputs import prepare_place
from spinelab.tasks.lumbar_mri.phantom import write_phantoms
from spinelab.tasks.lumbar_mri.settings import LumbarMriSettings
from spinelab.tasks.lumbar_mri.targets import QUESTIONS

SETTINGS = LumbarMriSettings(image_size=48, slices=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    folder = tmp_path_factory.mktemp("lumbar-mri")
    write_phantoms(folder, n=1, seed=8, difficulty="easy", scale=0.4)
    return tasks.load("lumbar-mri").examples(folder)


@pytest.mark.parametrize(
    "text",
    ["L4/L5 left foraminal", "left neural foraminal narrowing L4/L5", "left_neural_foraminal_narrowing_l4_l5", "foramen l4-5, left", "Left foramina at L4-L5"],
)
def test_a_question_has_its_words_in_any_order(text: str) -> None:
    assert [question.column for question in named(text)] == ["left_neural_foraminal_narrowing_l4_l5"]


def test_fewer_words_name_several_questions() -> None:
    assert [question.words for question in named("L5-1 canal")] == ["spinal canal stenosis L5/S1"]
    assert [question.words for question in named("right recess l3l4")] == ["right subarticular stenosis L3/L4"]
    assert len(named("L1/L2")) == 5
    assert len(named("left")) == 10
    assert [named(question.words) for question in QUESTIONS] == [(question,) for question in QUESTIONS]


@pytest.mark.parametrize("text", ["", "L6/S1 canal", "left canal", "the"])
def test_what_names_no_question_is_refused_with_the_words_there_are(text: str) -> None:
    with pytest.raises(TaskError, match=r"L1/L2.*left, right.*foramina"):
        named(text)


def test_named_questions_come_instead_of_the_most_severe(data: Examples) -> None:
    places = data[0].open().facts["places"].value
    assert chosen(places, (), 3) == list(places[:3])
    found = chosen(places, ("L5/S1 left recess", "canal L1/L2", "canal"), 3)
    assert [p.target.question.words for p in found[:2]] == ["left subarticular stenosis L5/S1", "spinal canal stenosis L1/L2"]
    assert len(found) == 6
    with pytest.raises(TaskError, match="was not graded"):
        chosen([p for p in places if p.target.question.side], ("canal",), 3)


@pytest.mark.parametrize("column", ["right_subarticular_stenosis_l3_l4", "left_subarticular_stenosis_l3_l4", "left_neural_foraminal_narrowing_l4_l5"])
def test_a_map_that_peaks_at_the_place_says_where_that_is(data: Examples, column: str) -> None:
    """The peak is put into the network's own picture, right recesses mirrored; it has to come back to the place in the patient."""
    study = data[0].open()
    place = next(p for p in study.facts["places"].value if p.target.question.column == column)
    asked = asked_at(study, place)
    picture = prepare_place(asked, SETTINGS).pixels[0]
    heat = np.zeros(picture.shape, np.float32)
    heat[23:25, 23:25] = 1.0
    heat[23, 20] = 2.0  # four pixels to the left of the middle, as the network sees it
    seen = as_it_hangs(Explanation("Grad-CAM", "Severe", picture, heat, "marked slice", {"probability": 0.5}), asked, place, SETTINGS)
    mirrored = column.startswith("right_sub")
    plain = prepare_place(asked, replace(SETTINGS, one_side=False)).pixels[0]
    assert np.array_equal(seen.picture, plain)
    where = seen.facts["where"]
    step = SETTINGS.crop_mm / SETTINGS.image_size
    along = np.array(where["peak_mm"]) - place.point_mm
    assert np.linalg.norm(along) == pytest.approx(3.5 * step, abs=step)
    if "subarticular" in column:
        assert (along[0] > 0) == mirrored  # the patient's left is on the right of an axial picture
        assert where["edges"] == ["R", "L"]
    else:
        assert where["edges"] == ["A", "P"]
    told = seen.summary("map.png")
    assert (told.slice_number, told.series) == (place.target.mark.instance, place.target.mark.series)
    assert told.peak_mm == tuple(where["peak_mm"])
    assert seen.view.endswith(f", slice {place.target.mark.instance}")
    assert where["turned_back"] == mirrored
