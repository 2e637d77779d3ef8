"""The hashes that tie the log together. Pure; every backend computes the same ones.

* A row's hash covers one stored state of one key.
* ``ops`` covers the rows an entry wrote, in order of revision.
* ``state`` is the sum of the hashes of all live rows modulo 2**256: it is kept up with one
  subtraction and one addition per write, does not depend on order, and commits to the whole
  live state. Sums per resource add up to it, so that a listing can show it is complete.
* An entry's hash covers the hash before it, so equal hashes at an index mean equal histories.

Everything is length-free but unambiguous: numbers and keys hold no NUL, which ends them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from operator import attrgetter
from struct import pack

from kctl.store.api import Head, Write

MODULUS = 1 << 256
_key = attrgetter("key")
_revision = attrgetter("revision")
KV_ENTRY, COMPACT_ENTRY, CONFIG_ENTRY = 0, 1, 2
NO_OPS = blake2b(b"", digest_size=32).digest()


def row_hash(revision: int, key: str, create_revision: int, prev: int, value: bytes | None) -> bytes:
    """Return the hash of one stored state; ``prev`` is the revision of the one it replaced."""
    if value is None:
        return blake2b(f"{revision}\0{create_revision}\0{prev}\0D{key}\0".encode(), digest_size=32).digest()
    found = blake2b(f"{revision}\0{create_revision}\0{prev}\0V{key}\0".encode(), digest_size=32)
    found.update(value)
    return found.digest()


def ops_hash(rows: Iterable[bytes]) -> bytes:
    """Return the hash of the rows of one entry, given theirs in order of revision."""
    return blake2b(b"".join(rows), digest_size=32).digest()


def number(digest: bytes) -> int:
    """Return a hash as the number that is summed."""
    return int.from_bytes(digest, "big")


def digest(total: int) -> bytes:
    """Return a sum of hashes as 32 bytes."""
    return (total % MODULUS).to_bytes(32, "big")


def entry_hash(
    prev: bytes,
    *,
    index: int,
    first: int,
    last: int,
    term: int,
    kind: int,
    arg: str,
    now: float,
    cause: str,
    request_id: bytes,
    ops: bytes,
    state: bytes,
) -> bytes:
    """Return the hash of one entry, given the hash of the one before it."""
    cause_bytes = cause.encode()
    head = pack(">QQQQQd", index, first, last, term, kind, now)
    sizes = pack(">QQQ", len(arg), len(cause_bytes), len(request_id))
    parts = (prev, head, sizes, arg.encode(), cause_bytes, request_id, ops, state)
    return blake2b(b"".join(parts), digest_size=32).digest()


def genesis(cluster_id: str, now: float) -> bytes:
    """Return the hash of entry 0, which names the cluster."""
    return entry_hash(
        bytes(32),
        index=0,
        first=1,
        last=0,
        term=0,
        kind=CONFIG_ENTRY,
        arg=cluster_id,
        now=now,
        cause="created",
        request_id=b"",
        ops=NO_OPS,
        state=bytes(32),
    )


def resource_of(key: str) -> str:
    """Return the resource part of a key: what listings and sums go by."""
    return key.split("/", 2)[1]


def in_order(expect: Head, writes: Sequence[Write], revision: int) -> list[Write]:
    """Return the writes by revision; ValueError when the batch breaks the contract of commit."""
    if revision < expect.revision:
        raise ValueError(f"a commit cannot go back from revision {expect.revision} to {revision}")
    ordered = sorted(writes, key=_revision) if len(writes) > 1 else list(writes)
    below = expect.revision
    for key, _, own, create in ordered:
        if own <= below:
            raise ValueError(f"revision {own} of {key} is not above {below}")
        if not 0 < create <= own:
            raise ValueError(f"create revision {create} of {key} is not in 1..{own}")
        if key[:1] != "/" or "/" not in key[1:] or "\0" in key:
            raise ValueError(f"{key!r} is not a key: want /resource/namespace/name")
        below = own
    if below > revision:
        raise ValueError(f"revision {below} is above the batch's last revision {revision}")
    if len(ordered) > 1 and len(set(map(_key, ordered))) != len(ordered):
        raise ValueError("a key stands twice in one batch")
    return ordered
