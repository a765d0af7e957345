"""Lumbar MRI in the RSNA 2024 layout: tables that are wide, long and wrong, pictures with their marks, and sides that stay on their side."""

import csv
import json
import os
import re
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinelab import tasks
from spinelab.core import InputError, Result
from spinelab.evaluation import rsna_baselines
from spinelab.evaluation.rsna import COLUMNS
from spinelab.geometry.planes import check_same_frame, project
from spinelab.io.mr_slices import read_mr_series
from spinelab.phantoms.lumbar_mr import lumbar_mr
from spinelab.tasks.lumbar_mri import data, phantom
from spinelab.tasks.lumbar_mri.gradings import DISCS, read_gradings
from spinelab.tasks.lumbar_mri.laterality import mirror, mirrors_sides
from spinelab.tasks.lumbar_mri.places import out_of_order
from spinelab.tasks.lumbar_mri.questions import Shelf
from spinelab.tasks.lumbar_mri.targets import GRADE_NAMES, LEVEL_NAMES, QUESTIONS, grade_of, question_of

SAGITTAL = np.array([[0, 0, -4.0, 0], [0.7, 0, 0, 0], [0, -0.7, 0, 0], [0, 0, 0, 1]])
AXIAL = np.array([[0.6, 0, 0, 0], [0, 0.6, 0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1]])
CORONAL = np.array([[0.6, 0, 0, 0], [0, 0, 4.0, 0], [0, -0.6, 0, 0], [0, 0, 0, 1]])

# --- names


def test_the_25_questions():
    assert [q.column for q in QUESTIONS] == list(COLUMNS)
    assert [q.condition for q in QUESTIONS[::5]] == [0, 1, 2, 3, 4]
    left = question_of("Left Neural Foraminal Narrowing", "L4/L5")
    assert (left.finding, left.level, left.side, left.series) == ("neural_foraminal_narrowing", "L4/L5", "left", "Sagittal T1")
    assert (left.mirrored.side, left.mirrored.level, left.mirrored.mirrored) == ("right", "L4/L5", left)
    assert QUESTIONS[2].mirrored is QUESTIONS[2]
    assert [grade_of(text) for text in ("Normal/Mild", "Moderate", "severe", "", "nan")] == [0, 1, 2, None, None]
    with pytest.raises(InputError, match="Grade 'Mild'"):
        grade_of("Mild")
    with pytest.raises(InputError, match="L6/S1"):
        question_of("Spinal Canal Stenosis", "L6/S1")


def test_the_task_is_found_only_once_it_can_learn():
    assert ("lumbar-mri" in tasks.names()) == (Path(tasks.__path__[0]) / "lumbar_mri" / "__init__.py").is_file()


# --- tables alone


def write(path, header, rows):
    path.write_text("\n".join(",".join(map(str, row)) for row in (header, *rows)) + "\n", encoding="utf-8")


@pytest.fixture
def tables(tmp_path):
    """Return a folder with the three tables and what is in them, to be spoiled."""
    rng = np.random.default_rng(0)
    grades = [[study, *(GRADE_NAMES[i] for i in rng.integers(0, 3, 25))] for study in (7, 8, 9)]
    grades[1][6] = ""
    series = [(study, f"{study}{number}", name) for study in (7, 8, 9) for number, name in enumerate(("Sagittal T1", "Sagittal T2/STIR", "Axial T2"))]
    marks = []
    for study in (7, 8, 9):
        for question in QUESTIONS:
            name = next(row[1] for row in series if row[0] == study and row[2] == question.series)
            condition = (f"{question.side} " if question.side else "") + question.finding.replace("_", " ")
            marks.append([study, name, 3, condition.title(), question.level, 100.5, 50 + 40 * LEVEL_NAMES.index(question.level)])

    def save(*, grades=grades, series=series, marks=marks):
        write(tmp_path / "train.csv", ("study_id", *COLUMNS), grades)
        write(tmp_path / "train_series_descriptions.csv", ("study_id", "series_id", "series_description"), series)
        write(tmp_path / "train_label_coordinates.csv", ("study_id", "series_id", "instance_number", "condition", "level", "x", "y"), marks)
        return tmp_path

    return save, grades, series, marks


def test_wide_to_long(tables):
    save, grades, _, _ = tables
    root = save()
    labels = data.labels(root)
    assert labels.studies == ("7", "8", "9")
    assert labels.grades[1, 5] == -1
    assert labels.grades[0].tolist() == [GRADE_NAMES.index(cell) for cell in grades[0][1:]]
    rows, notes = data.targets(root)
    assert [len(row) for row in rows.values()] == [25] * 3
    target = rows["8"][5]
    assert (target.question.column, target.grade, target.mark.x, target.description) == ("left_neural_foraminal_narrowing_l1_l2", None, 100.5, "Sagittal T1")
    assert any(note.startswith("1 question is marked but has no grade (8 ") for note in notes)
    examples = data.examples(root / "train.csv")
    assert len(examples) == 3
    assert len(examples[1].truth.findings) == 24
    assert examples[0].truth.finding("subarticular_stenosis", site="L5/S1", side="right").label == grades[0][25]
    assert any("have no pictures" in note for note in examples.notes)
    assert json.dumps(rsna_baselines(labels, bootstraps=10))
    with pytest.raises(InputError, match="tables alone are enough"):
        examples[0].open()


def test_the_grades_alone_are_enough_for_baselines(tables, tmp_path):
    root = tables[0]()
    (root / "train_label_coordinates.csv").unlink()
    (root / "train_series_descriptions.csv").unlink()
    assert len(data.labels(root).studies) == 3
    rows, notes = data.targets(root)
    assert all(target.mark is None for row in rows.values() for target in row)
    assert "is absent" in notes[0]


def test_coordinates_that_are_twice_there_or_wrong(tables):
    save, _, _, marks = tables
    other_series = [*marks[0]]
    other_series[1] = "70"
    spoiled = [
        [*other_series],
        *marks,
        [*marks[3][:5], marks[3][5] + 1, marks[3][6]],
        [*marks[4][:5], marks[4][5] + 30, marks[4][6]],
        [7, 99, 3, "Spinal Canal Stenosis", "L1/L2", 5, 5],
        [11, 70, 3, "Spinal Canal Stenosis", "L1/L2", 5, 5],
        [7, 71, 3, "Spinal Canal Stenosis", "L1/L2", -40, 5],
        [7, 71, "", "Spinal Canal Stenosis", "L1/L2", 40, 5],
    ]
    spoiled[1 + 25 + 2] = [*marks[27][:5], marks[27][5], 5]
    rows, notes = data.targets(save(marks=spoiled))
    told = " ".join(notes)
    assert rows["7"][0].mark.series == "71"
    assert rows["7"][3].mark.x == 100.5
    for words in (
        "2 rows of train_label_coordinates.csv have no usable",
        "1 study with coordinates has no row of grades (11)",
        "1 coordinate names a series that the study does not have",
        "2 questions are marked at several places",
        "1 study has sagittal marks that do not run down the spine level by level (8)",
    ):
        assert words in told
    only_wrong = [row for row in spoiled if not (row[0] == 7 and row[1] == "71")]
    rows, notes = data.targets(save(marks=only_wrong))
    assert rows["7"][0].description == "Sagittal T1"
    assert "marked on another kind of series" in " ".join(notes)


def test_tables_that_cannot_be_used(tables, tmp_path):
    save, grades, series, marks = tables

    def refused(words, **tables):
        root = save(**tables)
        with pytest.raises(InputError, match=words):
            data.examples(root)

    refused("study 7 stands in two rows", grades=[*grades, grades[0]])
    refused("line 2, spinal_canal_stenosis_l1_l2: Grade 'Mild'", grades=[[7, "Mild", *grades[0][2:]], *grades[1:]])
    refused("grades nothing", grades=[[study, *[""] * 25] for study in (7, 8)])
    refused("has no rows", grades=[])
    refused("'Coronal T2'", series=[*series, (7, 79, "Coronal T2")])
    refused("is Sagittal T1 and Axial T2", series=[*series, (7, 70, "Axial T2")])
    refused("line 77: Condition 'Hip'", marks=[*marks, [7, 70, 1, "Hip", "L1/L2", 1, 1]])
    refused("study_id is '1.0e\\+09'", grades=[["1.0e+09", *grades[0][1:]]])
    for name in ("1.2e8", "1E9", "1.2e+08", "12.e-1"):
        refused(f"study_id is '{re.escape(name)}'", grades=[[name, *grades[0][1:]]])
    refused("train.csv line 4: 3 cells under 26 columns.*cut off", grades=[*grades[:2], grades[2][:3]])
    refused("train.csv line 2: 27 cells under 26 columns.*quotation", grades=[[*grades[0], "Severe"]])
    refused("coordinates.csv line 77: 4 cells", marks=[*marks, [7, 70, 1, "Spinal Canal Stenosis"]])
    refused("study_id is '../7'", grades=[["../7", *grades[0][1:]]])
    for place, words in ((tmp_path / "none", "is no folder"), (tmp_path / "empty", "holds no train.csv")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=words):
            data.examples(place)
    write(tmp_path / "train.csv", ("study_id", *COLUMNS, COLUMNS[3]), [[*row, "Severe"] for row in grades])
    with pytest.raises(InputError, match=f"two columns are called '{COLUMNS[3]}'"):
        data.labels(tmp_path)
    write(tmp_path / "train.csv", ("study_id", *COLUMNS, ""), [[*grades[0], "", ""], [""] * 26, ["1e2a", *grades[1][1:], ""]])
    assert data.labels(tmp_path).studies == ("7", "1e2a")
    (tmp_path / "train.csv").write_text("study_id,spinal_canal_stenosis_l1_l2\n1,Severe\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"has no column spinal_canal_stenosis_l2_l3, .* and 21 more; it has study_id"):
        data.labels(tmp_path)


# --- pictures


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lumbar")
    phantom.write_phantoms(folder, n=2, seed=5, difficulty="easy", scale=0.3)
    return folder


def test_a_written_study_is_read_back(written):
    examples = data.examples(written)
    assert examples.phantom
    truths = {body["study"]: Result.from_dict(body) for body in json.loads((written / "truth.json").read_text(encoding="utf-8"))}
    for example in examples:
        assert example.truth.findings == truths[example.id].findings
        study = example.open()
        assert [image.facts["description"].value for image in study.images] == ["Sagittal T1", "Sagittal T2/STIR", "Axial T2"]
        places = study.facts["places"].value
        assert [place.target.question.place for place in places] == list(range(25))
        assert "exchanged" not in str(study.facts.get("notes"))
        assert out_of_order(places) == []
        swapped = [replace(places[0], point_mm=places[1].point_mm), replace(places[1], point_mm=places[0].point_mm), *places[2:]]
        assert out_of_order(swapped) == ["spinal_canal_stenosis L1/L2 and L2/L3"]
        for image in study.images:
            assert image.modality.value == "MR"
            assert image.facts["slice_affines"].value.shape == (len(image.pixels), 4, 4)


def test_marks_of_two_series_meet_in_the_patient(written):
    """The canal, marked on sagittal T2, falls on the axial slices between the two recesses that were marked there."""
    example = data.examples(written)[0]
    study = example.open()
    axial = next(image for image in study.images if image.facts["description"].value == "Axial T2")
    frames = {image.facts["FrameOfReferenceUID"].value for image in study.images}
    check_same_frame(*[frames.pop()] * 2)
    assert not frames
    places = {place.target.question.column: place for place in study.facts["places"].value}
    for level in LEVEL_NAMES:
        ending = level.lower().replace("/", "_")
        found = project(places[f"spinal_canal_stenosis_{ending}"].point_mm, axial.facts["slice_affines"].value, axial.shape_yx)
        left, right = (places[f"{side}_subarticular_stenosis_{ending}"] for side in ("left", "right"))
        assert right.x < found.x < left.x
        assert abs(found.index - left.index) <= 1
        assert left.point_mm[0] - right.point_mm[0] == pytest.approx(20, abs=1.5)


def test_pictures_that_are_spoiled(written, tmp_path):
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(written, root)
    example = data.examples(root)[0]
    with (root / "train_label_coordinates.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    mine = [row for row in rows[1:] if row[0] == example.id]
    swapped = {row[4]: row for row in mine if row[3] == "Left Subarticular Stenosis"}
    for row in mine:
        if row[3] == "Right Subarticular Stenosis" and row[4] == "L3/L4":
            other = swapped["L3/L4"]
            row[1:3], row[5:], other[1:3], other[5:] = other[1:3], other[5:], row[1:3], row[5:]
        if row[3] == "Spinal Canal Stenosis" and row[4] == "L1/L2":
            row[5] = "4000"
        if row[3] == "Spinal Canal Stenosis" and row[4] == "L2/L3":
            row[2] = "99"
    write(root / "train_label_coordinates.csv", rows[0], rows[1:])
    study = data.examples(root)[0].open()
    told = " ".join(study.facts["notes"].value)
    assert "1 mark lies outside the picture and was left out (spinal_canal_stenosis_l1_l2" in told
    assert "1 mark lies on a slice that is not there and was left out (spinal_canal_stenosis_l2_l3, slice 99)" in told
    assert "1 pair of marks has left and right exchanged (subarticular_stenosis L3/L4)" in told
    assert len(study.facts["places"].value) == 23


def test_a_study_without_axial_series(written, tmp_path):
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(written, root)
    example = data.examples(root)[0]
    rows = (root / "train_series_descriptions.csv").read_text(encoding="utf-8").splitlines()
    axial = next(row.split(",")[1] for row in rows if row.startswith(example.id) and row.endswith("Axial T2"))
    shutil.rmtree(root / "train_images" / example.id / axial)
    study = data.examples(root)[0].open()
    assert f"series {axial} of the table has no folder" in study.facts["notes"].value
    assert {place.target.question.series for place in study.facts["places"].value} == {"Sagittal T1", "Sagittal T2/STIR"}
    write(root / "train_series_descriptions.csv", rows[0].split(","), [row.split(",") for row in rows[1:] if axial not in row])
    assert any(note == f"1 study has no Axial T2 series ({example.id}): what needs it is withheld" for note in data.examples(root).notes)


def test_a_study_whose_axial_series_is_called_otherwise_is_not_said_to_lack_it(tables):
    """Its recesses are marked and graded, on a series of another name."""
    save, _, series, _ = tables
    renamed = [(study, name, "Sagittal T1" if (study, kind) == (8, "Axial T2") else kind) for study, name, kind in series]
    notes = data.examples(save(series=renamed)).notes
    assert not any("no Axial T2 series" in note for note in notes)
    assert any("10 questions are marked on another kind of series than usual (8 left_subarticular_stenosis_l1_l2 on Sagittal T1" in note for note in notes)


def test_a_series_called_by_another_name(written, tmp_path):
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(written, root)
    path = root / "train_series_descriptions.csv"
    text = path.read_text(encoding="utf-8").replace("Sagittal T1", "?").replace("Sagittal T2/STIR", "Sagittal T1")
    path.write_text(text.replace("?", "Sagittal T2/STIR"), encoding="utf-8")
    notes = " ".join(data.examples(root)[0].open().facts["notes"].value)
    assert "is called Sagittal T1, but its header says sagittal" in notes


def test_the_same_seed_gives_the_same_bytes(written, tmp_path):
    phantom.write_phantoms(tmp_path, n=1, seed=5, difficulty="easy", scale=0.3)
    ours = sorted((tmp_path / "train_images").rglob("*.dcm"))
    first = json.loads((written / "truth.json").read_text(encoding="utf-8"))[0]["study"]
    theirs = sorted((written / "train_images" / first).rglob("*.dcm"))
    assert [p.read_bytes() for p in ours] == [p.read_bytes() for p in theirs]


def test_headers_tell_nothing_of_the_grade_and_file_names_nothing_of_the_place(written):
    folders = [p for p in (written / "train_images").glob("*/*") if p.is_dir()]
    orders = [[item.instance for item in read_mr_series(folder).slices] for folder in folders]
    assert any(order != sorted(order) for order in orders)
    assert all(read_mr_series(folder).kind.description is not None for folder in folders)


def test_pictures_that_are_brought_or_added_later_are_found(tables):
    save, *_ = tables
    root = save()
    example, question = data.examples(root).items[0], QUESTIONS[0]
    assert data.series_files(example, question) == {}
    folder = root / "train_images" / example.id / data.target_of(example, question).mark.series
    folder.mkdir(parents=True)
    for count in (1, 2):
        (folder / f"{count}.dcm").write_bytes(b"")
        os.utime(folder, (count, count))  # both files may be written within one tick of the clock
        assert len(data.series_files(example, question)) == count


def test_an_examination_that_is_put_away_while_it_is_asked_for_is_given_all_the_same():
    class PutAway(OrderedDict):
        """Another thread opens other examinations between looking and taking."""

        def __contains__(self, key):
            found = super().__contains__(key)
            self.pop(key, None)
            return found

    shelf, example = Shelf(), phantom.phantom(np.random.default_rng(1), "easy", scale=0.2)
    shelf._studies = PutAway()
    assert shelf.open(example).id == shelf.open(example).id


def test_a_phantom_in_memory():
    example = phantom.phantom(np.random.default_rng(1), "easy", scale=0.2)
    assert len(example.truth.findings) == 25
    assert len(example.truth.measurements) == 25
    study = example.open()
    assert study.images[0].affine.known
    assert not study.images[2].affine.known
    drawn = lumbar_mr(np.random.default_rng(1), difficulty="easy", scale=0.2)
    assert example.truth.findings == phantom.truth(drawn, "x").findings
    for finding, size in zip(example.truth.findings, example.truth.measurements, strict=True):
        assert (finding.site, finding.side) == (size.site, size.side)


# --- laterality


@pytest.mark.parametrize(("affine", "sideways"), [(AXIAL, "x"), (CORONAL, "x"), (SAGITTAL, "z")])
def test_every_flip_swaps_left_and_right_or_is_refused(affine, sideways):
    stack = np.arange(24).reshape(2, 3, 4)
    points = [[1.0, 2.0]]
    for axis in "xyz":
        if axis != sideways:
            assert not mirrors_sides(affine, axis)
            with pytest.raises(InputError, match="runs from the patient's left"):
                mirror(stack, affine, QUESTIONS, axis)
            continue
        pixels, questions, moved = mirror(stack, affine, QUESTIONS, axis, points)
        assert np.array_equal(pixels, np.flip(stack, 2 - "xyz".index(axis)))
        for before, after in zip(QUESTIONS, questions, strict=True):
            assert (after.finding, after.level) == (before.finding, before.level)
            assert {before.side, after.side} in ({None}, {"left", "right"})
        assert moved[0].tolist() == ([2.0, 2.0] if axis == "x" else [1.0, 2.0])
        back, again, where = mirror(pixels, affine, questions, axis, moved)
        assert np.array_equal(back, stack)
        assert again == QUESTIONS
        assert where.tolist() == points


def test_flips_that_cannot_be():
    with pytest.raises(InputError, match="single slice"):
        mirror(np.zeros((3, 4)), SAGITTAL, QUESTIONS, "z")
    with pytest.raises(InputError, match="Axis 't'"):
        mirrors_sides(AXIAL, "t")


def test_a_mirrored_phantom_has_its_severe_side_on_the_other_side():
    """The narrow recess lies where the swapped label says, on the flipped picture: darker than the open one."""
    rng = np.random.default_rng(9)
    for _ in range(20):
        drawn = lumbar_mr(rng, difficulty="easy", scale=0.6)
        level = next((lv for lv in drawn.spine.levels if lv.recess_mm["right"] > 4.5 > 1.2 > lv.recess_mm["left"]), None)
        if level is not None:
            break
    axial = drawn.series[2]
    found = {side: project(drawn.spine.target("recess", level.name, side), axial.affines, axial.pixels.shape[1:]) for side in ("left", "right")}
    columns = axial.pixels.shape[2]
    questions = [question_of(f"{side} subarticular stenosis", level.name) for side in ("left", "right")]
    index = found["left"].index
    picture, after, points = mirror(axial.pixels[index], axial.affines[index], questions, "x", [[found[s].x, found[s].y] for s in ("left", "right")])
    assert [q.side for q in after] == ["right", "left"]

    def brightness(x, y):
        return float(picture[round(y) : round(y) + 3, round(x) - 1 : round(x) + 2].mean())

    narrow, wide = (brightness(*point) for point in points)
    assert narrow < wide
    assert points[0][0] == pytest.approx(columns - 1 - found["left"].x)
    assert points[0][0] < columns / 2


# --- gradings


def test_disc_gradings_of_a_public_collection():
    path = Path(__file__).parents[2].parent / "shared" / "data" / "lumbar-mri-gradings" / "radiological_gradings.csv"
    if not path.is_file():
        pytest.skip("the real data folder is absent")
    results, notes = read_gradings(path)
    assert len(results) == 218
    findings = [finding for result in results for finding in result.findings]
    assert len(findings) == (1520 - 2) * 8
    assert sum(f.name == "spondylolisthesis" and f.label == "present" for f in findings) == 42
    assert sum(f.name == "pfirrmann" and f.label == "5" for f in findings) == 184
    assert sum(f.site == "L5/S1" and f.name == "modic" for f in findings) == 218
    assert "2 rows name no disc" in notes[0]


def test_gradings_that_cannot_be_used(tmp_path):
    header = "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,Disc bulging,Pfirrman grade"
    path = tmp_path / "g.csv"

    def refused(words, *rows, head=header):
        path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
        with pytest.raises(InputError, match=words):
            read_gradings(path)

    refused("Pfirrman grade is '6'", "1,1,0,0,0,0,0,0,0,6")
    refused("second time", "1,1,0,0,0,0,0,0,0,3", "1,1,0,0,0,0,0,0,0,3")
    refused("no column Modic", head=header.replace("Modic,", ""))
    refused("no rows")
    refused("line 2: 4 cells", "1,1,0,0")
    refused("two columns are called 'Modic'", "1,1,0,0,0,0,0,0,0,3,1", head=f"{header},Modic")
    path.write_text(f"{header}\n1,2,,0,0,0,0,0,1,3\n", encoding="utf-8")
    results, notes = read_gradings(path)
    assert results[0].finding("disc bulging", site=DISCS[1]).label == "present"
    assert results[0].finding("modic", site=DISCS[1]) is None
    assert "1 grading is empty" in notes[0]
    with pytest.raises(InputError, match="cannot be read"):
        read_gradings(tmp_path / "none.csv")
