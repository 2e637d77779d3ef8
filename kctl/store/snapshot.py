"""A snapshot: the state of a log at its head as one portable file.

Lines of JSON: a header, one line an object in order of key, and a line with the hash of all
bytes before it. Values stand as text where they are UTF-8, else in base64. The file is written
under another name and renamed, so it is there whole or not at all. Every backend writes the
same bytes for the same state and reads what any other wrote.

What becomes of a snapshot is the business of ``kctl.store.restore``.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from kctl.store.api import KV, Head, Store
from kctl.store.errors import Corrupt, ReadOnlyStore, Unreadable, WrongFormat

VERSION = 1
DIGEST = 32
CHUNK = 1 << 20


class Header(NamedTuple):
    """What a snapshot says of the log it was taken from."""

    cluster: str
    head: Head
    objects: int


def write(store: Store, out: Path) -> Head:
    """Write the state at the head of a store; ReadOnlyStore when the file cannot be made."""
    head = store.head()
    page = store.list("/", revision=head.revision)
    while store.head() != head:  # an entry came between: take the newer state whole
        head = store.head()
        page = store.list("/", revision=head.revision)
    fresh = out.with_name(f"{out.name}.new")
    try:
        fd = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            digest = blake2b(digest_size=DIGEST)
            for line in _lines(store.cluster_id, head, page.items):
                digest.update(line)
                file.write(line)
            file.write(_line({"sum": digest.hexdigest()}))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(out)
        folder = os.open(out.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ReadOnlyStore(f"cannot write {out}: {error.strerror}", hint="name another file") from error
    return head


def _lines(cluster: str, head: Head, items: list[KV]) -> Iterator[bytes]:
    yield _line(
        {
            "kctl": "snapshot",
            "version": VERSION,
            "cluster": cluster,
            "index": head.index,
            "revision": head.revision,
            "term": head.term,
            "hash": head.hash.hex(),
            "now": head.now,
            "objects": len(items),
        }
    )
    for key, value, create, revision in items:
        row: dict[str, Any] = {"key": key, "create": create, "revision": revision}
        try:
            row["value"] = value.decode()
        except UnicodeDecodeError:
            row["base64"] = b64encode(value).decode()
        yield _line(row)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def read(path: Path) -> tuple[Header, Iterator[KV]]:
    """Return header and objects of a snapshot whose hash fits; Unreadable, WrongFormat, Corrupt."""
    try:
        size = _checked(path)
        with path.open("rb") as file:
            head = json.loads(file.readline())
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}", hint="name a snapshot that is there") from error
    except ValueError as error:
        raise WrongFormat(f"{path} is not a snapshot of kctl", hint="name a file that a snapshot made") from error
    if head.get("kctl") != "snapshot" or head.get("version") != VERSION:
        raise WrongFormat(f"{path} is not a snapshot of version {VERSION}", hint="use the kctl that wrote it")
    found = Head(head["index"], head["revision"], head["term"], bytes.fromhex(head["hash"]), head["now"])
    return Header(head["cluster"], found, head["objects"]), _objects(path, size)


def _checked(path: Path) -> int:
    """Return where the last line starts, once its hash was compared with all before it."""
    tail = len(_line({"sum": "0" * DIGEST * 2}))
    size = path.stat().st_size - tail
    digest = blake2b(digest_size=DIGEST)
    with path.open("rb") as file:
        if size <= 0 or not file.read(20).startswith(b'{"kctl":"snapshot"'):
            raise WrongFormat(f"{path} is not a snapshot of kctl", hint="name a file that a snapshot made")
        file.seek(0)
        left = size
        while left:
            part = file.read(min(CHUNK, left))
            digest.update(part)
            left -= len(part)
        if file.read() != _line({"sum": digest.hexdigest()}):
            raise Corrupt(f"{path} is damaged: its hash does not fit", hint="use another snapshot")
    return size


def _objects(path: Path, size: int) -> Iterator[KV]:
    with path.open("rb") as file:
        file.readline()
        while file.tell() < size:
            row = json.loads(file.readline())
            value = b64decode(row["base64"]) if "base64" in row else row["value"].encode()
            yield KV(row["key"], value, row["create"], row["revision"])
