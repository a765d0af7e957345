import csv
import json

import cv2
import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.tasks.landmarks.annotation import LAYOUT
from spinelab.tasks.landmarks.data import examples

ROWS, COLUMNS = 60, 40


def picture(path, size=(ROWS, COLUMNS)):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(path.name))
    cv2.imwrite(str(path), rng.integers(0, 255, size).astype(np.uint8))
    return path


def table(folder, header, rows, name="landmarks.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return folder / name


def long(folder, rows, header=("image", "landmark", "x", "y")):
    for name in {row[0] for row in rows}:
        picture(folder / name)
    return table(folder, header, rows)


def points(example):
    return {p.name: (p.x, p.y) for p in example.truth.landmarks}


def test_a_row_a_point(tmp_path):
    long(tmp_path, [("1.png", "a", 3, 4.5), ("1.png", "b", 10, 50), ("2.png", "b", 11, 51), ("2.png", "a", "", "")])
    found = examples(tmp_path)
    assert [e.id for e in found] == ["1.png", "2.png"]
    assert points(found[0]) == {"a": (3.0, 4.5), "b": (10.0, 50.0)}
    assert points(found[1]) == {"b": (11.0, 51.0)}
    assert found.declaration.landmarks == ("a", "b")
    assert not found.patients_known
    assert any("No picture is flipped" in note for note in found.notes)
    assert found[1].open().images[0].shape_yx == (ROWS, COLUMNS)


def test_everything_a_table_can_say(tmp_path):
    header = ("image", "landmark", "x", "y", "visible", "patient", "spacing_mm", "sex", "age", "site", "split")
    rows = [(f"{n}.png", point, 5 + n, 6, visible, f"P{n}", 0.5, "f", 44, "north", "test") for n in range(2) for point, visible in (("a", 1), ("b", 1 - n))]
    long(tmp_path, rows, header)
    found = examples(tmp_path / "landmarks.csv")
    assert found.groups() == ["P0", "P1"]
    assert set(points(found[1])) == {"a"}
    assert found[0].facts["split"].value == "test"
    study = found[0].open()
    assert (study.sex.value, study.age_years.value, study.facts["site"].value, study.patient.value) == ("F", 44.0, "north", "P0")
    assert study.images[0].spacing_mm.value == (0.5, 0.5)
    assert "landmarks.csv" in study.images[0].spacing_mm.source


def test_a_row_a_picture(tmp_path):
    for name in ("1.png", "2.png"):
        picture(tmp_path / "images" / name)
    table(tmp_path, ("image", "left_eye_x", "left_eye_y", "nose_x", "nose_y", "patient"), [("1.png", 1, 2, 3, 4, "A"), ("2.png", "", "", 5, 6, "B")])
    found = examples(tmp_path)
    assert points(found[0]) == {"left_eye": (1.0, 2.0), "nose": (3.0, 4.0)}
    assert points(found[1]) == {"nose": (5.0, 6.0)}
    assert found.patients_known


def test_a_spreadsheet_with_semicolons_decimal_commas_and_a_byte_order_mark(tmp_path):
    picture(tmp_path / "1.png")
    (tmp_path / "points.csv").write_text("\ufeffFilm;Point;X_px;Y_px\n1.png;a;3,25;4\n", encoding="utf-8")
    assert points(examples(tmp_path)[0]) == {"a": (3.25, 4.0)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("image,landmark,x,y\n", "no rows"),
        ("picture,landmark,x,y\n1.png,a,1,2\n", "no column image"),
        ("image,landmark,x\n1.png,a,1\n", "no column y"),
        ("image,a_x,b_x\n1.png,1,2\n", "no column a_y"),
        ("image,patient\n1.png,A\n", "has no points"),
        ("image,landmark,x,y,x\n1.png,a,1,2,3\n", "two columns are called 'x'"),
        ("image,landmark,x,y\n1.png,a,1,2\n1.png,a,3,4\n", "line 3: 1.png has a second point 'a'"),
        ("image,landmark,x,y\n1.png,a,1,\n", "line 2: y is ''"),
        ("image,landmark,x,y\n1.png,a,one,2\n", "line 2: x is 'one'"),
        ("image,landmark,x,y\n1.png,a,nan,2\n", "x is 'nan'"),
        ("image,landmark,x,y\n1.png,,1,2\n", "line 2: no landmark"),
        ("image,landmark,x,y,visible\n1.png,a,1,2,maybe\n", "visible is 'maybe'"),
        ("image,landmark,x,y,patient\n1.png,a,1,2,A\n1.png,b,1,2,B\n", "has patient 'A' and 'B'"),
        ("image,landmark,x,y,patient\n1.png,a,1,2,A\n2.png,a,1,2,\n", "no patient for 2.png"),
        ("image,landmark,x,y,spacing_mm\n1.png,a,1,2,0\n", "spacing_mm is 0"),
        ("image,landmark,x,y,age\n1.png,a,1,2,200\n", "age '200'"),
        ("image,landmark,x,y,sex\n1.png,a,1,2,q\n", "sex 'q'"),
        ("image,landmark,x,y\n1.png,a,1,2,3\n", "5 cells under 4 columns"),
        ("image,landmark,x,y\n9.png,a,1,2\n", "none of its 1 pictures"),
        ("image,landmark,x,y\n1.png,a,,\n1.png,b,,\n", "'a' is in no picture|no picture with a point remains"),
        ("image,a_x,a_y\n1.png,1,2\n1.png,3,4\n", "stands in two rows"),
        ("image,landmark,x,y\n1.png,a,1,2\n./1.png,a,1,2\n", "are the same picture"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_words(tmp_path, text, says):
    for name in ("1.png", "2.png"):
        picture(tmp_path / name)
    (tmp_path / "landmarks.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        examples(tmp_path)


def test_what_is_left_out_is_told(tmp_path):
    rows = [("1.png", "a", 1, 2), ("1.png", "b", 500, 2), ("2.png", "a", 1, 2), ("2.png", "b", 5, 2), ("gone.png", "a", 1, 2), ("empty.png", "a", "", "")]
    for name in ("1.png", "2.png", "empty.png", "stranger.png"):
        picture(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    table(tmp_path, ("image", "landmark", "x", "y"), [*rows, ("broken.png", "a", 1, 2)])
    found = examples(tmp_path)
    assert [e.id for e in found] == ["1.png", "2.png"]
    assert points(found[0]) == {"a": (1.0, 2.0)}
    told = " ".join(found.notes)
    for part in ("gone.png", "stranger.png", "b of 1.png", "empty.png"):
        assert part in told


def test_exchanged_columns_are_noticed(tmp_path):
    long(tmp_path, [(f"{n}.png", p, y, x) for n in range(3) for p, x, y in (("a", 5, 55 - n), ("b", 6, 20))])
    with pytest.raises(InputError, match="x and y exchanged"):
        examples(tmp_path)


def test_parts_of_the_picture_are_no_pixels(tmp_path):
    long(tmp_path, [(f"{n}.png", p, 0.1 + 0.2 * n, 0.9) for n in range(3) for p in "ab"])
    with pytest.raises(InputError, match="between 0 and 1"):
        examples(tmp_path)


def test_measurements_are_declared_beside_the_data(tmp_path):
    long(
        tmp_path,
        [("1.png", "a", 0, 0, 0.5), ("1.png", "b", 3, 4, 0.5), ("2.png", "a", 0, 0, ""), ("2.png", "b", 6, 8, "")],
        ("image", "landmark", "x", "y", "spacing_mm"),
    )
    (tmp_path / "measurements.toml").write_text('[distance.ab]\npoints = ["a", "b"]\n[mirror]\npairs = []\n', encoding="utf-8")
    found = examples(tmp_path)
    given = [{m.unit: (m.value, m.withheld) for m in e.truth.measurements} for e in found]
    assert given[0] == {"mm": (2.5, None), "px": (5.0, None)}
    assert given[1]["px"] == (10.0, None)
    assert given[1]["mm"][1] == "no pixel spacing: a PNG does not state it"
    assert found.declaration.flips
    assert any("1 of 2 pictures states no pixel spacing: its distances" in note for note in found.notes)
    assert found.subset([0]).declaration == found.declaration


def test_a_declaration_must_fit_the_data(tmp_path):
    long(tmp_path, [("1.png", "left eye", 1, 2), ("1.png", "nose", 3, 4), ("1.png", "ear", 3, 9)])
    (tmp_path / "measurements.toml").write_text('[distance.d]\npoints = ["left_eye", "nose"]\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"\[distance.d\] names a point 'left_eye'") as refused:
        examples(tmp_path)
    assert "left eye" in refused.value.action
    (tmp_path / "measurements.toml").write_text('landmarks = ["nose", "left eye"]\n', encoding="utf-8")
    found = examples(tmp_path)
    assert [p.name for p in found[0].truth.landmarks] == ["nose", "left eye"]
    assert any("ear" in note for note in found.notes)


def coco(folder, **changes):
    for name in ("1.png", "2.png", "3.png"):
        picture(folder / "images" / name)
    body = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": COLUMNS, "height": ROWS, "patient": f"P{n}"} for n in (1, 2, 3)],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "keypoints": [3, 4, 2, 5, 6, 1]},
            {"id": 2, "image_id": 2, "category_id": 7, "keypoints": [0, 0, 0, 8, 9, 2]},
        ],
        "categories": [{"id": 7, "name": "spine", "keypoints": ["head", "tail"], "skeleton": [[1, 2]]}],
    } | changes
    path = folder / "annotations" / "keypoints.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body), encoding="utf-8")
    return path


def test_coco_keypoints(tmp_path):
    path = coco(tmp_path)
    for source in (tmp_path, path):
        found = examples(source)
        assert [e.id for e in found] == ["1.png", "2.png"]
        assert points(found[0]) == {"head": (3.0, 4.0), "tail": (5.0, 6.0)}
        assert points(found[1]) == {"tail": (8.0, 9.0)}
        assert found.groups() == ["P1", "P2"]
        assert any("3.png" in note for note in found.notes)


def test_several_categories_give_their_name_to_their_points(tmp_path):
    categories = [{"id": n, "name": f"L{n}", "keypoints": ["front", "back"]} for n in (4, 5)]
    annotations = [{"image_id": 1, "category_id": n, "keypoints": [n, 2, 2, 1, n, 2]} for n in (4, 5)]
    found = examples(coco(tmp_path, categories=categories, annotations=annotations))
    assert points(found[0]) == {"L4 front": (4, 2), "L4 back": (1, 4), "L5 front": (5, 2), "L5 back": (1, 5)}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"annotations": [{"image_id": 1, "category_id": 7, "keypoints": [1, 2, 2, 3, 4, 2]}] * 2}, "a second object of one category in 1.png"),
        ({"annotations": [{"image_id": 9, "category_id": 7, "keypoints": [1, 2, 2, 3, 4, 2]}]}, "image_id 9"),
        ({"annotations": [{"image_id": 1, "category_id": 8, "keypoints": [1, 2, 2, 3, 4, 2]}]}, "category_id 8"),
        ({"annotations": [{"image_id": 1, "category_id": 7, "keypoints": [1, 2, 2]}]}, "3 numbers"),
        ({"annotations": [{"image_id": 1, "category_id": 7, "bbox": [1, 2, 2, 4]}]}, "no keypoints"),
        ({"annotations": [{"image_id": 1, "category_id": 7, "keypoints": [1, 2, 5, 3, 4, 2]}]}, "visibility of head is 5"),
        ({"annotations": [{"image_id": 1, "category_id": 7, "keypoints": [None, 2, 2, 3, 4, 2]}]}, "head x is 'None'"),
        ({"annotations": []}, "holds no annotation"),
        ({"categories": [{"id": 7, "name": "spine"}]}, "no category names its keypoints"),
        ({"categories": [{"id": 7, "name": "spine", "keypoints": ["a", "a"]}]}, "two keypoints are called 'a'"),
        ({"images": [{"id": 1, "file_name": "1.png"}, {"id": 1, "file_name": "2.png"}]}, "a second image with id 1"),
        ({"images": [{"file_name": "1.png"}]}, "no id or file_name"),
        ({"images": "none"}, "is no COCO data set"),
        ({"categories": [{"id": [7], "name": "spine", "keypoints": ["head", "tail"]}]}, "the category 'spine' has no id"),
        ({"annotations": [{"image_id": 1, "category_id": [7], "keypoints": [1, 2, 2, 3, 4, 2]}]}, r"category_id \[7\]"),
        (
            {"images": [{"id": n, "file_name": f"{n}.png", "width": 2 * COLUMNS, "height": 2 * ROWS} for n in (1, 2)]},
            "2 pictures of another size than was marked, such as 1.png",
        ),
        ({"images": [{"id": n, "file_name": f"{n}.png", "width": ROWS, "height": COLUMNS} for n in (1, 2)]}, "turned as EXIF says"),
    ],
)
def test_coco_that_cannot_be_used_is_refused_in_words(tmp_path, changes, says):
    with pytest.raises(InputError, match=says):
        examples(coco(tmp_path, **changes))


def test_boxes_beside_keypoints_are_left_out_and_told(tmp_path):
    categories = [{"id": 7, "name": "spine", "keypoints": ["head", "tail"]}, {"id": 8, "name": "marker"}]
    annotations = [{"image_id": 1, "category_id": 7, "keypoints": [3, 4, 2, 5, 6, 1]}, {"image_id": 1, "category_id": 8, "bbox": [1, 2, 2, 4]}]
    found = examples(coco(tmp_path, categories=categories, annotations=annotations))
    assert points(found[0]) == {"head": (3, 4), "tail": (5, 6)}
    assert any("keypoints.json: 1 annotation is of a category without keypoints and was left out: marker." in note for note in found.notes)


def test_a_coco_file_a_split_is_told_by_its_name(tmp_path):
    train = coco(tmp_path)
    body = json.loads(train.read_text(encoding="utf-8"))
    train.rename(train.with_name("train.json"))
    (train.parent / "val.json").write_text(json.dumps(body | {"images": [{"id": 1, "file_name": "3.png"}], "annotations": body["annotations"][:1]}))
    found = examples(tmp_path)
    assert [(e.id, e.facts["split"].value) for e in found] == [("1.png", "train"), ("2.png", "train"), ("3.png", "val")]
    (train.parent / "val.json").write_text(json.dumps(body))
    with pytest.raises(InputError, match=r"1\.png stands in train\.json image 1 too"):
        examples(tmp_path)
    (train.parent / "val.json").rename(train.parent / "other.json")
    with pytest.raises(InputError, match="which one is meant"):
        examples(tmp_path)


def test_a_table_from_windows_and_pandas_is_understood(tmp_path):
    for name in ("1.png", "2.png"):
        picture(tmp_path / "films" / name)
    rows = [("films\\1.png", 3, 4, "NaN", "nan", "NaN"), ("films\\2.png", 3, 4, 5, 6, "0.2")]
    table(tmp_path, ("image", "a_x", "a_y", "b_x", "b_y", "spacing_mm"), rows)
    example = examples(tmp_path)[0]
    assert example.id == "films/1.png"
    assert points(example) == {"a": (3, 4)}
    assert not example.facts["spacing_mm"].known


def test_labelme_pictures_get_their_patients_from_a_table(tmp_path):
    for name in ("1", "2"):
        labelme(tmp_path, name, [point("a", 1, 1)])
    table(tmp_path, ("image", "patient", "spacing_mm"), [("1.png", "P1", "0.2"), ("2.png", "P1", "")], name="patients.csv")
    found = examples(tmp_path)
    assert found.groups() == ["P1", "P1"]
    assert [e.facts["spacing_mm"].value for e in found] == [(0.2, 0.2), None]
    table(tmp_path, ("image", "patient"), [("1.png", "P1")], name="patients.csv")
    with pytest.raises(InputError, match=r"has no row for 2\.png"):
        examples(tmp_path)
    table(tmp_path, ("image", "patient"), [("1.png", "")], name="patients.csv")
    with pytest.raises(InputError, match=r"line 2: 1\.png"):
        examples(tmp_path)
    table(tmp_path, ("image", "who"), [("1.png", "P1")], name="patients.csv")
    with pytest.raises(InputError, match="no column patient"):
        examples(tmp_path)


def labelme(folder, name, shapes, **changes):
    body = {"version": "5.2.1", "flags": {}, "shapes": shapes, "imagePath": f"{name}.png", "imageData": None} | changes
    picture(folder / f"{name}.png")
    (folder / f"{name}.json").write_text(json.dumps(body), encoding="utf-8")


def point(label, x, y, kind="point"):
    return {"label": label, "points": [[x, y]], "shape_type": kind, "group_id": None, "flags": {}}


def test_labelme_counts_from_the_corner_of_the_first_pixel(tmp_path):
    labelme(tmp_path / "a", "1", [point("b", 0.5, 0.5), point("a", 10, 20)])
    labelme(tmp_path / "a", "2", [point("a", 7, 8)], imagePath="..\\elsewhere\\2.png")
    labelme(tmp_path / "a", "3", [])
    found = examples(tmp_path)
    assert [e.id for e in found] == ["a/1.png", "a/2.png"]
    assert points(found[0]) == {"a": (9.5, 19.5), "b": (0.0, 0.0)}
    assert found.declaration.landmarks == ("a", "b")
    assert any("a/3.png" in note for note in found.notes)
    assert points(examples(tmp_path / "a" / "2.json")[0]) == {"a": (6.5, 7.5)}


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ({"label": "L4", "points": [[1, 1], [2, 2], [3, 1]], "shape_type": "polygon"}, "'L4' is a polygon"),
        ({"label": "L4", "points": [[1, 1], [2, 2]], "shape_type": "line"}, "'L4' is a line"),
        (point("a", 1, 1), "two points are called 'a'"),
        ({"label": "", "points": [[1, 1]], "shape_type": "point"}, "a shape without a label"),
        ({"label": "b", "points": [[1, 1, 1]], "shape_type": "point"}, "'b' has no single position"),
        (point("b", "here", 1), "b x is 'here'"),
    ],
)
def test_labelme_shapes_that_are_no_landmarks_are_refused(tmp_path, shape, says):
    labelme(tmp_path, "1", [point("a", 1, 1), shape])
    with pytest.raises(InputError, match=says):
        examples(tmp_path)


def test_labelme_of_another_size_than_the_picture_is_refused(tmp_path):
    labelme(tmp_path, "1", [point("a", 1, 1)], imageWidth=COLUMNS, imageHeight=ROWS)
    assert len(examples(tmp_path)) == 1
    labelme(tmp_path, "2", [point("a", 1, 1)], imageWidth=3 * COLUMNS, imageHeight=3 * ROWS)
    with pytest.raises(InputError, match=r"1 picture of another size than was marked, such as 2\.png"):
        examples(tmp_path)


@pytest.mark.parametrize("text", ["{", "", "[" * 200_000])
def test_a_broken_annotation_does_not_pass_for_a_picture_without_one(tmp_path, text):
    labelme(tmp_path, "1", [point("a", 1, 1)])
    labelme(tmp_path, "2", [point("a", 1, 1)])
    (tmp_path / "patients.csv").write_text("image,patient\n1.png,P1\n2.png,P2\n", encoding="utf-8")
    (tmp_path / "2.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"1 JSON file in .* cannot be read, such as 2.json"):
        examples(tmp_path)


def test_labelme_with_the_picture_only_inside(tmp_path):
    labelme(tmp_path, "1", [point("a", 1, 1)], imageData="iVBORw0KGgo=")
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match="only a copy inside"):
        examples(tmp_path)


def test_folders_that_do_not_say_what_they_are(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        examples(tmp_path / "nowhere")
    picture(tmp_path / "1.png")
    with pytest.raises(InputError, match="no annotation that can be read") as refused:
        examples(tmp_path)
    assert refused.value.expected == LAYOUT
    coco(tmp_path)
    labelme(tmp_path, "1", [point("a", 1, 1)])
    with pytest.raises(InputError, match="which one is meant"):
        examples(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match="is no JSON"):
        examples(tmp_path / "broken.json")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot be read as text"):
        examples(tmp_path / "binary.csv")


def test_a_turned_photograph_is_measured_as_it_is_shown(tmp_path):
    from PIL import Image as Picture

    picture = Picture.fromarray(np.zeros((20, 90), np.uint8))
    exif = picture.getexif()
    exif[274] = 6
    picture.save(tmp_path / "1.jpg", exif=exif)
    table(tmp_path, ("image", "landmark", "x", "y"), [("1.jpg", "a", 10, 80)])
    found = examples(tmp_path)
    assert points(found[0]) == {"a": (10.0, 80.0)}
    assert found[0].open().images[0].shape_yx == (90, 20)
