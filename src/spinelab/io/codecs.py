"""Which DICOM transfer syntaxes can be decoded here, by what."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

from spinelab.io.frame_codecs import DIRECT, PLUGINS

_REFUSED: Final = ("1.2.840.10008.1.2.1.99",)
"""Deflated: its unpacked size is not bounded."""

_VIDEO: Final = ("MPEG", "HEVC", "JPIP", "SMPTE")


def codecs() -> list[dict[str, Any]]:
    """Return one row a transfer syntax that stores pictures: ``uid``, ``name``, ``decoders`` in order of use, and ``ok``.

    The answer is asked of the installed codecs and of pydicom's decoders; what the readers do not use is not listed.
    """
    from pydicom.uid import AllTransferSyntaxes

    rows = []
    for uid in AllTransferSyntaxes:
        if any(word in uid.name for word in _VIDEO):
            continue
        found = _decoders(uid) if str(uid) not in _REFUSED else []
        rows.append({"uid": str(uid), "name": uid.name, "decoders": found, "ok": bool(found)})
    return rows


def _decoders(uid: Any) -> list[str]:
    """Return the decoders that the readers would use for a transfer syntax and that are installed."""
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(uid)
    except NotImplementedError:
        return []
    if not uid.is_encapsulated:
        return ["built in"]
    plugin = PLUGINS.get(str(uid), "")
    usable = [name for name in decoder.available_plugins if plugin in ("", name)]
    return list(dict.fromkeys(_direct(str(uid)) + usable))


def _direct(uid: str) -> list[str]:
    return [f"imagecodecs {name}" for name in DIRECT.get(uid, ())] if find_spec("imagecodecs") is not None else []
