"""What a replica knows of itself besides its log: identity, members, promises, where history starts.

The rows of the table ``meta``, under one hash, so that a damaged promise or compaction mark is
noticed like a damaged object. A file of format 1 has neither hash nor members: it is read as
the only voter of its log, under an id that follows from the cluster's.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import NamedTuple

from kctl.store import config
from kctl.store.config import Config
from kctl.store.errors import Corrupt

ID = 12
"""Letters of a replica's id."""


class Facts(NamedTuple):
    """The table ``meta``. ``base_prev`` is the hash before the first entry that is left."""

    cluster: str
    replica: str
    config: Config
    compacted: int = 0
    base_prev: bytes = bytes(32)
    promised: int = 0
    log_term: int = 0
    view: frozenset[str] = frozenset()
    distrusts: frozenset[str] = frozenset()

    def rows(self) -> dict[str, str]:
        """Return the facts as they are stored, their hash with them."""
        found = {
            "base_prev": self.base_prev.hex(),
            "cluster": self.cluster,
            "compacted": str(self.compacted),
            "config": self.config.encode(),
            "distrusts": ",".join(sorted(self.distrusts)),
            "log_term": str(self.log_term),
            "promised": str(self.promised),
            "replica": self.replica,
            "view": ",".join(sorted(self.view)),
        }
        found["sum"] = _sum(found)
        return found


def first_replica(cluster: str) -> str:
    """Return the id of the only replica of a file of format 1."""
    return blake2b(cluster.encode(), digest_size=ID // 2).hexdigest()


def read(db: sqlite3.Connection) -> Facts:
    """Return the facts of a file; Corrupt when they do not fit their hash."""
    try:
        found = dict(db.execute("SELECT k, v FROM meta"))
        if "sum" in found:
            if found.pop("sum") != _sum(found):
                raise Corrupt("the facts of the log are damaged: their hash does not fit")
        elif "replica" in found:
            raise Corrupt("the facts of the log are damaged: their hash is missing")
        else:
            return _format_1(found)
        return Facts(
            found["cluster"],
            found["replica"],
            config.decode(found["config"]),
            int(found["compacted"]),
            bytes.fromhex(found["base_prev"]),
            int(found["promised"]),
            int(found["log_term"]),
            _ids(found["view"]),
            _ids(found["distrusts"]),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Corrupt(f"the facts of the log are damaged: {error}") from error


def _format_1(found: dict[str, str]) -> Facts:
    replica = first_replica(found["cluster"])
    only = config.first([(replica, "")])
    base_prev = bytes.fromhex(found["base_prev"])
    return Facts(found["cluster"], replica, only, int(found["compacted"]), base_prev, view=frozenset((replica,)))


def write(db: sqlite3.Connection, new: Facts) -> None:
    """Store the facts inside the open transaction."""
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", sorted(new.rows().items()))


def _ids(text: str) -> frozenset[str]:
    return frozenset(text.split(",")) if text else frozenset()


def _sum(found: dict[str, str]) -> str:
    text = "\n".join(f"{name}={found[name]}" for name in sorted(found))
    return blake2b(text.encode(), digest_size=16).hexdigest()
