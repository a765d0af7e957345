"""The task: settings, slip-logistic on drawn spines, refusals about views, the analysis, and one round of a network."""

import json

import numpy as np
import pytest

from spinelab import tasks
from spinelab.core import Example, Examples, Fact, Image, InputError, NotSureError, Result, Run, Study, TaskError
from spinelab.geometry import LINES
from spinelab.tasks.lumbar_xray import TASK
from spinelab.tasks.lumbar_xray.annotations import SUBTYPES, Annotation, measure
from spinelab.tasks.lumbar_xray.films import films_of, measured_study, view_of, views_of
from spinelab.tasks.lumbar_xray.settings import LumbarXraySettings
from spinelab.tasks.lumbar_xray.slip_model import FEATURES, INDICATORS, slip_features, slip_probabilities
from spinelab.tasks.lumbar_xray.subjects import Subject
from spinelab.tasks.lumbar_xray.truth import truth_of

SLIP = LumbarXraySettings().with_overrides({"model": "slip-logistic"})


def spine(rng, view, kind=0, level=3, percent=30.0):
    """Endplate lines with noise of one pixel; the vertebrae above ``level`` slipped as class ``kind`` says."""
    tilt = np.radians(np.linspace(-20, 40, 11)) if view == "LATERAL" else np.zeros(10)
    between = (tilt[1:] + tilt[:-1]) / 2
    steps = np.array([30, 10] * 5)[: len(between), None] * np.stack([-np.sin(between), np.cos(between)], -1)
    middle = np.cumsum(np.vstack([[100, 20], steps]), axis=0)
    half = 20 * np.stack([np.cos(tilt), np.sin(tilt)], -1)
    sign = {"LATERAL": {3: 1, 4: -1}, "AP": {1: 1, 2: -1}}[view].get(kind, 0)
    middle[: 2 * level + 2, 0] += sign * percent * 40 / 100
    return np.stack([middle - half, middle + half], 1) + rng.normal(0, 1, (len(tilt), 2, 2))


def annotation(lines, view, kind=0, level=3):
    classes = [0] * len(lines)
    classes[2 * level + 1] = kind
    return Annotation(view, lines, tuple(classes), "drawn", measure(lines, view))


def cohort(n=60, seed=0, views=("AP", "LATERAL")):
    """Two thirds normal, the rest one slip each, drawn without films."""
    rng = np.random.default_rng(seed)
    items = []
    for i in range(n):
        kind = (1 + (i // 3) % 4) if i % 3 == 0 else 0
        films = {v: annotation(spine(rng, v, kind), v, kind if (kind in (1, 2)) == (v == "AP") else 0) for v in views}
        truth = truth_of(f"{i:04d}", films, Subject())
        items.append(Example(f"{i:04d}", truth, lambda: None, patient=f"{i:04d}", files={v: f"{v}.jpg" for v in films}))
    return Examples(tuple(items), root="drawn", phantom=True)


def picture(view=None, source="", lines=None, shape=(60, 40)):
    facts = {} if lines is None else {"endplates": Fact(lines.tolist(), "drawn")}
    pixels = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    return Image(pixels, view=Fact(view, "test") if view else Fact(None, "not stated"), source=source, facts=facts)


def test_the_task_is_found_under_both_spellings_and_misspellings_are_answered():
    assert "lumbar-xray" in tasks.names()
    assert tasks.load("lumbar_xray") is tasks.load("lumbar-xray") is TASK
    with pytest.raises(TaskError, match="did you mean 'lumbar-xray'") as error:
        tasks.load("lumber-xray")
    assert "images" in str(error.value) or "lumbar-xray" in error.value.expected


def test_the_defaults_are_the_papers_preset():
    own = LumbarXraySettings()
    assert (own.model, own.view, own.dropout, own.sampling, own.target, own.weights) == ("resnet18", "standard", 0.4, "none", "binary", "imagenet")
    assert own.views == ("AP", "LATERAL")
    assert own.with_overrides({"view": "lateral"}).views == ("LATERAL",)
    assert not own.needs_every_view
    assert own.with_overrides({"view": "dual"}).needs_every_view
    with pytest.raises(TaskError, match="one of standard, dual, hybrid, ap, lateral"):
        own.with_overrides({"view": "both"})


def test_classes_are_normal_first_and_only_those_that_occur():
    people = cohort(24)
    assert TASK.classes(people, SLIP) == ("normal", "disordered")
    assert TASK.classes(people, SLIP.with_overrides({"target": "subtype"})) == SUBTYPES
    assert TASK.target(SLIP) == "disorder"


@pytest.mark.parametrize(("target", "sampling"), [("binary", "none"), ("binary", "over"), ("subtype", "weighted")])
def test_slip_logistic_learns_drawn_slips_and_answers_for_others(target, sampling):
    own = SLIP.with_overrides({"target": target, "sampling": sampling})
    model = TASK.fit(cohort(60, seed=1), own, Run())
    others = cohort(48, seed=2)
    answers = TASK.predict_many(model, others, Run())
    right = [a.finding(TASK.target(own)).label == truth for a, truth in zip(answers, others.labels(TASK.target(own)), strict=True)]
    assert np.mean(right) > 0.9
    assert all(np.asarray(tensor).dtype == np.float64 for tensor in model.tensors.values())
    assert model.tensors["coef"].shape == (len(model.classes), len(FEATURES) + len(INDICATORS))
    json.dumps(model.record)


def test_probabilities_equal_scikit_learns_own():
    from sklearn.linear_model import LogisticRegression

    people = cohort(60, seed=3)
    for target in ("binary", "subtype"):
        model = TASK.fit(people, SLIP.with_overrides({"target": target}), Run())
        features = np.array([slip_features({v: measure(_lines(e, v), v) for v in ("AP", "LATERAL")}) for e in people])
        t = model.tensors
        x = (np.where(np.isfinite(features), features, t["impute"]) - t["mean"]) / t["scale"]
        labels = [model.classes.index(label) for label in people.labels("disorder" if target == "binary" else "subtype")]
        theirs = LogisticRegression(C=1.0, max_iter=5000).fit(x, labels).predict_proba(x)
        assert np.allclose(slip_probabilities(model, features), theirs, atol=1e-4)


def _lines(example, view):
    found = {p.name: (p.x, p.y) for p in example.truth.landmarks}
    return np.array([[found[f"{view} {name} end-{e}"] for e in (1, 2)] for name in LINES[: 10 if view == "AP" else 11]])


def test_imputation_is_learnt_from_the_training_patients_alone():
    one, other = cohort(30, seed=4), cohort(30, seed=5)
    a = TASK.fit(one, SLIP, Run()).tensors
    b = TASK.fit(Examples((*one.items[:30],), one.root), SLIP, Run()).tensors
    c = TASK.fit(other, SLIP, Run()).tensors
    assert np.array_equal(a["impute"], b["impute"])
    assert not np.array_equal(a["impute"], c["impute"])


def test_features_of_a_missing_film_are_missing_and_flagged():
    rng = np.random.default_rng(0)
    only_ap = slip_features({"AP": measure(spine(rng, "AP", 1), "AP")})
    named = dict(zip((*FEATURES, *INDICATORS), only_ap, strict=True))
    assert np.isnan(named["LATERAL L4/L5 slip_percent"])
    assert named["LATERAL lines absent"] == 1
    assert named["AP lines absent"] == 0
    assert named["AP greatest offset to the left"] == pytest.approx(30, abs=5)
    assert np.isnan(slip_features({})[: len(FEATURES)]).all()


def test_an_unpaired_patient_gets_an_answer_or_the_reason_by_the_view_setting():
    model = TASK.fit(cohort(40, seed=6), SLIP, Run())
    single = cohort(6, seed=7, views=("LATERAL",))
    answers = TASK.predict_many(model, single, Run())
    assert all(a.finding("disorder").probabilities for a in answers)
    assert "No AP film: the answer rests on the LATERAL film alone." in answers[0].notes
    dual = TASK.fit(cohort(40, seed=6), SLIP.with_overrides({"view": "dual"}), Run())
    refused = TASK.predict_many(dual, single, Run())
    assert all(a.finding("disorder").label is None and not a.finding("disorder").probabilities for a in refused)
    assert "has no AP film" in refused[0].notes[0]
    mixed = Examples((*cohort(40, seed=6).items, *(_renamed(e) for e in single)), "drawn")
    trained = TASK.fit(mixed, SLIP.with_overrides({"view": "dual"}), Run())
    assert any("6 patients without the AP and LATERAL film were not trained on" in note for note in trained.record["notes"])
    with pytest.raises(InputError, match="None of 6 patients"):
        TASK.fit(single, SLIP.with_overrides({"view": "ap"}), Run())


def _renamed(example):
    from dataclasses import replace

    return replace(example, id="9" + example.id, patient="9" + example.id)


def test_reading_a_study_with_and_without_lines():
    rng = np.random.default_rng(1)
    model = TASK.fit(cohort(40, seed=8), SLIP, Run())
    films = (picture("AP", lines=spine(rng, "AP")), picture("LATERAL", lines=spine(rng, "LATERAL", 3, percent=40)))
    result = TASK.predict(model, Study("x", images=films))
    assert result.finding("disorder").label == "disordered"
    assert result.finding("Meyerding grade", site="L4/L5").label == "II"
    assert any("reads no pixels" in note for note in result.notes)
    assert Result.from_dict(json.loads(result.to_json())) == result
    with pytest.raises(NotSureError, match="has no endplate lines"):
        TASK.predict(model, Study("x", images=(picture("AP"),)))
    assert TASK.explain(model, Study("x", images=films)) == []
    assert TASK.layers(model, Study("x", images=films)) == []


def test_lines_beside_the_file_are_found(tmp_path):
    rng = np.random.default_rng(1)
    model = TASK.fit(cohort(90, seed=8), SLIP.with_overrides({"view": "lateral"}), Run())
    lines = spine(rng, "LATERAL", 3)
    (tmp_path / "0001-F-037Y1.csv").write_text("".join(f"{a[0]},{a[1]},{b[0]},{b[1]},0\n" for a, b in lines))
    result = TASK.predict(model, Study("x", images=(picture(source=str(tmp_path / "0001-F-037Y1.jpg")),)))
    assert result.finding("disorder").label == "disordered"


def test_slip_logistic_needs_lines_of_two_classes():
    people = cohort(12)
    with pytest.raises(InputError, match="of 1 class"):
        TASK.fit(people.subset([i for i, e in enumerate(people) if e.truth.finding("disorder").label == "normal"]), SLIP, Run())


def test_views_are_stated_never_guessed():
    assert view_of(picture("PA")).value == "AP"
    assert view_of(picture(source="a/0001-F-037Y1.jpg")).value == "LATERAL"
    assert list(films_of(Study("x", images=(picture("AP"), picture("LATERAL"))))) == ["AP", "LATERAL"]
    with pytest.raises(InputError, match="two AP films"):
        films_of(Study("x", images=(picture("AP"), picture("AP"))))
    with pytest.raises(InputError, match="view of a film is not known"):
        films_of(Study("x", images=(picture(),)))


def test_prepare_keeps_the_aspect_ratio_and_masks_a_missing_film():
    own = LumbarXraySettings().with_overrides({"image_size": 48})
    film = Image(np.full((60, 30), 200, np.uint8), view=Fact("LATERAL", "test"))
    prepared = TASK.prepare(Study("x", images=(film,)), own)
    assert prepared.pixels.shape == (2, 48, 48)
    assert prepared.pixels.dtype == np.uint8
    assert list(prepared.available) == [False, True]
    assert not prepared.pixels[0].any()
    shown = prepared.pixels[1] > 0
    assert (shown.any(axis=0).sum(), shown.any(axis=1).sum()) == (24, 48) or not shown.any()
    with pytest.raises(NotSureError, match="no AP film"):
        TASK.prepare(Study("x", images=(film,)), own.with_overrides({"view": "dual"}))


def test_weighted_loss_counts_the_rare_class_by_its_inverse_frequency():
    torch = pytest.importorskip("torch")
    weights = TASK.loss(SLIP.with_overrides({"sampling": "weighted"}), (30, 10)).weight
    assert torch.allclose(weights, torch.tensor([40 / 60, 40 / 20]))
    assert TASK.loss(SLIP, (30, 10)).weight is None


def test_analysis_computes_its_words():
    found = TASK.analysis(cohort(60, seed=9), SLIP)
    slips, grades, drawn = found
    assert [row[0] for row in slips["table"]["rows"]] == list(SUBTYPES)
    assert slips["table"]["rows"][0][1] == 40
    assert sum(sum(row[1:]) for row in grades["table"]["rows"]) == 60
    assert drawn["svg"].startswith("<svg")
    assert "AUROC" in drawn["text"]
    assert "normal (40)" in drawn["svg"]
    assert "disordered (20)" in drawn["svg"]
    assert TASK.analysis(cohort(60, seed=9), SLIP)[2] == drawn
    bare = Examples(tuple(_without_lines(e) for e in cohort(6)), "drawn")
    assert TASK.analysis(bare, SLIP) == []


def _without_lines(example):
    from dataclasses import replace

    return replace(example, truth=replace(example.truth, landmarks=()))


def _folder(root, n=12):
    """Films whose lower half is bright where the label says disordered, so that a network can learn it in seconds."""
    from PIL import Image as Picture

    rng = np.random.default_rng(0)
    for i in range(n):
        for folder, digit, view in (("AP", 0, "AP"), ("LA", 1, "LATERAL")):
            if (i, folder) == (3, "AP"):
                continue
            kind = 3 if i % 2 and view == "LATERAL" else 0
            pixels = rng.integers(0, 60, (64, 48), dtype=np.uint8)
            pixels[32:] += np.uint8(150 * (i % 2))
            path = root / folder / f"{i:04d}-F-050Y{digit}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Picture.fromarray(pixels).save(path)
            lines = spine(rng, view, kind)
            classes = [kind if row == 7 else 0 for row in range(len(lines))]
            rows = [",".join(map(str, [*ends.ravel(), c])) for ends, c in zip(lines, classes, strict=True)]
            path.with_suffix(".csv").write_text("\n".join(rows))
    return TASK.examples(root)


@pytest.mark.parametrize(("view", "fusion"), [("standard", "mean"), ("hybrid", "attention"), ("dual", "concat")])
def test_a_network_is_trained_and_answers_from_files(tmp_path, view, fusion):
    pytest.importorskip("torch")
    people = _folder(tmp_path / "data")
    overrides = {"model": "simple-cnn", "weights": "scratch", "view": view, "fusion": fusion, "image_size": 32, "epochs": 2, "batch_size": 4, "precision": "32"}
    model = TASK.fit(people, LumbarXraySettings().with_overrides(overrides), Run(cache=tmp_path / "cache", accelerator="cpu"))
    answers = TASK.predict_many(model, people, Run(cache=tmp_path / "cache", accelerator="cpu"))
    finding = answers[3].finding("disorder")
    if view == "dual":
        assert finding.label is None
        assert "has no AP film" in answers[3].notes[0]
        assert any("1 patient without" in note for note in model.record["notes"])
    else:
        assert sum(finding.probabilities.values()) == pytest.approx(1)
        assert answers[3].notes == ("No AP film: the answer rests on the LATERAL film alone.",)
    alone = TASK.predict(model, people[0].open())
    assert alone.finding("disorder").probabilities == pytest.approx(answers[0].finding("disorder").probabilities, abs=1e-4)
    assert [e.view for e in TASK.explain(model, people[0].open())] == ["AP", "LATERAL"]
    assert Result.from_dict(json.loads(alone.to_json())) == alone


def test_all_view_settings_share_their_decoded_films():
    own = LumbarXraySettings()
    same = [TASK.preparation(own.with_overrides({"view": view, "fusion": "concat"})) for view in ("standard", "dual", "hybrid")]
    assert same[0] == same[1] == same[2]
    assert TASK.preparation(own.with_overrides({"view": "ap"})) != same[0]
    json.dumps(same[0])


@pytest.mark.parametrize("kind", SUBTYPES[1:])
def test_measured_slip_agrees_with_the_phantoms_drawn_millimetres(kind):
    """The phantom's slip is known from its solids in space; here it is measured from two projections, as a reader would."""
    from spinelab.geometry import slip_direction
    from spinelab.phantoms.lumbar import lumbar_radiographs

    for seed in range(3):
        drawn = lumbar_radiographs(np.random.default_rng(seed), disorder=kind, scale=0.08)
        films = {view: measure(film.endplates, view) for view, film in drawn.films.items()}
        assert films["LATERAL"].facing.anterior == drawn.films["LATERAL"].anterior
        for view, truth in (("LATERAL", drawn.forward_percent), ("AP", drawn.left_percent)):
            for level in films[view].levels:
                assert level.slip_percent == pytest.approx(truth[level.name], abs=2.5)
        greatest = max(drawn.slips, key=lambda slip: abs(slip.percent))
        view = "LATERAL" if kind in SUBTYPES[3:] else "AP"
        site = next(level for level in films[view].levels if level.name.startswith(f"{greatest.vertebra}/"))
        assert slip_direction(site.slip_percent, view) == kind


def test_a_slip_model_survives_its_folder(tmp_path):
    from spinelab.io import load_model, save_model

    people = cohort(30, seed=11)
    model = TASK.fit(people, SLIP, Run())
    save_model(model, tmp_path / "model", "card")
    back = load_model(tmp_path / "model", {TASK.name: LumbarXraySettings})
    assert [r.findings for r in TASK.predict_many(back, people, Run())] == [r.findings for r in TASK.predict_many(model, people, Run())]
    assert back.settings == model.settings


def test_phantoms_in_memory_can_be_learnt_from():
    people = [TASK.phantom(np.random.default_rng(seed), "easy") for seed in (0, 3)]
    own = LumbarXraySettings().with_overrides({"image_size": 48})
    assert TASK.prepare(people[0].open(), own).available.all()
    assert {v: f.level("L4/L5").slip_percent is not None for v, f in measured_study(people[0].open()).items()} == {"AP": True, "LATERAL": True}
    assert views_of(people[1]) == {"AP", "LATERAL"}


def test_written_phantoms_are_read_back_as_they_were_drawn(tmp_path):
    from spinelab.tasks.lumbar_xray.phantom import write_phantoms

    write_phantoms(tmp_path, n=14, seed=3, difficulty="typical", scale=0.08)
    found = TASK.examples(tmp_path)
    drawn = {body["study"]: Result.from_dict(body) for body in json.loads((tmp_path / "truth.json").read_text())}
    assert found.phantom
    assert len(found) == 14
    for example in found:
        true = drawn[example.id]
        for name in ("disorder", "subtype"):
            assert example.truth.finding(name) == true.finding(name)
        measured = {(m.name, m.site): m.value for m in example.truth.measurements if m.value is not None}
        for m in true.measurements:
            if (m.name, m.site) in measured:
                assert measured[m.name, m.site] == pytest.approx(m.value, abs=3)
