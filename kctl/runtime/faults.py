"""What of the machinery outside of the cluster fails on purpose.

In: which operation on which object is about to be tried. Out: the error it is to meet. Clouds and volume drivers
ask; who has scenarios answers. ``transient`` says that another try may go better, so waiting for it is progress.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kctl.api.objects import Obj


class Fault(NamedTuple):
    """An error on purpose: the cloud's word for it, and a sentence."""

    code: str
    message: str
    transient: bool = False


class Faults(Protocol):
    """Says what fails."""

    def fault(self, op: str, about: Obj, now: float) -> Fault | None:
        """Return the error that ``op`` (``ensure_lb``, ``create_volume``, ``attach_volume`` ...) meets, None for none."""
        ...
