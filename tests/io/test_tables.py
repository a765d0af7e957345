"""Tables that a user writes about films."""

from pathlib import Path

import pytest

from spinelab.core import InputError
from spinelab.io.tables import age_of, date_of, read_rows, sex_of, spacing_of


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
    with pytest.raises(InputError, match="there twice"):
        read_rows(table(tmp_path / "u.csv", "name,name\na,b\n"), ("name",), (), "a table", closed=True)


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
