"""What counts as one examination under a path."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from spinelab.core import InputError, Settings
from spinelab.serve.examinations import Explained, Reopened, find, lone_files


@dataclass(frozen=True)
class TwoViews(Settings):
    @property
    def views(self) -> tuple[str, ...]:
        return "AP", "LATERAL"


@dataclass(frozen=True)
class OwnReader(Settings):
    def read_study(self, source: object) -> None:
        """Read the slices of a study."""


ONE, TWO = Settings(), TwoViews()


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path)
    return path


def film(path: Path, study: str, view: str, patient: str = "P1", modality: str = "CR") -> Path:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = ComputedRadiographyImageStorage, generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = study, generate_uid(), modality
    data.PatientID, data.ViewPosition = patient, view
    data.Rows = data.Columns = 8
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = bytes(range(64))
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def names(source: Path, settings: Settings) -> list[str]:
    return [examination.name for examination in find(source, settings)]


def test_a_file_is_one(tmp_path: Path) -> None:
    (examination,) = find(picture(tmp_path / "a.b.png"), ONE)
    assert examination.name == "a.b"
    assert len(examination.open().images) == 1


def test_a_zip_is_called_by_its_name_without_the_ending(tmp_path: Path) -> None:
    film(tmp_path / "raw" / "1.dcm", "1.2.3", "AP")
    (tmp_path / "zips").mkdir()
    for name in ("day.one", "two"):
        with zipfile.ZipFile(tmp_path / "zips" / f"{name}.zip", "w") as archive:
            archive.write(tmp_path / "raw" / "1.dcm", "1.dcm")
    assert names(tmp_path / "zips" / "day.one.zip", ONE) == ["day.one"]
    assert names(tmp_path / "zips", ONE) == ["day.one", "two"]


def test_pictures_of_a_folder_are_one_each(tmp_path: Path) -> None:
    for name in ("x/a.png", "x/b.png", "y/a.png"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / ".hidden.png").touch()
    assert names(tmp_path, ONE) == ["x/a", "x/b", "y/a"]


def test_pictures_of_an_earlier_reading_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "read" / "map-1-landmark-maps.png")
    (tmp_path / "read" / "result.json").write_text('{"schema": "spinelab.result/1"}', encoding="utf-8")
    (alone,) = find(tmp_path, ONE)
    assert [path.name for path in alone.files] == ["a.png"]
    assert len(alone.open().images) == 1
    assert "left out 1 picture of earlier readings, beside result.json" in caplog.text
    picture(tmp_path / "b.png")
    assert names(tmp_path, ONE) == ["a", "b"]
    with pytest.raises(InputError, match="nothing but 1 picture"):
        find(tmp_path / "read", ONE)


def test_a_broken_picture_is_found_and_refused_when_opened(tmp_path: Path) -> None:
    picture(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"")
    bad, good = find(tmp_path, ONE)
    assert good.open().images
    with pytest.raises(InputError, match=r"bad\.png"):
        bad.open()


def test_pictures_that_differ_in_the_view_belong_together(tmp_path: Path) -> None:
    for name in ("AP/0001-F-037Y0.png", "LA/0001-F-037Y1.png", "AP/0002-M-041Y0.png", "anna_ap.png", "anna_lateral.png"):
        picture(tmp_path / name)
    found = {examination.name: len(examination.open().images) for examination in find(tmp_path, TWO)}
    assert found == {"0001-F-037": 2, "AP/0002-M-041Y0": 1, "anna": 2}
    assert len(names(tmp_path, ONE)) == 5


def test_the_same_name_in_two_folders_is_two_patients(tmp_path: Path) -> None:
    for name in ("a/1_ap.png", "a/1_lat.png", "b/1_ap.png", "b/1_lat.png"):
        picture(tmp_path / name)
    assert names(tmp_path, TWO) == ["a/1", "b/1"]


def test_dicom_films_of_one_study_belong_together(tmp_path: Path) -> None:
    first, second = generate_uid(), generate_uid()
    film(tmp_path / "all" / "1", first, "AP")
    film(tmp_path / "all" / "2", first, "LATERAL")
    film(tmp_path / "all" / "3", second, "AP")
    assert [len(examination.open().images) for examination in find(tmp_path, TWO)] == [2, 1]
    assert len(find(tmp_path, ONE)) == 3
    assert len(set(names(tmp_path, TWO))) == 2


def test_two_patients_are_never_one_examination(tmp_path: Path) -> None:
    study = generate_uid()
    film(tmp_path / "1", study, "AP", "P1")
    film(tmp_path / "2", study, "LATERAL", "P2")
    film(tmp_path / "3", generate_uid(), "AP", "P3")
    with pytest.raises(InputError, match="2 patients"):
        find(tmp_path, TWO)[0].open()


def rsna(root: Path, *studies: str) -> Path:
    """Write studies of two series each, named as ``train_images/7``, with a table beside each part."""
    for name in studies:
        uid = generate_uid()
        for number in "12":
            film(root / name / number / "1.dcm", uid, "AP")
        (root / f"{name.partition('_')[0]}_series_descriptions.csv").touch()
    return root


def test_a_data_sets_root_names_studies_as_its_parts_do(tmp_path: Path) -> None:
    root = rsna(tmp_path, "test_images/7", "test_images/8")
    assert names(root, TWO) == names(root / "test_images", TWO) == ["7", "8"]


def test_the_only_study_of_a_data_set_is_named_and_read_as_in_its_part(tmp_path: Path) -> None:
    root = rsna(tmp_path, "test_images/7")
    (found,), (inside,) = find(root, TWO), find(root / "test_images", TWO)
    assert found.name == inside.name == "test_images"
    assert found.open().id == inside.open().id


def test_an_empty_file_among_the_slices_of_a_study_is_no_examination(tmp_path: Path) -> None:
    """It became one, with rows of its own in submission.csv, and a lone study lost its name."""
    root = rsna(tmp_path, "test_images/7", "test_images/8")
    (root / "test_images/7/2/9.dcm").touch()
    assert names(root, TWO) == ["7", "8"]
    assert names(root / "test_images/7", TWO) == ["7"]
    (root / "test_images/9").mkdir()
    (root / "test_images/9/1.dcm").touch()
    assert len(names(root, TWO)) == 3


@pytest.mark.parametrize("series", [("1", "2"), ("1",)])
def test_a_study_of_which_no_file_can_be_read_is_one_examination_under_its_own_name(tmp_path: Path, series: tuple[str, ...]) -> None:
    root = rsna(tmp_path, "test_images/7", "test_images/8")
    for name in series:
        for number in range(3):
            path = root / "test_images" / "9" / name / f"{number}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("junk")
    for source in (root, root / "test_images"):
        found = {examination.name: examination for examination in find(source, TWO)}
        assert len(found["9"].files) == 3 * len(series)
        assert not [name for name in found if name.startswith("9/")]
        with pytest.raises(InputError):
            found["9"].open()


def test_an_unreadable_series_belongs_to_its_study(tmp_path: Path) -> None:
    for study in ("7", "8"):
        for series in ("1", "2"):
            film(tmp_path / study / series / "1.dcm", f"1.2.{study}", "AP")
    broken = tmp_path / "8" / "3"
    broken.mkdir()
    for number in range(3):
        (broken / f"{number}.dcm").write_text("junk")
    assert [(one.name, len(one.files)) for one in find(tmp_path, TWO)] == [("7", 2), ("8", 5)]


def test_a_header_without_pixels_that_names_no_study_is_no_examination(tmp_path: Path) -> None:
    for study in ("7", "8"):
        film(tmp_path / study / "1.dcm", f"1.2.{study}", "", modality="MR")
    bare = dcmread(film(tmp_path / "8" / "2.dcm", "", "", modality="MR"))
    whole = film(tmp_path / "8" / "3.dcm", "", "", modality="MR")
    del bare.PixelData
    bare.save_as(tmp_path / "8" / "2.dcm")
    assert [(one.name, len(one.files)) for one in find(tmp_path, OwnReader())] == [("7/1", 1), ("8", 2), ("8/3", 1)]
    whole.unlink()
    assert names(tmp_path, ONE) == ["7/1", "8/1", "8/2"], "the general reader would refuse the study with it"


def test_studies_of_one_name_in_two_parts_are_told_apart(tmp_path: Path) -> None:
    root = rsna(tmp_path, "test_images/7", "train_images/7", "train_images/8")
    assert names(root, TWO) == ["test_images/7", "train_images/7", "8"]


def test_a_folder_without_a_table_of_its_own_is_no_part(tmp_path: Path) -> None:
    root = rsna(tmp_path, "test_images/7", "test_images/8", "train_images/7")
    (root / "test_series_descriptions.csv").rename(root / "other.csv")
    assert names(root, TWO) == ["test_images/7", "test_images/8", "7"]


def test_an_empty_folder_is_refused_by_the_reader(tmp_path: Path) -> None:
    (examination,) = find(tmp_path, ONE)
    with pytest.raises(InputError):
        examination.open()


def test_two_files_of_one_name_keep_their_endings(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "a.png")
    assert names(tmp_path, ONE) == ["a", "a.png"]


def test_what_is_one_file_is_known_by_its_path_below_the_folder(tmp_path: Path) -> None:
    study = generate_uid()
    for name in ("two/1", "two/2"):
        film(tmp_path / name, study, "AP")
    alone = picture(tmp_path / "x" / "a.png")
    assert lone_files(find(tmp_path, TWO), tmp_path) == {"x/a": "x/a.png"}
    assert lone_files(find(alone, ONE), alone) == {"a": "a.png"}


def test_studies_are_opened_again_when_asked_for(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / name)
    found = {examination.name: examination for examination in find(tmp_path, ONE)}
    studies = Reopened(found, ["a", "b"])
    assert studies["a"] is studies["a"]
    assert studies["b"].id == "b"
    assert studies.get("c") is None
    explained = Explained(studies, lambda _study: [])
    assert explained.get("a") == []
    assert list(explained) == ["a", "b"]
    assert len(explained) == len(studies) == 2


@pytest.mark.parametrize("modality", ["OT", "SC", ""])
def test_exported_films_of_a_study_are_one_each_and_a_broken_file_beside_them_stops_none(tmp_path: Path, modality: str) -> None:
    film(tmp_path / "a.dcm", "1.2.3", "LL", modality=modality)
    film(tmp_path / "b.dcm", "1.2.3", "LL", modality=modality)
    (tmp_path / "c.dcm").touch()
    assert names(tmp_path, ONE) == ["a", "b", "c"]
    assert names(tmp_path, TWO) == [tmp_path.name], "a model of several views gets them together"


def test_a_screenshot_beside_slices_stays_with_them(tmp_path: Path) -> None:
    film(tmp_path / "one" / "a.dcm", "1.2.3", "", modality="MR")
    film(tmp_path / "one" / "b.dcm", "1.2.3", "", modality="OT")
    film(tmp_path / "two" / "a.dcm", "1.2.4", "", modality="MR")
    assert names(tmp_path, OwnReader()) == ["one", "two/a"]


def test_a_file_that_cannot_be_opened_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film(tmp_path / "a.dcm", "1.2.3", "LL")
    film(tmp_path / "b.dcm", "1.2.4", "LL")
    film(tmp_path / "c", "1.2.5", "LL")
    opened = Path.open

    def closed(path: Path, *how: object, **more: object) -> object:
        if path.stem in ("b", "c"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *how, **more)

    monkeypatch.setattr(Path, "open", closed)
    found = {one.name: one for one in find(tmp_path, ONE)}
    assert list(found) == ["a", "b", "c"]
    assert found["a"].open().images
    with pytest.raises(InputError, match="Permission denied"):
        found["b"].open()


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film(tmp_path / "a.dcm", "1.2.3", "LL")
    film(tmp_path / "closed" / "b.dcm", "1.2.4", "LL")
    monkeypatch.setattr("os.access", lambda path, _mode: Path(path).name != "closed")
    with pytest.raises(InputError, match=r"closed may not be read"):
        find(tmp_path, ONE)


def test_pictures_of_formats_that_no_reader_takes_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.bmp")
    picture(tmp_path / "c.png").rename(tmp_path / "c.webp")
    assert names(tmp_path, ONE) == ["a", "c.webp"], "what a file is, not what it is called, tells whether it can be read"
    assert "left out 1 picture of a format that cannot be read, such as b.bmp" in caplog.text


def test_links_to_folders_are_not_followed_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    films = tmp_path / "films"
    picture(films / "day" / "a.png")
    picture(tmp_path / "elsewhere" / "b.png")
    (films / "file.png").symlink_to(tmp_path / "elsewhere" / "b.png")
    assert names(films, ONE) == ["day/a", "file"], "a link to a film is one"
    assert not caplog.records
    for link, target in (("far", tmp_path / "elsewhere"), ("day/round", films), (".hidden", films)):
        (films / link).symlink_to(target, target_is_directory=True)
    assert names(films, ONE) == ["day/a", "file"]
    (said,) = caplog.messages
    assert said == f"{films}: 2 folders are links and were not read (day/round, far): give the folders that they lead to"


def test_the_table_of_subjects_beside_the_films_is_no_examination(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    with zipfile.ZipFile(tmp_path / "subjects.xlsx", "w") as table:
        table.writestr("[Content_Types].xml", "<Types/>")
    assert names(tmp_path, ONE) == ["a", "b"]
