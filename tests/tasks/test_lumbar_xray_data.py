"""The BUU-LSPINE reader on small layouts written by hand: what it keeps, what it leaves out and says, what it refuses."""

import copy

import numpy as np
import openpyxl
import pytest
from PIL import Image as Picture

from spinelab.core import InputError
from spinelab.tasks.lumbar_xray.annotations import endplates_of, read_annotation
from spinelab.tasks.lumbar_xray.data import examples

MIDDLES = np.array([20, 50, 60, 90, 100, 130, 140, 170, 180, 210, 220.0])


def lateral_lines(slip=0, level=3):
    """A lordotic spine that faces right; the vertebrae above ``level`` (3 is L4/L5) moved forward by ``slip`` pixels of 40."""
    tilt = np.radians(np.linspace(-20, 40, 11))
    between = (tilt[1:] + tilt[:-1]) / 2
    steps = np.array([30, 10] * 5)[:, None] * np.stack([-np.sin(between), np.cos(between)], -1)
    middle = np.cumsum(np.vstack([[100, 20], steps]), axis=0)
    half = 20 * np.stack([np.cos(tilt), np.sin(tilt)], -1)
    middle[: 2 * level + 2, 0] += slip
    return np.stack([middle - half, middle + half], 1)


def frontal_lines(offset=0, level=2):
    lines = np.zeros((10, 2, 2))
    lines[:, 0], lines[:, 1] = [80, 0], [120, 0]
    lines[:, :, 1] = MIDDLES[:10, None]
    lines[: 2 * level + 2, :, 0] += offset
    return lines


def table(lines, row=None, kind=0):
    classes = np.zeros(len(lines), int)
    if row is not None:
        classes[row] = kind
    return "".join(f"{a[0]:.3f},{a[1]:.3f},{b[0]:.3f},{b[1]:.3f},{c}\n" for (a, b), c in zip(lines, classes, strict=True))


def film(path, text=None, size=(200, 240)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.new("L", size, 90).save(path)
    if text is not None:
        path.with_suffix(".csv").write_text(text, encoding="utf-8")


def patient(root, number, sex="F", age=37, ap=None, la=None, views=("AP", "LA")):
    stem = f"{number:04d}-{sex}-{age:03d}Y"
    if "AP" in views:
        film(root / "AP" / f"{stem}0.jpg", ap or table(frontal_lines()))
    if "LA" in views:
        film(root / "LA" / f"{stem}1.jpg", la or table(lateral_lines()))


def subjects(root, rows, header=("Subject ID", "Gender", "Age (years)", "Diagnosis"), name="report.xlsx"):
    book = openpyxl.Workbook()
    for row in (header, *rows):
        book.active.append(row)
    book.save(root / name)


ANTERO = table(lateral_lines(12), row=7, kind=3)
LEFT = table(frontal_lines(8), row=5, kind=1)


def said(found, words):
    return any(words in note for note in found.notes)


def test_reads_patients_with_truth_measured_slip_and_facts(tmp_path):
    patient(tmp_path, 1)
    patient(tmp_path, 2, "M", 64, la=ANTERO)
    patient(tmp_path, 3, "F", 71, ap=LEFT)
    subjects(tmp_path, [("0001", "Female", 37, "Normal"), ("0002", "male", "64", "Anterolisthesis"), (3, "F", 71, 1)])
    found = examples(tmp_path)
    assert [e.id for e in found] == ["0001", "0002", "0003"]
    assert found.labels("disorder") == ["normal", "disordered", "disordered"]
    assert found.labels("subtype") == ["normal", "anterolisthesis", "left-laterolisthesis"]
    assert found.groups() == ["0001", "0002", "0003"]
    assert not found.phantom
    assert found.notes == ()
    antero, left = found[1].truth, found[2].truth
    assert antero.finding("listhesis", site="L4/L5").label == "anterolisthesis"
    assert antero.finding("Meyerding grade", site="L4/L5").label == "II"
    values = {(m.name, m.site): m.value for m in left.measurements}
    assert values["lateral offset", "L3/L4"] == pytest.approx(20)
    assert len(values) == 9
    assert np.allclose(endplates_of(antero.landmarks, "LATERAL"), lateral_lines(12), atol=1e-3)
    assert endplates_of([], "AP") is None
    assert (found[1].facts["sex"].value, found[1].facts["age_years"].value) == ("M", 64.0)
    assert sorted(found[0].files) == ["AP", "LATERAL"]


def test_opening_is_lazy_picklable_and_says_where_facts_come_from(tmp_path):
    patient(tmp_path, 7, "M", 45)
    study = copy.deepcopy(examples(tmp_path)[0].open)()  # goes through the protocol of crossing processes
    assert [i.view.value for i in study.images] == ["AP", "LATERAL"]
    assert [i.view.source for i in study.images] == ["folder AP", "folder LA"]
    assert (study.sex.value, study.sex.source, study.age_years.value) == ("M", "file name", 45)
    assert len(study.images[1].facts["endplates"].value) == 11
    assert study.images[0].facts["endplates"].source == "AP/0007-M-045Y0.csv"
    assert not study.images[0].spacing_mm.known


def test_spacing_from_the_table(tmp_path):
    patient(tmp_path, 7)
    subjects(tmp_path, [("0007-F-037Y", "[0.14, 0.14]")], header=("filename", "pixel_spacing"))
    found = examples(tmp_path)
    film_file = found[0].open.args[1][0]
    assert film_file.spacing_mm == (0.14, 0.14)
    assert "report.xlsx" in film_file.spacing_source


@pytest.mark.parametrize(
    "text",
    [
        "x1,y1,x2,y2,class\n" + ANTERO,
        "\ufeff" + ANTERO,
        ANTERO.replace(",", " , "),
        ANTERO.replace(",", ";"),
        ANTERO.replace(",", ";").replace(".", ","),
        ANTERO.replace(",", "\t"),
        "Label,X1,Y1,X2,Y2\n" + "".join(",".join([r.split(",")[4], *r.split(",")[:4]]) + "\n" for r in ANTERO.splitlines()),
        ANTERO.replace("\n", ",remark\r\n"),
        ANTERO + "\n\n",
        ANTERO.replace(",3\n", ",3.0\n"),
    ],
    ids=["header", "bom", "blanks", "semicolons", "decimal-commas", "tabs", "other-order", "extra-column", "empty-rows", "float-class"],
)
def test_forms_of_the_csv(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    found = read_annotation(path, "LATERAL")
    assert found.slips == (("L4/L5", 3),)
    assert np.allclose(found.endplates, lateral_lines(12), atol=1e-3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        (ANTERO.split("\n", 1)[1], "has 10 rows"),
        (ANTERO + ANTERO, "has 22 rows"),
        ("x1,y1,x2,class\n" + ANTERO, "lacks the column y2"),
        (ANTERO.replace(",3\n", "\n"), "has 4 of 5 values in row 8"),
        (ANTERO.replace(",3\n", ",nan\n"), "not finite in row 8"),
        (ANTERO.replace(",3\n", ",7\n"), "has class 7 in row 8"),
        (ANTERO.replace(",3\n", ",antero\n"), "antero' in row 8"),
        (table(lateral_lines()[[0, 1, 6, 7, 4, 5, 2, 3, 8, 9, 10]]), "do not follow one another"),
        (table(np.ones((11, 2, 2))), "same point"),
    ],
)
def test_an_unusable_csv_leaves_its_film_out_and_says_why(tmp_path, text, words):
    patient(tmp_path, 1)
    patient(tmp_path, 2, la=text or " ")
    found = examples(tmp_path)
    assert said(found, words)
    assert said(found, "neither a usable CSV nor the subject table")
    assert list(found[1].files) == ["AP"]


def test_missing_views_missing_csvs_and_stray_files(tmp_path):
    patient(tmp_path, 1)
    patient(tmp_path, 2, views=("AP",))
    patient(tmp_path, 3, views=("LA",), la=ANTERO)
    film(tmp_path / "LA" / "0004-F-050Y1.jpg")  # no CSV, no table: nothing says what it is
    (tmp_path / "AP" / "0009-F-050Y0.csv").write_text(table(frontal_lines()))
    film(tmp_path / "AP" / "scan.jpg")
    film(tmp_path / "AP" / "0005-F-050Y1.jpg", table(frontal_lines()))
    (tmp_path / "LA" / "0006-F-050Y1.jpg").write_bytes(b"")
    (tmp_path / "LA" / "0008-F-050Y1.jpg").write_text("not a picture")
    (tmp_path / "AP" / "._0001-F-037Y0.jpg").write_bytes(b"x")
    found = examples(tmp_path)
    assert [e.id for e in found] == ["0001", "0002", "0003"]
    assert [sorted(e.files) for e in found] == [["AP", "LATERAL"], ["AP"], ["LATERAL"]]
    assert found[1].truth.measurements[0].withheld == "no endplate lines of the LATERAL film"
    for words in (
        "0004-F-050Y1.jpg",
        "CSV files without a film (1): AP/0009-F-050Y0.csv",
        "name does not tell patient, sex, age and view (1): AP/scan.jpg",
        "different views (1): AP/0005-F-050Y1.jpg",
        "empty or no picture (2)",
        "Patients without a usable LATERAL film",
        "Patients without a usable AP film",
        "No subject table",
    ):
        assert said(found, words), words


def test_the_table_labels_films_without_csv_and_disagreements_are_named(tmp_path):
    film(tmp_path / "LA" / "0001-F-050Y1.jpg")
    film(tmp_path / "LA" / "0002-F-050Y1.jpg")
    patient(tmp_path, 3, "F", 30)
    patient(tmp_path, 4, "M", 40)
    patient(tmp_path, 5, la=ANTERO)
    patient(tmp_path, 6, la=ANTERO)
    patient(tmp_path, 8, views=("AP",))
    rows = [
        (1, "F", 50, "Retrolisthesis"),
        (2, "F", 50, "normal"),
        (3, "M", 30, "Normal"),
        (4, "M", 55, "Left Laterolisthesis"),
        (5, "F", 37, "Normal"),
        (6, "F", 60, "retro + anterolisthesis"),
        (7, "F", 1, "Normal"),
        (8, "F", "abc", "Anterolisthesis"),
    ]
    subjects(tmp_path, rows)
    found = examples(tmp_path)
    assert dict(zip([e.id for e in found], found.labels("subtype"), strict=True)) == {
        "0001": "retrolisthesis",
        "0002": "normal",
        "0003": "normal",
        "0006": "anterolisthesis",
        "0008": "anterolisthesis",  # what the missing lateral film would have shown
    }
    assert not found[2].facts["sex"].known
    assert "file name says F, report.xlsx says M" in found[2].facts["sex"].source
    assert not found[3].facts["age_years"].known
    for words in (
        "Sex set to unknown (1): 0003",
        "Age set to unknown (1): 0006",
        "contradict each other",
        "0004: CSV says normal",
        "0005: CSV says antero",
        "age 'abc'",
    ):
        assert said(found, words), words
    assert said(found, "Subjects of report.xlsx without a film")


def test_several_slips_count_as_the_greatest_and_a_reversed_mark_is_remarked(tmp_path):
    both = table(frontal_lines(20), row=5, kind=1)  # 50 % to the left
    patient(tmp_path, 1, ap=both, la=ANTERO)
    patient(tmp_path, 2, la=table(lateral_lines(12), row=7, kind=4))
    found = examples(tmp_path)
    assert found.labels("subtype") == ["left-laterolisthesis", "retrolisthesis"]
    assert said(found, "counted as left-laterolisthesis, the greatest slip (50 %)")
    assert said(found, "0002: L4/L5 is marked retrolisthesis and measures anterolisthesis")


def test_upper_case_png_endplates_outside_and_phantom_marker(tmp_path):
    film(tmp_path / "ap" / "0001-f-037y0.JPG", None)
    (tmp_path / "ap" / "0001-f-037y0.CSV").write_text(table(frontal_lines()))
    film(tmp_path / "la" / "0001-f-037y1.png", table(lateral_lines()), size=(90, 240))
    (tmp_path / "PHANTOM.json").write_text('{"generator": "spinelab"}')
    found = examples(tmp_path)
    assert found.phantom
    assert sorted(found[0].files) == ["AP", "LATERAL"]
    assert said(found, "reach outside the picture (1): la/0001-f-037y1.png")


def _wrong_layout(root):
    film(root / "normal" / "a.jpg")


def _two_people(root):
    patient(root, 1, "F", 37, views=("AP",))
    patient(root, 1, "M", 37, views=("LA",))


def _two_films(root):
    patient(root, 1, views=("AP",))
    film(root / "AP" / "0001-F-037Y0.png", table(frontal_lines()))


def _two_tables(root):
    patient(root, 1)
    subjects(root, [(1, "F", 37, "Normal")])
    subjects(root, [(1, "F", 37, "Normal")], name="other.xlsx")


def _broken_table(root):
    patient(root, 1)
    (root / "report.xlsx").write_bytes(b"PK not a workbook")


def _no_csv(root):
    film(root / "AP" / "0001-F-037Y0.jpg")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: None, "is empty"),
        (_wrong_layout, "holds normal"),
        (_two_people, "two sexes or ages"),
        (_two_films, "both the AP film"),
        (_two_tables, "2 tables"),
        (_broken_table, "report.xlsx cannot be read as a workbook"),
        (_no_csv, "no usable patient"),
        (lambda root: (root / "AP").mkdir(), "no film that can be used"),
    ],
)
def test_folders_that_are_refused(tmp_path, make, words):
    make(tmp_path)
    with pytest.raises(InputError) as error:
        examples(tmp_path)
    assert words in str(error.value)


def test_a_path_that_is_no_folder(tmp_path):
    with pytest.raises(InputError, match="not a folder"):
        examples(tmp_path / "nowhere")


def test_400_patients_are_read(tmp_path):
    patient(tmp_path, 1)
    picture, csvs = (tmp_path / "AP" / "0001-F-037Y0.jpg").read_bytes(), (table(frontal_lines()), table(lateral_lines()))
    for number in range(2, 401):
        for folder, view, text in (("AP", 0, csvs[0]), ("LA", 1, csvs[1])):
            path = tmp_path / folder / f"{number:04d}-M-050Y{view}.jpg"
            path.write_bytes(picture)
            path.with_suffix(".csv").write_text(text)
    subjects(tmp_path, [(n, "M" if n > 1 else "F", 50 if n > 1 else 37, "Normal") for n in range(1, 401)])
    found = examples(tmp_path)
    assert (len(found), found.notes) == (400, ())


def dicom(path, view):
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    data = pydicom.Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", generate_uid()
    data.Modality, data.ViewPosition, data.PatientID = "DX", view, "other"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 240, 200, 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelSpacing = [0.2, 0.2]
    data.PixelData = np.random.default_rng(0).integers(0, 4000, (240, 200), dtype=np.uint16).tobytes()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, data, enforce_file_format=True)


def test_dicom_films_are_read_and_a_contradicting_header_is_refused(tmp_path):
    dicom(tmp_path / "AP" / "0001-F-037Y0.dcm", "AP")
    dicom(tmp_path / "LA" / "0001-F-037Y1.dcm", "AP")
    for folder, lines in (("AP", frontal_lines()), ("LA", lateral_lines())):
        (tmp_path / folder / f"0001-F-037Y{int(folder == 'LA')}.csv").write_text(table(lines))
    found = examples(tmp_path)
    with pytest.raises(InputError, match="its header says AP"):
        found[0].open()
    dicom(tmp_path / "LA" / "0001-F-037Y1.dcm", "LL")
    study = examples(tmp_path)[0].open()
    assert [i.view.value for i in study.images] == ["AP", "LATERAL"]
    assert study.images[1].spacing_mm.value == (0.2, 0.2)
    assert study.patient.source == "file name"
