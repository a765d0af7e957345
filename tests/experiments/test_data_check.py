from dataclasses import replace

import numpy as np
import pytest

from spinelab.core import Examples, Fact, Finding, InputError, Result, Run
from spinelab.experiments.data_check import announce, check_data, with_groups
from spinelab.experiments.shortcuts import picture_facts, probe
from spinelab.report.documents import data_document


def codes(check):
    return {flag.code for flag in check.summary.flags}


def test_clean_data_raise_no_flag(make_examples):
    check = check_data(make_examples(patients=80, separation=0.0), "label")
    assert codes(check) == set()
    assert check.summary.patients == 80
    assert check.summary.images == 160
    assert check.summary.classes == {"bright": {"images": 80, "patients": 40}, "dark": {"images": 80, "patients": 40}}
    assert check.summary.facts["sex"] == {"F": 80, "M": 80}


def test_a_copy_under_another_patient_is_a_leak_and_the_two_are_kept_together(make_examples, relabel):
    examples = make_examples(patients=80, separation=0.0)
    examples = relabel(examples, 10, open=examples[3].open)
    check = check_data(examples, "label")
    assert {"duplicates", "duplicates-across-patients"} <= codes(check)
    assert check.summary.leaks[0]["a"] == examples[3].id
    assert check.groups[3] == check.groups[10]
    assert check.summary.patients == 79
    assert sum(counts["patients"] for counts in check.summary.classes.values()) == 79


def test_one_picture_with_two_labels_is_a_conflict(make_examples, relabel):
    examples = make_examples(patients=80, separation=0.0)
    check = check_data(relabel(examples, 150, open=examples[3].open), "label")
    assert "conflicting-labels" in codes(check)
    assert check.summary.conflicts[0]["kind"] == "picture"


def test_alike_films_of_one_patients_visits_are_no_copies(make_examples, relabel):
    examples = make_examples(patients=80, separation=0.0)
    film = examples[3].open()
    again = replace(
        film, images=tuple(replace(image, pixels=np.clip(image.pixels.astype(int) + 1, 0, 255).astype(image.pixels.dtype)) for image in film.images)
    )
    visit = relabel(examples, 10, open=lambda: again, patient=examples[3].patient)
    assert "duplicates" not in codes(check_data(visit, "label"))
    assert "duplicates" in codes(check_data(relabel(visit, 10, patient="another"), "label"))
    assert "duplicates" in codes(check_data(relabel(visit, 10, open=examples[3].open), "label"))


def test_one_patient_with_two_labels_is_listed(make_examples, relabel):
    examples = make_examples(patients=80, separation=0.0)
    check = check_data(relabel(examples, 150, patient="patient000"), "label")
    assert check.summary.conflicts[-1] == {"kind": "patient", "patient": "patient000", "labels": ["bright", "dark"]}


def test_unknown_patients_and_few_patients_are_said(make_examples, relabel):
    examples = make_examples(patients=20)
    for i in range(len(examples)):
        examples = relabel(examples, i, patient=None)
    check = check_data(examples, "label")
    assert {"patients-unknown", "too-few-patients"} <= codes(check)
    assert check.summary.patients is None


def test_copies_are_said_not_to_count_where_patients_are_not_known(make_examples):
    known = make_examples(patients=20, films=1)
    items = tuple(replace(example, patient=None) for example in known)
    for copied, said in (
        (items, "10 images (patients are not known)"),
        ((*items[:1], replace(items[2], open=items[0].open), *items[1:2], *items[3:]), "9 different images"),
    ):
        check = check_data(replace(known, items=copied), "label")
        (few,) = (flag.text for flag in check.summary.flags if flag.code == "too-few-patients")
        assert said in few


def test_one_patient_is_no_patients(make_examples, relabel):
    odd = Result("toy", "reader", "x", findings=(Finding("label", "odd"),))
    check = check_data(relabel(make_examples(patients=20), 0, truth=odd), "label")
    assert [f.text for f in check.summary.flags if f.code == "too-few-patients"] == [
        "The rarest class, odd, has 1 patient: too few to rank models that are close."
    ]


def test_brightness_that_gives_the_class_away_is_a_shortcut(make_examples):
    assert "shortcut" in codes(check_data(make_examples(patients=80, separation=30.0), "label"))


def test_one_class_and_no_examples_are_refused(make_examples):
    with pytest.raises(InputError, match="only one class"):
        check_data(make_examples(shares=(1.0, 0.0)), "label")
    with pytest.raises(InputError, match="no examples"):
        check_data(Examples((), make_examples().root), "label")


def test_all_unreadable_files_are_named_before_anything_is_trained(make_examples, relabel):
    def broken():
        raise InputError("x.png is truncated", expected="a whole image", action="bring it again")

    examples = relabel(relabel(make_examples(), 3, open=broken), 5, open=broken)
    with pytest.raises(InputError, match="2 of 80 examinations") as refusal:
        check_data(examples, "label")
    assert "x.png is truncated" in str(refusal.value)


def test_the_digest_depends_on_content_and_not_on_order(make_examples, relabel):
    examples = make_examples()
    digest = check_data(examples, "label").summary.digest
    assert check_data(examples.subset(range(len(examples) - 1, -1, -1)), "label").summary.digest == digest
    assert check_data(relabel(examples, 0, patient="other"), "label").summary.digest != digest


def test_a_probe_on_facts_that_say_nothing_is_not_suspicious():
    rng = np.random.default_rng(1)
    facts = [{"width": float(w), "height": 100.0} for w in rng.integers(100, 200, 120)]
    labels = ["a", "b"] * 60
    found = probe("size", facts, labels, [str(i) for i in range(120)])
    assert found is not None
    assert not found["suspicious"]
    assert found["facts"] == ["width"]
    assert probe("size", [{"width": 1.0}] * 120, labels, [str(i) for i in range(120)]) is None
    assert probe("size", facts[:10], labels[:10], [str(i) for i in range(10)]) is None


def test_picture_facts_are_what_they_say():
    picture = np.zeros((90, 60), np.uint8)
    picture[:2] = 255
    facts = picture_facts(picture, 540)
    assert facts["aspect"] == pytest.approx(60 / 90)
    assert facts["bytes a pixel"] == pytest.approx(0.1)
    assert (facts["top border"], facts["bottom border"]) == (255, 0)


def test_what_is_wrong_is_told_before_training(make_examples, relabel):
    examples = make_examples(patients=80, separation=0.0)
    examples = relabel(relabel(examples, 150, open=examples[3].open), 151, patient="patient000")
    heard = []
    announce(check_data(examples, "label").summary, Run(tell=heard.append))
    assert any("Equal pictures: p001f1 and p075f0 (exact, 1.00)" in sentence for sentence in heard)
    assert any("Patients with two labels: patient000 (bright, dark)" in sentence for sentence in heard)


def test_what_is_doubtful_about_single_examinations_is_in_the_json_by_name(make_examples, relabel):
    examples = make_examples(patients=80, separation=0.0)
    doubtful = relabel(examples, 5, facts={**examples[5].facts, "remark": Fact("marks that look misplaced: T9", "marks")})
    summary = check_data(doubtful, "label").summary
    assert data_document(summary)["remarks"] == {examples[5].id: "marks that look misplaced: T9"}
    assert data_document(check_data(examples, "label").summary)["remarks"] == {}


def test_examples_counted_as_one_patient_keep_their_names(make_examples):
    examples = make_examples(patients=4)
    one = [examples[0].group] * len(examples)
    merged = with_groups(examples, one)
    assert set(merged.groups()) == {examples[0].group}
    assert [e.patient for e in merged] == [e.patient for e in examples]
    assert merged.patients_known == examples.patients_known
