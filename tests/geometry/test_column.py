import numpy as np
import pytest

from spinelab.geometry.column import PITCH, Candidates, find_columns

LEVELS, HEIGHT = 17, 20.0
BOX = np.array([[-15.0, -HEIGHT / 2], [15, -HEIGHT / 2], [-15, HEIGHT / 2], [15, HEIGHT / 2]])


def column(count=LEVELS, first=0, *, contrast=2.0):
    """Return a curved column of ``count`` vertebrae whose uppermost has level ``first``, as a network sees it."""
    y = 40 + PITCH * HEIGHT * np.arange(count)
    x = 100 + 12 * np.sin(np.arange(count) / 3)
    apart = np.abs(np.arange(LEVELS)[None] - (first + np.arange(count))[:, None])
    return Candidates(np.stack([x, y], 1)[:, None] + BOX, np.full(count, 0.9), -contrast * apart.astype(float))


def without(seen, rows):
    return Candidates(*(np.delete(part, rows, axis=0) for part in (seen.corners, seen.share, seen.level)))


def beside(seen, row, *, share=0.3):
    """Return the column with something that looks a little like a vertebra beside one of its own."""
    corners = np.concatenate([seen.corners, seen.corners[row : row + 1] + np.array([45.0, 3.0])])
    order = np.argsort(corners.mean(axis=1)[:, 1])
    return Candidates(corners[order], np.append(seen.share, share)[order], np.concatenate([seen.level, seen.level[row : row + 1]])[order]), order


def test_a_whole_column_is_named_from_top_to_bottom():
    best = find_columns(column())[0]
    assert best.chosen.tolist() == best.levels.tolist() == list(range(LEVELS))
    assert best.shift == 0


@pytest.mark.parametrize("first", [0, 3, 7])
def test_a_part_of_a_column_gets_the_levels_that_fit(first):
    best = find_columns(column(10, first))[0]
    assert best.chosen.tolist() == list(range(10))
    assert best.levels.tolist() == list(range(first, first + 10))


def test_a_false_vertebra_beside_the_column_is_left_out():
    seen, order = beside(column(), 8)
    best = find_columns(seen)[0]
    assert order[best.chosen].tolist() == list(range(LEVELS))
    assert best.levels.tolist() == list(range(LEVELS))


def test_a_false_vertebra_between_two_levels_is_left_out():
    seen = column()
    between = (seen.corners[5] + seen.corners[6]) / 2
    crowded = Candidates(np.insert(seen.corners, 6, between, 0), np.insert(seen.share, 6, 0.2), np.insert(seen.level, 6, seen.level[5], 0))
    best = find_columns(crowded)[0]
    assert 6 not in best.chosen
    assert best.levels.tolist() == list(range(LEVELS))


def test_a_level_that_was_not_seen_is_skipped():
    best = find_columns(without(column(), 6))[0]
    assert best.levels.tolist() == [k for k in range(LEVELS) if k != 6]


def test_other_numberings_score_lower_the_further_they_are_off():
    columns = find_columns(column(12, 2))
    scores = {c.shift: c.score for c in columns}
    assert set(scores) == {-2, -1, 0, 1, 2}
    assert scores[0] > scores[1] > scores[2]
    assert scores[0] > scores[-1] > scores[-2]
    for c in columns:
        assert c.levels[len(c.levels) // 2] == pytest.approx(2 + len(c.levels) // 2 + c.shift, abs=1)


def test_a_clearer_level_makes_the_other_numberings_less_likely():
    clear, vague = ({c.shift: c.score for c in find_columns(column(12, 2, contrast=contrast))} for contrast in (3.0, 0.3))
    assert clear[0] - clear[1] > vague[0] - vague[1] > 0


def test_a_numbering_moves_the_vertebrae_that_still_have_a_level():
    lower = next(c for c in find_columns(column(12, 2, contrast=0.3)) if c.shift == 1)
    assert lower.chosen.tolist() == list(range(12))
    assert lower.levels.tolist() == list(range(3, 15))


def test_a_numbering_that_differs_may_leave_a_gap_but_keeps_its_order():
    for c in find_columns(column(12, 2)):
        assert (np.diff(c.chosen) > 0).all()
        assert np.isin(np.diff(c.levels), [1, 2]).all()


def test_nothing_seen_is_no_column():
    assert find_columns(Candidates(np.zeros((0, 4, 2)), np.zeros(0), np.zeros((0, LEVELS)))) == ()


def test_one_vertebra_is_a_column_of_one():
    best = find_columns(column(1, 4))[0]
    assert (best.chosen.tolist(), best.levels.tolist()) == ([0], [4])
    assert {c.shift for c in find_columns(column(1, 0))} == {0, 1, 2}


def test_the_size_of_the_picture_does_not_matter():
    seen = column(12, 2)
    large = Candidates(seen.corners * 7.5, seen.share, seen.level)
    assert [c.score for c in find_columns(large)] == pytest.approx([c.score for c in find_columns(seen)])


def test_a_single_vertebra_may_be_the_first_level():
    """Numberings began at the second level: the only vertebra of a film was never called T1, and one of a single level had no name at all."""
    alone = column(1, 0)
    assert [(c.levels.tolist(), c.shift) for c in find_columns(alone)] == [([0], 0), ([1], 1), ([2], 2)]
    only = Candidates(alone.corners, alone.share, np.zeros((1, 1)))
    assert [c.levels.tolist() for c in find_columns(only)] == [[0]]
