"""Validation of Endpoints, IPAddresses and ServiceCIDRs.

In comes an object (and the old one); complaints are appended as ValidateEndpoints (core validation)
and pkg/apis/networking/validation order them.
"""

from __future__ import annotations

from collections.abc import Set

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, services
from kctl.api.validation.meta import Errors, formatted

PROTOCOLS = ("SCTP", "TCP", "UDP")
ONE_EACH = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"


def endpoints(obj: Obj, out: Errors) -> None:
    """Check Endpoints."""
    _endpoints(obj, frozenset(), out)


def endpoints_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check changed Endpoints as new ones; addresses that are the old ones' very own were checked with them."""
    known: set[int] = set()
    for subset in old.get("subsets") or ():
        known.update(map(id, subset.get("addresses") or ()), map(id, subset.get("notReadyAddresses") or ()))
    _endpoints(new, known, out)


def _endpoints(obj: Obj, known: Set[int], out: Errors) -> None:
    """Check Endpoints, but not the addresses known by their identity."""
    for n, subset in enumerate(obj.get("subsets") or ()):
        at, ports = f"subsets[{n}]", subset.get("ports") or []
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            out.append(errors.required(at, "must specify `addresses` or `notReadyAddresses`"))
        for name in ("addresses", "notReadyAddresses"):
            found = subset.get(name) or []
            for m in [m for m, one in enumerate(map(id, found)) if one not in known]:
                _address(found[m], f"{at}.{name}[{m}]", out)
        for m, port in enumerate(ports):
            _port(port, f"{at}.ports[{m}]", out, named=len(ports) > 1)


def _address(value: Obj, at: str, out: Errors) -> None:
    """Check one address and what it belongs to."""
    address = value.get("ip") or ""
    if value.get("hostname"):
        found: Errors = []
        formatted(formats.dns_label, value["hostname"], f"{at}.hostname", found)
    else:
        found = []
    formatted(formats.ip, address, f"{at}.ip", out)
    out += found
    if value.get("nodeName") is not None:
        formatted(formats.dns_subdomain, value["nodeName"], f"{at}.nodeName", out)
    if not formats.is_ip(address):
        out.append(errors.invalid(f"{at}.ip", address, "must be a valid IP address"))
    else:
        services.reachable(address, f"{at}.ip", out)


def _port(port: Obj, at: str, out: Errors, *, named: bool) -> None:
    """Check one port; with several, each needs a name."""
    name, number, protocol = port.get("name") or "", port.get("port") or 0, port.get("protocol") or ""
    if name:
        formatted(formats.dns_label, name, f"{at}.name", out)
    elif named:
        out.append(errors.required(f"{at}.name"))
    for text in formats.port_number(number):
        out.append(errors.invalid(f"{at}.port", number, text))
    if not protocol:
        out.append(errors.required(f"{at}.protocol"))
    elif protocol not in PROTOCOLS:
        out.append(errors.not_supported(f"{at}.protocol", protocol, PROTOCOLS))
    if port.get("appProtocol") is not None:
        formatted(formats.qualified_name_plain, port["appProtocol"], f"{at}.appProtocol", out)


def ip_address(obj: Obj, out: Errors) -> None:
    """Check an IPAddress: who has it."""
    ref, at = (obj.get("spec") or {}).get("parentRef"), "spec.parentRef"
    if ref is None:
        out.append(errors.required(at))
        return
    if ref.get("group"):
        formatted(formats.dns_subdomain, ref["group"], f"{at}.group", out)
    for name in ("resource", "name"):
        if not ref.get(name):
            out.append(errors.required(f"{at}.{name}"))
        else:
            formatted(formats.path_segment, ref[name], f"{at}.{name}", out)
    if ref.get("namespace"):
        formatted(formats.path_segment, ref["namespace"], f"{at}.namespace", out)


def ip_address_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed IPAddress: who has it stays."""
    after, before = ((obj.get("spec") or {}).get("parentRef") for obj in (new, old))
    if after != before:
        out.append(errors.invalid("spec.parentRef", internal.shown("ParentRef", after), formats.IMMUTABLE))


def service_cidr(obj: Obj, out: Errors) -> None:
    """Check a ServiceCIDR: one range, or one of each family."""
    cidrs = (obj.get("spec") or {}).get("cidrs") or []
    if not cidrs:
        out.append(errors.required("spec.cidrs", "at least one CIDR required"))
        return
    if len(cidrs) > 2:
        out.append(errors.invalid("spec.cidrs", cidrs, "may only hold up to 2 values"))
        return
    good = not any(map(formats.cidr, cidrs))
    if len(cidrs) == 2 and good and (":" in cidrs[0]) == (":" in cidrs[1]):
        out.append(errors.invalid("spec.cidrs", cidrs, ONE_EACH))
    for n, cidr in enumerate(cidrs):
        formatted(formats.cidr, cidr, f"spec.cidrs[{n}]", out)


def service_cidr_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed ServiceCIDR: a second range may come, nothing else."""
    after, before = ((obj.get("spec") or {}).get("cidrs") or [] for obj in (new, old))
    if len(after) < len(before) or (len(after) == len(before) == 2 and after != before):
        shown = (new.get("spec") or {}).get("cidrs")
        out.append(errors.invalid("spec.cidrs", shown, formats.IMMUTABLE))
    elif after[: len(before)] != before:
        for n, (one, other) in enumerate(zip(after, before, strict=False)):
            if one != other:
                out.append(errors.invalid(f"spec.cidrs[{n}]", one, formats.IMMUTABLE))
