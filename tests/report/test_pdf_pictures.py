"""What is printed of films, maps and grades: the words of the page, in its order, pictures whole and with their sides."""

import dataclasses
import re
import zlib

import numpy as np
import pytest

from spinelab.core import Explanation, Fact, Finding, Image, Measurement, Quantity, Result, Study
from spinelab.report import write_results
from spinelab.report.pdf_pictures import map_figures
from spinelab.report.pictures import overlay_png
from spinelab.report.words import HEAT_KEY

FLAG = "A network of random weights gives nearly the same map."
WHERE = {"series": "7", "description": "Axial T2", "slice": 12, "peak_mm": [1.0, 2.0, 3.0], "turned_back": False, "edges": ["R", "L"]}


def a_map(method="Grad-CAM", view="left recess L4/L5", *, facts=None, shape=(64, 64)):
    heat = np.zeros(shape, np.float32)
    heat[20:30, 10 + 2 * len(method) : 40] = 1
    told = {"probability": 0.83, "where": WHERE, "curves": None} if facts is None else facts
    return Explanation(method, "Severe", np.full(shape, 90, np.uint8), heat, view, told)


def graded(study="exam"):
    shares = {"Normal/Mild": 0.1, "Moderate": 0.2, "Severe": 0.7}
    findings = [Finding("subarticular_stenosis", "Severe", shares, site=site, side=side) for site in ("L3/L4", "L4/L5", "L5/S1") for side in ("left", "right")]
    findings[0] = dataclasses.replace(findings[0], label=None, probabilities={})
    return Result("lumbar-mri", "mcnn", study, findings=tuple(findings), notes=("Levels are counted from the sacrum.",))


def a_study(count=1):
    images = tuple(Image(np.tile(np.arange(60, dtype=np.uint16) * 10, (80 + n, 1)), view=Fact(f"slice {n}", "drawn")) for n in range(count))
    return Study("exam", images=images)


def printed(path):
    """Text of a PDF in the order of its streams, and the number of its pages and of its pictures."""
    content, shown = path.read_bytes(), []
    for body in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        try:
            plain = zlib.decompress(body)
        except zlib.error:
            continue
        shown += [re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), part).decode("cp1252") for part in re.findall(rb"\((.*?)(?<!\\)\) Tj", plain)]
    text = " ".join(" ".join(shown).replace("\\(", "(").replace("\\)", ")").split())
    return text, len(re.findall(rb"/Type /Page\b", content)), len(re.findall(rb"/Subtype /Image", content))


def write(tmp_path, maps, *, study=None, result=None):
    answer = result or graded()
    studies = {"exam": a_study() if study is None else study}
    write_results([answer], tmp_path, studies=studies, explanations={"exam": maps}, phantom_model=True, model_summary={"patients": 88})
    return printed(tmp_path / "report.pdf")


def test_grades_films_and_maps_are_printed_in_the_order_of_the_page(tmp_path):
    text, _, pictures = write(tmp_path, [a_map(), a_map("occlusion")])
    order = ["Trained on phantoms.", "Grades by level and side", "Severe 0.70", "Slice and heatmap", "slice 0", "Grad-CAM for Severe, probability 0.83"]
    order += ["occlusion for Severe", "Notes", "Levels are counted from the sacrum.", "The model", "Patients : 88"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert HEAT_KEY["beware"] in text
    assert "withheld" in text
    assert pictures == 3


@pytest.mark.parametrize(("modality", "title"), [("MR", "Slices and heatmap"), ("DX", "Films and heatmap")])
def test_pictures_are_called_by_their_modality(tmp_path, modality, title):
    study = a_study(2)
    study = dataclasses.replace(study, images=tuple(dataclasses.replace(image, modality=Fact(modality, "drawn")) for image in study.images))
    text, _, _ = write(tmp_path, [a_map()], study=study)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert title in text
    assert f"<h2>{title}</h2>" in page
    assert f'alt="{title.split("s ", maxsplit=1)[0]}, slice 1"' in page


def test_a_map_is_printed_with_every_word_of_its_page(tmp_path):
    against = {"probability": 0.83, "where": WHERE, "flags": [FLAG], "weights": {"correlation": [0.9], "depends_on_weights": False}}
    text, _, _ = write(tmp_path, [a_map(facts=against)])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in ("Not to be trusted", FLAG, "left recess L4/L5", "Axial T2, series 7, slice 12: the highest point lies at 1.0, 2.0, 3.0 mm", "likeness 0.90"):
        assert words in page
        assert words in text


def test_the_sides_of_the_patient_stand_at_the_edges_of_page_print_and_file(tmp_path):
    text, _, _ = write(tmp_path, [a_map()])
    assert re.search(r"\bR L\b", text)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<b class="left">R</b><b class="right">L</b>' in page
    assert overlay_png(a_map(), least=448, edges=("R", "L")) != overlay_png(a_map(), least=448)
    plain = a_map(facts={"probability": 0.8})
    assert '<b class="left">' not in "".join(write(tmp_path / "plain", [plain])[0]) + (tmp_path / "plain" / "report.html").read_text(encoding="utf-8")


def test_without_films_the_picture_that_the_model_saw_stands_before_its_maps():
    figures = map_figures([a_map(), a_map("occlusion"), a_map(view="other")], bare=True)
    assert [figure.text.split(" for")[0] for figure in figures] == ["as the model saw it", "Grad-CAM", "occlusion", "as the model saw it", "Grad-CAM"]
    assert len(map_figures([a_map()])) == 1
    assert max(figures[0].width, figures[0].height) == 600


@pytest.mark.parametrize("count", [1, 12])
def test_many_pictures_go_on_over_pages_and_none_is_lost(tmp_path, count):
    _, pages, pictures = write(tmp_path, [a_map(view=f"v{n}", shape=(90 + n, 40)) for n in range(count)], study=a_study(count))
    assert pictures == 2 * count
    assert pages == (1 if count == 1 else pages)
    assert pages > 1 or count == 1


def test_an_answer_that_was_refused_says_why_once(tmp_path):
    text, _, pictures = write(tmp_path, [], result=Result("lumbar-mri", "mcnn", "exam", notes=("No answer: no sagittal T2 series.",)), study=a_study())
    assert text.count("no sagittal T2 series.") == 1
    assert "Not read. no sagittal T2 series." in text
    assert pictures == 0


def test_findings_without_a_table_are_listed_with_their_probabilities(tmp_path):
    result = Result("spine-lesion-xray", "resnet18", "exam", findings=(Finding("lesion", "osteophyte", {"normal": 0.25, "osteophyte": 0.75}),))
    text, pages, _ = write(tmp_path, [a_map(view="")], result=result)
    assert "osteophyte" in text
    assert "probability 0.75" in text
    assert pages == 1


def test_maps_of_what_measures_follow_the_notes(tmp_path):
    result = Result("scoliosis", "m", "exam", measurements=(Measurement("cobb_deg", 31.0, "deg"),), notes=("A note.",))
    quantities = (Quantity("cobb_deg", "deg", "Largest Cobb angle", "between endplates"),)
    write_results([result], tmp_path, studies={"exam": a_study()}, explanations={"exam": [a_map("landmark maps")]}, phantom_model=False, quantities=quantities)
    text, _, pictures = printed(tmp_path / "report.pdf")
    places = [
        text.index(words)
        for words in (
            "Largest Cobb angle",
            "A note.",
            "Heatmap",
            "A heatmap shows where the network saw landmarks",
            "where landmarks were seen",
            "What is not known",
        )
    ]
    assert places == sorted(places)
    assert pictures == 2
