"""What ``kctl store status`` and ``verify`` say: the replicas, the log's end, the problems.

In: an open store. Out: a document, and the same as text. Nothing is repaired or written.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kctl.api.objects import Obj
from kctl.cli import store_placement

if TYPE_CHECKING:
    from kctl.apiserver.encryption import SealedStore
    from kctl.cli.store_here import Here
    from kctl.store.api import Member, Problem

API_VERSION = "kctl.dev/v1"
LOG = "log.db"
USABLE = ("ok", "behind")
HEADERS = ("REPLICA", "STATE", "ROLE", "REVISION", "TERM", "LAG", "SIZE", "DISK")


def data(here: Here) -> Obj:
    """Return the status of the log as the document ``-o json`` prints."""
    from kctl.api.clock import rfc3339
    from kctl.apiserver import keys
    from kctl.plane import state, stores

    store = here.store
    members = sorted(store.members(), key=lambda member: member.place)
    voters = [member for member in members if member.role == "voter"]
    fresh = store.freshness()
    places = {member.id: store_placement.place_of(_path(member)) for member in members}
    found = store_placement.survival([places[member.id] for member in voters])
    old = stores.forgotten(here.folder, store.cluster_id, fresh.head)
    notes = [f"warning: {old.message}", *([f"hint: {old.hint}"] if old.hint else [])] if old else []
    file = state.key_file(here.folder)
    names = [key.name for key in keys.load(file)]
    lost = lost_keys(store, names)
    notes = [f"warning: {line}" for line in _lost_lines(lost, file)] + notes
    return {
        "apiVersion": API_VERSION,
        "kind": "StoreStatus",
        "cluster": store.cluster_id,
        "state": "degraded" if (old or lost) and _state(members) == "healthy" else _state(members),
        "revision": fresh.head.revision,
        "index": fresh.head.index,
        "term": fresh.head.term,
        "compacted": store.compacted(),
        "time": rfc3339(fresh.head.now),
        "quorum": len(voters) // 2 + 1,
        "usable": sum(member.state in USABLE for member in voters),
        "members": [_member(member, places[member.id]) for member in members],
        "survives": found._asdict(),
        "notes": notes + store_placement.sentences([places[member.id] for member in voters]),
        "encryption": {"file": str(file), "keys": names, "private": keys.is_private(file), "lost": lost},
    }


def lost_keys(store: SealedStore, held: Sequence[str]) -> dict[str, int]:
    """Return the keys that values are encrypted with and that are not held, with how many values need each."""
    from kctl.api.errors import KctlError
    from kctl.apiserver.encryption import PREFIX, SEALED
    from kctl.apiserver.sealing import key_name

    lost: dict[str, int] = {}
    for prefix in SEALED:
        with suppress(KctlError):  # what lies there is damaged, which verify tells
            for kv in store.below.list(prefix).items:
                name = key_name(kv.value)
                if kv.value.startswith(PREFIX) and name not in held:
                    lost[name] = lost.get(name, 0) + 1
    return dict(sorted(lost.items()))


def _lost_lines(lost: dict[str, int], file: Any) -> list[str]:
    return [
        f"{count} encrypted value{'' if count == 1 else 's'} cannot be read: key {name} is not in {file}; "
        f'put the file back, or give them up with "kctl store key drop {name} --accept-loss"'
        for name, count in lost.items()
    ]


def _path(member: Member) -> Any:
    from pathlib import Path

    return Path(member.place)


def _state(members: Sequence[Member]) -> str:
    voters = [member for member in members if member.role == "voter"]
    if sum(member.state in USABLE for member in voters) * 2 <= len(voters):
        return "no quorum"
    return "healthy" if all(member.state == "ok" for member in members) else "degraded"


def _member(member: Member, place: store_placement.Place) -> Obj:
    return {
        "id": member.id,
        "place": member.place,
        "role": member.role,
        "state": member.state,
        "why": member.why,
        "index": member.index,
        "revision": member.revision,
        "term": member.term,
        "lag": member.lag,
        "size": member.size,
        "disks": list(place.disks),
        "filesystem": place.filesystem,
    }


def text(found: Obj) -> str:
    """Return the status as people read it."""
    from kctl.cli import tables
    from kctl.cli.session import about

    rows = [
        [
            _shown(member["place"]),
            member["state"],
            member["role"],
            _known(member["revision"]),
            _known(member["term"]),
            _known(member["lag"]),
            human(member["size"]) if member["size"] else "-",
            ",".join(member["disks"]),
        ]
        for member in found["members"]
    ]
    lines = [about(member["place"], member["why"]) for member in found["members"] if member["why"]]
    lines += _summary(found)
    lines += found["notes"]
    if not found["encryption"]["private"]:
        lines.append(f"warning: others can read {found['encryption']['file']}: chmod 600 it")
    return tables.plain(HEADERS, rows) + "\n" + "".join(f"{line}\n" for line in lines)


def _summary(found: Obj) -> list[str]:
    count = sum(member["role"] == "voter" for member in found["members"])
    lines = [
        f"cluster {found['cluster']}, revision {found['revision']} of {found['time']}, entry {found['index']}, "
        f"term {found['term']}, history from revision {max(1, found['compacted'])}"
    ]
    usable = f"{found['usable']} of {count} replicas can be used, writes need {found['quorum']}"
    if found["state"] == "healthy":
        lines.append("healthy" if count == 1 else f"healthy: {usable}")
    elif found["state"] == "degraded":
        more = found["usable"] - found["quorum"]
        rest = '; "kctl store repair" brings the others back' if found["usable"] < count else ""
        lines.append(f"degraded: {usable}, {more} more may be lost{rest}")
    else:
        lines.append(f"no quorum: {usable}; reads are served from the newest replica, writes are refused")
    return lines


def _known(number: int) -> str:
    return str(number) if number >= 0 else "-"


def _shown(place: str) -> str:
    from pathlib import Path

    from kctl.cli.session import shown

    return shown(Path(place)) if place else "-"


def problems(here: Here, *, full: bool) -> list[Problem]:
    """Return what is not as it was committed."""
    found = list(here.store.verify("full" if full else "rows"))
    return found + (_sealed_problems(here.store) if full else [])


def _sealed_problems(store: SealedStore) -> list[Problem]:
    """Return what cannot be decrypted of the current state."""
    from kctl.api.errors import KctlError
    from kctl.apiserver.encryption import PREFIX, SEALED
    from kctl.store.api import Problem

    found: list[Problem] = []
    for prefix in SEALED:
        try:
            items = store.below.list(prefix).items
        except KctlError:
            continue  # what lies there does not fit its hash, which is said already
        for kv in items:
            if kv.value.startswith(PREFIX):
                try:
                    store.sealer.open(kv.key, kv.value)
                except KctlError as error:
                    found.append(Problem("", "key", error.message))
    return found


def has_sealed(store: SealedStore) -> bool:
    """Say whether anything in the current state is encrypted."""
    from kctl.apiserver.encryption import PREFIX, SEALED

    return any(kv.value.startswith(PREFIX) for prefix in SEALED for kv in store.below.list(prefix).items)


def usage(here: Here) -> Obj:
    """Return what fills the log, counted in the first replica that can be read."""
    from kctl.api.errors import KctlError
    from kctl.store import sql

    rows: list[sql.Usage] = []
    for directory in here.place.directories:
        try:
            rows = sql.usage(directory / LOG)
            break
        except KctlError:
            if directory == here.place.directories[-1]:
                raise
    return {"apiVersion": API_VERSION, "kind": "StoreUsage", "items": [row._asdict() for row in rows]}


def usage_text(found: Obj) -> str:
    """Return what fills the log as a table."""
    from kctl.cli import tables

    rows = [[item["resource"], item["objects"], item["states"], human(item["size"])] for item in found["items"]]
    return tables.plain(("RESOURCE", "OBJECTS", "STATES", "SIZE"), rows)


def verified(here: Here, found: Sequence[Problem], *, full: bool) -> Obj:
    """Return the result of a check as a document."""
    fresh = here.store.freshness()
    return {
        "apiVersion": API_VERSION,
        "kind": "StoreVerification",
        "level": "full" if full else "rows",
        "clean": not found,
        "replicas": len(here.place.directories),
        "revision": fresh.head.revision,
        "problems": [problem._asdict() for problem in found],
    }


def verified_text(found: Obj) -> str:
    """Return the result of a check as text."""
    count, level = found["replicas"], found["level"]
    if found["clean"]:
        what = "every entry, state and sum" + (", page and index" if level == "full" else "")
        replicas = "1 replica" if count == 1 else f"{count} replicas"
        return f"clean: {replicas}, revision {found['revision']}: {what} is as it was committed\n"
    from kctl.cli.session import about

    lines = [about(problem["place"], problem["message"]) for problem in found["problems"]]
    one = len(lines) == 1
    lines.append(f"{len(lines)} problem{'' if one else 's'}" + (' (see "kctl store repair")' if count > 1 else ""))
    return "".join(f"{line}\n" for line in lines)


def human(count: int) -> str:
    """Return bytes as ``12KiB``."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f}{unit}" if unit == "B" or size >= 10 else f"{size:.1f}{unit}"
        size /= 1024
    return f"{size:.1f}GiB"
