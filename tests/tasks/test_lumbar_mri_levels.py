"""Bare lumbar examinations: series told by their headers, levels found on slices around the middle, and the places of 25 questions on the right side."""

import json
import re
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from spinelab import io
from spinelab.core import Examples, Fact, InputError, NotSureError, Run, Settings, Study
from spinelab.geometry.planes import flip_affine, to_patient
from spinelab.serve.examinations import find as examinations_under
from spinelab.tasks.lumbar_mri import data, phantom
from spinelab.tasks.lumbar_mri.bare import read_bare
from spinelab.tasks.lumbar_mri.finding import series_told
from spinelab.tasks.lumbar_mri.levels import LevelFinder, LevelSettings, fit_levels
from spinelab.tasks.lumbar_mri.levels_canvas import on_canvas
from spinelab.tasks.lumbar_mri.levels_decode import decode, learn_steps
from spinelab.tasks.lumbar_mri.levels_fit import _aside, _is_right, _lesson
from spinelab.tasks.lumbar_mri.levels_offsets import frames, learn_offsets, place_all
from spinelab.tasks.lumbar_mri.levels_series import affines_of, canvas_of, leftward, middle_slices, series_of_kind
from spinelab.tasks.lumbar_mri.settings import LumbarMriSettings
from spinelab.tasks.lumbar_mri.targets import AXIAL_T2, DESCRIPTIONS, LEVEL_NAMES, QUESTIONS, SAGITTAL_T1, SAGITTAL_T2

SETTINGS = LevelSettings()
STRIDE = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return four drawn examinations in the public layout."""
    folder = tmp_path_factory.mktemp("levels")
    phantom.write_phantoms(folder, n=4, seed=11, difficulty="typical", scale=0.4)
    return folder


@pytest.fixture(scope="module")
def examples(root):
    return data.examples(root)


@pytest.fixture(scope="module")
def lessons(examples):
    rng = np.random.default_rng(0)
    return [_lesson(example, SETTINGS, rng) for example in examples]


@pytest.fixture(scope="module")
def learnt(lessons):
    """Return what all but the network learns."""
    steps = learn_steps(np.array([lesson.canvas_mm for lesson in lessons]))
    return {"settings": SETTINGS.to_dict(), "steps": steps, "offsets": learn_offsets([(x.canal, x.left, x.marked) for x in lessons]), "network": {}}


class Seeing(LevelFinder):
    """A finder whose network is right: maps are drawn at given points of the patient, on the slices that pass them."""

    def __init__(self, record, canal, image):
        super().__init__({}, record)
        self.canal, self.image = canal, image

    def maps(self, canvases):
        rows, columns = np.indices((canvases.shape[1] // STRIDE, canvases.shape[2] // STRIDE)) * STRIDE + (STRIDE - 1) / 2
        found = np.zeros((len(canvases), len(LEVEL_NAMES), *rows.shape))
        for number, index in enumerate(middle_slices(self.image)):
            canvas = canvas_of(self.image, index, self.settings)
            for place, level in enumerate(LEVEL_NAMES):
                if level in self.canal:
                    x, y, away = canvas.place(self.canal[level])
                    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 32)
                    found[number, place] = 0.98 * blob / blob.sum() * np.exp(-((away / 6) ** 2))
        return found


def bare(root, examples, number=0):
    return root / "train_images" / examples[number].id


def seeing(learnt, lesson, study, levels=LEVEL_NAMES):
    return Seeing(learnt, {level: lesson.canal[level] for level in levels}, series_of_kind(study, SAGITTAL_T2)[0])


def by_column(places):
    return {place.target.question.column: place for place in places}


def series_folder(folder: Path, description: str) -> Path:
    found = read_bare(folder)
    return folder / next(str(i.facts["series_id"].value) for i in found.images if i.facts["description"].value == description)


def copied(root, examples, tmp_path) -> Path:
    return Path(shutil.copytree(bare(root, examples), tmp_path / "study"))


def edit(folder: Path, change) -> None:
    for path in sorted(folder.glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)


# --- reading


def test_a_bare_folder_is_read_as_the_tables_would_have_it(root, examples):
    told, found = examples[0].open(), read_bare(bare(root, examples))
    assert [image.facts["description"].value for image in found.images] == list(DESCRIPTIONS)
    for image in found.images:
        other = series_of_kind(told, image.facts["description"].value)[0]
        assert np.array_equal(image.pixels, other.pixels)
        np.testing.assert_array_equal(affines_of(image), affines_of(other))
        for key in ("instance_numbers", "series_id", "kind", "FrameOfReferenceUID"):
            assert image.facts[key].value == other.facts[key].value
    assert found.patient.value == examples[0].id
    assert found.id == examples[0].id


def test_however_the_files_lie_the_study_is_the_same(root, examples, tmp_path):
    folder = bare(root, examples)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for number, path in enumerate(sorted(folder.rglob("*.dcm"), key=lambda p: p.name)):
        shutil.copy(path, mixed / f"IM{number:04d}")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in mixed.iterdir():
            archive.write(path, path.name)
    first = read_bare(folder)
    for source in (mixed, tmp_path / "all.zip", sorted(mixed.iterdir()), io.read(folder)):
        other = read_bare(source)
        for one, again in zip(first.images, other.images, strict=True):
            assert np.array_equal(one.pixels, again.pixels)
            np.testing.assert_allclose(affines_of(one), affines_of(again), atol=1e-5)
    assert read_bare(tmp_path / "all.zip").id == "all"
    assert read_bare(first) is first


@dataclass(frozen=True)
class Whole(Settings):
    def read_study(self, source):
        return read_bare(source)


def test_a_folder_of_series_is_one_examination_for_a_model_that_reads_whole_studies(root, examples, tmp_path):
    (one,) = examinations_under(bare(root, examples), Whole())
    assert len(one.open().images) == 3
    every = examinations_under(root / "train_images", Whole())
    assert sorted(item.name for item in every) == sorted(item.id for item in examples)
    assert len(every[-1].open().images) == 3
    for number in range(2):
        for path in bare(root, examples, number).rglob("*.dcm"):
            shutil.copy(path, tmp_path / f"{number}-{path.parent.name}-{path.name}")
    pooled = examinations_under(tmp_path, Whole())
    assert [len(item.open().images) for item in pooled] == [3, 3]


def test_series_in_several_folders_are_one_examination_and_the_notes_say_so(root, examples, tmp_path):
    """A folder a series beside those of another patient: each study is read whole."""
    for number in range(2):
        for folder in bare(root, examples, number).iterdir():
            shutil.copytree(folder, tmp_path / f"{number}-{folder.name}")
    first, second = examinations_under(tmp_path, Whole())
    for item in (first, second):
        study = item.open()
        assert [image.facts["description"].value for image in study.images] == list(DESCRIPTIONS)
        (said,) = [note for note in study.facts["notes"].value if "read as one examination" in note]
        assert said.startswith("3 folders were read as one examination, for their files state the same study")
        assert all(path.parent.name in said for path in item.files)
    assert first.name.startswith("0-")
    assert second.name.startswith("1-")


@pytest.mark.parametrize("renewed", [(), ("SOPInstanceUID",)])
def test_two_folders_with_copies_of_one_study_are_read_once_and_the_notes_say_so(root, examples, tmp_path, renewed):
    """A copy may have new UIDs of its objects: its slices lie where those of the first folder lie."""
    for copy in ("a", "b"):
        shutil.copytree(bare(root, examples), tmp_path / copy)
    for path in (tmp_path / "b").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        for keyword in renewed:
            setattr(dataset, keyword, pydicom.uid.generate_uid())
        dataset.save_as(path)
    shutil.copytree(bare(root, examples, 1), tmp_path / "other")
    twice, other = examinations_under(tmp_path, Whole())
    assert (twice.name, other.name) == ("a", "other")
    study, once = twice.open(), read_bare(tmp_path / "a")
    for one, again in zip(once.images, study.images, strict=True):
        assert np.array_equal(one.pixels, again.pixels)
    notes = study.facts["notes"].value
    assert sum("already read" in note and "left out" in note for note in notes) == len(study.images)
    assert any("6 folders were read as one examination" in note for note in notes)


def test_two_patients_are_refused(root):
    with pytest.raises(InputError, match="patients"):
        read_bare(root / "train_images")


def test_pictures_that_are_no_spine_series_are_refused():
    (one, *_) = phantom.phantom(np.random.default_rng(0), "easy", 0.2).open().images
    plain = replace(one, facts={key: fact for key, fact in one.facts.items() if "escription" not in key})
    with pytest.raises(NotSureError, match="no series is one of those"):
        read_bare(Study("x", images=(plain,)))


def nifti(path, description):
    image = nibabel.Nifti1Image(np.zeros((4, 20, 20), np.int16), np.diag([4.0, 1, 1, 1]))
    image.header["descrip"] = description
    image.to_filename(path)
    return path


def test_the_free_text_of_a_nifti_header_is_no_name_of_a_series(tmp_path):
    path = nifti(tmp_path / "spine.nii.gz", "TE=1e+02;Time=0.000")
    with pytest.raises(NotSureError, match="weighting not known"):
        read_bare(path)
    with pytest.raises(InputError, match=r"no DICOM slice, but 1 other picture such as .*spine.nii.gz.*by itself"):
        read_bare(tmp_path)


@pytest.fixture
def competition(root, examples, tmp_path):
    """Return the folder of one study in the layout of the competition's test, with headers that tell no weighting."""
    folder = Path(shutil.copytree(bare(root, examples), tmp_path / "test_images" / examples[0].id))
    shutil.copy(root / "train_series_descriptions.csv", tmp_path / "test_series_descriptions.csv")
    for series in folder.iterdir():
        edit(series, lambda dataset: [dataset.pop(key, None) for key in ("EchoTime", "RepetitionTime", "SeriesDescription", "ProtocolName")])
    return folder


def test_the_table_beside_the_folder_of_images_tells_what_headers_do_not(competition, root, examples):
    usual = read_bare(bare(root, examples))
    for source in (competition, competition.parent):
        found = read_bare(source)
        assert found.id == examples[0].id
        assert [i.facts["series_id"].value for i in found.images] == [i.facts["series_id"].value for i in usual.images]
        assert [i.facts["description"] for i in found.images] == [Fact(name, "test_series_descriptions.csv") for name in DESCRIPTIONS]
    assert [item.name for item in examinations_under(competition.parent, LumbarMriSettings())] == [examples[0].id]
    (competition.parents[1] / "test_series_descriptions.csv").write_text("study_id\n7\n", encoding="utf-8")
    with pytest.raises(NotSureError, match=r"test_series_descriptions.csv was not used: .* has no column series_id"):
        read_bare(competition)


def test_a_series_is_found_in_the_table_by_its_uid(competition):
    for number, series in enumerate(sorted(competition.iterdir())):
        name = series.name
        edit(series, lambda dataset, name=name: setattr(dataset, "SeriesInstanceUID", f"1.2.3.{name}"))
        series.rename(competition / f"s{number}")
    assert [i.facts["description"].value for i in read_bare(competition).images] == list(DESCRIPTIONS)


def test_a_table_that_contradicts_the_header_is_told(root, examples, tmp_path):
    folder = Path(shutil.copytree(bare(root, examples), tmp_path / examples[0].id))
    text = (root / "train_series_descriptions.csv").read_text(encoding="utf-8")
    text = text.replace("Sagittal T1", "?").replace("Sagittal T2/STIR", "Sagittal T1").replace("?", "Sagittal T2/STIR")
    (tmp_path / "my_series_descriptions.csv").write_text(text, encoding="utf-8")
    assert any("is called Sagittal T1, but its header says sagittal" in note for note in read_bare(folder).facts["notes"].value)


# --- the canvas


def test_a_point_comes_back_from_the_canvas():
    picture = np.zeros((90, 70), np.uint16)
    picture[40, 20] = 1000
    affine = np.array([[0.0, 0, -1, 30], [1.1, 0, 0, -50], [0, -0.9, 0, 60], [0, 0, 0, 1]])
    bright = to_patient(affine, 20, 40)
    for flipped in (False, True):
        pixels, matrix = (picture[:, ::-1], flip_affine(affine, "x", 70)) if flipped else (picture, affine)
        canvas = on_canvas(pixels, matrix, SETTINGS)
        row, column = np.unravel_index(canvas.pixels.argmax(), canvas.pixels.shape)
        x, y, away = canvas.place(bright)
        assert abs(x - column) < 1
        assert abs(y - row) < 1
        assert abs(away) < 1e-9
        np.testing.assert_allclose(canvas.to_patient(np.array([x, y])), bright, atol=1e-9)
        assert np.linalg.norm(canvas.affine[:3, 0]) == pytest.approx(SETTINGS.pixel_mm, rel=0.01)
        assert canvas.affine[1, 0] > 0
        assert canvas.affine[2, 1] < 0


def test_slices_are_taken_from_the_middle_and_thinned_out():
    (_, image, _) = phantom.phantom(np.random.default_rng(0), "easy", 0.2).open().images
    assert len(middle_slices(image)) < len(image.pixels)
    affines = np.repeat(affines_of(image)[:1], 81, axis=0)
    affines[:, :3, 3] += np.arange(81)[:, None] * leftward(affines) * 1.0
    dense = replace(image, pixels=np.zeros((81, *image.shape_yx), np.uint16), facts={**image.facts, "slice_affines": Fact(affines, "test")})
    chosen = middle_slices(dense)
    assert min(np.diff(chosen)) >= 2
    assert (chosen[0], chosen[-1]) == (10, 70)


# --- maps to points


def maps_at(*peaks):
    """Return five maps, each with blobs of given shares at (x, y) in mm; cells are 5 mm."""
    rows, columns = np.indices((60, 40)) * 5.0
    found = np.zeros((5, 60, 40))
    for place, one in enumerate(peaks):
        for x, y, share in one:
            blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 50)
            found[place] += share * blob / blob.sum()
    return found


STEPS = [{"mean_mm": [0.0, 33.0], "sd_mm": [3.0, 2.0]}] * 4


def test_five_clear_maps_are_five_sure_points():
    found = decode(maps_at(*[[(90, 60 + 33 * i, 0.97)] for i in range(5)]), STEPS, 4, 1.25)
    np.testing.assert_allclose(found.points * 1.25 - 1.875, [(90, 60 + 33 * i) for i in range(5)], atol=0.5)
    assert found.certainty > 0.98
    np.testing.assert_allclose(found.shares, 0.97, atol=0.03)


def test_a_level_that_is_not_there_is_left_out():
    found = decode(maps_at([], *[[(90, 60 + 33 * i, 0.95)] for i in range(1, 5)]), STEPS, 4, 1.25)
    assert np.isnan(found.points[0]).all()
    assert found.shares[0] == 0
    assert found.certainty > 0.9


def test_a_network_that_hesitates_between_two_discs_is_not_sure_of_the_names():
    found = decode(maps_at(*[[(90, 60 + 33 * i, 0.52), (90, 27 + 33 * i, 0.44)] for i in range(5)]), STEPS, 4, 1.25)
    np.testing.assert_allclose(found.points[:, 1] * 1.25 - 1.875, [60 + 33 * i for i in range(5)], atol=0.8)
    assert 0.4 < found.certainty < 0.8


def test_two_discs_that_could_be_two_others_are_not_surely_named():
    """Named two levels lower they have no name in common with the best naming, which counted as agreement: 0.94 certain."""
    high, low = (90, 93), (90, 126)
    found = decode(maps_at([(*high, 0.8)], [(*low, 0.8)], [(*high, 0.75)], [(*low, 0.75)], []), STEPS, 4, 1.25)
    assert np.isfinite(found.points).all(axis=1).tolist() == [True, True, False, False, False]
    assert found.certainty < 0.65


def test_one_map_that_errs_is_outvoted_by_the_distances():
    peaks = [[(90, 60 + 33 * i, 0.95)] for i in range(5)]
    peaks[2] = [(90, 60 + 33 * 3, 0.6), (90, 60 + 33 * 2, 0.3)]
    found = decode(maps_at(*peaks), STEPS, 4, 1.25)
    assert found.points[2, 1] * 1.25 - 1.875 == pytest.approx(126, abs=0.8)


# --- offsets


def test_offsets_are_in_the_frame_of_the_spine_and_left_is_the_patients_left():
    lean = np.radians(20)
    head = np.array([0, -np.sin(lean), np.cos(lean)])
    left = np.array([1.0, 0, 0])
    canal = {level: head * -33.0 * i for i, level in enumerate(LEVEL_NAMES)}
    axes = frames(canal, left)["L3/L4"]
    np.testing.assert_allclose(axes, [left, [0, np.cos(lean), np.sin(lean)], head], atol=1e-12)
    marked = {}
    for question in QUESTIONS:
        sign = {"left": 1, "right": -1, None: 0}[question.side]
        marked[question.place] = canal[question.level] + sign * 16 * left - (axes[1] * 5 + axes[2] * 10 if sign else 0)
    learnt = learn_offsets([(canal, left, marked)] * 2)
    assert learnt["left_neural_foraminal_narrowing_l3_l4"]["offset_mm"] == pytest.approx([16, -5, -10])
    assert learnt["right_neural_foraminal_narrowing_l3_l4"]["offset_mm"] == pytest.approx([-16, -5, -10])
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    placed = place_all({level: turn @ point for level, point in canal.items()}, turn @ left, learnt)
    for place, point in marked.items():
        np.testing.assert_allclose(placed[place], turn @ point, atol=1e-9)


def test_what_was_never_marked_has_no_offset(lessons):
    bare_marks = [(x.canal, x.left, {p: m for p, m in x.marked.items() if QUESTIONS[p].finding != "subarticular_stenosis"}) for x in lessons]
    assert not any("subarticular" in column for column in learn_offsets(bare_marks))


# --- the 25 places


def test_all_places_of_a_bare_study_lie_where_readers_marked(root, examples, lessons, learnt):
    apart = {condition: [] for condition in range(5)}
    for number, (example, lesson) in enumerate(zip(examples, lessons, strict=True)):
        study = read_bare(bare(root, examples, number))
        located = seeing(learnt, lesson, study).find(study)
        assert not located.withheld
        assert located.certainty > 0.9
        assert [p.target.question.place for p in located.places] == list(range(25))
        truth = {p.target.question.place: p for p in example.open().facts["places"].value}
        for place in located.places:
            marked = truth[place.target.question.place]
            assert place.target.mark.series == marked.target.mark.series
            assert place.target.grade is None
            apart[place.target.question.condition].append(np.linalg.norm(np.subtract(place.point_mm, marked.point_mm)))
    assert np.median(apart[0]) < 2
    assert max(np.median(apart[condition]) for condition in (1, 2, 3, 4)) < 5


def test_left_is_the_patients_left_whichever_way_axial_columns_run(root, examples, lessons, learnt):
    study = read_bare(bare(root, examples))
    usual = by_column(seeing(learnt, lessons[0], study).find(study).places)
    axial = series_of_kind(study, AXIAL_T2)[0]
    width = axial.shape_yx[1]
    affines = np.array([flip_affine(affine, "x", width) for affine in affines_of(axial)])
    turned = replace(axial, pixels=axial.pixels[:, :, ::-1], facts={**axial.facts, "slice_affines": Fact(affines, "test")})
    mirrored = replace(study, images=tuple(turned if image is axial else image for image in study.images))
    found = by_column(seeing(learnt, lessons[0], mirrored).find(mirrored).places)
    for level in ("l1_l2", "l3_l4", "l5_s1"):
        left, right = (f"{side}_subarticular_stenosis_{level}" for side in ("left", "right"))
        assert usual[left].point_mm[0] > usual[right].point_mm[0] + 10
        assert usual[left].x > usual[right].x
        assert found[left].x < found[right].x
        assert found[left].x == pytest.approx(width - 1 - usual[left].x)
        np.testing.assert_allclose(found[left].point_mm, usual[left].point_mm, atol=1e-6)
        foramina = [usual[f"{side}_neural_foraminal_narrowing_{level}"].point_mm[0] for side in ("left", "right")]
        assert foramina[0] > foramina[1] + 20


def test_a_study_in_memory_is_read_as_well(learnt):
    study = phantom.phantom(np.random.default_rng(5), "easy", 0.2).open()
    read = read_bare(study)
    image = series_of_kind(read, SAGITTAL_T2)[0]
    middle = to_patient(affines_of(image)[len(image.pixels) // 2], (image.shape_yx[1] - 1) / 2, (image.shape_yx[0] - 1) / 2)
    canal = {level: middle + np.array([0, 0, 60 - 30 * i]) for i, level in enumerate(LEVEL_NAMES)}
    located = Seeing(learnt, canal, image).find(study)
    assert len(located.places) > 10
    assert not any("frame of reference" in reason for reason in located.withheld.values())


# --- what is wrong with an examination


def withheld_at(located, finding):
    return [located.withheld.get(q.place) for q in QUESTIONS if q.finding == finding]


def test_without_axial_series_the_recesses_are_withheld(root, examples, lessons, learnt, tmp_path):
    folder = copied(root, examples, tmp_path)
    shutil.rmtree(series_folder(folder, AXIAL_T2))
    study = read_bare(folder)
    located = seeing(learnt, lessons[0], study).find(study)
    assert withheld_at(located, "subarticular_stenosis") == ["the examination has no Axial T2 series"] * 10
    assert len(located.places) == 15


def test_without_sagittal_t2_nothing_is_said(root, examples, learnt, tmp_path):
    folder = copied(root, examples, tmp_path)
    shutil.rmtree(series_folder(folder, SAGITTAL_T2))
    with pytest.raises(NotSureError, match="no Sagittal T2/STIR series"):
        LevelFinder({}, learnt).find(read_bare(folder))


def test_a_series_without_orientation_is_left_out_and_told(root, examples, lessons, learnt, tmp_path):
    folder = copied(root, examples, tmp_path)
    edit(series_folder(folder, AXIAL_T2), lambda dataset: dataset.pop("ImageOrientationPatient"))
    study = read_bare(folder)
    assert any("no ImageOrientationPatient" in note for note in study.facts["notes"].value)
    (told,) = study.facts["series_left_out"].value
    assert told.endswith("can be told")
    withheld = set(seeing(learnt, lessons[0], study).find(study).withheld.values())
    assert len(withheld) == 1
    assert re.fullmatch(r"the examination has no Axial T2 series \(series \S+ was left out: .* has no ImageOrientationPatient .* can be told\)", withheld.pop())


def test_a_note_about_a_series_is_not_taken_for_the_reason(root, examples, lessons, learnt, tmp_path):
    folder = copied(root, examples, tmp_path)
    shutil.rmtree(series_folder(folder, AXIAL_T2))
    study = read_bare(folder)
    noted = replace(study, facts={**study.facts, "notes": Fact(("series 7 was left out: by hand",), "reader")})
    reason = "the examination has no Axial T2 series"
    assert set(seeing(learnt, lessons[0], noted).find(noted).withheld.values()) == {reason}
    stated = replace(study, facts={**study.facts, "series_left_out": Fact(("series 7 was left out: by hand",), "reader")})
    assert set(seeing(learnt, lessons[0], stated).find(stated).withheld.values()) == {f"{reason} (series 7 was left out: by hand)"}


def test_a_data_set_tells_which_series_was_left_out(root, examples, tmp_path):
    shutil.copytree(root, tmp_path / "copy")
    example = data.examples(tmp_path / "copy")[0]
    target = series_folder(example.facts["folder"].value, AXIAL_T2)
    edit(target, lambda dataset: dataset.pop("ImageOrientationPatient"))
    (told,) = example.open().facts["series_left_out"].value
    assert told.startswith(f"series {target.name} was left out: ")
    assert told.endswith("can be told")


def test_why_a_sagittal_series_was_left_out_is_told(root, examples, learnt, tmp_path):
    folder = copied(root, examples, tmp_path)
    edit(series_folder(folder, SAGITTAL_T2), lambda dataset: dataset.pop("ImageOrientationPatient"))
    with pytest.raises(NotSureError, match=r"no Sagittal T2/STIR series .* was left out: .* has no ImageOrientationPatient"):
        LevelFinder({}, learnt).find(read_bare(folder))


def test_a_series_of_mixed_orientation_is_left_out_and_told(root, examples, lessons, learnt, tmp_path):
    folder = copied(root, examples, tmp_path)
    target = series_folder(folder, SAGITTAL_T1)
    for path in sorted(target.glob("*.dcm"))[:6]:
        dataset = pydicom.dcmread(path)
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.save_as(path)
    study = read_bare(folder)
    assert any("several planes" in note for note in study.facts["notes"].value)
    for reason in withheld_at(seeing(learnt, lessons[0], study).find(study), "neural_foraminal_narrowing"):
        assert reason.startswith(f"the examination has no Sagittal T1 series (series {target.name} was left out: ")
        assert "several planes" in reason


def test_missing_slices_withhold_what_lay_on_them(root, examples, lessons, learnt, tmp_path):
    folder = copied(root, examples, tmp_path)
    target = series_folder(folder, SAGITTAL_T1)
    for path in target.glob("*.dcm"):
        if abs(float(pydicom.dcmread(path).ImagePositionPatient[0])) > 9:
            path.unlink()
    t2 = series_folder(folder, SAGITTAL_T2)
    by_place = sorted(t2.glob("*.dcm"), key=lambda p: float(pydicom.dcmread(p).ImagePositionPatient[0]))
    by_place[2].unlink()
    study = read_bare(folder)
    assert any("some may be missing" in note for note in study.facts["notes"].value)
    located = seeing(learnt, lessons[0], study).find(study)
    assert all(reason is None or "beyond the slices" in reason for reason in withheld_at(located, "neural_foraminal_narrowing"))
    assert sum(reason is not None for reason in withheld_at(located, "neural_foraminal_narrowing")) >= 5
    assert withheld_at(located, "spinal_canal_stenosis") == [None] * 5


def test_numbers_that_do_not_tell_slices_apart_are_told_and_harmless(root, examples, lessons, learnt, tmp_path):
    folder = copied(root, examples, tmp_path)
    usual = read_bare(folder)
    target = series_folder(folder, SAGITTAL_T2)
    edit(target, lambda dataset: setattr(dataset, "InstanceNumber", 7))
    for path in list(target.glob("*.dcm")):
        path.rename(path.with_name(f"slice_{path.name}"))
    study = read_bare(folder)
    assert any("InstanceNumber" in note for note in study.facts["notes"].value)
    one, other = (seeing(learnt, lessons[0], s).find(s) for s in (usual, study))
    assert [p.point_mm for p in one.places] == [p.point_mm for p in other.places]


def test_a_single_sagittal_slice_gives_the_canal_and_no_foramina(root, examples, lessons, learnt):
    straightest = int(np.argmin([np.ptp([point[0] for point in lesson.canal.values()]) for lesson in lessons]))
    lesson, study = lessons[straightest], read_bare(bare(root, examples, straightest))
    images = []
    for image in study.images:
        if image.facts["description"].value == AXIAL_T2:
            images.append(image)
            continue
        middle = int(np.argmin([abs(to_patient(a, 50, 50)[0] - lesson.canal["L3/L4"][0]) for a in affines_of(image)]))
        facts = {**image.facts, "slice_affines": Fact(affines_of(image)[[middle]], "test"), "instance_numbers": Fact((1,), "test")}
        images.append(replace(image, pixels=image.pixels[[middle]], affine=Fact(None, "one slice"), spacing_mm=Fact(None, "one slice"), facts=facts))
    single = replace(study, images=tuple(images))
    located = seeing(learnt, lesson, single).find(single)
    assert withheld_at(located, "spinal_canal_stenosis") == [None] * 5
    assert all("beyond the slices" in reason for reason in withheld_at(located, "neural_foraminal_narrowing"))
    assert withheld_at(located, "subarticular_stenosis") == [None] * 10


def test_a_level_that_is_not_seen_is_withheld_and_told(root, examples, lessons, learnt):
    study = read_bare(bare(root, examples))
    located = seeing(learnt, lessons[0], study, LEVEL_NAMES[1:]).find(study)
    assert {QUESTIONS[place].level for place in located.withheld} == {"L1/L2"}
    assert len(located.places) == 20
    assert any("L1/L2 was not found" in note and "fewer levels" in note for note in located.notes)
    with pytest.raises(NotSureError, match="1 of 5 levels"):
        seeing(learnt, lessons[0], study, LEVEL_NAMES[2:3]).find(study)


def test_an_upper_level_outside_the_pictures_is_withheld(root, examples, lessons, learnt):
    study = read_bare(bare(root, examples))
    t1 = series_of_kind(study, SAGITTAL_T1)[0]
    below = 0.5 * (lessons[0].canal["L1/L2"] + lessons[0].canal["L2/L3"]) + [0, 0, 14]
    first = int(np.ceil(np.linalg.solve(affines_of(t1)[0][:3, :3], below - affines_of(t1)[0][:3, 3])[1]))
    affines = affines_of(t1).copy()
    affines[:, :3, 3] += affines[:, :3, 1] * first
    cut = replace(t1, pixels=t1.pixels[:, first:], affine=Fact(None, "cut"), facts={**t1.facts, "slice_affines": Fact(affines, "test")})
    cropped = replace(study, images=tuple(cut if image is t1 else image for image in study.images))
    reasons = withheld_at(seeing(learnt, lessons[0], cropped).find(cropped), "neural_foraminal_narrowing")
    assert reasons[0] == reasons[5] == "it lies outside the pictures of the Sagittal T1 series"
    assert reasons[2:5] == [None] * 3


def test_a_series_of_another_frame_of_reference_is_not_asked(root, examples, lessons, learnt):
    study = read_bare(bare(root, examples))
    images = tuple(
        replace(i, facts={**i.facts, "FrameOfReferenceUID": Fact("1.2.3", "test")}) if i.facts["description"].value == AXIAL_T2 else i for i in study.images
    )
    moved = replace(study, images=images)
    reasons = withheld_at(seeing(learnt, lessons[0], moved).find(moved), "subarticular_stenosis")
    assert all("frame of reference" in reason for reason in reasons)


def test_of_two_axial_series_each_place_takes_the_nearer_one(root, examples, lessons, learnt):
    study = read_bare(bare(root, examples))
    axial = series_of_kind(study, AXIAL_T2)[0]
    half = len(axial.pixels) // 2
    parts = []
    for number, kept in enumerate((slice(0, half), slice(half, None))):
        facts = {
            **axial.facts,
            "series_id": Fact(f"part {number}", "test"),
            "slice_affines": Fact(affines_of(axial)[kept], "test"),
            "instance_numbers": Fact(axial.facts["instance_numbers"].value[kept], "test"),
        }
        parts.append(replace(axial, pixels=axial.pixels[kept], affine=Fact(None, "part"), spacing_mm=Fact(None, "part"), facts=facts))
    split = replace(study, images=(*(i for i in study.images if i is not axial), *parts))
    whole = seeing(learnt, lessons[0], study).find(study)
    found = seeing(learnt, lessons[0], split).find(split)
    assert [p.point_mm for p in found.places] == [p.point_mm for p in whole.places]
    assert {p.target.mark.series for p in found.places if p.target.question.series == AXIAL_T2} == {"part 0", "part 1"}
    (told,) = series_told(split, found.places)
    assert "part 0 (Axial T2), part 1 (Axial T2)" in told


def test_which_series_were_graded_on_and_which_were_not_is_told(root, examples, lessons, learnt):
    study = read_bare(bare(root, examples))
    names = {image.facts["description"].value: image.facts["series_id"].value for image in study.images}
    places = seeing(learnt, lessons[0], study).find(study).places
    assert series_told(study, places) == (f"Graded on series {', '.join(f'{name} ({kind})' for kind, name in names.items())}.",)
    again = [replace(image, facts={**image.facts, "series_id": Fact(f"second {image.facts['series_id'].value}", "test")}) for image in study.images[1:2]]
    _, told = series_told(replace(study, images=(*study.images, *again)), places)
    t2 = names["Sagittal T2/STIR"]
    assert told == f"Series second {t2} (Sagittal T2/STIR) was left out: its questions are graded on {t2}."
    _, told = series_told(study, [place for place in places if place.target.question.series != AXIAL_T2])
    assert told == f"Series {names[AXIAL_T2]} (Axial T2) was left out: none of its questions could be placed on it."


# --- learning


def test_some_patients_are_kept_from_training_where_there_are_enough():
    assert _aside([f"p{i}" for i in range(79)], 0) == set()
    assert len(_aside([f"p{i}" for i in range(80)], 0)) == 20
    assert len(_aside([f"p{i}" for i in range(400)], 0)) == 60
    twice = [f"p{i // 2}" for i in range(200)]
    assert len(_aside(twice, 0)) == 20
    assert _aside(twice, 0) != _aside(twice, 1)


def test_names_are_right_where_every_level_is_nearest_to_its_own_disc(lessons):
    canal = lessons[0].canal
    assert _is_right({level: point + np.array([0, 3, 4]) for level, point in canal.items()}, canal)
    assert _is_right({"L4/L5": canal["L4/L5"]}, canal)
    assert not _is_right(dict(zip(list(canal)[:-1], list(canal.values())[1:], strict=True)), canal)


def test_the_certainty_of_names_is_what_studies_kept_aside_allow(root, examples, lessons, learnt):
    study = read_bare(bare(root, examples))
    unchecked = seeing(learnt, lessons[0], study).find(study)
    checked = seeing({**learnt, "names": {"films": 20, "right": 20}}, lessons[0], study).find(study)
    assert checked.certainty == pytest.approx(min(unchecked.certainty, 21 / 22))
    wavering = {"films": 40, "right": 30, "logistic": {"slope": [0.5], "intercept": [-1.0]}}
    assert seeing({**learnt, "names": wavering}, lessons[0], study).find(study).certainty < unchecked.certainty


def test_learning_needs_marks(examples):
    unmarked = [replace(e, open=lambda e=e: replace(e.open(), facts={})) for e in examples[:1]]
    with pytest.raises(InputError, match="the canal is marked in 0 of its studies"):
        fit_levels(Examples(tuple(unmarked), examples.root), SETTINGS, Run())


def test_a_short_training_gives_a_finder_that_goes_through_json(root, examples, tmp_path):
    settings = LevelSettings(rows=128, columns=96, pixel_mm=2.5, epochs=1, minutes=0.0, sigma=3.0)
    tensors, record = fit_levels(examples, settings, Run(cache=tmp_path, accelerator="cpu"))
    finder = LevelFinder(tensors, json.loads(json.dumps(record)))
    assert finder.settings == settings
    assert record["studies"] == 4
    assert len(record["offsets"]) == 20
    study = read_bare(bare(root, examples))
    image = series_of_kind(study, SAGITTAL_T2)[0]
    maps = finder.maps(np.stack([canvas_of(image, index, settings).pixels for index in middle_slices(image)]))
    assert maps.shape[1:] == (5, 32, 24)
    assert (maps >= 0).all()
    assert (maps.sum(axis=(2, 3)) <= 1 + 1e-6).all()
