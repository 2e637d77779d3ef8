"""The one seam between the pipeline and the rules of :mod:`kctl.api`.

Everything is imported when first needed, so that a command that only reads loads none of it.
"""

from __future__ import annotations

from typing import Any

from kctl.api.errors import FieldError, StatusError, bad_request
from kctl.api.objects import Obj
from kctl.api.registry import Kind
from kctl.apiserver.request import Request


def decode(request: Request, kind: Kind, body: Any) -> Obj:
    """Check the body's structure as its field validation asks; add what is only a warning."""
    from kctl.api import structural

    mode = (request.options.field_validation or "Warn").lower()
    decoded = structural.decode(kind, body, unknown=mode)
    if decoded.errors:
        raise bad_request(decoded.message)
    request.warn(*map(str, decoded.warnings))
    return decoded.obj


def refuse_body(kind: Kind, body: Any, why: str) -> StatusError:
    """400 for a body that cannot be read as the kind."""
    return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


def default(kind: Kind, obj: Obj) -> Obj:
    """Return the object with the kind's defaults filled in."""
    from kctl.api import defaults

    return defaults.apply(kind, obj)


def prepare_create(kind: Kind, obj: Obj) -> Obj:
    """Return the object as the kind's strategy prepares it for creation."""
    from kctl.api import strategy

    return strategy.prepare_create(kind, obj)


def prepare_update(kind: Kind, new: Obj, old: Obj, subresource: str) -> Obj:
    """Return the object as the kind's strategy prepares it for an update."""
    from kctl.api import strategy

    return strategy.prepare_update(kind, new, old, subresource)


def validate_create(kind: Kind, obj: Obj) -> list[FieldError]:
    """Return what is wrong with a new object."""
    from kctl.api import validation

    return validation.create(kind, obj)


def validate_update(kind: Kind, new: Obj, old: Obj, subresource: str) -> list[FieldError]:
    """Return what is wrong with a changed object."""
    from kctl.api import validation

    if subresource == "status":
        return validation.update_status(kind, new, old)
    return validation.update(kind, new, old)


def owned(kind: Kind, new: Obj, old: Obj | None, *, manager: str, now: float, subresource: str = "") -> Obj:
    """Return ``new`` with its managedFields brought up to date."""
    from kctl.api import schema
    from kctl.api.patch import managed

    node = schema.of(kind)
    return managed.updated(
        old, new, node, manager=manager, api_version=kind.api_version, now=now, subresource=subresource
    )


def applied(
    kind: Kind, live: Obj | None, intent: Obj, *, manager: str, now: float, force: bool, subresource: str = ""
) -> Obj:
    """Return what server-side apply makes of the live object; Conflict names other managers."""
    from kctl.api import schema
    from kctl.api.patch import managed

    node = schema.of(kind)
    return managed.apply(
        live,
        intent,
        node,
        manager=manager,
        api_version=kind.api_version,
        now=now,
        force=force,
        subresource=subresource,
    )


def merged(target: Obj, patch: Obj) -> Obj:
    """Return what a merge patch makes of an object (RFC 7386)."""
    from kctl.api.patch import merge

    return merge.patch(target, patch)  # type: ignore[no-any-return]
