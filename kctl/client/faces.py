"""What pods have in common: their faces, so that what is found out for one holds for all of the same face.

In: pods as they change. Out: for each a *face*, the same object for pods that differ in nothing but what every pod
has of its own. A face tells

* of the metadata: namespace, labels, annotations, owners, deletion, finalizers and generation,
* of the spec: whether there is a node, whether there are claims, and ``hostNetwork``,
* of the status: phase, reason, start, conditions, how many addresses there are, of which family, and of each container its name, state,
  last state, restarts, whether it is ready and started, whether it has its image, and what resources it reports.

What is asked *of pods alike* may read no more than that. A pod's name, uid, node, addresses and IDs are its own.
"""

from __future__ import annotations

import json
from typing import Any

from kctl.api.objects import Obj
from kctl.api.volumes import has_claims
from kctl.client.changes import LABELS, META, OWNERS, SPEC, STATUS

MOST = 1 << 15
"""So many values, faces and moves are known at a time."""
NOTHING: Obj = {}
IN_METADATA = LABELS | OWNERS | META
CONTAINERS = ("containerStatuses", "initContainerStatuses")
Told = tuple[Any, ...]


class Face:
    """What some pods have in common; equal faces are one object, as far as they are known."""

    __slots__ = ("meta", "spec", "status")

    def __init__(self, meta: Told, spec: Told, status: Told) -> None:
        self.meta = meta
        self.spec = spec
        self.status = status


class Numbers:
    """Gives each JSON value a number, equal ones the same; the empty ones 0. A number is never another's."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[Any, int]] = {}
        """With the value itself, so that no other gets its id meanwhile."""
        self._by_text: dict[str, int] = {}
        self._last = 0

    def of(self, value: Any) -> int:
        """Return the number of a value that is never changed."""
        if not value:
            return 0
        known = self._by_id.get(id(value))
        if known is not None:
            return known[1]
        if len(self._by_id) > MOST:
            self._by_id.clear()
        number = self._numbered(json.dumps(value))
        self._by_id[id(value)] = value, number
        return number

    def of_state(self, state: Any) -> int:
        """Return the number of a container's state, whatever its ID."""
        ended = state.get("terminated") if state else None
        if not ended or "containerID" not in ended:
            return self.of(state)
        told = {name: value for name, value in ended.items() if name != "containerID"}
        return self._numbered(f"terminated {json.dumps(told)}")

    def _numbered(self, text: str) -> int:
        number = self._by_text.get(text)
        if number is None:
            if len(self._by_text) > MOST:
                self._by_text.clear()
            self._last += 1
            number = self._by_text[text] = self._last
        return number


class Faces:
    """The faces of pods that are followed, and what is known of changes from one face to another."""

    most = MOST

    def __init__(self) -> None:
        self._numbers = Numbers()
        self._number = self._numbers.of
        self._known: dict[tuple[Told, Told, Told], Face] = {}

    def of(self, pod: Obj) -> Face:
        """Return the face of a pod."""
        meta, spec, status = pod["metadata"], pod.get("spec") or NOTHING, pod.get("status") or NOTHING
        return self._face(self._meta(meta), _spec(spec), self._status(status))

    def told(self, pod: Obj, parts: int) -> Told:
        """Return what these parts of a pod say of its face."""
        if parts == STATUS:
            return (self._status(pod.get("status") or NOTHING),)
        meta, spec, status = pod["metadata"], pod.get("spec") or NOTHING, pod.get("status") or NOTHING
        return (
            self._meta(meta) if parts & IN_METADATA else None,
            _spec(spec) if parts & SPEC else None,
            self._status(status) if parts & STATUS else None,
        )

    def _face(self, meta: Told, spec: Told, status: Told) -> Face:
        place = (meta, spec, status)
        face = self._known.get(place)
        if face is None:
            if len(self._known) > MOST:
                self._known.clear()
            face = self._known[place] = Face(meta, spec, status)
        return face

    def _meta(self, meta: Obj) -> Told:
        number, get = self._number, meta.get
        return (
            get("namespace"),
            number(get("labels")),
            number(get("annotations")),
            number(get("ownerReferences")),
            get("deletionTimestamp"),
            get("deletionGracePeriodSeconds"),
            number(get("finalizers")),
            get("generation"),
        )

    def _status(self, status: Obj) -> Told:
        number, state, get = self._number, self._numbers.of_state, status.get
        containers: list[Any] = []
        for field in CONTAINERS:
            for found in get(field) or ():
                containers += (
                    field,
                    found.get("name"),
                    state(found.get("state")),
                    state(last) if (last := found.get("lastState")) else 0,
                    found.get("restartCount"),
                    found.get("ready"),
                    found.get("started"),
                    bool(found.get("imageID")),
                    number(found.get("resources")),
                )
        return (
            get("phase"),
            get("reason"),
            get("startTime"),
            number(get("conditions")),
            _family(get("podIP")),
            len(get("podIPs") or ()),
            number(get("resources")),
            *containers,
        )


def _family(address: str | None) -> int:
    """Return 4, 6, or 0 when there is none."""
    return 0 if not address else 6 if ":" in address else 4


def _spec(spec: Obj) -> Told:
    return bool(spec.get("nodeName")), has_claims({"spec": spec}), spec.get("hostNetwork")
