"""Put a model that learnt from phantoms on spinelab's shelf, in few bytes: ``python scripts/builtin.py MODEL NAME``.

How the shelf's models were made stands in each one's card.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from spinelab import io, tasks
from spinelab.io.packing import packed
from spinelab.serve.models import card_of

LARGEST_MB: Final = 8.0
SHELF: Final = Path(__file__).parents[1] / "src" / "spinelab" / "models"


def main(source: str, name: str) -> int:
    types = {known: tasks.load(known).settings_type for known in tasks.names()}
    model = io.load_model(source, types)
    data = model.record.get("data", {})
    if not data.get("phantom"):
        sys.stderr.write(f"{source} did not learn from phantoms alone: patients' models are not shipped\n")
        return 2
    record = model.record | {"data": data | {"root": "phantoms of spinelab"}, "stored": "first network in 8 bits, the rest in half precision"}
    card = card_of(tasks.load(model.task))
    io.save_model(replace(model, tensors=packed(model.tensors, eight_bits=("first.",)), record=record, network=None), SHELF / name, card)
    size = sum(path.stat().st_size for path in (SHELF / name).iterdir()) / 1e6
    sys.stdout.write(f"{SHELF / name}: {size:.1f} MB\n")
    return 0 if size <= LARGEST_MB else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
