"""``read`` with a model that measures: one film, a folder, and one patient's films, from the file to the report."""

import csv
import errno
import gc
import html
import io
import json
import re
import weakref
import zipfile
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

import spinelab.io
from spinelab.core import Finding, InputError, Landmark, Measurement, Model, NotSureError, Quantity, Reference, Result, Run, Settings, Stroke, Task
from spinelab.serve import api, examinations, models
from spinelab.serve.cli.app import app


class Ruler(Task):
    """Measures the brightness of a film, as an angle: a task as small as the contract allows."""

    name, title, question, takes, gives, source = "ruler", "Ruler", "How bright?", "a film", "an angle", "none"
    settings_type = Settings

    def phantom(self, rng, difficulty="typical"):
        raise NotImplementedError

    def write_phantoms(self, out, *, n, seed, difficulty="typical", progress=None):
        raise NotImplementedError

    def examples(self, root):
        raise NotImplementedError

    def fit(self, examples, settings, run):
        raise NotImplementedError

    def target(self, settings):
        return ""

    def quantities(self, settings):
        return (Quantity("tilt", "deg", "Tilt", "Mean brightness"), Quantity("length", "mm", "Length"), Quantity("length", "px", "Length"))

    def predict(self, model, study):
        pixels = study.images[0].pixels
        if pixels.max() <= 1:
            raise NotSureError("This is no film of a spine", expected="a film", action="check the file")
        value = float(pixels.mean())
        length = Measurement("length", None, "mm", withheld="no pixel spacing"), Measurement("length", 5.0, "px")
        return Result(
            self.name,
            "ruler",
            study.id,
            (Finding("levels", "certain"),),
            (Measurement("tilt", value, "deg", interval=(value - 1, value + 1)), *length),
            (Landmark("T1", 3, 3),),
        )

    def drawing(self, result, settings=None):
        return (*super().drawing(result, settings), Stroke("line", ((1, 1), (9, 9)), "angle", "here", "angles", "tilt"))

    def reference(self, quantity, *, age_years, sex):
        return Reference(0, 90, "everybody", "Made up") if quantity.unit == "deg" and sex == "F" else None


@pytest.fixture
def model(monkeypatch):
    made = Model("ruler", Settings(), (), {}, {"phantom": True, "agreement": {"tilt_deg": {"mdc": 3.0}}})
    monkeypatch.setattr(models, "load", lambda _: (made, Ruler()))
    return made


def dicom(path: Path, value: int, *, day: str, patient: str, sex: str = "F", born: str = "") -> None:
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    film = pydicom.Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = SecondaryCaptureImageStorage
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = generate_uid()
    film.StudyInstanceUID, film.SeriesInstanceUID, film.Modality = generate_uid(), generate_uid(), "DX"
    film.PatientID, film.PatientSex, film.PatientBirthDate, film.StudyDate = patient, sex, born, day
    film.Rows, film.Columns, film.SamplesPerPixel, film.PhotometricInterpretation = 40, 20, 1, "MONOCHROME2"
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 8, 8, 7, 0
    film.PixelData = bytes([value + 1, max(value - 1, 0), *[value] * 798])
    film.save_as(path, enforce_file_format=True)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_one_film_is_decoded_once_and_told_as_a_phantom_models(model, tmp_path, monkeypatch):
    read, paths = spinelab.io.read, []
    monkeypatch.setattr(spinelab.io, "read", lambda path: paths.append(path) or read(path))
    dicom(tmp_path / "film.dcm", 40, day="20240101", patient="P1")
    (found,) = api.read(tmp_path / "film.dcm", model, tmp_path / "out")
    assert len(paths) == 1
    assert found.notes[0] == api.PHANTOM_NOTE
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["report.html", "report.pdf", "result.json"]
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Made up" in html
    assert ">here</text>" in html


def test_a_folder_compares_films_of_a_patient_and_keeps_refused_ones(model, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    dicom(films / "a.dcm", 40, day="20220101", patient="P1")
    dicom(films / "b.dcm", 50, day="20240101", patient="P1")
    dicom(films / "c.dcm", 0, day="20240101", patient="P2")
    (films / "d.dcm").write_bytes((films / "a.dcm").read_bytes()[:400])
    results = api.read(films, model, tmp_path / "out")
    assert len(results) == 4
    rows = {row["image"]: row for row in table(tmp_path / "out" / "measurements.csv")}
    assert set(rows) == {r.study for r in results}
    assert [name for name, row in rows.items() if row["tilt_deg"]] == ["a", "b"]
    assert "no film of a spine" in rows["c"]["notes"]
    assert [(row["patient"], row["date"], row["file"]) for row in rows.values()][1:] == [
        ("P1", "2024-01-01", "b.dcm"),
        ("P2", "2024-01-01", "c.dcm"),
        ("", "", "d.dcm"),
    ]
    assert all(row["notes"] for row in rows.values())
    (change,) = table(tmp_path / "out" / "changes.csv")
    assert (change["difference"], change["verdict"]) == ("10.0", "larger than landmark error")
    assert json.loads((tmp_path / "out" / "c" / "result.json").read_text())["measurements"] == []


@pytest.mark.parametrize("serial", [True, False])
def test_films_of_one_patient_that_contradict_each_other_are_told_everywhere(model, tmp_path, caplog, serial):
    films = tmp_path / "films"
    films.mkdir()
    dicom(films / "a.dcm", 40, day="20220101", patient="P1", born="19500101")
    dicom(films / "b.dcm", 50, day="20240101", patient="P1", born="20100101", sex="M")
    api.read(films, model, tmp_path / "out", serial=serial)
    (change,) = table(tmp_path / "out" / "changes.csv")
    assert change["verdict"] == "sex or age contradict each other: no statement"
    said = ("in the patient's sex: F on a; M on b.", "in the patient's age or date of birth: 72 years at 2022-01-01 on a; 14 years at 2024-01-01 on b.")
    pages = [html.unescape((tmp_path / "out" / page).read_text(encoding="utf-8")) for page in ("report.html", "a/report.html", "b/report.html")]
    for words in said:
        assert all(words in text for text in (caplog.text, *pages))
    assert all("larger than landmark error" not in page for page in pages)


def test_an_interrupted_reading_keeps_what_files_state_of_the_patient(model, tmp_path, monkeypatch, caplog):
    films = tmp_path / "films"
    films.mkdir()
    for name, day, sex in (("a", "20220101", "F"), ("b", "20230101", "M"), ("c", "20240101", "F")):
        dicom(films / f"{name}.dcm", 40, day=day, patient="P1", sex=sex)
    interrupt(films, model, tmp_path / "out", monkeypatch)
    api.read(films, model, tmp_path / "out", run=Run(resume=True))
    assert "F on a, c; M on b." in caplog.text


@pytest.mark.parametrize("where", ["predict", "drawing", "explain"])
def test_a_bug_at_one_film_costs_no_other_film_its_answer(model, three, tmp_path, monkeypatch, where):
    works = getattr(Ruler, where)

    def failing(self, *asked):
        if "b" in (getattr(one, "id", getattr(one, "study", None)) for one in asked):
            raise IndexError(3)
        return works(self, *asked)

    monkeypatch.setattr(Ruler, where, failing)
    said = CliRunner().invoke(app, ["read", str(three), "--model", "ruler", "--out", str(tmp_path / "out")])
    assert said.exit_code == 1, said.output
    assert "1 of 3 examinations could not be read because of an internal error" in said.stderr
    rows = {row["image"]: row for row in table(tmp_path / "out" / "measurements.csv")}
    assert {name: row["tilt_deg"] for name, row in rows.items()} == {"a": "50.0", "b": "", "c": "60.0"}
    assert "internal error (IndexError: 3); please report it" in rows["b"]["notes"]
    assert json.loads((tmp_path / "out" / "b" / "result.json").read_text(encoding="utf-8"))["measurements"] == []
    assert not (tmp_path / "out.work").exists()


def test_a_bug_in_decoding_is_not_met_again_by_its_page(model, three, tmp_path, monkeypatch):
    def failing(path, read=spinelab.io.read):
        if path.name == "b.dcm":
            raise IndexError(3)
        return read(path)

    monkeypatch.setattr(spinelab.io, "read", failing)
    results = api.read(three, model, tmp_path / "out")
    assert [bool(result.measurements) for result in results] == [True, False, True]
    assert "please report it" in (tmp_path / "out" / "b" / "report.html").read_text(encoding="utf-8")


def test_a_bug_at_a_film_alone_and_a_full_disk_end_the_reading(model, three, tmp_path, monkeypatch):
    def failing(*_, error):
        raise error

    monkeypatch.setattr(Ruler, "predict", partial(failing, error=KeyError(3)))
    with pytest.raises(KeyError):
        api.read(three / "a.dcm", model, tmp_path / "one")
    monkeypatch.setattr(Ruler, "predict", partial(failing, error=OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        api.read(three, model, tmp_path / "many")


def test_a_second_reading_is_not_mixed_with_the_first(model, tmp_path):
    dicom(tmp_path / "a.dcm", 40, day="20240101", patient="P1")
    dicom(tmp_path / "b.dcm", 50, day="20240101", patient="P2")
    api.read(tmp_path / "a.dcm", model, tmp_path / "out")
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for again in (lambda: api.read(tmp_path / "b.dcm", model, tmp_path / "out"), lambda: api.explain(tmp_path / "b.dcm", model, tmp_path / "out")):
        with pytest.raises(InputError, match=r"earlier work.*another --out, or delete"):
            again()
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == first


def test_serial_is_for_one_patient(model, tmp_path, monkeypatch):
    films = tmp_path / "films"
    films.mkdir()
    dicom(films / "a.dcm", 40, day="20220101", patient="P1")
    with pytest.raises(InputError, match="one film"):
        api.read(films, model, tmp_path / "one", serial=True)
    dicom(films / "b.dcm", 50, day="20240101", patient="")
    api.read(films, model, tmp_path / "two", serial=True)
    assert (tmp_path / "two" / "changes.csv").is_file()
    dicom(films / "c.dcm", 50, day="20240101", patient="P3")
    monkeypatch.setattr(Ruler, "predict", lambda *_: pytest.fail("a film was read before the patients were compared"))
    with pytest.raises(InputError, match="2 patients"):
        api.read(films, model, tmp_path / "three", serial=True)
    assert not (tmp_path / "three").exists()


def zipped(path: Path, *films: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for film in films:
            archive.write(film, film.name)
        archive.writestr("readme.txt", "no film")


def test_patients_in_archives_are_compared_before_anything_is_read(model, tmp_path, monkeypatch):
    films = tmp_path / "films"
    films.mkdir()
    for name, patient in (("a", "P1"), ("b", "P2"), ("c", "P1")):
        dicom(tmp_path / f"{name}.dcm", 40, day="20240101", patient=patient)
        zipped(films / f"{name}.zip", tmp_path / f"{name}.dcm")
    zipped(tmp_path / "both.zip", tmp_path / "a.dcm", tmp_path / "b.dcm")
    (films / "d.zip").write_bytes((films / "a.zip").read_bytes()[:60])
    monkeypatch.setattr(Ruler, "predict", lambda *_: pytest.fail("a film was read before the patients were compared"))
    for source in (films, tmp_path / "both.zip"):
        with pytest.raises(InputError, match="2 patients, such as P1 and P2"):
            api.read(source, model, tmp_path / "out", serial=True)
    monkeypatch.undo()
    monkeypatch.setattr(models, "load", lambda _: (model, Ruler()))
    (films / "b.zip").unlink()
    assert [bool(one.measurements) for one in api.read(films, model, tmp_path / "out", serial=True)] == [True, True, False]


def test_reading_ends_with_the_second_patient_whom_no_header_told(model, tmp_path, monkeypatch):
    films = tmp_path / "films"
    films.mkdir()
    for name, patient in (("a", "P1"), ("b", "P2"), ("c", "P3")):
        dicom(films / f"{name}.dcm", 40, day="20240101", patient=patient)
    monkeypatch.setattr(examinations, "patients", lambda _found: set())
    read = []
    monkeypatch.setattr(Ruler, "predict", lambda self, model, study, predict=Ruler.predict: read.append(study.id) or predict(self, model, study))
    with pytest.raises(InputError, match="2 patients"):
        api.read(films, model, tmp_path / "out", serial=True)
    assert read == ["a", "b"]


def interrupted_at(name, monkeypatch, ruler=Ruler):
    def stopped(self, model, study, predict=ruler.predict):
        if study.id == name:
            raise KeyboardInterrupt
        return predict(self, model, study)

    monkeypatch.setattr(ruler, "predict", stopped)


@pytest.mark.parametrize("measures", [True, False])
def test_an_interruption_loses_no_film_that_was_read(model, tmp_path, monkeypatch, measures):
    films = tmp_path / "films"
    films.mkdir()
    for n, name in enumerate("abc"):
        dicom(films / f"{name}.dcm", 40 + n, day="20240101", patient=f"P{n}")
    if not measures:
        monkeypatch.setattr(Ruler, "quantities", lambda *_: ())
    interrupted_at("c", monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        api.read(films, model, tmp_path / "out")
    kept = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "out").rglob("*.json")}
    assert {name: one["measurements"][0]["value"] for name, one in kept.items()} == {"a": 40.0, "b": 41.0}
    pages = {"report.html", "report.pdf", "result.json"}
    assert {path.name: {file.name for file in path.iterdir()} for path in (tmp_path / "out").iterdir()} == {"a": pages, "b": pages}


def test_an_interruption_of_its_heatmaps_keeps_the_answer(model, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    dicom(tmp_path / "a.dcm", 40, day="20240101", patient="P1")
    monkeypatch.setattr(Ruler, "explain", stopped)
    with pytest.raises(KeyboardInterrupt):
        api.read(tmp_path / "a.dcm", model, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))["measurements"][0]["value"] == 40.0


def test_every_film_of_a_folder_is_decoded_once_and_let_go(model, tmp_path, monkeypatch):
    films = tmp_path / "films"
    films.mkdir()
    for n in range(6):
        dicom(films / f"{n}.dcm", 40 + n, day="20240101", patient=f"P{n}")
    read, opened, alive = spinelab.io.read, [], []

    def remembered(path):
        study = read(path)
        opened.append(weakref.ref(study.images[0]))
        return study

    def counted(self, model, study, predict=Ruler.predict):
        gc.collect()
        alive.append(sum(one() is not None for one in opened))
        return predict(self, model, study)

    monkeypatch.setattr(spinelab.io, "read", remembered)
    monkeypatch.setattr(Ruler, "predict", counted)
    api.read(films, model, tmp_path / "out")
    assert len(opened) == 6
    assert max(alive) <= 2
    assert "6 films" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_an_earlier_film_that_is_read_later_is_told_on_the_page_that_was_written_before(model, tmp_path, monkeypatch):
    films = tmp_path / "films"
    films.mkdir()
    for name, value, day in (("a", 50, "20240101"), ("b", 40, "20220101"), ("c", 60, "20250101")):
        dicom(films / f"{name}.dcm", value, day=day, patient="P1")
    interrupted_at("c", monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        api.read(films, model, tmp_path / "part")
    assert "Change since" not in (tmp_path / "part" / "a" / "report.html").read_text(encoding="utf-8")
    monkeypatch.undo()
    monkeypatch.setattr(models, "load", lambda _: (model, Ruler()))
    api.read(films, model, tmp_path / "out")
    told = {name: (tmp_path / "out" / name / "report.html").read_text(encoding="utf-8") for name in "abc"}
    assert {name: re.findall(r"<h2>Change since (\S+)</h2>", html) for name, html in told.items()} == {
        "a": ["2022-01-01"],
        "b": [],
        "c": ["2024-01-01", "2022-01-01"],
    }


# --- going on after an interruption


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that a reading leaves but the PDFs, which tell the time of printing."""
    return {str(path.relative_to(folder)): b"" if path.suffix == ".pdf" else path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def three(tmp_path):
    """Two films of one patient, the later one first, and one of another patient."""
    films = tmp_path / "films"
    films.mkdir()
    for name, value, day, patient in (("a", 50, "20240101", "P1"), ("b", 40, "20220101", "P1"), ("c", 60, "20250101", "P2")):
        dicom(films / f"{name}.dcm", value, day=day, patient=patient)
    return films


def interrupt(films, model, out, monkeypatch, *, at="c", **how):
    """Read until a film, and return the names of those that are read from then on."""
    with monkeypatch.context() as stopping:
        interrupted_at(at, stopping)
        with pytest.raises(KeyboardInterrupt):
            api.read(films, model, out, **how)
    read = []
    monkeypatch.setattr(Ruler, "predict", lambda self, model, study, predict=Ruler.predict: read.append(study.id) or predict(self, model, study))
    return read


@pytest.mark.parametrize("measures", [True, False])
@pytest.mark.parametrize("at", ["a", "b", "c"])
def test_a_resumed_reading_reads_the_rest_and_leaves_what_one_go_leaves(model, three, tmp_path, monkeypatch, at, measures):
    if not measures:
        monkeypatch.setattr(Ruler, "quantities", lambda *_: ())
    whole = api.read(three, model, tmp_path / "whole", explain="none")
    read = interrupt(three, model, tmp_path / "out", monkeypatch, at=at, explain="none")
    resumed = api.read(three, model, tmp_path / "out", explain="none", run=Run(resume=True))
    assert read == [name for name in "abc" if name >= at]
    assert resumed == whole
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["films", "out", "whole"]


def test_a_film_of_another_content_is_read_again_and_a_new_one_too(model, three, tmp_path, monkeypatch):
    read = interrupt(three, model, tmp_path / "out", monkeypatch)
    dicom(three / "b.dcm", 45, day="20220101", patient="P1")
    dicom(three / "d.dcm", 70, day="20250101", patient="P3")
    api.read(three, model, tmp_path / "out", run=Run(resume=True))
    assert read == ["b", "c", "d"]
    rows = {row["image"]: row["tilt_deg"] for row in table(tmp_path / "out" / "measurements.csv")}
    assert rows == {"a": "50.0", "b": "45.0", "c": "60.0", "d": "70.0"}
    assert "45" in (tmp_path / "out" / "a" / "report.html").read_text(encoding="utf-8")


def test_a_film_whose_files_were_not_finished_is_read_again(model, three, tmp_path, monkeypatch):
    read = interrupt(three, model, tmp_path / "out", monkeypatch)
    (tmp_path / "out" / "a" / "result.json").unlink()
    lines = tmp_path / "out.work" / "finished.jsonl"
    lines.write_text(lines.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    api.read(three, model, tmp_path / "out", run=Run(resume=True))
    assert read == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"serial": True}, "serial was False, now True"),
        ({"explain": "none"}, "explain was .*, now None"),
        ({"films": "image,patient\nc.dcm,P2\n"}, "films was None, now"),
        ({"model": {"phantom": True, "other": 1}}, "model was .*, now"),
    ],
)
def test_another_model_or_other_settings_are_refused_by_name(model, three, tmp_path, monkeypatch, changed, said):
    interrupt(three, model, tmp_path / "out", monkeypatch)
    (three / "c.dcm").unlink()
    before = tree(tmp_path / "out")
    how = dict(changed)
    if "films" in how:
        (tmp_path / "films.csv").write_text(how["films"].replace("c.dcm,P2", "b.dcm,P1"), encoding="utf-8")
        how["films"] = tmp_path / "films.csv"
    record = how.pop("model", None)
    if record is not None:
        monkeypatch.setattr(models, "load", lambda _: (Model("ruler", Settings(), (), {}, record), Ruler()))
    with pytest.raises(InputError, match=said):
        api.read(three, model, tmp_path / "out", run=Run(resume=True), **how)
    assert tree(tmp_path / "out") == before


def test_a_film_that_vanishes_or_cannot_be_read_costs_no_other_its_answer(model, three, tmp_path):
    def progress(done, total, text):
        if text == "reading b":
            (three / "b.dcm").unlink()

    found = api.read(three, model, tmp_path / "out", run=Run(progress=progress))
    assert [bool(result.measurements) for result in found] == [True, False, True]
    assert found[1].notes[0].startswith("No answer: ")
    assert not (tmp_path / "out.work").exists()


def test_a_finished_film_that_cannot_be_read_any_more_is_answered_so_and_stops_no_other(model, three, tmp_path, monkeypatch):
    read = interrupt(three, model, tmp_path / "out", monkeypatch)

    def progress(done, total, text):
        if text == "reading a":
            (three / "a.dcm").unlink()

    found = api.read(three, model, tmp_path / "out", run=Run(resume=True, progress=progress))
    assert [bool(result.measurements) for result in found] == [False, True, True]
    assert read == ["c"]


def test_what_was_read_and_is_gone_is_refused(model, three, tmp_path, monkeypatch):
    interrupt(three, model, tmp_path / "out", monkeypatch)
    (three / "a.dcm").unlink()
    with pytest.raises(InputError, match=r"1 examination of the interrupted reading is not there any more \(a\)"):
        api.read(three, model, tmp_path / "out", run=Run(resume=True))


def test_without_resume_an_interrupted_reading_is_left_alone_and_a_finished_one_with_it_too(model, three, tmp_path, monkeypatch):
    interrupt(three, model, tmp_path / "out", monkeypatch)
    with pytest.raises(InputError, match=r"interrupted reading.*add --resume"):
        api.read(three, model, tmp_path / "out")
    api.read(three, model, tmp_path / "out", run=Run(resume=True))
    with pytest.raises(InputError, match="already holds earlier work"):
        api.read(three, model, tmp_path / "out", run=Run(resume=True))


def test_the_command_goes_on_with_resume(model, three, tmp_path, monkeypatch):
    read = interrupt(three, model, tmp_path / "out", monkeypatch)
    said = CliRunner().invoke(app, ["read", str(three), "--model", "ruler", "--out", str(tmp_path / "out"), "--resume"])
    assert said.exit_code == 0
    assert read == ["c"]
    assert "3 examinations" in said.output
