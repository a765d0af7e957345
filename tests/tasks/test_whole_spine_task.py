import math
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import Fact, Image, Model, NotSureError, Quantity, Study, TaskError, unknown
from spinelab.evaluation import fit_conformal
from spinelab.geometry import LATERAL_LANDMARKS, SAGITTAL_QUANTITIES, SCHWAB_GRADES
from spinelab.tasks.whole_spine.settings import WholeSpineSettings
from spinelab.tasks.whole_spine.task import WholeSpine
from spinelab.train.landmark_reading import Reading

TASK = WholeSpine()
SPACING = Fact((0.5, 0.5), "DICOM PixelSpacing")


def drawn():
    """A patient facing the left on .5 mm pixels: SS 40, PT 10, LL 56 degrees; good enough for every parameter."""
    at = {"FH_1": (300, 1800), "FH_2": (306, 1802)}
    sacrum = np.array([303 + 200 * math.tan(math.radians(10)), 1600])

    def plate(name, x, y, slope, half=34):
        turn = math.radians(slope)
        along = np.array([-math.cos(turn), math.sin(turn)]) * half
        at[f"{name}_1"], at[f"{name}_2"] = np.array([x, y]) + along, np.array([x, y]) - along

    plate("S", *sacrum, 40)
    for name, x, y, slope in (("L4", 320, 1480, 10), ("L1", 345, 1290, -16), ("T12", 348, 1284, -15), ("T4", 420, 830, 25), ("T1", 385, 690, 22)):
        plate(name, x, y, slope)
    for name, x, y, slope in (("C7", 370, 660, 18), ("C2", 330, 480, 2), ("FM", 340, 380, 3)):
        plate(name, x, y, slope, 16)
    at |= {"T1": (390, 705), "C7": (366, 645), "C7_3": (385, 630), "ODT": (330, 400), "Forehead": (150, 260), "Jaw": (170, 470)}
    return np.array([at[name] for name in LATERAL_LANDMARKS], np.float64)


def reading(*, points=None, absent=(), spacing=SPACING, misfit=None, spread=1.0):
    points = drawn() if points is None else points
    samples = points + np.random.default_rng(0).normal(0, spread, (300, *points.shape))
    present = np.array([name not in absent for name in LATERAL_LANDMARKS])
    wrong = np.array([(misfit or {}).get(name, 0.5) for name in LATERAL_LANDMARKS])
    return Reading(LATERAL_LANDMARKS, points, samples, present, np.ones(len(points)), wrong, spacing, (2000, 800))


def model_of(**calibration):
    settings = TASK.settings_type(rows=128, columns=64)
    return Model("whole-spine", settings, (), {}, {"landmarks": list(LATERAL_LANDMARKS), "calibration": calibration})


def study(**stated):
    return Study("film", images=(Image(np.zeros((2000, 800), np.uint16), spacing_mm=SPACING, facts={k: Fact(v, "DICOM") for k, v in stated.items()}),))


def found_in(read, model):
    return TASK.findings(read, model, TASK.measure(read.drawn(), read.spacing.value, {}), TASK._measurements(read, model))


def given(read, model=None):
    return {(m.name, m.unit): m for m in TASK._measurements(read, model or model_of())}


def test_a_reading_becomes_fifteen_parameters():
    values = given(reading())
    assert set(values) == {(q.name, q.unit) for q in SAGITTAL_QUANTITIES}
    assert values["ss", "deg"].value == pytest.approx(40)
    assert values["pt", "deg"].value == pytest.approx(10, abs=0.3)
    assert values["pi", "deg"].value == pytest.approx(values["ss", "deg"].value + values["pt", "deg"].value)
    assert values["ll", "deg"].value == pytest.approx(56)
    assert values["sva", "mm"].value == pytest.approx(0.5 * values["sva", "px"].value)


def test_only_what_needs_an_absent_landmark_is_withheld():
    values = given(reading(absent=("FH_1", "FH_2")))
    assert {name for (name, _), m in values.items() if m.withheld} == {"pi", "pt", "pi_ll", "tpa", "odha"}
    assert values["pi", "deg"].withheld == "the femoral heads are not on the film"


def test_a_landmark_that_the_others_contradict_is_not_measured_with():
    values = given(reading(misfit={"L1_2": 40.0}), model_of(misfit_limit=6.0))
    assert {name for (name, _), m in values.items() if m.withheld} == {"ll", "pi_ll"}
    assert "the posterior superior corner of L1 was found where the other landmarks make it implausible" in values["ll", "deg"].withheld
    found = found_in(reading(misfit={"L1_2": 40.0}), model_of(misfit_limit=6.0))
    assert next(f for f in found if f.name == "pi_ll_modifier").label is None


def test_spacing_that_is_absent_or_impossible_gives_no_millimetres():
    absent = given(reading(spacing=unknown("absent")))
    assert absent["sva", "mm"].withheld == "no pixel spacing: absent"
    assert absent["sva", "px"].value is not None
    wrong = given(reading(spacing=Fact((3.0, 3.0), "header")))
    assert "is not plausible" in wrong["sva", "mm"].withheld


def test_classes_come_with_the_probability_that_the_intervals_give():
    read = reading()
    sharp = {f.name: f for f in found_in(read, model_of())}
    assert set(sharp) == {"pi_ll_modifier", "sva_modifier", "pt_modifier", "roussouly", "levels"}
    assert sharp["pt_modifier"].label == "0"
    assert sharp["pt_modifier"].probabilities["0"] > 0.99
    rng = np.random.default_rng(3)
    wide = fit_conformal(rng.normal(0, 12, 60), np.full(60, 1.0), [str(n) for n in range(60)]).to_dict()
    loose = {f.name: f for f in found_in(read, model_of(quantities={"pt_deg": wide}))}
    assert 0.5 < loose["pt_modifier"].probabilities["0"] < 0.97


def test_a_class_that_cannot_be_told_says_why():
    whole = TASK._result(reading(), model_of(), study())
    assert not [note for note in whole.notes if note.startswith("No answer")]
    no_scale = TASK._result(reading(spacing=unknown("absent")), model_of(), study())
    finding = no_scale.finding("sva_modifier")
    assert (finding.label, finding.probabilities) == (None, {})
    assert "No answer for SRS-Schwab SVA modifier: no pixel spacing: absent." in no_scale.notes
    no_hips = TASK._result(reading(absent=("FH_1", "FH_2")), model_of(), study())
    told = "No answer for SRS-Schwab PI-LL modifier, SRS-Schwab PT modifier, Roussouly type: the femoral heads are not on the film."
    assert told in no_hips.notes
    assert set(TASK.finding_titles(TASK.settings_type())) == {f.name for f in whole.findings} - {"levels"}


def test_a_column_that_is_upside_down_is_refused():
    assert TASK.refuse(reading(), model_of(), study()) == ""
    turned = drawn() * [1, -1] + [0, 2000]
    assert "no standing spine" in TASK.refuse(reading(points=turned), model_of(), study())


def test_the_notes_tell_scale_side_and_what_is_absent():
    notes = TASK.notes(reading(absent=("ODT",)), model_of(), study(magnification=1.2))
    assert notes[0].startswith("Pixel spacing: 0.5 mm")
    assert notes[1].startswith("Magnification: 1.2")
    assert "The patient faces the left of the picture." in notes
    assert not any("mirrored" in note for note in notes)
    flipped = TASK.notes(reading(), model_of(), study(PatientOrientation="A\\F"))
    assert any("the picture seems to be mirrored" in note for note in flipped)
    assert notes[-1] == "The odontoid is not on the film; what needs it is withheld."


def test_notes_and_reasons_name_landmarks_in_words():
    read = reading()
    notes = TASK.notes(replace(read, facts=read.facts | {"set_aside": ["T4_1", "T12_2"]}), model_of(), study())
    told = "What was seen for the anterior superior corner of T4 and the posterior inferior corner of T12 was unsure"
    assert any(note.startswith(told) for note in notes)
    misfit = np.where(np.array(LATERAL_LANDMARKS) == "S_1", 9.0, 0.0)
    strict = model_of()
    strict = replace(strict, record=strict.record | {"calibration": strict.record.get("calibration", {}) | {"misfit_limit": 5.0}})
    slope = next(q for q in TASK.quantities(strict.settings) if q.name == "ss")
    said = TASK.doubt(replace(read, misfit=misfit), strict, slope)
    assert said == "the anterior superior corner of S1 was found where the other landmarks make it implausible"


def test_what_the_task_says_of_itself():
    settings = TASK.settings_type()
    assert TASK.mirror(LATERAL_LANDMARKS, {}) == tuple(range(26))
    assert TASK.landmark_names(None, settings) == LATERAL_LANDMARKS
    assert (TASK.target(settings), TASK.classes(None, settings), TASK.route(settings)) == ("", (), "measures")
    asked = TASK.settings_type(target="pi_ll_modifier")
    assert (TASK.target(asked), TASK.classes(None, asked)) == ("pi_ll_modifier", SCHWAB_GRADES)
    assert TASK.reference(Quantity("pi", "deg", "PI"), age_years=50, sex="F").low == 32
    assert TASK.reference(Quantity("sva", "px", "SVA"), age_years=50, sex="F") is None
    assert TASK.needs(Quantity("ss", "deg", "SS"), {}) == ("S_1", "S_2")
    assert {q.column for q in TASK.quantities(settings)} >= {"pi_deg", "sva_mm", "sva_px"}


def test_another_view_is_refused_before_anything_is_prepared():
    front = Study("film", images=(Image(np.zeros((900, 400), np.uint8), view=Fact("AP", "DICOM")),))
    with pytest.raises(NotSureError, match="the view is AP"):
        TASK.prepare(front, TASK.settings_type())
    canvas = TASK.prepare(study(), TASK.settings_type(rows=128, columns=64, detail=2))
    assert canvas.pixels.shape == (1, 256, 128)
    assert canvas.facts["shape"] == [2000, 800]


def levels(read, model):
    return next(f for f in found_in(read, model) if f.name == "levels")


def with_share(read, **unsure):
    share = np.array([unsure.get(name, 0.97) for name in LATERAL_LANDMARKS])
    return replace(read, facts={"first_share": share})


def test_every_answer_says_how_certain_the_levels_are():
    taught = model_of(head={"levels": {"films": 30, "right": 30}})
    sure = levels(with_share(reading()), taught)
    assert (sure.label, sure.probabilities["certain"]) == ("certain", pytest.approx(31 / 32))
    doubtful = with_share(reading(), L4_1=0.6)
    assert levels(doubtful, taught).label == "uncertain"
    assert levels(doubtful, taught).probabilities["certain"] == pytest.approx(0.6)
    assert any("L4 (60%) could be a neighbour" in note and "30 held-out films" in note for note in TASK.notes(doubtful, taught, study()))
    assert any("no held-out films were there to check" in note for note in TASK.notes(doubtful, model_of(), study()))


def test_the_levels_are_judged_by_those_on_the_film_and_cannot_be_counted_without_an_end():
    part = with_share(reading(absent=("L4_1", "L4_2")), L4_1=0.1)
    assert levels(part, model_of()).probabilities["certain"] == pytest.approx(0.97)
    middle = with_share(reading(absent=("S_1", "C2_1")))
    assert levels(middle, model_of()).label == "uncertain"
    assert not levels(middle, model_of()).probabilities
    assert any("to count from" in note for note in TASK.notes(middle, model_of(), study()))


def test_the_sources_own_settings_in_the_how_to_are_settings():
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "whole-spine.md").read_text(encoding="utf-8")
    preset = tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])
    chosen = WholeSpineSettings().with_overrides(preset)
    assert (chosen.model, chosen.loss, chosen.rows, chosen.columns, chosen.zoom_side) == ("unet", "heatmap", 1024, 448, 1024)
    assert chosen.to_dict() | preset == chosen.to_dict()


def test_a_picture_that_cannot_be_halved_five_times_is_refused_before_the_training():
    with pytest.raises(TaskError, match="zoom_side=100") as refusal:
        WholeSpineSettings(zoom_side=100)
    assert "zoom_side=96" in str(refusal.value)
