"""Which DICOM transfer syntaxes can be decoded here, by what."""

from __future__ import annotations

from typing import Any, Final

_REFUSED: Final = {"1.2.840.10008.1.2.1.99": "refused: its unpacked size is not bounded"}


def codecs() -> list[dict[str, Any]]:
    """Return one row a transfer syntax that stores pixels: ``uid``, ``name``, ``decoders`` and ``ok``.

    The answer is pydicom's own, asked of the decoders that are installed.
    """
    from pydicom.pixels import get_decoder
    from pydicom.uid import AllTransferSyntaxes

    rows = []
    for uid in AllTransferSyntaxes:
        if uid.name.startswith(("MPEG", "HEVC", "JPIP", "SMPTE")) or "MPEG" in uid.name:
            continue
        try:
            decoder = get_decoder(uid)
        except NotImplementedError:
            rows.append({"uid": str(uid), "name": uid.name, "decoders": [], "ok": False})
            continue
        plugins = list(decoder.available_plugins) if uid.is_encapsulated else ["built in"]
        ok = bool(decoder.is_available) and str(uid) not in _REFUSED
        rows.append({"uid": str(uid), "name": uid.name, "decoders": plugins if ok else [], "ok": ok})
    return rows
