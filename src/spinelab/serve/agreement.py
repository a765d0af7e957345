"""The agreement of several readers, as a verb of its own: it needs neither a task nor a model."""

from __future__ import annotations

from typing import Any, Final

from spinelab.serve import places
from spinelab.serve.places import PathLike

FILES: Final = ("agreement.json", "agreement.csv")


def agreement(readers: PathLike, out: PathLike | None = None) -> dict[str, Any]:
    """Say how well several readers agree with each other and with themselves.

    Parameters
    ----------
    readers
        A CSV with a row a film and reader: the columns ``image``, ``reader`` and one a measurement, if wished ``patient`` and ``repeat``.
    out
        Where ``agreement.json`` and ``agreement.csv`` go; nothing is written without it.

    Returns
    -------
    agreement
        The content of ``agreement.json``: see `spinelab.experiments.readers`.

    Raises
    ------
    InputError
        If the table cannot be used.
    """
    from spinelab import experiments
    from spinelab.io.readings import EXPECTED, read_readings
    from spinelab.report.files import plain, write_json, write_text
    from spinelab.report.tables import rows_csv

    source = places.existing(readers, EXPECTED)
    folder = None if out is None else places.new_folder(out, ours=FILES, hint="choose another --out; finished figures are never overwritten")
    found = experiments.reader_agreement(read_readings(source))
    if folder is not None:
        write_json(folder / "agreement.json", plain(found))
        write_text(folder / "agreement.csv", rows_csv(experiments.reader_rows(found)))
    return found
