"""The IP families of a Service on a cluster that has IPv4 alone.

In: the spec of a Service about to be written, and of the one it replaces. Out: the spec with
ipFamilyPolicy and ipFamilies filled in; Invalid where the cluster cannot give what is asked, before
anything else is looked at, as initIPFamilyFields of the service storage. Addresses are allocated in
:mod:`kctl.apiserver.allocate`.
"""

from __future__ import annotations

from kctl.api.errors import FieldError, invalid, unprocessable
from kctl.api.objects import Obj

DUAL_IN_SINGLE = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
RELEASE = "must be 'SingleStack' to release the secondary {}"


def filled(spec: Obj, before: Obj | None, name: str) -> Obj:
    """Return the spec with its families; ``before`` is the stored spec, None for a new Service."""
    if spec.get("type") == "ExternalName" or (before is not None and _same_preference(spec, before)):
        return spec
    headless = spec.get("clusterIP") == "None" and not spec.get("selector")
    policy = spec.get("ipFamilyPolicy") or (before or {}).get("ipFamilyPolicy")
    spec = {**spec, "ipFamilyPolicy": policy or ("RequireDualStack" if headless else "SingleStack")}
    _refuse(name, _related(spec))
    found: list[FieldError] = []
    if before is not None:
        spec = _released(spec, before, found)
    spec = _inferred(spec, found)
    _refuse(name, found)
    families = list(spec.get("ipFamilies") or ["IPv4"])
    if headless:
        if len(families) < 2 and spec["ipFamilyPolicy"] != "SingleStack":
            families.append("IPv6" if families[0] == "IPv4" else "IPv4")
        return {**spec, "ipFamilies": families}
    if spec["ipFamilyPolicy"] == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        found.append(invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], why))
    for n, family in enumerate(families):
        if family != "IPv4":
            found.append(invalid(f"spec.ipFamilies[{n}]", family, "not configured on this cluster"))
    _refuse(name, found)
    return {**spec, "ipFamilies": families}


def _refuse(name: str, found: list[FieldError]) -> None:
    if found:
        raise unprocessable("Service", "", name, found)


def _related(spec: Obj) -> list[FieldError]:
    """Return what is wrong with addresses and families in themselves."""
    from kctl.api.validation import services

    found: list[FieldError] = []
    services.addresses(spec, found)
    return found


def _same_preference(spec: Obj, before: Obj) -> bool:
    """Say whether both prefer two families and agree in all else (never upgraded unasked)."""
    fields = ("ipFamilyPolicy", "clusterIP", "clusterIPs", "ipFamilies")
    if spec.get("ipFamilyPolicy") != "PreferDualStack" or before.get("type") == "ExternalName":
        return False
    return all((spec.get(field) or None) == (before.get(field) or None) for field in fields)


def _released(spec: Obj, before: Obj, found: list[FieldError]) -> Obj:
    """Let go of the second address and family when one stack is asked for, and else insist on it."""
    spec = dict(spec)
    for field, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        new, old = spec.get(field) or [], before.get(field) or []
        if spec["ipFamilyPolicy"] == "SingleStack":
            if len(new) > 1 and new == old:
                spec[field] = new[:1]
        elif len(old) > 1 and len(new) == 1 and new[0] == old[0]:
            found.append(invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], RELEASE.format(what)))
    return spec


def _inferred(spec: Obj, found: list[FieldError]) -> Obj:
    """Take the families of the addresses asked for where they are not said."""
    from kctl.api.validation.formats import is_ipv6

    addresses, families = spec.get("clusterIPs") or [], list(spec.get("ipFamilies") or ())
    if spec["ipFamilyPolicy"] == "SingleStack":
        for values, what in ((addresses, "cluster IPs"), (families, "IP families")):
            if len(values) == 2:
                found.append(invalid("spec.ipFamilyPolicy", "SingleStack", DUAL_IN_SINGLE.format(what)))
    for n, address in enumerate(addresses):
        if address == "None":
            break
        if n >= len(families):
            if is_ipv6(address):
                why = "IPv6 is not configured on this cluster"
                found.append(invalid(f"spec.clusterIPs[{n}]", addresses, why))
            else:
                families.append("IPv4")
    return {**spec, "ipFamilies": families} if families else spec
