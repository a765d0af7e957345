"""A bare examination, without tables: a folder, a zip or a study that was read, to the series that the questions are asked on."""

from __future__ import annotations

from pathlib import Path

from spinelab.core import Study


def read_bare(source: Path | str | Study) -> Study:
    """Read an examination whose series are told by their headers alone.

    Parameters
    ----------
    source
        A folder with DICOM files of one study (a folder a series, or all in one), a zip of it, or a study that `spinelab.io.read` returned.

    Returns
    -------
    Study
        One image a series, as `open_study` gives them: with ``slice_affines``, ``instance_numbers``, ``series_id``, ``description`` and ``kind``
        among its facts. Series that none of the questions is asked on are left out; ``notes`` say which and why.

    Raises
    ------
    InputError
        What cannot be read, or files of several patients.
    NotSureError
        If no series is told to be one of the three kinds.
    """
    raise NotImplementedError
