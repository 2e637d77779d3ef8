"""What a whole pod requests and is limited to, added up from its containers.

In: a pod's spec. Out: a resource list for ``requests`` or ``limits``: containers side by side,
init containers one after another, sidecars beside them, resources of the pod in the place of the
sum. As k8s.io/component-helpers/resource. What a resize has not carried out yet is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kctl.api.objects import Obj
from kctl.api.resourcelist import add, greatest, written

POD_LEVEL = ("cpu", "memory")
"""What may be set for the pod as a whole, besides huge pages."""
HUGE_PAGES = "hugepages-"


def total(spec: Obj, field: Literal["requests", "limits"]) -> dict[str, str]:
    """Return the sum over the pod, without its overhead."""
    out: dict[str, str] = {}
    for container in spec.get("containers") or ():
        out = add(out, of(container, field))
    sidecars: dict[str, str] = {}
    peak: dict[str, str] = {}
    for container in spec.get("initContainers") or ():
        own = of(container, field)
        if container.get("restartPolicy") == "Always":
            out = add(out, own)
            own = sidecars = add(sidecars, own)
        else:
            own = add(own, sidecars)
        peak = greatest(peak, own)
    return {**greatest(out, peak), **at_pod_level(spec, field)}


def of(container: Obj, field: Literal["requests", "limits"]) -> dict[str, str]:
    """Return the requests or limits of one container."""
    found: Mapping[str, Any] | None = (container.get("resources") or {}).get(field)
    return written(found) if found else {}


def at_pod_level(spec: Obj, field: Literal["requests", "limits"]) -> dict[str, str]:
    """Return what is set for the pod as a whole and takes the place of the sum."""
    found = (spec.get("resources") or {}).get(field)
    return {name: text for name, text in written(found).items() if is_pod_level(name)} if found else {}


def is_pod_level(name: str) -> bool:
    """Say whether a resource can be set for the pod as a whole, as IsSupportedPodLevelResource."""
    return name in POD_LEVEL or name.startswith(HUGE_PAGES)


def has_pod_level(spec: Obj) -> bool:
    """Say whether anything is set for the pod as a whole, as IsPodLevelResourcesSet."""
    return bool(spec.get("resources") and (at_pod_level(spec, "requests") or at_pod_level(spec, "limits")))
