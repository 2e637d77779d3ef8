"""The fast way of the scheduling cycle; see :mod:`kctl.scheduler.kernel.engine`."""

from __future__ import annotations

from kctl.scheduler.kernel.engine import Kernel
from kctl.scheduler.kernel.past import Placed

__all__ = ["Kernel", "Placed"]
