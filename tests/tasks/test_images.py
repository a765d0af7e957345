import csv

import cv2
import numpy as np
import pytest

from spinelab import tasks
from spinelab.core import Image, InputError, Model, Study, TaskError

TASK = tasks.load("images")


def picture(path, value=100, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(abs(hash(path.name)) % 2**32)
    cv2.imwrite(str(path), np.clip(value + rng.normal(0, 9, size), 0, 255).astype(np.uint8))
    return path


def manifest(folder, rows, columns=("path", "patient", "label")):
    path = folder / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def test_a_folder_per_class(tmp_path):
    for name in ("normal/1.png", "normal/2.png", "sick/1.png", "sick/deeper/3.png"):
        picture(tmp_path / name)
    (tmp_path / "LICENSE").write_text("terms")
    (tmp_path / "sick" / "notes.txt").write_text("not an image")
    found = TASK.examples(tmp_path)
    assert [e.id for e in found] == ["normal/1.png", "normal/2.png", "sick/1.png", "sick/deeper/3.png"]
    assert found.labels("label") == ["normal", "normal", "sick", "sick"]
    assert not found.patients_known
    assert any("notes.txt" in note for note in found.notes)
    assert TASK.classes(found, TASK.settings_type()) == ("normal", "sick")


def test_class_folders_one_level_down_are_found_and_said(tmp_path):
    for name in ("set/a/1.png", "set/b/1.png"):
        picture(tmp_path / name)
    found = TASK.examples(tmp_path)
    assert set(found.labels("label")) == {"a", "b"}
    assert found.notes == ("The classes are the folders in set.",)


def test_a_manifest_with_every_column(tmp_path):
    for n in range(4):
        picture(tmp_path / f"{n}.png")
    rows = [(f"{n}.png", f"P{n // 2}", "ab"[n % 2], "AP", "f" if n else "", 30 + n, "north") for n in range(4)]
    path = manifest(tmp_path, rows, ("path", "patient", "label", "view", "sex", "age", "site"))
    for source in (path, tmp_path):
        found = TASK.examples(source)
        assert found.patients_known
        assert found.groups() == ["P0", "P0", "P1", "P1"]
        study = found[1].open()
        assert (study.sex.value, study.age_years.value, study.patient.value) == ("F", 31.0, "P0")
        assert study.facts["site"].value == "north"
        assert not found[0].open().sex.known


def test_a_semicolon_and_a_byte_order_mark_are_no_obstacle(tmp_path):
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    (tmp_path / "manifest.csv").write_text("\ufeffpath;patient;label\n1.png;A;x\n2.png;B;y\n", encoding="utf-8")
    assert TASK.examples(tmp_path).labels("label") == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("path,patient\n1.png,A\n", "no column label"),
        ("path,patient,label\n", "no rows"),
        ("path,patient,label\n1.png,A,\n", "no label in line 2"),
        ("path,patient,label\n1.png,A,x\n2.png,,y\n", "no patient in line 3"),
        ("path,patient,label\n1.png,A,x\n./1.png,B,y\n", "stands in two rows"),
        ("path,patient,label\n1.png,A,x\n9.png,B,y\n", "1 of 2 files do not exist"),
        ("path,label,age\n1.png,x,old\n", "age 'old'"),
        ("path,label,sex\n1.png,x,q\n", "sex 'q'"),
        ("path,label\n1.png,x,more\n", "line 2: 3 cells under 2 columns"),
        ('path,label\n1.png,"x\n2.png,y\n', "quotation mark in line 2 does not end"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_in_words(tmp_path, text, says):
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match=says):
        TASK.examples(tmp_path / "manifest.csv")


def test_folders_that_cannot_be_used_are_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        TASK.examples(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no class folders"):
        TASK.examples(tmp_path)
    picture(tmp_path / "a" / "1.png")
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        TASK.examples(tmp_path)
    binary = tmp_path / "list.csv"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot be read as text"):
        TASK.examples(binary)


@pytest.mark.parametrize(
    ("labels", "positive"),
    [({"normal": 5, "abnormal": 90}, "abnormal"), ({"below": 280, "surgical-range": 201}, "surgical-range"), ({"x": 10, "y": 4}, "y"), ({"b": 5, "c": 5}, "c")],
)
def test_the_positive_class_is_the_disease(tmp_path, labels, positive):
    for label, count in labels.items():
        for n in range(count):
            (tmp_path / label).mkdir(exist_ok=True)
            (tmp_path / label / f"{n}.png").touch()
    found = TASK.examples(tmp_path)
    assert TASK.classes(found, TASK.settings_type())[-1] == positive
    other = next(name for name in labels if name != positive)
    assert TASK.classes(found, TASK.settings_type(positive=other))[-1] == other
    with pytest.raises(TaskError, match="one of the labels"):
        TASK.classes(found, TASK.settings_type(positive="z"))


def test_a_prepared_picture_keeps_its_proportions():
    tall = np.full((200, 100), 200, np.uint8)
    prepared = TASK.prepare(Study("s", images=(Image(tall),)), TASK.settings_type(image_size=64))
    assert prepared.pixels.shape == (1, 64, 64)
    assert (prepared.pixels[0] > 0).any(axis=0).sum() == 32
    with pytest.raises(InputError, match="2 images"):
        TASK.prepare(Study("s", images=(Image(tall), Image(tall))), TASK.settings_type())


def test_the_answer_names_every_class():
    model = Model("images", TASK.settings_type(), ("normal", "sick"), {})
    result = TASK.interpret(np.array([0.25, 0.75]), model, "film")
    assert result.findings[0].label == "sick"
    assert result.findings[0].probabilities == {"normal": 0.25, "sick": 0.75}


def test_phantoms_are_read_back_with_their_truth(tmp_path):
    from spinelab.tasks.images.phantom import write_phantoms

    write_phantoms(tmp_path, n=4, seed=1, difficulty="easy", scale=0.3)
    found = TASK.examples(tmp_path)
    assert found.phantom
    assert found.groups() == ["P0001", "P0001", "P0002", "P0002"]
    assert found.labels("label") == ["straight", "straight", "curved", "curved"]
