"""A fork of an open plane: an image of what it holds, to try changes on, of which nothing is kept.

In: a plane, reading or writing. Out: another plane on an overlay of the first one's log. The first goes on as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kctl.store.overlay import OverlayStore

if TYPE_CHECKING:
    from kctl.plane.plane import ControlPlane


class _Borrowed(OverlayStore):
    """An overlay that leaves the log below to its owner."""

    def close(self) -> None:
        """Let go of nothing: the log below is still in use."""


@contextmanager
def forked(plane: ControlPlane) -> Iterator[ControlPlane]:
    """Yield a plane on what the log of this one holds; what is not committed yet is committed first."""
    if not plane.is_reading:
        plane.commit()
    image = type(plane)(_Borrowed(plane.store), plane.folder, plane.shape)
    image.keep_private()
    with image:
        yield image
