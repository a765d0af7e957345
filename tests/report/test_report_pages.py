# ruff: noqa: E501
"""Pages render for every shape of content, load nothing, escape everything, and can be read by machine and by ear."""

import dataclasses
import json
import re
from collections import Counter
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from spinelab.core import Fact, Finding, Image, InputError, Measurement, Result, Sheet, Study
from spinelab.evaluation.types import Estimate
from spinelab.report import FLAGS, Flag, write_comparison, write_evaluation, write_explained, write_results
from spinelab.report.comparison import comparison_page, evaluation_page
from spinelab.report.content import GalleryCell, GalleryRow
from spinelab.report.documents import comparison_document
from spinelab.report.files import write_json
from spinelab.report.heatmaps import heat_pictures, summaries
from spinelab.report.words import METRICS, SEVERITY

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
FIVE = ("normal", "anterolisthesis of the fourth lumbar vertebra", "retrolisthesis", "left_laterolisthesis_with_long_name", "right")
EVIL = '<script>alert("x")</script>&\'"'
VOID = {"meta", "img", "br", "wbr", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on a tag that is not closed in its place."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def check_page(html):
    page = Page(html)
    names = [tag for tag, _ in page.tags]
    assert "script" not in names
    assert "iframe" not in names
    identifiers = Counter(attrs["id"] for _, attrs in page.tags if "id" in attrs)
    assert [i for i, n in identifiers.items() if n > 1] == []
    for tag, attrs in page.tags:
        for key in ("src", "href", "srcset", "data", "action"):
            target = attrs.get(key) or ""
            assert target.startswith(("data:image/", "#")) or not target or (tag == "a" and re.fullmatch(r"[^:/]+/report\.html", target)), target
            if target.startswith("#"):
                assert target[1:] in identifiers
        if tag == "img":
            assert attrs.get("alt")
        if tag == "svg":
            assert attrs.get("aria-label") or attrs.get("aria-hidden") == "true"
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", html)
    assert dict(page.tags)["html"].get("lang") == "en"
    headings = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
    assert headings.count(1) == 1
    return page


def schema(name):
    return json.loads((files("spinelab.report") / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["comparison", "evaluation", "result"])
def test_schemas_are_schemas(name):
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize(
    "shape",
    [
        {"variants": 3, "patients": 30},
        {"variants": 8, "classes": FIVE, "patients": 20, "phantom": True, "failed": 5, "cases": 0},
        {"variants": 1, "bare": True},
        {"variants": 2, "failed": 0, "bare": True},
        {"variants": 1, "failed": 0, "bare": True},
    ],
)
def test_every_shape_renders_and_fits_the_schema(comparison_of, tmp_path, shape):
    comparison = comparison_of(**shape)
    path = write_comparison(comparison, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["comparison.json", "predictions.csv", "report.html"]
    html = path.read_text(encoding="utf-8")
    page = check_page(html)
    assert len(html) < 3_000_000
    assert comparison.headline in page.words
    assert all(name in page.words for name in (v.name for v in comparison.variants))
    jsonschema.validate(json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8")), schema("comparison"))
    assert page.words.split("Comparison of models")[0].count("phantoms") == int(comparison.data.phantom)


def test_phantoms_are_named_on_the_first_line(comparison_of, evaluation_of):
    comparison = comparison_of(1, bare=True, phantom=True, failed=0)
    for html in (comparison_page(comparison), evaluation_page(evaluation_of(data=comparison.data, variant=comparison.variants[0]))):
        body = Page(html[html.index("<body>") :].replace("</html>", "")).words
        assert body.startswith("Made from digital phantoms.")


def test_the_same_content_gives_the_same_page(comparison_of):
    assert comparison_page(comparison_of(1, cases=1, patients=20)) == comparison_page(comparison_of(1, cases=1, patients=20))


def test_everything_from_files_is_escaped(comparison_of, explanation_of, tmp_path):
    made = comparison_of(2, ("straight", EVIL), cases=1, failed=1, patients=20)
    variant = made.variants[0]
    case = dataclasses.replace(variant.cases[0], image=EVIL, truth=EVIL, explanations=(dataclasses.replace(explanation_of(1), view=EVIL, label=EVIL),))
    variant = dataclasses.replace(
        variant, name=EVIL, settings={EVIL: EVIL}, all_settings={EVIL: EVIL}, flags=(Flag(EVIL, EVIL),), cases=(case,), notes=(EVIL,), device=EVIL
    )
    data = dataclasses.replace(
        made.data, root=EVIL, digest=EVIL, facts={EVIL: {EVIL: 1}}, notes=(EVIL,), duplicates=({EVIL: EVIL},), flags=(Flag("duplicates", EVIL),)
    )
    analysis = ({"title": EVIL, "text": EVIL, "table": {"columns": [EVIL], "rows": [[EVIL]]}},)
    evil = dataclasses.replace(
        made, title=EVIL, question=EVIL, headline=EVIL, statements=(EVIL,), variants=(variant, made.variants[1]), data=data, analysis=analysis,
        design={EVIL: EVIL}, versions={EVIL: EVIL}, baseline={"majority_class": EVIL, "metrics": {EVIL: 0.5}}, learning_curve=dataclasses.replace(made.learning_curve, variant=EVIL),
        pairs=(dataclasses.replace(made.pairs[0], a=EVIL, b=EVIL, text=EVIL),),
    )  # fmt: skip
    html = comparison_page(evil)
    assert "<script" not in html.lower()
    assert EVIL in check_page(html).words
    result = Result(EVIL, EVIL, EVIL, findings=(Finding(EVIL, EVIL, {EVIL: 1.0}),), measurements=(Measurement(EVIL, None, EVIL, withheld=EVIL),), notes=(EVIL,))
    for several in ([result], [result, dataclasses.replace(result, study="b")]):
        write_results(several, tmp_path / str(len(several)), phantom_model=False, model_summary={"origin": EVIL, EVIL: EVIL})
    for path in tmp_path.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text.lower()
        check_page(text)


def test_evaluation_has_metrics_at_the_top(evaluation_of, tmp_path):
    evaluation = evaluation_of()
    page = check_page(write_evaluation(evaluation, tmp_path).read_text(encoding="utf-8"))
    body = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    jsonschema.validate(body, schema("evaluation"))
    assert body["metrics"]["balanced_accuracy"] == evaluation.variant.metrics["balanced_accuracy"].to_dict()
    assert "Subgroups" in page.words
    assert (tmp_path / "predictions.csv").read_text().count("\n") == 121


def test_questions_are_not_counted_as_images(evaluation_of, tmp_path):
    """Of 4 examinations with 25 questions each, 78 answers of one class were 1950 % of the images."""
    usual = evaluation_of()
    counts = {"Normal/Mild": {"images": 75, "patients": None}, "Severe": {"images": 25, "patients": None}}
    data = dataclasses.replace(usual.data, classes=counts, questions=100, images=4, examinations=4, patients=None)
    trained = {"images": 88, "questions": 2167, "classes": {"Severe": {"images": 115, "patients": 46}}}
    page = check_page(write_evaluation(evaluation_of(data=data, trained_on=trained), tmp_path).read_text(encoding="utf-8"))
    assert "Share of the questions" in page.words
    assert "75.0 %" in page.words
    assert "25 questions, Severe" in page.words
    assert "questions 115" in page.words
    body = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    jsonschema.validate(body, schema("evaluation"))
    assert body["data"]["questions"] == 100


def test_a_tasks_constants_have_rows_of_their_own(comparison_of, evaluation_of, tmp_path):
    """The score of a constant that knows frequencies is not said to be that of always answering the most frequent class."""
    constants = {"uniform": {"rsna_score": Estimate(0.9876)}, "per column": {"rsna_score": Estimate(0.7531)}}
    made = comparison_of(1)
    scored = [dataclasses.replace(v, metrics={**v.metrics, "rsna_score": Estimate(0.5)}) for v in made.variants]
    made = dataclasses.replace(made, variants=tuple(scored), baseline={**made.baseline, "constants": constants})
    page = write_comparison(made, tmp_path).read_text(encoding="utf-8")
    row = next(part for part in page.split("<tr") if "Majority baseline" in part and 'scope="row"' in part)
    assert "0.988" not in row
    assert [part.count("0.988") + part.count("0.753") for part in page.split("<tr") if ">Constant answer<" in part] == [1, 1]
    jsonschema.validate(json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8")), schema("comparison"))
    tried = evaluation_of(variant=scored[0], baseline={"majority_class": "straight", "metrics": {}, "constants": constants})
    page = write_evaluation(tried, tmp_path).read_text(encoding="utf-8")
    assert all(text in page for text in ("Constant: uniform", "0.988", "Constant: per column", "0.753"))
    jsonschema.validate(json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8")), schema("evaluation"))


def test_comparison_json_is_as_agreed(comparison_of, tmp_path):
    made = comparison_of(2, patients=3, cases=1)
    small = dataclasses.replace(made, variants=tuple(dataclasses.replace(v, histories=(v.histories[0][:2],)) for v in made.variants))
    write_json(tmp_path / "comparison.json", comparison_document(small))
    assert (tmp_path / "comparison.json").read_text(encoding="utf-8") == (GOLDEN / "comparison.json").read_text(encoding="utf-8")


def golden_result():
    return Result(
        task="lumbar-xray",
        model="resnet18",
        study="0001-F-037Y",
        findings=(Finding("disorder", "disordered", {"disordered": 0.82, "normal": 0.18}, interval=(0.7, 0.9)),),
        measurements=(
            Measurement("slip", 12.5, "%", site="L4/L5", side="left", interval=(10.0, 15.0)),
            Measurement("wedge", None, "deg", withheld="no endplate"),
        ),
        notes=("Only the AP film was given.",),
    )


def grey_study():
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 4096, (300, 200)).astype(np.uint16)
    return Study("0001-F-037Y", images=(Image(pixels, view=Fact("AP", "file name")),), sex=Fact("F", "file name"))


def test_one_reading(explanation_of, tmp_path):
    result = golden_result()
    path = write_results(
        [result],
        tmp_path,
        studies={result.study: grey_study()},
        explanations={result.study: [explanation_of(3)]},
        phantom_model=True,
        model_summary={"patients": 200},
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map-1-grad-cam-ap.png", "report.html", "report.pdf", "result.json"]
    written = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    (told,) = written.pop("explanations")
    assert written == json.loads((GOLDEN / "result.json").read_text(encoding="utf-8"))
    assert (told["file"], told["view"], told["size"], told["random_weights_similarity"]) == ("map-1-grad-cam-ap.png", "AP", [168, 224], None)
    jsonschema.validate(json.loads((tmp_path / "result.json").read_text(encoding="utf-8")), schema("result"))
    html = path.read_text(encoding="utf-8")
    page = check_page(html)
    assert Page(html[html.index("<body>") :].replace("</html>", "")).words.startswith("Trained on phantoms.")
    assert "Likely: probability 0.82, interval 0.70 to 0.90" in page.words
    assert "not measured: no endplate" in page.words
    assert "Age not stated" in page.words
    assert [tag for tag, _ in page.tags].count("img") == 2


def test_a_picture_that_was_drawn_upon_is_not_called_as_recorded(tmp_path):
    study = grey_study()
    drawn = dataclasses.replace(study.images[0], facts={"shown_as": Fact("hung as usual, enlarged 2.0 times", "drawn")})
    shown = dataclasses.replace(study, images=(drawn, study.images[0]))
    html = write_results([golden_result()], tmp_path, studies={golden_result().study: shown}, phantom_model=False).read_text(encoding="utf-8")
    assert html.count("hung as usual, enlarged 2.0 times") == 1
    assert html.count("as recorded") == 1


def test_many_readings_get_a_folder_each_and_a_table(tmp_path):
    results = [dataclasses.replace(golden_result(), study=name) for name in ("a/1", "a_1", "b")]
    path = write_results(results, tmp_path, phantom_model=False, model_summary={"origin": "Trained on 251 patients of one hospital."})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a_1", "a_1-2", "b", "report.html", "results.csv"]
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 4
    page = check_page(path.read_text(encoding="utf-8"))
    for _, attrs in page.tags:
        if attrs.get("href"):
            assert (tmp_path / attrs["href"]).is_file()
    with pytest.raises(InputError, match="No result"):
        write_results([], tmp_path, phantom_model=False)


def test_a_study_that_has_no_one_picture_says_so(tmp_path):
    import numpy as np

    volume = Study("v", images=(Image(np.zeros((3, 4, 5)), axes="ZYX"),))
    page = check_page(
        write_results([dataclasses.replace(golden_result(), study="v")], tmp_path, studies={"v": volume}, phantom_model=False).read_text(encoding="utf-8")
    )
    assert "is not shown" in page.words


def test_every_flag_is_documented_and_has_its_sign():
    text = (ROOT / "docs" / "reference" / "flags.md").read_text(encoding="utf-8")
    signs = {"×": "stop", "!": "care", "i": "note"}
    documented = {code: signs[sign] for code, sign in re.findall(r"^\| `([a-z-]+)` \| (.) \|", text, re.MULTILINE)}
    assert documented == dict(SEVERITY)
    assert set(documented) == set(FLAGS)
    for name in ("comparison", "evaluation"):
        assert schema(name)["$defs"]["flags"]["items"]["enum"] == list(FLAGS)


def test_slices_in_cases_and_gallery_have_the_letters_of_their_edges(comparison_of, explanation_of):
    made = comparison_of(2)
    seen = dataclasses.replace(
        explanation_of(3),
        facts={"where": {"series": "1", "description": "Axial T2", "slice": 4, "peak_mm": [0, 0, 0], "turned_back": False, "edges": ["R", "L"]}},
    )
    bare = [dataclasses.replace(variant, cases=()) for variant in made.variants]
    one = dataclasses.replace(bare[0], cases=(dataclasses.replace(made.variants[0].cases[0], explanations=(seen,)),))
    cells = (GalleryCell(made.variants[0].name, "straight", 0.7, 0.7, (seen,)),)
    page = comparison_page(dataclasses.replace(made, variants=(one, *bare[1:]), gallery=(GalleryRow("film-7", "straight", cells),)))
    check_page(page)
    assert page.count('<b class="left">R</b><b class="right">L</b>') == 4, "film and map, in a case and in the gallery"


def test_every_metric_is_explained(comparison_of):
    assert all(metric.title and metric.meaning for metric in METRICS.values())
    odd = dataclasses.replace(
        comparison_of(1, bare=True).variants[0], predictions=None, histories=(), metrics={"balanced_accuracy": Estimate(0.5), "slip_error": Estimate(None)}
    )
    assert "Slip error" in check_page(comparison_page(dataclasses.replace(comparison_of(1, bare=True), variants=(odd,)))).words


FACTS = {
    "cell_px": 32.0,
    "probability": 0.82,
    "flags": [],
    "inside": {"share": 0.6, "area": 0.2, "peak_inside": False},
    "weights": {"replaced": [1.0], "correlation": [-0.001], "depends_on_weights": True},
    "curves": {
        "fractions": [0.0, 0.5, 1.0],
        "deletion": [0.8, 0.3, 0.2],
        "insertion": [0.3, 0.7, 0.8],
        "noise": [[0.5, 0.5], [0.5, 0.6]],
        "chance": [0.5, 0.55],
        "deletion_auc": 0.4,
        "insertion_auc": 0.62,
        "better_than_chance": True,
    },
}


def test_what_the_checks_of_a_map_found_is_said_beside_it(explanation_of, tmp_path):
    good = dataclasses.replace(explanation_of(3), facts=FACTS)
    bad = dataclasses.replace(explanation_of(4), method="Score-CAM", facts={"probability": 0.82, "flags": ["It shows the film, not what was learnt."]})
    page = check_page(
        write_results([golden_result()], tmp_path, explanations={golden_result().study: [good, bad]}, phantom_model=False).read_text(encoding="utf-8")
    )
    for said in (
        "Grad-CAM for curved, probability 0.82",
        "3 checks, none against it",
        "Drawn from cells of 32 pixels.",
        "60% of the map lies in the marked region, which is 20% of the picture; the highest point lies outside.",
        "gives another map (likeness 0.00;",
        "mean probability 0.40 while it is taken away (by chance 0.50), 0.62 while it is put back (0.55)",
        "Not to be trusted It shows the film, not what was learnt.",
    ):
        assert said in page.words, said
    body = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    jsonschema.validate(body, schema("result"))
    assert [e["flags"] for e in body["explanations"]] == [[], ["It shows the film, not what was learnt."]]
    assert [e["noise_aucs"] for e in body["explanations"]] == [[[0.5, 0.5], [0.5, 0.6]], None]
    assert Result.from_dict(body).explanations[0].noise_aucs == ((0.5, 0.5), (0.5, 0.6))
    assert all((tmp_path / e["file"]).read_bytes().startswith(b"\x89PNG") for e in body["explanations"])


def test_a_map_of_a_slice_says_where_in_the_patient_it_is_highest(explanation_of, tmp_path):
    where = {"series": "17", "description": "Axial T2", "slice": 4, "peak_mm": [-9.5, 1.0, 3.25], "turned_back": True}
    seen = dataclasses.replace(explanation_of(3), facts={**FACTS, "where": where})
    html = write_results([golden_result()], tmp_path, explanations={golden_result().study: [seen]}, phantom_model=False).read_text(encoding="utf-8")
    words = check_page(html).words
    assert "Axial T2, series 17, slice 4: the highest point lies at −9.5, 1.0, 3.2 mm (LPS: to the patient's left, back and head)." in words
    assert "the network saw it mirrored" in words
    write_explained(golden_result(), [seen], [], tmp_path, phantom_model=True, model_summary={})
    words = check_page((tmp_path / "report.html").read_text(encoding="utf-8")).words
    assert "hung as usual; the network saw it mirrored" in words
    assert "as the network saw it" not in words
    (one,) = summaries([dataclasses.replace(seen, view="right subarticular stenosis L3/L4, Axial T2, slice 24")])
    assert one.file.endswith("-slice-24.png")
    body = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    jsonschema.validate(body, schema("result"))
    assert body["explanations"][0]["peak_mm"] == [-9.5, 1.0, 3.25]


def test_numbers_of_a_map_claim_no_more_than_they_show(explanation_of):
    """A probability that is rounded to 1, a likeness below 0, and curves of which one alone is better than chance."""
    curves = {"better_than_chance": True, "deletion_auc": 0.96, "insertion_auc": 0.87, "chance": [0.92, 0.81]}
    weights = {"replaced": [1.0], "correlation": [-0.29], "depends_on_weights": True}
    (told,) = heat_pictures([dataclasses.replace(explanation_of(3), facts={"probability": 0.998, "curves": curves, "weights": weights})])
    assert told["caption"].endswith("probability > 0.99")
    words = " ".join(told["told"].found)
    assert "more (while it is put back, not while it is taken away) than on places drawn by chance" in words
    assert "likeness \N{MINUS SIGN}0.29" in words


def test_the_inside_of_a_network_has_its_page(explanation_of, tmp_path):
    import numpy as np

    good = dataclasses.replace(explanation_of(3), facts=FACTS)
    sheet = Sheet("Layer body.0", "The 4 of 8 channels.", np.zeros((20, 40), np.uint8))
    told = write_explained(golden_result(), [good], [sheet], tmp_path, phantom_model=True, model_summary={})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["layer-1.png", "map-1-grad-cam-ap.png", "report.html", "result.json"]
    assert Result.from_dict(json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))) == told
    page = check_page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "100 % of the layers: 0.00" in page.words
    assert "Layer body.0" in page.words
    assert [tag for tag, _ in page.tags].count("img") == 3


def test_the_inside_of_a_network_that_grades_opens_with_the_table(tmp_path):
    findings = tuple(Finding("canal", "mild", {"mild": 0.9, "severe": 0.1}, site=f"L{n}/L{n + 1}") for n in range(1, 8))
    summary = {"weights": {"asked": "scratch", "used": "scratch", "why": "asked for", "source": None}}
    write_explained(dataclasses.replace(golden_result(), findings=findings), [], [], tmp_path, phantom_model=False, model_summary=summary)
    page = check_page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Grades by level and side" in page.words
    assert "Canal L1/L2: mild" not in page.words
    assert "What follows shows" in page.words
    assert "No answer" not in page.words
    assert "trained from scratch, as asked" in page.words


def test_the_same_film_model_by_model(comparison_of, explanation_of, tmp_path):
    made = comparison_of(2, bare=True, failed=0)
    names = [v.name for v in made.variants]
    shown = (dataclasses.replace(explanation_of(1), facts=FACTS),)
    cells = (GalleryCell(names[0], "curved", 0.9, 0.1, shown), GalleryCell(names[1], None, None, None))
    comparison = dataclasses.replace(made, gallery=(GalleryRow("film-7", "straight", cells),))
    path = write_comparison(comparison, tmp_path)
    page = check_page(path.read_text(encoding="utf-8"))
    assert "0.90 – wrong" in page.words
    assert "no answer" in page.words
    assert page.words.count("The same film, model by model") == 2
    body = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    jsonschema.validate(body, schema("comparison"))
    assert body["gallery"][0]["cells"][0]["maps"][0]["share_inside"] == 0.6
    assert body["gallery"][0]["cells"][1]["maps"] == []
