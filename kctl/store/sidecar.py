"""The head file: what was last acknowledged, beside the log of every replica.

A damaged write-ahead log makes SQLite go back to an earlier state without a word, and so does
somebody who restores yesterday's file. With one replica nobody else can tell; this file can.
It is rewritten after each commit and before the commit is acknowledged, without fsync: after a
power cut it may be older than the log, never newer.

128 bytes: ``kctlhead``, the format, index, revision, term, the entry's hash, the first 24
bytes of the cluster's id, zeros, and a CRC-32 of all before.
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from kctl.store.api import Head
from kctl.store.errors import ReadOnlyStore

MAGIC = b"kctlhead"
SIZE = 128
_BODY = Struct(">8sQQQQ32s24s28x")


class Acknowledged(NamedTuple):
    """What the head file says."""

    index: int  # type: ignore[assignment]
    revision: int
    term: int
    hash: bytes
    cluster: bytes


class HeadFile:
    """The head file of one folder."""

    def __init__(self, path: Path, cluster_id: str) -> None:
        self.path = path
        self._id = cluster_id
        self._cluster = _cluster(cluster_id)
        self._fd = -1

    def is_of(self, cluster_id: str) -> bool:
        """Say whether this is the head file of that cluster's log."""
        return self._id == cluster_id

    def read(self) -> Acknowledged | None:
        """Return what was acknowledged; None when the file is missing, torn or of another cluster."""
        try:
            raw = self.path.read_bytes()
        except OSError:
            return None
        if len(raw) != SIZE or int.from_bytes(raw[-4:], "big") != crc32(raw[:-4]):
            return None
        magic, version, index, revision, term, digest, cluster = _BODY.unpack(raw[:-4])
        if magic != MAGIC or version != 1 or cluster != self._cluster:
            return None
        return Acknowledged(index, revision, term, digest, cluster)

    def is_damaged(self) -> bool:
        """Say whether there is a head file that says nothing."""
        try:
            return self.path.stat().st_size > 0 and self.read() is None
        except OSError:
            return False

    def write(self, head: Head) -> None:
        """Record a head as acknowledged."""
        if self._fd < 0:
            try:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise ReadOnlyStore(f"cannot write {self.path}: {error.strerror}") from error
        body = _BODY.pack(MAGIC, 1, head.index, head.revision, head.term, head.hash, self._cluster)
        os.pwrite(self._fd, body + crc32(body).to_bytes(4, "big"), 0)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _cluster(cluster_id: str) -> bytes:
    return cluster_id.encode()[:24].ljust(24, b"\0")
