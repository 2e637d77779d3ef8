"""The events of a scenario: which there are, and how each is written.

In: an item of ``events``. Out: an :class:`kctl.api.scenario.model.Event` or a
:class:`~kctl.api.scenario.model.CloudFault`; errors are added to the fields' list.
"""

from __future__ import annotations

from typing import Any

from kctl.api.behaviour import graces_of, graces_text
from kctl.api.errors import FieldError, invalid, required
from kctl.api.scenario.fields import Fields
from kctl.api.scenario.model import CloudFault, Event, Target

ZONE_VERBS = ("die", "shutdown", "isolate", "recover")
NODE_VERBS = ("die", "shutdown", "isolate", "reboot", "terminate", "cordon", "uncordon", "drain", "pressure", "recover")
OBJECT_VERBS = ("scale", "delete", "restart")
PRESSURES = ("memory", "disk", "pid")
CLOUD_OPS = (
    "ensure_lb",
    "update_lb",
    "delete_lb",
    "create_volume",
    "delete_volume",
    "attach_volume",
    "detach_volume",
    "expand_volume",
)
OP_NAMES = {"attach": "attach_volume", "detach": "detach_volume", "expand": "expand_volume"}
SUBJECTS = ("node", "zone", "do", "load", "cloud", "apply", "patch")
GRACE, CRITICAL_GRACE, GRACES = (
    "shutdownGracePeriod",
    "shutdownGracePeriodCriticalPods",
    "shutdownGracePeriodByPodPriority",
)
"""Of ``do: shutdown``, as the kubelet's configuration names them."""
LASTING = frozenset({"die", "shutdown", "isolate", "pressure", "cordon", "load", "drain"})
"""What ends by itself when ``for`` is given."""


def read(value: Any, path: str, index: int, errors: list[FieldError]) -> Event | CloudFault | None:
    """Return what an item of ``events`` says, None when it is wrong."""
    before = len(errors)
    fields = Fields(value, path, errors)
    if not isinstance(value, dict):
        return None
    at, lasts = fields.seconds("at", 0.0), fields.seconds("for", None)
    subject = next((name for name in ("node", "zone", "load", "cloud", "apply", "patch") if name in fields), "do")
    if not any(name in fields for name in SUBJECTS):
        errors.append(invalid(path, value, f"must have one of {', '.join(SUBJECTS)}"))
        return None
    event: Event | CloudFault | None
    match subject:
        case "node" | "zone":
            event = _of_node(fields, subject)
        case "load":
            event = _load(fields)
        case "cloud":
            event = _cloud(fields)
        case "apply" | "patch":
            event = _written(fields, subject)
        case _:
            event = _of_object(fields)
    fields.close()
    if event is None or len(errors) > before:
        return None
    if lasts is not None and isinstance(event, Event) and event.what not in LASTING:
        fields.fail("for", f"{event.what} does not last")
        return None
    return event._replace(at=at, lasts=lasts, place=index)


def _of_node(fields: Fields, scope: str) -> Event | None:
    name = fields.needed(scope)
    words = fields.needed("do").split()
    verbs = NODE_VERBS if scope == "node" else (*ZONE_VERBS, "drain", "cordon", "uncordon")
    verb, *rest = words or [""]
    verb = verb.removesuffix(":")
    if verb not in verbs:
        fields.fail("do", f"a {scope} can {', '.join(verbs)}")
        return None
    detail = ""
    if verb == "pressure":
        detail = rest.pop(0) if rest else "memory"
        if detail not in PRESSURES:
            fields.fail("do", f"pressure is of {', '.join(PRESSURES)}")
    if verb == "shutdown":
        detail = _graces(fields, rest.pop(0) if rest else "")
    if rest:
        fields.fail("do", f"{' '.join(rest)!r} was not expected after {verb}")
    return Event(0.0, verb, "node" if scope == "node" else "zone", subject=name, detail=detail)


def _graces(fields: Fields, said: str) -> str:
    """Read how long pods have to end, of ``shutdown 60s/20s`` or from the fields; "" is what the node's kubelet is told."""
    if said:
        try:
            return graces_text(graces_of(said))
        except ValueError as error:
            fields.fail("do", f"want shutdown 60s, or 60s/20s with the time of critical pods: {error}")
            return ""
    by_priority: list[tuple[int, float]] = []
    for _, item, path in fields.each(GRACES):
        one = Fields(item, path, fields.errors)
        priority = one.raw("priority")
        if isinstance(priority, bool) or not isinstance(priority, int):
            one.fail("priority", "must be a whole number")
            priority = 0
        by_priority.append((priority, one.seconds("shutdownGracePeriodSeconds", 0.0)))
        one.close()
    whole, critical = fields.seconds(GRACE, 0.0), fields.seconds(CRITICAL_GRACE, 0.0)
    if by_priority:
        if GRACE in fields or CRITICAL_GRACE in fields:
            fields.fail(GRACES, f"may not be set together with {GRACE}")
        if len({priority for priority, _ in by_priority}) < len(by_priority):
            fields.fail(GRACES, "priorities must be unique")
        return graces_text(tuple(sorted(by_priority)))
    if critical > whole:
        fields.fail(CRITICAL_GRACE, f"must not be greater than {GRACE}")
    elif not whole:
        return ""
    return graces_text(graces_of(f"{whole:g}s/{min(critical, whole):g}s"))


def _of_object(fields: Fields) -> Event | None:
    """Read ``scale deploy/web 40``, ``delete pod/web-1``, ``restart deploy/web``."""
    verb, *rest = fields.needed("do").split() or [""]
    if verb not in OBJECT_VERBS:
        fields.fail("do", f"want {', '.join(OBJECT_VERBS)} of an object, as 'scale deploy/web 40'")
        return None
    wanted = 2 if verb == "scale" else 1
    target = target_of(rest[0]) if rest else None
    if len(rest) != wanted or target is None:
        example = "scale deploy/web 40" if verb == "scale" else f"{verb} deploy/web"
        fields.fail("do", f"want it as '{example}'")
        return None
    number = 0
    if verb == "scale":
        if not (rest[1].isascii() and rest[1].isdecimal() and int(rest[1]) < 2**31):
            fields.fail("do", f"{rest[1]!r} is no number of replicas")
            return None
        number = int(rest[1])
    return Event(0.0, verb, "object", target=target, number=number)


def _written(fields: Fields, verb: str) -> Event | None:
    """Read ``{apply: {manifest}}`` and ``{patch: {...}, object: deploy/web}``."""
    body = fields.raw(verb)
    if not isinstance(body, dict):
        fields.fail(verb, "must be a map")
        return None
    if verb == "patch":
        target = target_of(fields.needed("object"))
        if target is None:
            fields.fail("object", "must be an object, as deploy/web")
        return Event(0.0, "patch", "object", target=target, body=body)
    meta = body.get("metadata")
    if not (isinstance(body.get("apiVersion"), str) and isinstance(body.get("kind"), str) and isinstance(meta, dict)):
        fields.fail("apply", "must be a manifest: apiVersion, kind and metadata are needed")
        return None
    name, namespace = meta.get("name"), meta.get("namespace") or ""
    if not isinstance(name, str) or not name or not isinstance(namespace, str):
        fields.fail("apply", "metadata.name must be a text")
        return None
    return Event(0.0, "apply", "object", target=Target(body["kind"].lower(), name, namespace), body=body)


def _load(fields: Fields) -> Event | None:
    inside = fields.inside("load")
    if inside is None:
        return None
    service, workload = inside.text("service"), inside.text("workload")
    rps = inside.number("rps", 0.0)
    namespace = inside.text("namespace")
    inside.close()
    if "rps" not in inside:
        inside.errors.append(required(inside.at("rps"), "requests a second"))
    if bool(service) == bool(workload):
        inside.errors.append(invalid(inside.path, inside.value, "must have one of service, workload"))
        return None
    target = target_of(workload) if workload else Target("service", service, namespace)
    if target is None:
        inside.fail("workload", "must be an object, as deploy/web")
        return None
    if namespace and not target.namespace:
        target = target._replace(namespace=namespace)
    return Event(0.0, "load", "load", target=target, number=rps)


def _cloud(fields: Fields) -> CloudFault | None:
    inside = fields.inside("cloud")
    if inside is None:
        return None
    op = OP_NAMES.get(inside.needed("op"), inside.text("op"))
    if op and op not in CLOUD_OPS:
        inside.fail("op", f"there are {', '.join(CLOUD_OPS)}")
    fault = CloudFault(
        op,
        inside.needed("error"),
        message=inside.text("message"),
        times=inside.whole("times", None, least=1),
        probability=inside.number("probability", 1.0, most=1.0),
    )
    match = inside.inside("match")
    if match is not None:
        fault = fault._replace(name=match.text("name"), namespace=match.text("namespace"))
        match.close()
    inside.close()
    return fault


def target_of(text: str) -> Target | None:
    """Read ``deploy/web`` or ``shop/deploy/web`` (the namespace first, as reports print it)."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        return None
    return Target(parts[-2], parts[-1], parts[0] if len(parts) == 3 else "")
