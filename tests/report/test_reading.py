"""The page, the PDF and the tables of measuring results: what a reader is told, and that nothing is lost or claimed too much."""

import base64
import csv
import dataclasses
import hashlib
import io
import itertools
import json
import math
import re
import zlib
from datetime import date

import numpy as np
import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth

from spinelab.core import Fact, Finding, Image, InputError, Landmark, Measurement, Quantity, Reference, Result, Stroke, Study, unknown
from spinelab.report import Visit, contradictions, write_results
from spinelab.report.film_drawing import arc, draw, holds
from spinelab.report.films import PAGE_PX, measured_film
from spinelab.report.pdf import Sheet, foot_text
from spinelab.report.reading import read_result, short_title
from spinelab.report.serial import DOUBTED, LARGER, UNKNOWN, WITHIN, find_series, half_width

QUANTITIES = (
    Quantity("cobb_max", "deg", "Largest Cobb angle", "Largest difference of mid-slopes"),
    Quantity("pi", "deg", "Pelvic incidence", "Perpendicular of S1 to the hip axis"),
    Quantity("sva", "mm", "Sagittal vertical axis", "C7 plumb line to S1"),
    Quantity("sva", "px", "Sagittal vertical axis", "C7 plumb line to S1"),
    Quantity("odha", "deg", "Odontoid-hip axis angle"),
)
RANGE = Reference(30.0, 50.0, "adults of 50 to 59 years", "Somebody 2020")
EVIL = '<script>alert("x")</script>&\'"'


def result(name="film", *, cobb=42.0, half=3.0, levels="certain", sva=True, **more):
    length = Measurement("sva", 21.0, "mm", interval=(18.0, 24.0)) if sva else Measurement("sva", None, "mm", withheld="no pixel spacing is stated")
    found = (
        Measurement("cobb_max", cobb, "deg", side="right", site="T9", interval=(cobb - half, cobb + half)),
        Measurement("pi", None, "deg", withheld="femoral heads are not on the film"),
        length,
        Measurement("sva", 150.0, "px", interval=(140.0, 160.0)),
        Measurement("odha", None, "deg", withheld="femoral heads are not on the film"),
    )
    chance = {"certain": 0.9, "uncertain": 0.1} if levels == "certain" else {"certain": 0.4, "uncertain": 0.6}
    findings = (Finding("levels", levels, chance), Finding("curve", "large", {"large": 0.7, "small": 0.3}))
    return Result("whole-spine", "unet", name, findings=findings, measurements=found, landmarks=(Landmark("T1", 20, 30),), **more)


def study(name="film", *, day="20240605", patient="P7", shape=(400, 200)):
    pixels = np.random.default_rng(0).integers(0, 4096, shape).astype(np.uint16)
    film = Image(pixels, view=Fact("LATERAL", "DICOM"), spacing_mm=Fact((0.15, 0.15), "DICOM ImagerPixelSpacing"))
    facts = {"StudyDate": Fact(day, "DICOM") if day else unknown("DICOM StudyDate absent")}
    patient_fact = Fact(patient, "DICOM PatientID") if patient else unknown("DICOM PatientID absent")
    return Study(name, images=(film,), patient=patient_fact, sex=Fact("F", "DICOM"), age_years=Fact(54.0, "DICOM"), facts=facts)


STROKES = (
    Stroke("polygon", ((20, 30), (60, 30), (60, 60), (20, 60)), "outline", layer="vertebrae"),
    Stroke("line", ((10, 30), (90, 40)), "endplate", layer="Cobb angles", measurement="cobb_max"),
    Stroke("arc", ((150, 200), (100, 200), (100, 150)), "angle", "42°", layer="Cobb angles", measurement="cobb_max"),
    Stroke("point", ((20, 30),), "landmark", "T1_superior_image_left"),
    Stroke("point", ((60, 300),), "uncertain", "L5_inferior_image_left"),
    Stroke("line", ((100, -50), (100, 450)), "plumb", "C7PL", layer="balance", measurement="sva"),
    Stroke("label", ((70, 45),), "outline", "T1", layer="vertebrae"),
)


def write(results, folder, **more):
    studies = more.pop("studies", {r.study: study(r.study) for r in results})
    settings = {"phantom_model": False, "quantities": QUANTITIES, "references": {r.study: {"cobb_max": RANGE} for r in results}} | more
    return write_results(results, folder, studies=studies, drawings={r.study: STROKES for r in results}, **settings)


def words(html):
    body = re.sub(r"<(script|style).*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split()).replace("&#39;", "'")


def pdf_text(content):
    """Text of a PDF as it is shown, in the order of its streams."""
    shown = []
    for body in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        try:
            plain = zlib.decompress(body)
        except zlib.error:
            continue
        shown += [re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), part).decode("cp1252") for part in re.findall(rb"\((.*?)(?<!\\)\) Tj", plain)]
    return " ".join(" ".join(shown).replace("\\(", "(").replace("\\)", ")").replace(" °", "°").split())


def test_one_film_gives_page_pdf_and_result(tmp_path):
    path = write([result()], tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.pdf", "result.json"]
    assert json.loads((tmp_path / "result.json").read_text())["measurements"][1]["withheld"] == "femoral heads are not on the film"
    text = words(path.read_text(encoding="utf-8"))
    for expected in (
        "42.0° Largest Cobb angle T9, right Largest difference of mid-slopes 39.0 to 45.0 30.0 to 50.0 1 inside",
        "21.0 mm Sagittal vertical axis C7 plumb line to S1; 150 px on the film",
        "The range of 95 % of adults of 50 to 59 years. Somebody 2020",
        "Pelvic incidence · Odontoid-hip axis angle femoral heads are not on the film",
        "Left and right are the patient's own.",
        "The vertebrae are named with certainty (probability 0.90)",
        "More likely than not: probability 0.70",
        "Patient P7 Sex female Age 54 years Date of the film 2024-06-05 View LATERAL Film 200 × 400 pixels Pixel size 0.15 mm DICOM ImagerPixelSpacing",
    ):
        assert expected in text, expected


def test_another_rule_is_off_until_asked_for_and_stands_last(tmp_path):
    rule = Stroke("line", ((10, 300), (90, 310)), "comparison", "AASCE", layer="AASCE rule", measurement="cobb_max")
    asked = (dataclasses.replace(QUANTITIES[0], comparison=True), *QUANTITIES[1:])
    settings = {"phantom_model": False, "quantities": asked, "studies": {"film": study()}}
    path = write_results([result()], tmp_path, drawings={"film": (*STROKES, rule)}, **settings)
    html = path.read_text(encoding="utf-8")
    assert re.findall(r'id="layer-\d"( checked)?><label[^>]*><svg.*?</svg>([\w ]+)</label>', html)[-1] == ("", "AASCE rule")
    assert html.count(" checked><label") == 4
    assert 'stroke-dasharray="2.5 3.0"' in html
    assert words(html).index("Sagittal vertical axis C7") < words(html).index("Largest Cobb angle T9")
    printed = pdf_text((tmp_path / "report.pdf").read_bytes())
    assert "42°" in printed
    assert "AASCE" not in printed
    assert "another rule" not in printed
    assert "small: 0.30" in printed


def test_findings_are_called_by_their_titles(tmp_path):
    films = [dataclasses.replace(result(name), findings=(Finding("pt_modifier", "+"), Finding("sva_modifier", None))) for name in ("a", "b")]
    titles = {"pt_modifier": "SRS-Schwab PT modifier", "sva_modifier": "SRS-Schwab SVA modifier"}
    write(films, tmp_path, titles=titles)
    page = words((tmp_path / "a" / "report.html").read_text(encoding="utf-8"))
    assert "SRS-Schwab PT modifier +" in page
    assert "No answer: SRS-Schwab SVA modifier." in page
    assert "SRS-Schwab PT modifier: + SRS-Schwab SVA modifier: no answer" in words((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "SRS-Schwab SVA modifier: no answer" in pdf_text((tmp_path / "a" / "report.pdf").read_bytes())
    for table in ("measurements.csv", "results.csv"):
        row = next(csv.DictReader(io.StringIO((tmp_path / table).read_text(encoding="utf-8"))))
        assert (row["SRS-Schwab PT modifier"], row["SRS-Schwab SVA modifier"]) == ("'+", "")


def test_the_page_allows_its_own_script_and_no_other(tmp_path):
    html = write([result(EVIL, notes=(EVIL,))], tmp_path, studies={EVIL: study(EVIL)}).read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\">" in html
    assert "alert" not in script
    assert html.count("<script") == 1
    assert not re.search(r"(src|href)=\"(?!data:image/jpeg|#)", html)


def test_layers_switch_without_script_and_rows_know_their_marks(tmp_path):
    html = write([result()], tmp_path).read_text(encoding="utf-8")
    svg = html[html.index('<svg id="film"') : html.index("</svg>", html.index('<svg id="film"'))]
    assert 'viewBox="-0.5 -0.5 200.0 400.0"' in svg
    for n, layer in enumerate(("vertebrae", "Cobb angles", "landmarks", "balance")):
        assert f"#layer-{n}:not(:checked) ~ .stage .layer-{n}" in html
        assert re.search(rf'<label for="layer-{n}">.*?{layer}</label>', html)
    assert svg.count('data-q="cobb_max"') == 3
    assert html.count('<tr data-q="cobb_max"') == 1
    ring = re.search(r"<circle[^>]*>", svg)[0]
    assert 'stroke="#ff9a1f"' in ring
    assert 'stroke-dasharray="5.0 3.5"' in ring
    assert re.search(r'<text class="layer-2 name"[^>]*>T1_superior_image_left</text>', svg)


def test_phantoms_come_first_and_uncertain_levels_are_loud(tmp_path):
    html = write([result(levels="uncertain")], tmp_path, phantom_model=True).read_text(encoding="utf-8")
    text = words(html[html.index("<body>") :])
    assert text.startswith("Trained on phantoms.")
    assert "The levels are not certain. The probability that every vertebra has its right name is 0.40." in text
    assert 'role="alert"' in html
    printed = pdf_text((tmp_path / "report.pdf").read_bytes())
    assert printed.startswith("Trained on phantoms.")
    assert "The levels are not certain." in printed


def test_the_pdf_says_the_same_and_can_be_searched(tmp_path):
    write([result(sva=False)], tmp_path, model_summary={"patients": 12})
    content = (tmp_path / "report.pdf").read_bytes()
    printed = pdf_text(content)
    assert b"/DCTDecode" in content
    assert len(re.findall(rb"/Type /Page\b", content)) == 1
    for expected in (
        "42.0°",
        "39.0 to 45.0",
        "Largest difference of mid-slopes",
        "150 px",
        "Not measured, and why",
        "femoral heads are not on the film",
        "no pixel spacing is stated",
        "page 1 of 1",
    ):
        assert expected in printed, expected
    assert "C7PL" in printed
    assert "T1_superior_image_left" not in printed
    assert b"/Title (film: whole-spine)" in content


def test_names_in_other_scripts_are_printed_with_an_embedded_font(tmp_path):
    name = "Иванова Ω"
    write([result(name)], tmp_path, studies={name: study(name)})
    content = (tmp_path / "report.pdf").read_bytes()
    assert b"DejaVuSans" in content
    assert b"/FontFile2" in content


@pytest.mark.parametrize("name", ["\udcff\x07&<b>", "漢字", "x" * 300, "W " * 500])
def test_no_name_keeps_a_report_from_being_written(tmp_path, name):
    odd = result(name, notes=(name,))
    odd = dataclasses.replace(odd, measurements=(Measurement("cobb_max", None, "deg", withheld=name),), model=name)
    write([odd], tmp_path, studies={name: study(name, patient=name)}, model_summary={name: name})
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_long_names_leave_the_page_number_and_the_word_about_phantoms_to_be_read(tmp_path):
    """The foot ran under the number of the page, and what it ended with was lost."""
    for study_name, model in (("W" * 200, "unet"), ("film", "W" * 200), ("W" * 200, "M" * 200), ("漢" * 200, "unet"), ("film", "unet")):
        found = dataclasses.replace(result(study_name), model=model)
        sheet = Sheet(read_result(found, (), {}), None, "", phantom=True, summary={})
        font, text = foot_text(sheet, 400.0)
        assert text.endswith("|   Trained on phantoms")
        assert stringWidth(text, font, 7) <= 400
        assert ("..." in text) == (len(study_name + model) > 200)
    write([result("W" * 200)], tmp_path, studies={"W" * 200: study("W" * 200)}, phantom_model=True)
    assert "page 1 of" in pdf_text((tmp_path / "report.pdf").read_bytes())


def test_a_long_table_goes_on_on_the_next_page(tmp_path):
    many = tuple(Quantity(f"angle_{n}", "deg", f"Angle {n}", "Between two lines that a sentence describes in every detail that matters") for n in range(40))
    measured = tuple(Measurement(q.name, float(n), "deg", interval=(n - 1.0, n + 1.0)) for n, q in enumerate(many))
    write([dataclasses.replace(result(), measurements=measured)], tmp_path, quantities=many, references={})
    printed = pdf_text((tmp_path / "report.pdf").read_bytes())
    assert all(f"Angle {n}" in printed for n in range(40))
    assert "page 2 of" in printed


@pytest.mark.parametrize("shape", [(200, 400), (3000, 900), (64, 64)])
def test_every_shape_of_film_is_shown_whole(tmp_path, shape):
    write([result()], tmp_path, studies={"film": study(shape=shape)})
    film, notes = measured_film(study(shape=shape), ())
    assert notes == []
    assert (film.drawing.height, film.drawing.width) == shape
    import cv2

    seen = cv2.imdecode(np.frombuffer(film.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert max(seen.shape) == min(max(shape), PAGE_PX)


def test_strokes_belong_to_the_film_that_holds_them():
    wide, tall = np.zeros((100, 900), np.uint8), np.zeros((900, 100), np.uint8)
    pair = Study("two", images=(Image(tall, view=Fact("AP", "x")), Image(wide, view=Fact("LATERAL", "x"))))
    strokes = (Stroke("line", ((700, 20), (800, 40)), "endplate"),)
    film, _ = measured_film(pair, strokes)
    assert film.view == "LATERAL"
    assert holds(strokes, (100, 900))
    assert not holds(strokes, (900, 100))


def test_an_arc_runs_on_the_shorter_side():
    points = arc(((10, 0), (0, 0), (0, 5)))
    assert points[0] == pytest.approx((10, 0))
    assert points[-1] == pytest.approx((0, 10))
    assert all(math.hypot(*p) == pytest.approx(10) and p[0] > -1e-9 and p[1] > -1e-9 for p in points)
    back = arc(((-10, 1), (0, 0), (-10, -1)))
    assert max(x for x, _ in back) < 0


def test_texts_stay_on_the_film_and_apart():
    strokes = [Stroke("label", ((190.0, y),), "angle", f"{n} degrees") for n, y in enumerate((100.0, 101.0, 102.0))]
    drawing = draw(strokes, width=200, height=400)
    boxes = []
    for mark in drawing.marks:
        length = 0.66 * drawing.text_px * len(mark.text)
        left = mark.points[0][0] - (length if mark.leftward else 0)
        assert left >= 0
        assert left + length <= 200
        boxes.append((left, mark.points[0][1]))
    assert len({round(y) for _, y in boxes}) == 3


def test_texts_at_one_place_of_a_crowded_film_stay_apart():
    drawing = draw([Stroke("label", ((190.0, 200.0 + n),), "angle", f"{n} degrees") for n in range(16)], width=200, height=400)
    heights = sorted(mark.points[0][1] for mark in drawing.marks)
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 1.09 * drawing.text_px


def test_the_picture_has_room_for_what_leaves_the_film_but_plumb_lines():
    lines = [Stroke("line", ((100, -90), (100, 450)), "plumb"), Stroke("line", ((150, 100), (220, 100)), "endplate")]
    left, top, width, height = draw(lines, width=200, height=400).frame
    assert (left, top, height) == (-0.5, -0.5, 400)
    assert 220 < left + width < 226
    far = draw([Stroke("line", ((-9000, 100), (150, 100)), "endplate")], width=200, height=400)
    assert far.frame == (-50.5, -0.5, 250, 400)
    assert draw((), width=200, height=400).frame == (-0.5, -0.5, 200, 400)


def test_wide_letters_have_room_on_the_film():
    """In DejaVu Sans Bold, which Linux shows pages in, ``SVA 61 mm`` is 6.44 and ``−20 mm`` 4.66 heights of the text long."""
    for text, length in (("SVA 61 mm", 6.44), ("−20 mm", 4.66)):
        for x in (2.0, 198.0):
            drawing = draw([Stroke("label", ((x, 100.0),), "distance", text)], width=200, height=400)
            (mark,) = drawing.marks
            left = mark.points[0][0] - (length * drawing.text_px if mark.leftward else 0)
            assert left >= 0
            assert left + length * drawing.text_px <= 200


def test_what_is_not_finite_is_not_drawn():
    strokes = [Stroke("line", ((math.nan, 1.0), (2.0, 3.0)), "angle"), Stroke("polygon", ((0, 0), (1, 1)), "outline"), Stroke("label", (), "angle", "x")]
    assert draw(strokes, width=10, height=10).marks == ()


@pytest.mark.parametrize(
    ("value", "interval", "standing", "outside"),
    [
        (40.0, (38.0, 42.0), "inside", False),
        (49.0, (46.0, 52.0), "inside; the interval crosses the limit", False),
        (53.0, (49.0, 57.0), "above; the interval crosses the limit", False),
        (60.0, (55.0, 65.0), "above", True),
        (20.0, None, "below", True),
    ],
)
def test_where_a_value_stands_depends_on_its_interval(value, interval, standing, outside):
    one = Result("t", "m", "s", measurements=(Measurement("cobb_max", value, "deg", interval=interval),))
    row = read_result(one, QUANTITIES[:1], {"cobb_max": RANGE}).rows[0]
    assert (row.standing, row.outside) == (standing, outside)
    assert row.strip.low < row.strip.high


def test_pixels_have_no_usual_range_and_nothing_promised_is_forgotten():
    one = Result("t", "m", "s", measurements=(Measurement("sva", 10.0, "px"), Measurement("odd", 2.0, "furlong")))
    reading = read_result(one, QUANTITIES, {"sva": RANGE})
    assert [(row.title, row.unit, row.usual) for row in reading.rows] == [("Sagittal vertical axis", " px", ""), ("Odd", " furlong", "")]
    missing = {title for group in reading.withheld for title in group.titles}
    assert missing == {"Largest Cobb angle", "Pelvic incidence", "Sagittal vertical axis", "Odontoid-hip axis angle"}


def test_a_folder_of_films_loses_none(tmp_path):
    refused = Result("whole-spine", "unet", "chest.dcm", notes=("No answer: chest.dcm is no film of a spine. Expected: a lateral film.",))
    results = [result("a"), result("=b", levels="uncertain", sva=False), refused]
    path = write(results, tmp_path, studies={"a": study("a", day=None, patient=None), "=b": study("=b", patient="other")})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "chest.dcm", "measurements.csv", "report.html", "results.csv"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "measurements.csv").read_text(encoding="utf-8"))))
    first = list(rows[0])
    assert first[:5] == ["image", "cobb_max_deg", "cobb_max_deg_lo", "cobb_max_deg_hi", "cobb_max_deg_withheld"]
    assert first[-5:] == ["patient", "date", "file", "levels_certainty", "notes"]
    assert [row["image"] for row in rows] == ["a", "'=b", "chest.dcm"]
    assert [row["levels_certainty"] for row in rows] == ["0.9", "0.4", ""]
    assert (rows[0]["cobb_max_deg"], rows[0]["cobb_max_deg_lo"], rows[0]["cobb_max_deg_hi"], rows[0]["cobb_max_deg_side"]) == ("42.0", "39.0", "45.0", "right")
    assert rows[1]["sva_mm_withheld"] == "no pixel spacing is stated"
    assert rows[2]["cobb_max_deg_withheld"].startswith("the film was not read")
    assert "no film of a spine" in rows[2]["notes"]
    html = path.read_text(encoding="utf-8")
    text = words(html)
    assert "3 films" in text
    assert "2 measured, 1 not read (the row says why), 1 with uncertain levels" in text
    assert "Not read: chest.dcm is no film of a spine." in text
    assert html.count("data:image/jpeg") == 2
    for folder in ("a", "b", "chest.dcm"):
        assert {"report.html", "report.pdf", "result.json"} <= {p.name for p in (tmp_path / folder).iterdir()}
    assert "Not read." in words((tmp_path / "chest.dcm" / "report.html").read_text(encoding="utf-8"))


def test_the_overview_is_narrow_and_keeps_findings_and_refusals_in_sight(tmp_path):
    refused = Result("whole-spine", "unet", "chest.dcm", notes=("No answer: chest.dcm is no film of a spine. Expected: a lateral film.",))
    page = write([result("a"), refused], tmp_path).read_text(encoding="utf-8")
    assert '<th scope="col" class="n" title="Pelvic incidence">PI (°)</th>' in page
    assert '<th scope="col" class="n" title="Largest Cobb angle">Cobb max (°)</th>' in page
    assert '<th scope="col" class="n" title="Sagittal vertical axis">SVA (mm)</th>' in page
    assert '<th scope="row" class="model" colspan="5"><a href="chest.dcm/report.html">chest.dcm</a><span class="refused">Not read:' in page
    assert re.search(r'<a href="a/report.html">a</a><span class="found">Curve: <b>large</b>: 0.70</span></th>', page)


def test_a_probability_is_not_broken_over_two_lines(tmp_path):
    sure = dataclasses.replace(result("b"), findings=(Finding("curve", "large", {"large": 0.9999, "small": 0.0001}),))
    page = write([result("a"), sure], tmp_path).read_text(encoding="utf-8")
    assert "Curve: <b>large</b>: &gt;\N{NO-BREAK SPACE}0.99</span>" in page
    assert "&lt;\N{NO-BREAK SPACE}0.001" in (tmp_path / "b" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "title", "short"),
    [
        ("l4_s1", "Lordosis L4-S1", "L4-S1"),
        ("pi_ll", "Pelvic incidence minus lumbar lordosis", "PI-LL"),
        ("t1_slope", "T1 slope", "T1 slope"),
        ("pt", "Pelvic tilt", "PT"),
        ("tilt", "Tilt", "Tilt"),
        ("t1_l5_offset", "T1 to L5 offset", "T1 L5 offset"),
        ("cobb_main_thoracic", "Main thoracic Cobb angle", "Cobb main thoracic"),
        ("cobb_max", "Largest Cobb angle by the AASCE rule", "Cobb max"),
    ],
)
def test_heads_of_narrow_columns(name, title, short):
    assert short_title(Quantity(name, "deg", title)) == short


def test_a_film_that_cannot_be_opened_again_keeps_its_page(tmp_path):
    class Gone(dict):
        def get(self, key, default=None):
            raise InputError("film.dcm is gone", expected="the file", action="look for it")

    text = words(write([result()], tmp_path, studies=Gone(film=None)).read_text(encoding="utf-8"))
    assert "The film is not shown: film.dcm is gone" in text
    assert "42.0°" in text


def test_one_day_is_one_day():
    (series,) = find_series([result("a"), result("b", cobb=44.0)], visits(a=date(2024, 1, 1), b=date(2024, 1, 2)), QUANTITIES, agreement={}, one_patient=True)
    assert series.follow_ups[0].interval == "1 day"


def test_half_width_of_a_difference_is_added_in_quadrature():
    before, after = Measurement("x", 40.0, "deg", interval=(37.0, 43.0)), Measurement("x", 50.0, "deg", interval=(46.0, 54.0))
    assert half_width(before, after) == pytest.approx(5.0)
    assert half_width(before, Measurement("x", 1.0, "deg")) is None


def visits(**days):
    return {name: Visit("P7", day) for name, day in days.items()}


def test_change_is_told_against_measurement_error():
    films = [result("new", cobb=47.0), result("old", cobb=42.0), result("middle", cobb=45.0)]
    days = visits(old=date(2021, 1, 1), middle=date(2022, 1, 1), new=date(2023, 1, 1))
    (series,) = find_series(films, days, QUANTITIES, agreement={}, one_patient=False)
    assert [name for name, _ in series.films] == ["old", "middle", "new"]
    assert [(one.earlier, one.later) for one in series.follow_ups] == [("old", "middle"), ("middle", "new"), ("old", "new")]
    verdicts = {one.earlier + one.later: one.changes[0].verdict for one in series.follow_ups}
    assert verdicts == {"oldmiddle": WITHIN, "middlenew": WITHIN, "oldnew": LARGER}
    change = series.follow_ups[2].changes[0]
    assert (change.difference, change.mdc_films) == (pytest.approx(5.0), pytest.approx(3 * math.sqrt(2)))
    assert [c.column for c in series.follow_ups[2].changes] == ["cobb_max_deg", "sva_mm"]


def test_the_held_out_error_counts_where_it_is_larger():
    films, days = [result("old", cobb=42.0), result("new", cobb=47.0)], visits(old=date(2021, 1, 1), new=date(2023, 1, 1))
    for mdc, verdict in ((4.0, LARGER), (6.0, WITHIN), ({"value": 6.0, "lo": 5.0, "hi": 7.0}, WITHIN), (math.nan, LARGER)):
        (series,) = find_series(films, days, QUANTITIES, agreement={"cobb_max_deg": {"mdc": mdc}}, one_patient=False)
        assert series.follow_ups[0].changes[0].verdict == verdict
    bare = [dataclasses.replace(f, measurements=(Measurement("cobb_max", 10.0 * n, "deg"),)) for n, f in enumerate(films)]
    (series,) = find_series(bare, days, QUANTITIES, agreement={}, one_patient=False)
    assert series.follow_ups[0].changes[0].verdict == UNKNOWN


def test_a_held_out_error_in_pixels_counts_in_the_films_millimetres():
    days = visits(old=date(2021, 1, 1), new=date(2023, 1, 1))
    (old, new) = (
        dataclasses.replace(result(name), measurements=(Measurement("sva", mm, "mm"), Measurement("sva", 100.0, "px")))
        for name, mm in (("old", 10.0), ("new", 20.0))
    )
    for agreement, mdc in (
        ({"sva_px": {"mdc": 8.0}}, 8 * math.sqrt((0.1**2 + 0.2**2) / 2)),
        ({"sva_px": {"mdc": 8.0}, "sva_mm": {"mdc": 3.0}}, 3.0),
        ({}, None),
    ):
        (series,) = find_series([old, new], days, QUANTITIES, agreement=agreement, one_patient=False)
        assert series.follow_ups[0].changes[0].mdc_held_out == (None if mdc is None else pytest.approx(mdc))


def test_without_dates_no_change_is_claimed():
    films = [result("a"), result("b", cobb=60.0)]
    (series,) = find_series(films, visits(a=None, b=date(2023, 1, 1)), QUANTITIES, agreement={}, one_patient=False)
    assert series.follow_ups == ()
    assert "Order unknown: no date is stated for a." in series.remarks[0]
    (series,) = find_series(films, visits(a=date(2023, 1, 1), b=date(2023, 1, 1)), QUANTITIES, agreement={}, one_patient=False)
    assert series.follow_ups == ()
    assert "one day" in series.remarks[0]


def test_a_picture_that_stands_twice_is_compared_once_and_with_two_dates_not_at_all():
    films = [result("a"), result("copy"), result("new", cobb=60.0)]
    one_day = visits(a=date(2021, 1, 1), copy=date(2021, 1, 1), new=date(2023, 1, 1))
    (series,) = find_series(films, one_day, QUANTITIES, agreement={}, one_patient=False)
    assert [(one.earlier, one.later) for one in series.follow_ups] == [("a", "new")]
    assert "a and copy are the same picture, which is compared once." in series.remarks
    two_days = visits(a=date(2021, 1, 1), copy=date(2022, 1, 1), new=date(2023, 1, 1))
    (series,) = find_series(films, two_days, QUANTITIES, agreement={}, one_patient=False)
    assert series.follow_ups == (), "a picture that is its own follow-up would pass for a patient who has not changed"
    assert any("a and copy are the same picture, and state different dates" in remark for remark in series.remarks)


def test_films_belong_together_by_patient_or_by_word():
    films, nobody = [result("a"), result("b", cobb=43.0)], {"a": Visit(None, date(2021, 1, 1)), "b": Visit(None, date(2022, 1, 1))}
    assert find_series(films, nobody, QUANTITIES, agreement={}, one_patient=False) == []
    assert len(find_series(films, nobody, QUANTITIES, agreement={}, one_patient=True)[0].follow_ups) == 1
    two = {"a": Visit("P1", date(2021, 1, 1)), "b": Visit("P2", date(2022, 1, 1))}
    assert find_series(films, two, QUANTITIES, agreement={}, one_patient=False) == []


def test_a_curve_that_changed_sides_is_not_compared():
    old = result("old")
    flipped = (dataclasses.replace(old.measurements[0], side="left"), *old.measurements[1:])
    films = [old, dataclasses.replace(result("new", levels="uncertain"), measurements=flipped)]
    (series,) = find_series(films, visits(old=date(2021, 1, 1), new=date(2022, 1, 1)), QUANTITIES, agreement={}, one_patient=False)
    (one,) = series.follow_ups
    assert [c.column for c in one.changes] == ["sva_mm"]
    assert any("its side changed from right to left" in remark for remark in one.remarks)
    assert any("levels of one of the films are not certain" in remark for remark in one.remarks)


def test_films_whose_files_contradict_each_other_in_sex_are_not_judged():
    films = [result("old", cobb=42.0), result("middle", cobb=45.0), result("new", cobb=62.0)]
    days = {name: Visit("P7", date(year, 1, 1), sex) for name, year, sex in (("old", 2021, "F"), ("middle", 2022, None), ("new", 2023, "M"))}
    (series,) = find_series(films, days, QUANTITIES, agreement={}, one_patient=False)
    assert series.remarks[0].startswith("The files contradict each other in the patient's sex: F on old; M on new. A file is wrong, or")
    verdicts = {one.earlier + one.later: {c.verdict for c in one.changes} for one in series.follow_ups}
    assert verdicts["oldnew"] == {DOUBTED}
    assert DOUBTED not in verdicts["oldmiddle"] | verdicts["middlenew"], "a sex that is not stated contradicts nothing"
    told = {one.earlier + one.later: one.remarks for one in series.follow_ups}
    assert "contradict each other in sex or age" in told["oldnew"][-1] + told["oldnew"][0]
    assert told["oldmiddle"] == ()


def test_ages_contradict_each_other_by_the_dates_of_the_films():
    def told(*stated):
        return contradictions({name: Visit("P7", None if year is None else date(year, 6, 1), None, age) for name, year, age in stated})

    assert told(("a", 2010, 12.0), ("b", 2024, 26.0)) == []
    assert told(("a", 2010, 12.0), ("b", 2024, 28.0)) == [], "ages are rounded, and now and then stated of another day"
    assert told(("a", 2010, 12.0), ("b", 2024, None), ("c", None, 70.0)) == []
    (said,) = told(("a", 2010, 12.0), ("b", 2024, 12.0), ("c", 2024, 26.0))
    assert said.startswith("The files contradict each other in the patient's age or date of birth: 12 years at 2010-06-01 on a; 12 years at 2024-06-01 on b.")
    assert contradictions({"a": Visit(sex="O"), "b": Visit(sex="F")}) == []
    assert len(contradictions({"a": Visit("P", date(2020, 1, 1), "F", 20), "b": Visit("P", date(2020, 1, 1), "M", 50)})) == 2


@pytest.mark.parametrize(("text", "expected"), [("20240605", date(2024, 6, 5)), ("2024.06.05", date(2024, 6, 5)), ("20241399", None), ("", None), (None, None)])
def test_dates_are_days_of_the_calendar(text, expected):
    assert Visit.of(study(day=None) if text is None else study(day=text)).day == expected


def test_change_stands_on_the_page_in_the_pdf_and_in_a_table(tmp_path):
    films = [result("old", cobb=42.0), result("new", cobb=52.0)]
    write(films, tmp_path, visits=visits(old=date(2021, 1, 1), new=date(2023, 1, 1)), agreement={"cobb_max_deg": {"mdc": 5.5}})
    expected = "Largest Cobb angle, T9, right 42.0° 52.0° +10.0° 5.5° films 4.2, held out 5.5 larger than landmark error"
    assert expected in words((tmp_path / "new" / "report.html").read_text(encoding="utf-8"))
    assert expected in words((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Change since" not in words((tmp_path / "old" / "report.html").read_text(encoding="utf-8"))
    printed = pdf_text((tmp_path / "new" / "report.pdf").read_bytes())
    assert "Change since 2021-01-01" in printed
    assert "larger than landmark error" in printed
    for text in (printed, *(words((tmp_path / page).read_text(encoding="utf-8")) for page in ("report.html", "new/report.html"))):
        assert "That the patient stands differently the next time is not in it" in text
        assert "repeated measurements" not in text
    rows = list(csv.DictReader(io.StringIO((tmp_path / "changes.csv").read_text(encoding="utf-8"))))
    first = rows[0]
    assert (first["image"], first["earlier_image"], first["measurement"]) == ("new", "old", "cobb_max_deg")
    assert (first["difference"], first["mdc_held_out"], first["verdict"]) == ("10.0", "5.5", LARGER)


def test_a_radiograph_that_states_whose_left_it_shows_is_not_of_unknown_orientation(tmp_path):
    absent = unknown("DICOM ImageOrientationPatient (0020,0037) absent")
    for stated, listed in ((Fact("L\\F", "DICOM PatientOrientation"), False), (unknown("DICOM PatientOrientation absent"), True)):
        one = study("a")
        film = dataclasses.replace(one.images[0], affine=absent, facts={"PatientOrientation": stated})
        page = write([result("a")], tmp_path / str(listed), studies={"a": dataclasses.replace(one, images=(film,))}).read_text(encoding="utf-8")
        assert ("ImageOrientationPatient" in page) is listed


def test_a_film_whose_levels_alone_were_judged_has_findings_that_say_so(tmp_path):
    bare = dataclasses.replace(result("a"), findings=(Finding("levels", "uncertain", {"certain": 0.02, "uncertain": 0.98}),))
    page = words(write([bare], tmp_path).read_text(encoding="utf-8"))
    assert "Findings The naming of the vertebrae is not certain (probability 0.02)." in page
