"""One backbone a film; how the films are joined is a setting, not another network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinelab.tasks.lumbar_xray.settings import LumbarXraySettings

if TYPE_CHECKING:
    from spinelab.nn import MultiViewNet


def make_network(settings: LumbarXraySettings, n_classes: int) -> MultiViewNet:
    """Return the untrained network of these settings."""
    from spinelab.nn import MultiViewNet, backbone

    return MultiViewNet(
        lambda: backbone(settings.model),
        views=len(settings.views),
        classes=n_classes,
        dropout=settings.dropout,
        mode=settings.view if settings.view in ("standard", "dual", "hybrid") else "standard",
        fusion=settings.fusion,
    )
