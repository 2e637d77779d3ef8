"""kctl: a Kubernetes control plane in a folder.

``from kctl import ControlPlane`` is the door for programs; importing kctl alone loads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kctl.plan.door import ControlPlane

__version__ = "0.1.0"
__all__ = ["ControlPlane", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the control plane when it is asked for."""
    if name == "ControlPlane":
        from kctl.plan.door import ControlPlane

        return ControlPlane
    raise AttributeError(f"module 'kctl' has no attribute {name!r}")
