"""Values alike: the same in all but fields that every object has of its own.

In: two JSON values and what may differ between them. Out: whether it is only that, and what a change that was
made of the one makes of the other. Who does much to many objects alike thinks once and goes by this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from kctl.api.objects import Obj

Free = Mapping[str, "Free | None"]
"""Fields that may differ: with None a string, else the one struct or list below which others may."""
VOLUMES: Free = {"name": None}
OF_SPECS: Free = {"nodeName": None, "volumes": VOLUMES, "containers": {"volumeMounts": VOLUMES}}
OF_ORDERED_SPECS: Free = {
    **OF_SPECS,
    "hostname": None,
    "volumes": {"name": None, "persistentVolumeClaim": {"claimName": None}},
}
"""What differs besides between the pods of a StatefulSet."""
ADDRESS: Free = {"ip": None}
ENDED: Free = {"terminated": {"containerID": None}}
CONTAINER: Free = {"containerID": None, "volumeMounts": VOLUMES, "state": ENDED}
OF_STATUSES: Free = {
    "podIP": None,
    "hostIP": None,
    "podIPs": ADDRESS,
    "hostIPs": ADDRESS,
    "containerStatuses": CONTAINER,
    "initContainerStatuses": CONTAINER,
}
"""What differs between specs and statuses of pods alike: the volume of the token is named anew for each."""
NOTHING: Free = {}
MOMENT: Free = {"": None}
"""In the place of None: a time as it is always written, any other."""
SINCE: Free = {"startedAt": MOMENT}
RUN: Free = {"running": SINCE, "terminated": {"containerID": None, "startedAt": MOMENT, "finishedAt": MOMENT}}
TIMED: Free = {"containerID": None, "volumeMounts": VOLUMES, "state": RUN}
OF_STATUSES_AT_ANY_TIME: Free = {
    **OF_STATUSES,
    "startTime": MOMENT,
    "conditions": {"lastTransitionTime": MOMENT},
    "containerStatuses": TIMED,
    "initContainerStatuses": TIMED,
}
"""What differs besides between statuses written at different times."""
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
SCALARS = frozenset((str, int, bool, float))


class _Unlike:
    """The type of :data:`UNLIKE`."""


UNLIKE: Final = _Unlike()


def fitted(body: Any, made: Any, other: Any, free: Free) -> Any:
    """Return what would be made of ``other`` when of ``body`` came ``made``; UNLIKE when that is not known.

    It is known when the two differ in nothing but free fields that are strings, not empty, and stay as they
    are. What is the same is shared with ``made``. True and 1 are not the same, which ``==`` would say.
    """
    if isinstance(body, dict):
        return _fitted_struct(body, made, other, free)
    if isinstance(body, list):
        if not isinstance(other, list) or len(body) != len(other):
            return UNLIKE
        if not isinstance(made, list) or len(made) != len(body):
            return made if same(body, other) else UNLIKE
        out = [c if a is b else fitted(a, c, b, free) for a, b, c in zip(body, other, made, strict=True)]
        if any(one is UNLIKE for one in out):
            return UNLIKE
        return made if all(a is b for a, b in zip(out, made, strict=True)) else out
    return made if body.__class__ is other.__class__ and body == other else UNLIKE


def _fitted_struct(body: Obj, made: Any, other: Any, free: Free) -> Any:
    if not isinstance(other, dict) or len(body) != len(other):
        return UNLIKE
    if not isinstance(made, dict):
        return made if same(body, other) else UNLIKE
    out = None
    for name, left in body.items():
        right = other.get(name, UNLIKE)
        if left is right:
            continue
        if left.__class__ in SCALARS and name not in free:
            if left.__class__ is not right.__class__ or left != right:
                return UNLIKE
            continue
        was = made.get(name, UNLIKE)
        below = free.get(name, NOTHING)
        if below is None or below is MOMENT:
            if not left or not right or left.__class__ is not str or right.__class__ is not str or was != left:
                return UNLIKE
            if below is MOMENT and not is_moment(right):
                return UNLIKE
            new = right
        else:
            new = fitted(left, was, right, below)
            if new is UNLIKE and (was is not UNLIKE or not same(left, right)):
                return UNLIKE
        if new is not was:
            if out is None:
                out = dict(made)
            out[name] = new
    return made if out is None else out


@lru_cache(maxsize=4096)
def is_moment(text: str) -> bool:
    """Say whether a text is a time in the one form that is stored as it comes."""
    if not _MOMENT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are the same; True and 1 are not."""
    return fitted(one, one, other, NOTHING) is not UNLIKE


def is_like(one: Any, other: Any, free: Free) -> bool:
    """Say whether two stored values, so of the right types, differ in nothing but free strings."""
    if one is other:
        return True
    if isinstance(one, dict):
        if not isinstance(other, dict) or len(one) != len(other):
            return False
        for name, left in one.items():
            right = other.get(name, UNLIKE)
            if left is right or left == right:
                continue
            below = free.get(name, NOTHING)
            if below is None or below is MOMENT:
                if not left or not right or right is UNLIKE:
                    return False
            elif not below or not is_like(left, right, below):
                return False
        return True
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(a == b or is_like(a, b, free) for a, b in zip(one, other, strict=True))
    return bool(one == other)
