"""``spinelab doctor``: what this machine can do, as facts for a program and as words for a person."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np

from spinelab.core import plural
from spinelab.core.versions import version as installed

LIBRARIES: Final = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "torch",
    "torchvision",
    "timm",
    "lightning",
    "pydicom",
    "nibabel",
    "imagecodecs",
    "opencv-python-headless",
)
HUB: Final = "https://huggingface.co"
HUB_SECONDS: Final = 3.0
PROBE_SECONDS: Final = 0.5
MATRIX_SIZE: Final = 1024
GFLOP_PER_IMAGE: Final = {"resnet18": 10.9, "mobilenetv2": 1.8, "densenet121": 17.2}
"""Forward and backward pass for one 224 x 224 image: three times the forward pass, two operations a multiply-add
(1.82, 0.30 and 2.87 billion multiply-adds, as the architectures' papers count them)."""


def examine() -> dict[str, Any]:
    """Return everything that the doctor knows; it takes a few seconds and needs no network."""
    from spinelab import __version__, io

    return {
        "spinelab": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "libraries": {name: installed(name) for name in LIBRARIES},
        "devices": _devices(),
        "memory": _memory(),
        "disk": {"here": _disk(Path.cwd()), "cache": _disk(cache_folder())},
        "cache": {"folder": str(cache_folder()), "bytes": _size(cache_folder())},
        "codecs": io.codecs(),
        "hub": _hub(),
        "gflops": _gflops(),
    }


def in_words(found: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the same as titled lines for a person."""
    missing = [name for name, version in found["libraries"].items() if version is None]
    devices, memory, hub = found["devices"], found["memory"], found["hub"]
    lines = [
        ("Versions", [f"spinelab {found['spinelab']}, Python {found['python']}, {found['system']}", *_library_lines(found["libraries"])]),
        (
            "Devices",
            [
                f"{plural(devices['cores'], 'CPU core')} for this process: {devices['cpu']}; {', '.join(devices['flags']) or 'no AVX-512, no AMX'}",
                *(devices["gpus"] or ["no GPU found"]),
            ],
        ),
        ("Memory", [f"{gib(memory['available'])} free of {gib(memory['total'])}"]),
        (
            "Disk",
            [
                f"here: {gib(found['disk']['here']['free'])} free in {found['disk']['here']['folder']}",
                f"cache: {gib(found['disk']['cache']['free'])} free; decoded images take {gib(found['cache']['bytes'])} in {found['cache']['folder']}",
            ],
        ),
        ("Codecs", [_codec_line(codec) for codec in found["codecs"]]),
        ("Pretrained weights", [f"{hub['address']}: {'reachable' if hub['reachable'] else 'not reachable (' + hub['reason'] + ')'}"]),
        ("What will be slow or missing here", what_will_be_slow(found)),
    ]
    return [*lines, ("Not installed", missing)] if missing else lines


def what_will_be_slow(found: dict[str, Any]) -> list[str]:
    """Say in sentences what the facts mean for work on this machine."""
    said = []
    devices = found["devices"]
    if not devices["gpus"]:
        limits = ", ".join(f"{name} {found['gflops'] / need:.0f}" for name, need in GFLOP_PER_IMAGE.items())
        said.append(
            f"No GPU: networks train on {plural(devices['cores'], 'core')}, which multiply matrices at {found['gflops']:.0f} GFLOP/s in 32 bits "
            f"(measured just now). In 32 bits at 224 x 224 that allows at most so many training images a second: {limits}. Real training is slower"
            + ("; 16 bits on AMX are faster." if "AMX bf16" in devices["flags"] else ".")
        )
    if not found["hub"]["reachable"]:
        said.append("Pretrained weights cannot be fetched: give --weights FILE, or networks are trained from scratch, and the report says so.")
    if found["memory"]["available"] < 4 * 2**30:
        said.append("Less than 4 GiB of memory is free: large architectures may need --set batch_size=4.")
    if found["disk"]["cache"]["free"] < 2 * 2**30:
        said.append("Less than 2 GiB is free where decoded images are kept: give --cache DIR on another disk.")
    undecodable = [codec["name"] for codec in found["codecs"] if not codec["ok"]]
    if undecodable:
        said.append(f"These DICOM encodings cannot be read here: {'; '.join(undecodable)}.")
    return said or ["nothing found"]


def gib(count: float) -> str:
    """Say bytes in binary units: ``1.5 GiB``, ``12 MiB``."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def cache_folder() -> Path:
    """Return where decoded images are kept unless ``--cache`` says otherwise."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("spinelab"))


def _library_lines(libraries: dict[str, str | None]) -> Iterator[str]:
    named = [f"{name} {version}" for name, version in libraries.items() if version]
    for start in range(0, len(named), 6):
        yield ", ".join(named[start : start + 6])


def _codec_line(codec: dict[str, Any]) -> str:
    return f"{'yes' if codec['ok'] else 'NO '}  {codec['name']}" + (f" ({', '.join(codec['decoders'])})" if codec["ok"] else "")


def _devices() -> dict[str, Any]:
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace") if Path("/proc/cpuinfo").exists() else ""
    words = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in info.splitlines())}
    flags = words.get("flags", "").split()
    told = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 bf16", "amx_bf16": "AMX bf16", "amx_int8": "AMX int8"}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return {
        "cpu": words.get("model name") or platform.processor() or "unnamed",
        "cores": cores,
        "flags": [text for flag, text in told.items() if flag in flags],
        "gpus": _gpus(),
    }


def _gpus() -> list[str]:
    """Return the NVIDIA devices that the driver lists, with their memory."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()]


def _memory() -> dict[str, int]:
    import psutil

    memory = psutil.virtual_memory()
    return {"total": int(memory.total), "available": int(memory.available)}


def _disk(folder: Path) -> dict[str, Any]:
    place = folder
    while not place.exists():
        place = place.parent
    return {"folder": str(folder), "free": shutil.disk_usage(place).free, "writable": os.access(place, os.W_OK)}


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total


def _hub() -> dict[str, Any]:
    """Try to open a connection to the hub, or to the proxy on the way to it, for three seconds at most."""
    address = os.environ.get("HF_ENDPOINT", HUB)
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return {"address": address, "reachable": False, "reason": "HF_HUB_OFFLINE is set"}
    reasons: list[str] = []
    attempt = threading.Thread(target=_connect, args=(getproxies().get("https", address), reasons), daemon=True)
    attempt.start()
    attempt.join(HUB_SECONDS)  # looking up a name has no time limit of its own
    reason = reasons[0] if reasons else f"no answer within {HUB_SECONDS:.0f} s"
    return {"address": address, "reachable": not reason, "reason": reason}


def _connect(address: str, reasons: list[str]) -> None:
    """Append an empty reason when the address can be reached."""
    target = urlsplit(address)
    try:
        port = target.port or (443 if target.scheme == "https" else 80)
        socket.create_connection((target.hostname or "", port), timeout=HUB_SECONDS).close()
        reasons.append("")
    except (OSError, ValueError) as error:
        reasons.append(str(error))


def _gflops() -> float:
    """Measure 32-bit matrix multiplication for half a second, in 10^9 operations a second."""
    matrix = np.ones((MATRIX_SIZE, MATRIX_SIZE), dtype=np.float32)
    product = matrix @ matrix
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < PROBE_SECONDS:
        np.matmul(matrix, matrix, out=product)
        count += 1
    return 2 * MATRIX_SIZE**3 * count / (time.perf_counter() - started) / 1e9
