"""Pretrained weights: from timm's hub when it answers, from a local safetensors file, otherwise from scratch, always said."""

from __future__ import annotations

import functools
import os
import socket
import urllib.parse
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from spinelab.core import InputError, TaskError
from spinelab.nn.backbones import Backbone
from spinelab.nn.names import ANY_TIMM, timm_name

HUB_WAIT_S: Final = 3.0
Started = dict[str, str | None]


def start_from(net: nn.Module, asked: str, file: Path | None = None) -> Started:
    """Load pretrained weights into every backbone of ``net`` and say what was done.

    Parameters
    ----------
    asked
        ``imagenet`` (a given ``file`` stands in for the hub), ``file`` or ``scratch``.
    file
        Local ``.safetensors`` file in timm's own layout, or a folder with one such file an architecture (``resnet18.safetensors``).

    Returns
    -------
    dict
        ``asked``; ``used`` (``imagenet``, ``file`` or ``scratch``); ``why``, in words for the report; ``source``.

    Raises
    ------
    InputError
        If the file cannot be used.
    TaskError
        If ``file`` is asked for and none is given.
    """
    if asked == "scratch":
        return _outcome(asked, "scratch", "asked for")
    backbones = [m for m in net.modules() if isinstance(m, Backbone)]
    if not backbones:
        return _outcome(asked, "scratch", "this network has no backbone that pretrained weights fit")
    if file is not None:
        return _from_file(backbones, asked, file)
    if asked == "file":
        raise TaskError("weights=file without a file", expected="a .safetensors file", action="give it with --weights FILE")
    return _from_hub(backbones, asked)


def _outcome(asked: str, used: str, why: str, source: str | None = None) -> Started:
    return {"asked": asked, "used": used, "why": why, "source": source}


def _from_file(backbones: list[Backbone], asked: str, place: Path) -> Started:
    if any(b.name == "simple-cnn" for b in backbones):
        return _outcome("scratch", "scratch", "simple-cnn has no pretrained weights by design")
    used = []
    for one in backbones:
        file = _file_for(one.name, place)
        _check_file(file)
        _fill(one, _read(file), file)
        used.append(file.name)
    return _outcome(asked, "file", "read from a local file", ", ".join(dict.fromkeys(used)))


def _file_for(name: str, place: Path) -> Path:
    """Return the file itself or, of a folder, the one that bears the architecture's name or timm's."""
    if not place.is_dir():
        return place
    known = [place / f"{stem}.safetensors" for stem in dict.fromkeys((name.removeprefix(ANY_TIMM), timm_name(name)))]
    found = next((file for file in known if file.is_file()), None)
    if found is None:
        raise InputError(
            f"{place} holds no weights of {name}",
            expected=" or ".join(file.name for file in known),
            action="bring the file, or leave the architecture out, or set weights=scratch",
        )
    return found


def _check_file(file: Path) -> None:
    if file.suffix.lower() != ".safetensors":
        raise InputError(
            f"{file} is not a .safetensors file",
            expected="weights as .safetensors (a .pth or .pt file is a Python pickle, which could run any code when opened)",
            action="convert it once where it came from: safetensors.torch.save_file(state_dict, 'weights.safetensors')",
        )
    if not file.is_file():
        raise InputError(f"{file} does not exist", expected="a .safetensors file of pretrained weights", action="check the path")


def _from_hub(backbones: list[Backbone], asked: str) -> Started:
    names = {b.name for b in backbones}
    if "simple-cnn" in names:
        return _outcome("scratch", "scratch", "simple-cnn has no pretrained weights by design")
    why_not = next(filter(None, (_hub_trouble(timm_name(name)) for name in sorted(names))), None)
    if why_not is not None:
        return _outcome(asked, "scratch", why_not)
    for one in backbones:
        one.body.load_state_dict(_hub_states(timm_name(one.name)))
    return _outcome(asked, "imagenet", "from the timm hub", ", ".join(timm_name(n) for n in sorted(names)))


@functools.cache
def _hub_trouble(name: str) -> str | None:
    """Return why these weights cannot be had, or ``None``; asked once a process."""
    import timm

    configuration = timm.models.get_pretrained_cfg(name)
    if configuration is None or not configuration.has_weights:
        return f"timm has no pretrained weights for {name}"
    if not _in_local_store(configuration) and (trouble := _network_trouble()) is not None:
        return trouble
    try:
        _hub_states(name)
    except Exception as error:  # the hub client raises many unrelated kinds, and every one of them means "no weights"
        return f"the hub gave no weights for {name}: {type(error).__name__}"
    return None


@functools.cache
def _hub_states(name: str) -> dict[str, object]:
    import timm

    donor = timm.create_model(name, pretrained=True, in_chans=1, num_classes=0, global_pool="")
    return dict(donor.state_dict())


def _in_local_store(configuration: object) -> bool:
    from huggingface_hub import try_to_load_from_cache

    hub_id = getattr(configuration, "hf_hub_id", None)
    return isinstance(hub_id, str) and isinstance(try_to_load_from_cache(hub_id, "model.safetensors"), str)


@functools.cache
def _network_trouble() -> str | None:
    """Return why the hub cannot be reached, within three seconds; timm itself would try for nearly a minute."""
    if any(os.environ.get(key, "").lower() in {"1", "true", "yes", "on"} for key in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):
        return "the hub is switched off (HF_HUB_OFFLINE) and the weights are not stored on this machine"
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    address = urllib.parse.urlsplit(proxy or os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    try:
        socket.create_connection((address.hostname or "", address.port or 443), HUB_WAIT_S).close()
    except (OSError, ValueError):
        return "the hub of pretrained weights cannot be reached from here and no local file was given"
    return None


def _read(file: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file} cannot be read: {error}", expected="a whole .safetensors file", action="copy or download the file again") from error
    return tensors


def _fill(one: Backbone, tensors: dict[str, Tensor], file: Path) -> None:
    """Load a file's weights; the first layer, which saw three colours, is summed over them for grey film."""
    from timm.models import adapt_input_conv

    wanted = one.body.state_dict()
    found = {name: tensors[name] for name in wanted if name in tensors}
    first = f"{getattr(one.body, 'pretrained_cfg', {}).get('first_conv')}.weight"
    if first in found:
        found[first] = adapt_input_conv(wanted[first].shape[1], found[first])
    bad = [name for name in wanted if name not in found or found[name].shape != wanted[name].shape]
    bad = [name for name in bad if not name.endswith("num_batches_tracked")]
    if bad:
        raise InputError(
            f"{file} does not fit {one.name}: {len(bad)} of {len(wanted)} tensors are missing or of another shape, such as {bad[0]}",
            expected=f"weights of timm's {timm_name(one.name)}",
            action="give the file of this architecture, or use weights=scratch",
        )
    one.body.load_state_dict(wanted | found)
