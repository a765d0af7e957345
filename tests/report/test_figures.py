"""The name of an axis is never cut, however long the numbers beside it."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from spinelab.report.figures import drawing, plain_axis


def left_end_px(lowest, highest):
    """Left end of the upright axis' name and left end of the axes, in pixels of the figure."""
    with drawing("chart", 3.3, 3.0) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [lowest, highest])
        plain_axis(axes, "Mean of answer and truth (°)", "Answer − truth (°)")
        FigureCanvasAgg(figure).draw()
        return axes.yaxis.label.get_window_extent().x0, axes.get_window_extent().x0


@pytest.mark.parametrize(("lowest", "highest"), [(0.0, 1.0), (-10.4, 7.6), (-0.013, 0.008), (-17_000.0, 12_000.0)])
def test_the_name_of_the_upright_axis_lies_inside_the_figure(lowest, highest):
    assert left_end_px(lowest, highest)[0] >= 0


def test_panels_line_up_where_numbers_are_short():
    assert left_end_px(0, 1)[1] == left_end_px(-8, 40)[1]
