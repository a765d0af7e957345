import csv

import cv2
import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.io.landmark_tables import COLUMNS
from spinelab.tasks.whole_spine.data import examples

ROWS, WIDTH = 500, 220
PLATES = {"S": 400, "L4": 360, "L1": 300, "T12": 296, "T4": 180, "T1": 140, "C7": 130, "C2": 90}


def spine(side=1):
    """Points of an upright spine, in pixels of a small film."""
    found = {f"{name}_{end}": (100 + side * (7 if end == 1 else -7), y) for name, y in PLATES.items() for end in (1, 2)}
    return found | {"FH_1": (110, 440), "FH_2": (104, 441), "C7": (100, 126), "T1": (100, 145)}


def rows(film, patient, points):
    return [(film, patient, name, x, y) for name, (x, y) in points.items()]


def write(folder, table, header=COLUMNS, name="landmarks.csv", films=None):
    (folder / "films").mkdir(parents=True, exist_ok=True)
    for film in films if films is not None else {row[0] for row in table}:
        cv2.imwrite(str(folder / "films" / film), np.random.default_rng(len(film)).integers(0, 255, (ROWS, WIDTH)).astype(np.uint8))
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *table])
    return folder


def test_films_with_landmarks_and_subjects(tmp_path):
    write(tmp_path, rows("1.png", "A", spine()) + rows("2.png", "A", spine(-1)) + rows("3.png", "B", {"S_1": (90, 400), "S_2": (80, 395)}))
    (tmp_path / "subjects.csv").write_text("patient,age_years,sex,site\nA,61,f,north\nB,,,\n", encoding="utf-8")
    for source in (tmp_path, tmp_path / "landmarks.csv"):
        found = examples(source)
        assert [e.id for e in found] == ["1.png", "2.png", "3.png"]
        assert found.groups() == ["A", "A", "B"]
        assert [e.facts["facing"].value for e in found] == ["right", "left", "right"]
    given = {(m.name, m.unit): m for m in found[0].truth.measurements}
    assert given["ss", "deg"].value == pytest.approx(0)
    assert given["sva", "mm"].withheld == "no pixel spacing: a PNG does not state it"
    assert given["odha", "deg"].withheld == "the odontoid is not on the film"
    assert found[0].truth.finding("pi_ll_modifier") is not None
    assert found[2].truth.finding("pi_ll_modifier") is None
    study = found[0].open()
    assert (study.id, study.sex.value, study.age_years.value, study.facts["site"].value, study.patient.value) == ("1.png", "F", 61.0, "north", "A")
    assert not found[2].open().age_years.known
    assert not found.phantom
    assert any("3 films state no pixel spacing" in note for note in found.notes)


def test_names_in_any_case_and_a_semicolon(tmp_path):
    write(tmp_path, [("1.png", "A", "s_1", 90, 400), ("1.png", "A", "forehead", 80, 395)])
    text = (tmp_path / "landmarks.csv").read_text().replace(",", ";")
    (tmp_path / "landmarks.csv").write_text("\ufeff" + text, encoding="utf-8")
    assert [p.name for p in examples(tmp_path)[0].truth.landmarks] == ["S_1", "Forehead"]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ([("1.png", "A", "S1_1", 1, 2)], "unknown landmark 'S1_1'"),
        ([("1.png", "A", "S_1", 1, 2), ("1.png", "A", "S_1", 1, 3)], "line 3: film 1.png has a second S_1"),
        ([("1.png", "A", "S_1", 1, 2), ("1.png", "B", "S_2", 1, 3)], "has patient 'A' and 'B'"),
        ([("1.png", "", "S_1", 1, 2)], "line 2: no patient"),
        ([("1.png", "A", "S_1", "", 2)], "line 2: no x_px"),
        ([("1.png", "A", "S_1", "left", 2)], "x_px is 'left'"),
        ([("1.png", "A", "S_1", 5000, 2)], "every landmark lies outside"),
        ([("1.png", "A", "S_1", 1, 2), ("./1.png", "B", "S_1", 1, 2)], "are the same file"),
        ([], "has no rows"),
    ],
)
def test_landmarks_that_cannot_be_used_are_refused_in_words(tmp_path, table, says):
    write(tmp_path, table, films=["1.png"])
    with pytest.raises(InputError, match=says):
        examples(tmp_path)


def test_other_layouts_are_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        examples(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no landmarks\.csv"):
        examples(tmp_path)
    write(tmp_path, [("1.png", "A", 1)], ("film", "patient", "x_px"))
    with pytest.raises(InputError, match="no column landmark and y_px"):
        examples(tmp_path)
    (tmp_path / "landmarks.csv").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="is empty"):
        examples(tmp_path)
    write(tmp_path, [("gone.png", "A", "S_1", 1, 2)], films=[])
    with pytest.raises(InputError, match="none of the 1 films"):
        examples(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("patient,age_years\nA,61\nA,62\n", "patient A stands in two rows"),
        ("patient,age_years\n,61\n", "no patient"),
        ("patient,age_years\nA,old\n", "age_years 'old'"),
        ("patient,age_years,sex\nA,61,x\n", "sex 'x'"),
        ("name,age_years\nA,61\n", "no column patient"),
    ],
)
def test_subjects_that_cannot_be_used_are_refused_in_words(tmp_path, text, says):
    write(tmp_path, rows("1.png", "A", spine()))
    (tmp_path / "subjects.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        examples(tmp_path)


def test_exchanged_columns_are_noticed(tmp_path):
    write(tmp_path, [(f"{n}.png", "A", name, y, x) for n in range(3) for name, (x, y) in spine().items()])
    with pytest.raises(InputError, match="x and y exchanged"):
        examples(tmp_path)


def test_what_is_left_out_or_doubtful_is_told(tmp_path):
    turned = spine() | {"L4_1": (93, 360), "L4_2": (107, 360)}
    table = [*rows("1.png", "A", spine() | {"Jaw": (900, 4)}), *rows("2.png", "B", turned), *rows("gone.png", "C", spine()), *rows("broken.png", "D", spine())]
    write(tmp_path, table, films=["1.png", "2.png", "stranger.png"])
    (tmp_path / "films" / "broken.png").write_bytes(b"no film")
    (tmp_path / "subjects.csv").write_text("patient,age_years\nA,50\nZ,50\n", encoding="utf-8")
    found = examples(tmp_path)
    assert [e.id for e in found] == ["1.png", "2.png"]
    told = " ".join(found.notes)
    for part in (
        "gone.png",
        "broken.png",
        "stranger.png",
        "Jaw of 1.png",
        "L4 of 2.png",
        "1 patient is not in subjects.csv (B)",
        "1 patient of subjects.csv has no film (Z)",
    ):
        assert part in told


def test_a_split_travels_with_its_film(tmp_path):
    write(tmp_path, [(*row, "test") for row in rows("1.png", "A", spine())], (*COLUMNS, "split"))
    assert examples(tmp_path)[0].facts["split"].value == "test"
