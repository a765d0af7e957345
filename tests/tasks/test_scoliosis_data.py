import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from spinelab.core import InputError, Run, TaskError
from spinelab.experiments import Design, compare
from spinelab.experiments.asked import ask
from spinelab.geometry import CORNER_LANDMARKS
from spinelab.tasks import scoliosis
from spinelab.tasks.scoliosis.measure import CHALLENGE, of_corners
from spinelab.tasks.scoliosis.settings import ScoliosisSettings
from spinelab.tasks.scoliosis.task import Scoliosis

ROWS, COLUMNS = 200, 80
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "scoliosis-ap"
NAMES = ("site-04-Jan-2021-12 A AP.jpg", "site-04-Jan-2021-12 B AP.jpg", "site-19-Feb-2021-12 C AP.jpg", "site-04-Jan-2021-13 A AP.jpg", "other.jpg")


def corners(seed=0):
    """Return a curved spine's corners ``(17, 4, 2)`` as shares of the picture."""
    level = np.arange(17)
    tilt = 0.35 * np.sin(level / 17 * 2 * np.pi + seed / 10)
    along = np.stack([np.cos(tilt), np.sin(tilt)], 1)[:, None] * np.array([-8.0, 8, -8, 8])[:, None]
    up = np.stack([-np.sin(tilt), np.cos(tilt)], 1)[:, None] * np.array([-4.0, -4, 4, 4])[:, None]
    middle = np.stack([np.full(17, 40.0), 14 + 10.5 * level], 1)[:, None]
    return (middle + along + up) / [COLUMNS, ROWS]


def table(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def row_of(points):
    flat = points.reshape(68, 2)
    return [*flat[:, 0], *flat[:, 1]]


@pytest.fixture
def layout(tmp_path):
    for split, names in (("training", NAMES[:3]), ("test", NAMES[3:])):
        pictures, labels = tmp_path / "data" / split, tmp_path / "labels" / split
        pictures.mkdir(parents=True)
        labels.mkdir(parents=True)
        for name in names:
            Picture.fromarray(np.full((ROWS, COLUMNS), 90, np.uint8)).save(pictures / name)
        table(labels / "filenames.csv", [[name] for name in names])
        table(labels / "landmarks.csv", [row_of(corners(k)) for k in range(len(names))])
        table(labels / "angles.csv", [[41.5 + k, 20, 10] for k in range(len(names))])
    return tmp_path


def read(folder):
    return scoliosis.TASK.examples(folder)


def test_a_film_that_its_file_turns_has_its_corners_where_the_turned_picture_has_them(layout):
    """The table's shares are of the picture as it is seen."""
    expected = next(example for example in read(layout) if example.id == f"training/{NAMES[0]}")
    upright = Picture.fromarray(np.full((ROWS, COLUMNS), 90, np.uint8))
    exif = Picture.Exif()
    exif[274] = 6  # stored lying; to be turned by 90 degrees clockwise
    upright.transpose(Picture.Transpose.ROTATE_90).save(layout / "data" / "training" / NAMES[0], exif=exif)
    turned = next(example for example in read(layout) if example.id == expected.id)
    assert turned.open().images[0].shape_yx == (ROWS, COLUMNS)
    ours, theirs = ([(p.x, p.y) for p in one.truth.landmarks] for one in (turned, expected))
    np.testing.assert_allclose(ours, theirs)


def values(example):
    return {(m.name, m.unit): m.value for m in example.truth.measurements}


def test_every_split_is_read_with_its_names_and_points(layout):
    examples = read(layout)
    assert [e.id.split("/")[0] for e in examples] == ["test"] * 2 + ["training"] * 3
    first = examples[2]
    assert tuple(p.name for p in first.truth.landmarks) == CORNER_LANDMARKS
    points = np.array([[p.x, p.y] for p in first.truth.landmarks])
    assert points == pytest.approx((corners(0) * [COLUMNS, ROWS]).reshape(68, 2))
    assert first.open().images[0].pixels.shape[:2] == (ROWS, COLUMNS)
    assert not examples.phantom


def test_films_of_one_patient_belong_together_on_other_days_too(layout):
    by_name = {Path(e.id).name: e for e in read(layout)}
    assert len({by_name[name].group for name in NAMES[:3]}) == 1
    assert by_name[NAMES[3]].group != by_name[NAMES[0]].group
    assert by_name["other.jpg"].patient is None
    assert len(set(read(layout).groups())) == 3


def test_what_is_not_known_is_said(layout):
    notes = " ".join(read(layout).notes)
    assert "1 film does not name its patient" in notes
    assert "do not state which side of the patient" in notes


def test_angles_are_those_of_the_table_and_decide_the_class(layout):
    examples = read(layout)
    assert [values(e)["cobb_max", "deg"] for e in examples] == [41.5, 42.5, 41.5, 42.5, 43.5]
    assert examples.labels("surgical_range") == ["surgical-range"] * 5


def test_another_threshold_draws_other_classes_wherever_they_are_asked_for(layout, tmp_path):
    films, task, settings = read(layout), Scoliosis(), ScoliosisSettings(threshold_deg=42.0)
    labels = task.labelled(films, settings).labels("surgical_range")
    assert labels == ["below", "surgical-range", "below", "surgical-range", "surgical-range"]
    assert ask(task, films, settings).question_labels("surgical_range") == labels
    assert task.labelled(films, ScoliosisSettings()) is films
    with pytest.raises(TaskError, match="different threshold_deg"):
        compare(task, films, out=tmp_path / "out", settings=settings, vary={"threshold_deg": [40.0, 45.0]}, design=Design(folds=2), resume=False, run=Run())


def test_angles_are_measured_where_there_is_no_table(layout):
    for split in ("training", "test"):
        (layout / "labels" / split / "angles.csv").unlink()
    example = read(layout)[2]
    tilts = np.rad2deg(0.35 * np.sin(np.arange(17) / 17 * 2 * np.pi))
    assert values(example)["cobb_max", "deg"] == pytest.approx(tilts.max() - tilts.min(), abs=0.1)
    assert example.truth.finding("surgical_range").label == "below"


@pytest.mark.parametrize(
    ("file", "rows", "words"),
    [
        ("landmarks.csv", [row_of(corners())] * 2, "2 rows for 3 film"),
        ("angles.csv", [[1, 2, 3]] * 4, "4 rows for 3 film"),
        ("landmarks.csv", [row_of(corners())] * 2 + [row_of(corners())[:-1]], "row 3: 135 values"),
        ("landmarks.csv", [row_of(corners() * [COLUMNS, ROWS])] * 3, "row 1: coordinates from"),
        ("landmarks.csv", [row_of(corners())] * 2 + [["nan", *row_of(corners())[1:]]], "row 3: coordinates"),
        ("angles.csv", [[1, 2, "steep"]] * 3, "angles.csv row 1, value 3 is steep"),
        ("angles.csv", [[1, 2, 3], [1, "", 3], [1, 2, 3]], "angles.csv row 2, value 2 is blank"),
        ("filenames.csv", [["a.jpg"], ["b.jpg"], ["c.jpg"]], "row 1: a.jpg is not in data/training"),
    ],
)
def test_tables_that_do_not_fit_are_named(layout, file, rows, words):
    table(layout / "labels" / "training" / file, rows)
    with pytest.raises(InputError, match=re.escape(words)):
        read(layout)


def test_tables_with_semicolons_and_decimal_commas_are_the_same(layout):
    expected = [e.truth for e in read(layout)]
    for file in layout.glob("labels/*/*.csv"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text if file.name == "filenames.csv" else text.replace(",", ";").replace(".", ","), encoding="utf-8")
    assert [e.truth for e in read(layout)] == expected


def test_another_layout_is_refused(tmp_path, layout):
    with pytest.raises(InputError, match=re.escape("no labels/<split>/filenames.csv")):
        read(layout / "data")
    (layout / "labels" / "training" / "landmarks.csv").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read(layout)


def test_a_file_that_is_no_picture_is_named(layout):
    (layout / "data" / "training" / NAMES[0]).write_bytes(b"no picture")
    with pytest.raises(InputError, match="no picture that can be read"):
        read(layout)


@pytest.mark.skipif(not REAL.is_dir(), reason="the AP films of the challenge are not here")
def test_the_real_films_are_read_with_their_angles_and_patients():
    examples = read(REAL)
    assert len(examples) == 481
    assert len(set(examples.groups())) < 300
    with (REAL / "labels" / "training" / "angles.csv").open(encoding="utf-8") as file:
        angles = np.array(list(csv.reader(file)), float)
    found = np.array([[values(e)[name, "deg"] for name in CHALLENGE] for e in examples])
    swapped = np.array(["swapped" in e.facts for e in examples])
    assert swapped.sum() == 5
    assert np.array_equal(found[~swapped], angles[~swapped])
    assert angles[swapped].max() > 150, "a mid-line that points backwards"
    assert found.max() < 110


def test_a_row_that_ends_with_t1_is_put_in_order_and_told(layout):
    path = layout / "labels" / "training" / "landmarks.csv"
    rows = [row_of(corners(0)), row_of(np.roll(corners(1), -1, axis=0)), row_of(corners(2))]
    table(path, rows)
    found = read(layout)
    changed = next(e for e in found if e.id.endswith(NAMES[1]))
    places = np.array([(p.x / COLUMNS, p.y / ROWS) for p in changed.truth.landmarks]).reshape(17, 4, 2)
    assert places == pytest.approx(corners(1))
    assert [p.name for p in changed.truth.landmarks] == list(CORNER_LANDMARKS)
    assert any(note.startswith("1 film lists its vertebrae out of order") and NAMES[1] in note for note in found.notes)


@pytest.mark.parametrize(("level", "order"), [(16, [1, 0, 3, 2]), (4, [2, 3, 0, 1]), (0, [1, 0, 2, 3]), (8, [3, 2, 1, 0])])
def test_corners_that_are_exchanged_are_put_where_their_places_say_and_the_angles_are_computed_anew(layout, level, order):
    points = corners(1)
    points[level] = points[level][order]
    table(layout / "labels" / "training" / "landmarks.csv", [row_of(corners(0)), row_of(points), row_of(corners(2))])
    found = read(layout)
    changed = next(e for e in found if e.id.endswith(NAMES[1]))
    places = np.array([(p.x / COLUMNS, p.y / ROWS) for p in changed.truth.landmarks]).reshape(17, 4, 2)
    assert places == pytest.approx(corners(1))
    true = of_corners(corners(1) * [COLUMNS, ROWS], None, ROWS)
    assert [values(changed)[name, "deg"] for name in CHALLENGE] == pytest.approx([true[name, "deg"] for name in CHALLENGE])
    assert any(note.startswith("1 film lists corners of a vertebra with left and right") and NAMES[1] in note for note in found.notes)
    assert not any("out of order" in note for note in found.notes)


def test_a_vertebra_marked_twice_is_told(layout):
    points = corners(1)
    points[16] = points[15] + [0, 0.001]
    path = layout / "labels" / "training" / "landmarks.csv"
    table(path, [row_of(corners(0)), row_of(points), row_of(corners(2))])
    assert any("1 film marks one vertebra twice" in note and NAMES[1] in note for note in read(layout).notes)
    assert not any("out of order" in note for note in read(layout).notes)
