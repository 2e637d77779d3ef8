"""Secrets encrypted at rest: a store that holds them sealed, whatever lies below.

In: a store, the file of the keys. Out: a store that looks the same to the API server, while no
byte that reaches the one below shows a Secret's value. Sealed are Secrets, and kctl's own
records when they carry one: rendered sets hold the manifests of an apply, intents what came of it.
All else passes as it is, and nothing that seals is imported for it: see ``sealing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kctl.store.api import KV, Change, Page, Write

if TYPE_CHECKING:
    from kctl.apiserver.sealing import Sealer
    from kctl.store.api import Entry, Freshness, Head, Level, Member, Problem, Store, Watch

PREFIX = b"kctl:enc:aesgcm:v1:"
SECRETS = "/secrets/"
RECORDS = ("/renderedsets.kctl.dev/", "/intents.kctl.dev/")
SEALED = (SECRETS, *RECORDS)
MARKS = (b'"Secret"', b'\\"Secret\\"')
"""What a record that carries a Secret holds: its kind, also within the text of an annotation."""


def must_seal(key: str, value: bytes) -> bool:
    """Say whether a value may not be stored in clear."""
    if not key.startswith(SEALED):
        return False
    return key.startswith(SECRETS) or not value.startswith(b"{") or any(mark in value for mark in MARKS)


class SealedStore:
    """A Store that seals what must not lie in clear in the one below."""

    def __init__(self, below: Store, path: Path) -> None:
        self.below = below
        self._path = path
        self._sealer: Sealer | None = None

    def __getattr__(self, name: str) -> Any:
        """Return what has nothing to do with values as the store below has it."""
        return getattr(self.below, name)

    @property
    def sealer(self) -> Sealer:
        """What seals and opens; imported when first needed."""
        if self._sealer is None:
            from kctl.apiserver.sealing import Sealer

            self._sealer = Sealer(self._path)
        return self._sealer

    @property
    def cluster_id(self) -> str:
        """The identity of the log."""
        return self.below.cluster_id

    def commit(
        self,
        expect: Head,
        writes: Sequence[Write],
        *,
        revision: int,
        now: float,
        cause: str = "",
        request_id: bytes = b"",
    ) -> Head:
        """Append one entry, Secrets sealed."""
        if any(write.key.startswith(SEALED) for write in writes):
            if self._sealer is not None:
                self._sealer.check()
            writes = [self._sealed(write) for write in writes]
        return self.below.commit(expect, writes, revision=revision, now=now, cause=cause, request_id=request_id)

    def get(self, key: str, *, revision: int | None = None) -> KV | None:
        """Return the state of a key, opened."""
        found = self.below.get(key, revision=revision)
        return self._opened(found) if found is not None else None

    def list(self, prefix: str, *, revision: int | None = None, limit: int = 0, after: str = "") -> Page:
        """Return the keys under a prefix, opened."""
        page = self.below.list(prefix, revision=revision, limit=limit, after=after)
        if not prefix.startswith(SEALED) and not any(sealed.startswith(prefix) for sealed in SEALED):
            return page
        return page._replace(items=[self._opened(kv) for kv in page.items])

    def changes(self, after: int) -> Iterator[Change]:
        """Yield every stored state above a revision, opened."""
        for change in self.below.changes(after):
            if change.value is not None and change.value.startswith(PREFIX):
                yield change._replace(value=self.sealer.open(change.key, change.value))
            else:
                yield change

    def head(self) -> Head:
        """Return the end of the log."""
        return self.below.head()

    def entries(self, after: int = -1) -> Iterator[Entry]:
        """Yield the entries above an index."""
        return self.below.entries(after)

    def compact(self, revision: int) -> Head:
        """Forget what is older than a revision."""
        return self.below.compact(revision)

    def compacted(self) -> int:
        """Return the lowest revision that can be read."""
        return self.below.compacted()

    def hint(self, name: str) -> bytes | None:
        """Return a local note."""
        return self.below.hint(name)

    def set_hint(self, name: str, value: bytes | None) -> None:
        """Write a local note."""
        self.below.set_hint(name, value)

    def watch(self, prefix: str, after: int) -> Watch:
        """Return the changes under a prefix from a revision on, opened."""
        from kctl.store.watch import PolledWatch

        return PolledWatch(self, prefix, after)

    def freshness(self) -> Freshness:
        """Say whether a majority confirms what is read."""
        return self.below.freshness()

    def members(self) -> Sequence[Member]:
        """Return the replicas."""
        return self.below.members()

    def verify(self, level: Level = "rows") -> Sequence[Problem]:
        """Check the replicas; what is sealed counts as it lies there."""
        return self.below.verify(level)

    def snapshot(self, out: Path) -> Head:
        """Write the current state as a file, where Secrets are sealed too."""
        return self.below.snapshot(out)

    def close(self) -> None:
        """Let go of files."""
        self.below.close()

    def stale(self, prefix: str) -> Iterator[KV]:
        """Yield the current values under a prefix that the first key would seal, and has not."""
        from kctl.apiserver.sealing import key_name

        keys = self.sealer.keys
        first = keys[0].name if keys else "a key to be made"
        name = "" if keys and keys[0].is_identity else first
        for kv in self.below.list(prefix).items:
            if must_seal(kv.key, self.sealer.open(kv.key, kv.value)) and key_name(kv.value) != name:
                yield kv

    def _sealed(self, write: Write) -> Write:
        if write.value is None or not must_seal(write.key, write.value):
            return write
        if not self.sealer.keys:
            self._begin()
        return write._replace(value=self.sealer.seal(write.key, write.value))

    def _begin(self) -> None:
        """Make the first key, unless something is sealed: then the file that was there is missing."""
        for prefix in SEALED:
            for kv in self.below.list(prefix).items:
                self.sealer.open(kv.key, kv.value)
        self.sealer.create()

    def _opened(self, kv: KV) -> KV:
        return kv._replace(value=self.sealer.open(kv.key, kv.value)) if kv.value.startswith(PREFIX) else kv
