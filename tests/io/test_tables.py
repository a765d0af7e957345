"""Tables that a user writes about films."""

from pathlib import Path

import pytest

from spinelab.core import InputError
from spinelab.io.tables import age_of, date_of, read_cells, read_rows, read_table, sex_of, spacing_of


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", ["Name,Sex\na,F\n\nb\n", "name;sex\na;F\n;\nb;\n", "name\tsex\na\tF\nb\t\n"])
def test_rows_come_with_their_lines_and_blanks(tmp_path, text):
    rows = read_rows(table(tmp_path / "t.csv", text), ("name",), ("sex",), "a table")
    assert [row for _, row in rows] == [{"name": "a", "sex": "F"}, {"name": "b", "sex": ""}]
    assert rows[0][0] == 2


def test_a_column_that_is_not_known_is_refused_where_the_table_is_closed(tmp_path):
    path = table(tmp_path / "t.csv", "name,weight\na,60\n")
    assert read_rows(path, ("name",), (), "a table") == [(2, {"name": "a"})]
    with pytest.raises(InputError, match="'weight'"):
        read_rows(path, ("name",), (), "a table", closed=True)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('\ufeff\n;;\n Name ; SEX ;\r\n\r\n "a;b" ;F;\n;;\nb\n', [(5, "a;b", "F"), (7, "b", "")]),
        ('name,note,sex\na,"two\nlines, one cell",F\n', [(3, "a", "F")]),
        ("sex\tname\tname of the film\tname of the film\n\ta, b\n", [(2, "a, b", "")]),
    ],
    ids=["bom-blanks-semicolons", "quotes", "tabs-and-others-of-one-name"],
)
def test_forms_of_a_table(tmp_path, text, rows):
    found = read_rows(table(tmp_path / "t.csv", text), ("name",), ("sex",), "a table")
    assert [(line, row["name"], row["sex"]) for line, row in found] == rows


def test_decimal_commas_are_understood_where_semicolons_separate(tmp_path):
    text = "name;spacing_mm;x\nMüller, Anna 1,5;0,143 0,15;-1,5e3\n1,5 mm;.5;,5\n"
    rows = read_table(table(tmp_path / "t.csv", text), "a table").rows
    assert [tuple(row.values()) for _, row in rows] == [("Müller, Anna 1,5", "0.143 0.15", "-1.5e3"), ("1,5 mm", ".5", ".5")]
    ((_, row),) = read_table(table(tmp_path / "u.csv", 'name,x\na,"1,5"\n'), "a table").rows
    assert row["x"] == "1,5"


def test_blanks_separate_where_they_may_and_nothing_else_does(tmp_path):
    path = table(tmp_path / "t.csv", "1.5  2 3\n4 5,6 7\n")
    assert read_cells(path, "numbers", spaces=True) == [(1, ["1.5", "2", "3"]), (2, ["4", "5,6", "7"])]
    assert read_cells(table(tmp_path / "u.csv", "1,5; 2,5 ;3,5\n"), "numbers", spaces=True) == [(1, ["1.5", "2.5", "3.5"])]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (" \n", "is empty"),
        (";;\n", "is empty"),
        ("name\n", "has no rows"),
        ("film\n", "has no column name and sex; it has film"),
        ("name,sex,NAME\na,F,b\n", "two columns are called 'name'"),
        ("name,sex\n\na,F,b\n", "line 3: 3 cells under 2 columns.*quotation marks"),
        ('name,sex\n5" film,F\nb,F\n"a,F\nb,F\n', "quotation mark in line 4 does not end"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_with_its_line(tmp_path, text, says):
    needed = ("name",) if text == "name\n" else ("name", "sex")
    with pytest.raises(InputError, match=says):
        read_rows(table(tmp_path / "t.csv", text), needed, (), "a table")


@pytest.mark.parametrize("column", ["image", "film", "path", "file", "FileName"])
def test_the_column_that_names_the_film_may_be_called_otherwise(tmp_path, column):
    rows = read_rows(table(tmp_path / "t.csv", f"sex,{column}\nF,a.png\n"), ("image", "sex"), (), "a table", film="image")
    assert rows == [(2, {"sex": "F", "image": "a.png"})]


def test_of_several_columns_that_could_name_the_film_the_first_known_one_does(tmp_path):
    path = table(tmp_path / "t.csv", "file,film,image\na,b,c\n")
    assert read_table(path, "a table", film="film").rows == ((2, {"file": "a", "film": "b", "image": "c"}),)
    assert read_table(path, "a table", film="path").rows == ((2, {"file": "a", "film": "b", "path": "c"}),)


def test_rows_that_end_early_are_refused_where_every_cell_counts(tmp_path):
    path = table(tmp_path / "t.csv", "name,sex\na\n")
    assert read_table(path, "a table").rows == ((2, {"name": "a", "sex": ""}),)
    with pytest.raises(InputError, match="line 2: 1 cells under 2 columns"):
        read_table(path, "a table", whole=True)


def test_another_encoding_is_refused_with_its_line_and_not_guessed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("name;sex\r\nAnna;F\r\nMüller;F\r\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"line 3 is not UTF-8 \(byte 0xfc\).*save it as UTF-8 CSV; other encodings are not guessed"):
        read_rows(path, ("name",), (), "a table")


def test_cells_that_several_tables_share():
    assert (age_of("12.5", "here"), sex_of("Female", "here"), date_of("2024-01-31", "here"), date_of("20240131", "here")) == (12.5, "F", "20240131", "20240131")
    assert (spacing_of("0.2", "here"), spacing_of("0.1 0.2", "here"), spacing_of("0.1\\0.2", "here")) == ((0.2, 0.2), (0.1, 0.2), (0.1, 0.2))
    assert age_of("", "here") is sex_of("", "here") is date_of("", "here") is spacing_of(" ", "here") is None


@pytest.mark.parametrize(
    ("read", "text"), [(age_of, "old"), (age_of, "131"), (sex_of, "x"), (date_of, "yesterday"), (spacing_of, "0"), (spacing_of, "nan"), (spacing_of, "a")]
)
def test_a_cell_that_is_none_names_its_place(read, text):
    with pytest.raises(InputError, match=f"line 3: .*{text}"):
        read(text, "line 3")
