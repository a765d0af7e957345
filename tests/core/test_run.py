"""The circumstances of a fit."""

from spinelab.core import Run


def test_a_part_of_a_work_is_told_as_a_share_of_the_whole():
    heard = []
    part = Run(progress=lambda *told: heard.append(told), resume=True).between(0.5, 1.0, "Axial T2: ")
    for done, total in ((0, 4), (2, 4), (4, 4), (3, 0)):
        part.progress(done, total, "epoch")
    assert heard == [(0.5, 1.0, "Axial T2: epoch"), (0.75, 1.0, "Axial T2: epoch"), (1.0, 1.0, "Axial T2: epoch"), (0.5, 1.0, "Axial T2: epoch")]
    assert part.resume
