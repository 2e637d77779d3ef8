"""Parsed texts by content: what did not change is not parsed again.

One file per text in ``cache/parsed`` of the state folder, readable by its owner alone. A text with
a Secret is not kept: the state folder holds no Secret's value in clear. A file that cannot be
read, was cut off, changed by hand or written by another version counts as not there; one that
cannot be written is not missed. The folder does not grow without end: now and then the texts that
were written longest ago go.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

VERSION = b"kctl-parsed-1"
SECRET = (b'"Secret"', b'\\"Secret\\"')
"""The kind, also within the text of an annotation."""
Row = tuple[int, int, Any]
"""Line, column and value of a document."""
KEPT = 8192
"""How many texts are kept at least."""
LOOKED_AT = "00"
"""A text whose digest begins so, one of 256, is the occasion to look how many there are."""


class ParseCache:
    """A folder of parsed texts."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "cache" / "parsed"
        self._made = False

    @staticmethod
    def digest(data: bytes) -> str:
        """Return what identifies a text."""
        return blake2b(data, digest_size=20).hexdigest()

    def get(self, digest: str) -> list[Row] | None:
        """Return the documents of the text, None when they are not known."""
        try:
            data = self._path(digest).read_bytes()
            head, _, body = data.partition(b"\n")
            if head != _head(digest, body):
                return None
            return [(line, column, value) for line, column, value in json.loads(body)]
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    def put(self, digest: str, rows: list[Row]) -> None:
        """Remember the documents of a text, unless there is a Secret in it."""
        body = json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        if any(mark in body for mark in SECRET):
            return
        path = self._path(digest)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        with suppress(OSError):
            if not self._made:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._made = True
            partial.touch(mode=0o600)
            with partial.open("wb") as file:
                file.write(_head(digest, body) + b"\n" + body)
            partial.replace(path)
            if digest.startswith(LOOKED_AT):
                self._trim()

    def _trim(self) -> None:
        """Take away what was written longest ago when there is half as much again as is kept."""
        found = sorted((path.stat().st_mtime_ns, path.name) for path in self._folder.iterdir())
        if len(found) > KEPT + KEPT // 2:
            for _, name in found[:-KEPT]:
                (self._folder / name).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / digest.replace("/", "-")


def _head(digest: str, body: bytes) -> bytes:
    """Return the first line of a file: it binds the content to its version and its name."""
    return VERSION + b" " + blake2b(body, key=digest.encode()[:64], digest_size=16).hexdigest().encode()
