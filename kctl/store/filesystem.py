"""Which file system a folder lies on; those whose locks or caches lie are refused.

The kernel's own table of mounts is read, the one that ``statfs`` answers from, because it
gives names instead of magic numbers. Where there is no such table nothing is refused.
"""

from __future__ import annotations

import os
from pathlib import Path

from kctl.store.errors import NetworkFileSystem

MOUNTS = "/proc/self/mountinfo"
NETWORK = frozenset(
    (
        *("9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"),
        *("nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "vmhgfs"),
    )
)
LOCAL_FUSE = frozenset(("fuseblk", "fuse.fuse-overlayfs"))


def refuse_network(folder: Path, mounts: str = MOUNTS) -> None:
    """Raise NetworkFileSystem when the folder is not on a local file system."""
    kind = kind_of(folder, mounts)
    if kind in NETWORK or (kind.startswith("fuse") and kind not in LOCAL_FUSE):
        raise NetworkFileSystem(f"{folder} lies on a network file system ({kind}), where a log is not safe")


def kind_of(folder: Path, mounts: str = MOUNTS) -> str:
    """Return the type of the file system a folder lies on, "" when unknown."""
    try:
        lines = Path(mounts).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    path = os.path.realpath(folder) + "/"
    best, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4]
        if "\\" in point:
            point = point.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        point = point.rstrip("/") + "/"
        if path.startswith(point) and len(point) >= best:  # the later of two mounts on one point is on top
            best, kind = len(point), right.split(" ", 1)[0]
    return kind
