"""AP films as DICOM with a table of landmarks: written as phantoms, read back, and refused where names contradict the picture."""

import json
import shutil
import subprocess
from dataclasses import replace

import cv2
import numpy as np
import pytest

from spinelab import io
from spinelab.core import InputError, Result, Run
from spinelab.evaluation.level_naming import level_naming
from spinelab.geometry import CORNER_LANDMARKS, THORACOLUMBAR, challenge_cobb
from spinelab.io.landmark_tables import Film, Subject
from spinelab.io.marked_films import write_marked
from spinelab.phantoms import DrawnCurve, scoliosis_film, visits
from spinelab.tasks.landmarks.data import examples as read_points_of_ones_own
from spinelab.tasks.scoliosis import measure, phantom, words
from spinelab.tasks.scoliosis.films import points_of
from spinelab.tasks.scoliosis.settings import ScoliosisSettings
from spinelab.tasks.scoliosis.task import Scoliosis
from spinelab.tasks.scoliosis.truth import truth

TASK = Scoliosis()
FILMS, SEED, SMALL = 5, 3, 0.15
"""Of seed 3 the first and the fourth patient have 23 vertebrae above the sacrum, the third 25."""
ROWS, COLUMNS = 400, 160


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("films")
    phantom.write_dicom(out, n=FILMS, seed=SEED, difficulty="hard", scale=SMALL)
    return out


@pytest.fixture(scope="module")
def found(folder):
    return TASK.examples(folder)


@pytest.fixture(scope="module")
def drawn(folder):
    return {body["study"]: Result.from_dict(body) for body in json.loads((folder / "truth.json").read_text(encoding="utf-8"))}


def values(result):
    return {(m.name, m.unit): m.value for m in result.measurements}


# Phantoms


def test_films_landmarks_and_angles_come_back(found, drawn):
    assert found.phantom
    assert found.patients_known
    assert len(found) == len(drawn) == FILMS
    for example in found:
        known = drawn[example.id]
        assert example.truth.landmarks == known.landmarks
        assert example.truth.findings == known.findings
        assert values(example.truth) == pytest.approx(values(known), abs=1e-6)
        assert set(example.truth.notes) < set(known.notes)


def test_a_film_is_twelve_bits_with_spacing_window_person_and_sides(found):
    example = found[0]
    study = example.open()
    image = study.images[0]
    assert image.pixels.dtype == np.uint16
    assert 255 < int(image.pixels.max()) < 4096
    assert image.facts["BitsStored"].value == 12
    assert (image.modality.value, image.view.value) == ("DX", "AP")
    assert image.window is not None
    assert image.spacing_mm.value == example.facts["spacing_mm"].value
    assert (study.patient.value, study.facts["site"].value in visits.SITES, study.facts["study_date"].known) == (example.patient, True, True)
    assert (study.sex.value in ("F", "M"), study.age_years.known) == (True, True)
    assert TASK.film(study, ScoliosisSettings()) is image
    assert io.to_uint8(image).std() > 20


@pytest.mark.parametrize("convex", ["left", "right"])
def test_the_header_states_the_side_to_which_a_curve_was_drawn(tmp_path, convex):
    film = scoliosis_film(np.random.default_rng(4), difficulty="easy", curves=[DrawnCurve(5.0, 11.0, 45.0, convex)], stored=True, scale=0.06)
    io.write_dx(tmp_path / "1.dcm", film.pixels, view="AP", **visits.dx_header(film, visits.plan(1, 1)[0], "easy"))
    image = io.read_image(tmp_path / "1.dcm")
    assert image.facts["PatientOrientation"].value == "L\\F"
    x = film.corners[:, :, 0].mean(axis=1)
    towards = "right" if x[8] > (x[5] + x[11]) / 2 else "left"
    assert words.patient_side(image, towards) == convex


def test_the_offset_of_t1_is_in_millimetres_of_the_patient(found):
    for example in found:
        known = values(example.truth)
        if ("t1_l5_offset", "px") in known:
            assert known["t1_l5_offset", "mm"] == pytest.approx(known["t1_l5_offset", "px"] * example.facts["spacing_mm"].value[1])
    assert any(("t1_l5_offset", "mm") in values(example.truth) for example in found)


def test_a_film_meets_the_standard(folder):
    """`dciodvfy` of dicom3tools finds no error."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    for path in sorted((folder / "films").iterdir()):
        done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
        assert "Error" not in done.stdout + done.stderr


def test_every_tenth_film_is_stored_with_dark_bone_but_no_easy_one():
    film = scoliosis_film(np.random.default_rng(0), stored=True, scale=0.06)
    planned = visits.plan(60, 1)
    stored = [visits.dx_header(film, visit, "typical")["monochrome"] for visit in planned]
    assert 0 < stored.count(1) < 12
    assert {visits.dx_header(film, visit, "easy")["monochrome"] for visit in planned} == {2}


def test_the_same_seed_writes_the_same_bytes_and_more_films_begin_with_the_fewer(tmp_path):
    for name, n in (("a", 2), ("b", 2), ("c", 3)):
        phantom.write_dicom(tmp_path / name, n=n, seed=7, difficulty="easy", scale=0.06)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 6
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "c" / file).read_bytes() for file in files if file.suffix == ".dcm")


def test_both_films_of_a_patient_show_the_same_curves(tmp_path, monkeypatch):
    monkeypatch.setattr(visits, "SERIAL", 1.0)
    phantom.write_dicom(tmp_path, n=5, seed=1, scale=0.06)
    read = TASK.examples(tmp_path)
    again = [e for e in read if e.id.endswith("-2.dcm")]
    assert len(again) == 2
    for second in again:
        first = next(e for e in read if e.id == second.id.replace("-2.dcm", "-1.dcm"))
        assert first.patient == second.patient
        assert first.facts["study_date"].value < second.facts["study_date"].value
        assert abs(values(first.truth)["cobb_max", "deg"] - values(second.truth)["cobb_max", "deg"]) < 25


def test_the_task_for_points_of_ones_own_reads_the_same_table(folder):
    """One form of landmark file for all tasks."""
    points = read_points_of_ones_own(folder)
    assert len(points) == FILMS
    assert {p.name for e in points for p in e.truth.landmarks} == set(CORNER_LANDMARKS)


def test_the_challenges_layout_holds_seventeen_vertebrae_whatever_the_difficulty(tmp_path):
    phantom.write_phantoms(tmp_path, n=12, seed=SEED, difficulty="hard", scale=0.05)
    assert all(len(e.truth.landmarks) == len(CORNER_LANDMARKS) and not e.truth.notes for e in TASK.examples(tmp_path))


# Other numbers of vertebrae above the sacrum


def test_a_patient_without_l5_has_all_angles_of_t1_to_l4(found, drawn):
    example = found[0]
    assert example.facts["presacral"].value == 23
    assert len(example.truth.landmarks) == 64
    assert not any(p.name.startswith("L5") for p in example.truth.landmarks)
    corners = np.array([(p.x, p.y) for p in example.truth.landmarks]).reshape(16, 4, 2)
    rows = example.open().images[0].shape_yx[0]
    assert values(example.truth)["cobb_max", "deg"] == pytest.approx(challenge_cobb(corners, rows).angles_deg[0])
    assert not {name for name, _ in values(example.truth)} & {"t1_l5_offset", "trunk_tilt"}
    assert "there is no L5" in example.truth.notes[0]
    upper, lower = challenge_cobb(corners, rows).ends[0]
    sites = {m.name: m.site for m in example.truth.measurements}
    assert sites["cobb_max"] == f"{THORACOLUMBAR[upper]}-{THORACOLUMBAR[lower]}"
    assert all(sites[name] for name in ("cobb_upper", "cobb_lower") if values(example.truth)[name, "deg"] > 0)


def test_a_column_cut_off_above_l5_has_no_angle_of_the_whole_column_and_no_place_for_one(found):
    points = {p.name: np.array([p.x, p.y]) for p in found[0].truth.landmarks}
    assert "cobb_max" in measure.places(points, None, None, THORACOLUMBAR[:16])
    assert "cobb_max" not in measure.places(points, None, None)
    shifted = {name: at for name, at in points.items() if not name.startswith("T1_")}
    assert "cobb_max" not in measure.places(shifted, None, None, THORACOLUMBAR[:16])


def test_a_sixth_lumbar_vertebra_has_no_name_and_is_told(found):
    example = found[2]
    assert example.facts["presacral"].value == 25
    assert tuple(p.name for p in example.truth.landmarks) == CORNER_LANDMARKS
    assert "sixth lumbar vertebra has no landmarks" in example.truth.notes[0]
    assert any(note.startswith("3 films are of patients with another number") for note in found.notes)


def test_levels_that_are_absent_or_have_no_name_count_as_they_should(found):
    four, six = (np.full((17, 2), np.nan) for _ in range(2))
    for centres, example in ((four, found[0]), (six, found[2])):
        points = np.array([(p.x, p.y) for p in example.truth.landmarks]).reshape(-1, 4, 2).mean(axis=1)
        centres[: len(points)] = points
    below = six[-1] + (six[-1] - six[-2])
    invented = four.copy()
    invented[16] = four[15] + (four[15] - four[14])
    counted_up_from_l6 = np.vstack([six[1:], below])
    naming = level_naming(np.stack([four, invented, six, counted_up_from_l6]), np.stack([four, four, six, six]))
    assert naming.right.tolist() == [True, False, True, False]
    assert (naming.invented, naming.missed) == (1, 0)
    assert naming.off_by[1] == 16


def test_such_films_are_learnt_from_and_read(folder, found, tmp_path):
    run = replace(Run(accelerator="cpu"), cache=tmp_path)
    tiny = ScoliosisSettings(model="compact-small", rows=128, columns=64, detail=1, epochs=1, minutes=0.0, batch_size=3)
    model = TASK.fit(found, tiny, run)
    assert model.record["images"] == FILMS
    assert model.record["phantom"]
    results = TASK.predict_many(model, found, run)
    assert [r.study for r in results] == [e.id for e in found]
    assert all(r.landmarks or r.notes for r in results)


# Tables of readers


def column(levels=THORACOLUMBAR, lean=0.0):
    """Corners of an upright column by name, in pixels of a small film; every second vertebra tilted by ``lean`` of its width."""
    corners = []
    for k, _ in enumerate(levels):
        y, tilt = 30 + 20 * k, lean * (k % 2)
        corners.append([(70, y), (90, y + tilt), (70, y + 12), (90, y + 12 + tilt)])
    return dict(points_of(levels, np.array(corners, float)))


def marked(folder, points, presacral=None, name="1.png", patient="A"):
    (folder / "films").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "films" / name), np.random.default_rng(0).integers(0, 255, (ROWS, COLUMNS)).astype(np.uint8))
    write_marked(folder, [Film(name, patient, points)], [Subject(presacral=presacral)])
    return folder


def test_a_table_is_read_from_the_folder_or_by_its_own_path(tmp_path):
    marked(tmp_path, column(lean=4.0))
    for source in (tmp_path, tmp_path / "landmarks.csv"):
        (example,) = TASK.examples(source)
        assert values(example.truth)["cobb_max", "deg"] == pytest.approx(np.degrees(np.arctan2(4, 20)))
        assert example.truth.finding("surgical_range").label == "below"
        assert example.group == "A"
    assert not TASK.examples(tmp_path).phantom
    assert any("1 film states no pixel spacing" in note for note in TASK.examples(tmp_path).notes)


def test_a_column_that_is_not_whole_is_left_out_and_told(tmp_path):
    short = column(THORACOLUMBAR[:16])
    write_marked(marked(tmp_path, column(), name="2.png"), [Film("1.png", "A", short), Film("2.png", "B", column())], [Subject(), Subject()])
    marked_pixels = (tmp_path / "films" / "2.png").read_bytes()
    (tmp_path / "films" / "1.png").write_bytes(marked_pixels)
    read = TASK.examples(tmp_path)
    assert [e.id for e in read] == ["2.png"]
    assert any("1 film was left out (1.png)" in note and "1.png" in note and "presacral 23" in note for note in read.notes)
    with pytest.raises(InputError, match="on no film the whole column"):
        TASK.examples(marked(tmp_path, short))


def test_the_same_column_is_whole_where_the_patient_has_no_l5(tmp_path):
    short = column(THORACOLUMBAR[:16], lean=4.0)
    (example,) = TASK.examples(marked(tmp_path, short, 23))
    assert values(example.truth)["cobb_max", "deg"] == pytest.approx(np.degrees(np.arctan2(4, 20)))
    assert truth(short, "x", ROWS, 40.0).finding("surgical_range") is None


def test_a_vertebra_with_three_corners_counts_as_absent(tmp_path):
    points = column(lean=1.0)
    del points["L5_inferior_image_right"]
    (example,) = TASK.examples(marked(tmp_path, points, 23))
    assert len(example.truth.landmarks) == 64
    assert any("L5 of 1.png" in note for note in TASK.examples(tmp_path).notes)


def exchanged(points, one, other):
    """Exchange two parts of the names."""

    def name(landmark):
        return landmark.replace(one, "?").replace(other, one).replace("?", other)

    return {name(key): at for key, at in points.items()}


@pytest.mark.parametrize(
    ("points", "presacral", "says"),
    [
        (exchanged(column(), "image_left", "image_right"), None, "image_left corners of T1 lie to the right"),
        (exchanged(column(), "superior", "inferior"), None, "superior corners of T1 lie below"),
        (exchanged(column(), "T5_", "T6_"), None, "line 2 and below, film 1.png: T6 lies above T5"),
        (column(), 23, "L5 is marked, and subjects.csv says that patient A has 23"),
        ({"T1_upper_left": (1.0, 1.0)}, None, "unknown landmark 'T1_upper_left'"),
        ({key: (y, x) for key, (x, y) in column().items()}, None, "x and y exchanged"),
    ],
)
def test_names_that_contradict_the_picture_are_refused_in_words(tmp_path, points, presacral, says):
    with pytest.raises(InputError, match=says):
        TASK.examples(marked(tmp_path, points, presacral))


def test_a_number_of_vertebrae_that_nobody_has_is_refused(tmp_path):
    marked(tmp_path, column())
    (tmp_path / "subjects.csv").write_text("patient,presacral\nA,12\n", encoding="utf-8")
    with pytest.raises(InputError, match="presacral is '12'"):
        TASK.examples(tmp_path)


def test_a_lateral_film_is_left_out_and_told(folder, tmp_path):
    film = scoliosis_film(np.random.default_rng(1), stored=True, scale=0.05)
    (tmp_path / "films").mkdir()
    io.write_dx(tmp_path / "films" / "1.dcm", film.pixels, spacing_mm=0.5, view="LATERAL", patient_orientation=("A", "F"), patient_id="A")
    write_marked(tmp_path, [Film("1.dcm", "A", points_of(film.levels, film.corners))], [Subject()])
    with pytest.raises(InputError, match=r"1\.dcm is no AP or PA film but LATERAL"):
        TASK.examples(tmp_path)
