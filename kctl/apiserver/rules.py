"""The one seam between the pipeline and the rules of :mod:`kctl.api`.

Everything is imported when first needed, so that a command that only reads loads none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from kctl.api.clock import rfc3339
from kctl.api.errors import FieldError, bad_request, invalid, unprocessable
from kctl.api.objects import Obj
from kctl.api.registry import Kind
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.api.patch.outline import Drawn, Memo

UNKNOWN: dict[str, Literal["strict", "warn", "ignore"]] = {
    "": "warn",
    "Warn": "warn",
    "Strict": "strict",
    "Ignore": "ignore",
}
"""What becomes of unknown fields under each fieldValidation; Warn is the default."""
UNKNOWN_FIELD = 2
"""The rank of a decoding error that is only an unknown field."""


def decode(request: Request, kind: Kind, body: Any, known: Obj | None = None) -> Obj:
    """Check the body's structure as its field validation asks; add what is only a warning.

    What the body shares with the stored object ``known`` is not checked again.
    """
    obj, why = _decoded(request, kind, body, known)
    if why:
        what = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
        raise bad_request(f"{what}: {why}")
    return obj


def decode_patched(request: Request, kind: Kind, obj: Obj, shown: Callable[[], str], known: Obj | None = None) -> Obj:
    """Check what a patch made; Invalid shows the outcome (or the patch) when it cannot be read."""
    made, why = _decoded(request, kind, obj, known)
    if why:
        if request.patch_type == "strategic":
            from kctl.api.patch import restoring

            why = restoring.why(kind, obj) or why
        raise unprocessable("", "", "", [invalid("patch", shown(), why)])
    return made


def _decoded(request: Request, kind: Kind, body: Any, known: Obj | None) -> tuple[Obj, str]:
    """Return the decoded body and why it is refused, "" when it is not."""
    from kctl.api import structural

    mode = UNKNOWN[request.options.field_validation]
    decoded = structural.decode(kind, body, unknown=mode, known=known)
    repeats = request.repeats
    if repeats is None:
        if not decoded.errors:
            request.warn(*decoded.warnings)
        return decoded.obj, decoded.why
    if any(error.rank < UNKNOWN_FIELD for error in decoded.errors):
        return decoded.obj, decoded.why
    if mode == "strict":
        return decoded.obj, "strict decoding error: " + repeats.errors([error.go for error in decoded.errors])
    if mode == "warn":
        request.warn(*repeats.warnings(decoded.warnings))
    return decoded.obj, ""


def group_of(kind: Kind) -> str:
    """Return the group refusals name: that of the internal type, which for events is core."""
    return "" if kind.kind == "Event" else kind.group


def default(kind: Kind, obj: Obj, known: Obj | None = None, before: Obj | None = None) -> Obj:
    """Return the object with the kind's defaults filled in; see :func:`kctl.api.defaults.apply`."""
    if kind.custom is not None:
        from kctl.api.crd import decoding

        return decoding.defaulted(kind.custom, obj)
    from kctl.api import defaults

    return defaults.apply(kind, obj, known=known, before=before)


def prepare_create(kind: Kind, obj: Obj, now: float) -> Obj:
    """Return the object as the kind's strategy prepares it for creation."""
    from kctl.api import strategy

    return strategy.prepare_create(kind, obj, now=rfc3339(now))


def prepare_update(kind: Kind, new: Obj, old: Obj, subresource: str) -> Obj:
    """Return the object as the kind's strategy prepares it for an update."""
    from kctl.api import strategy

    return strategy.prepare_update(kind, new, old, subresource)


def validate_create(kind: Kind, obj: Obj) -> list[FieldError]:
    """Return what is wrong with a new object."""
    if kind.custom is not None:
        from kctl.api.crd import instances

        return instances.create(kind, kind.custom, obj)
    from kctl.api import validation

    return validation.create(kind, obj)


def validate_update(kind: Kind, new: Obj, old: Obj, subresource: str) -> list[FieldError]:
    """Return what is wrong with a changed object."""
    if kind.custom is not None:
        from kctl.api.crd import instances

        change = instances.update_status if subresource == "status" else instances.update
        return change(kind, kind.custom, new, old)
    from kctl.api import validation

    if subresource == "status":
        return validation.update_status(kind, new, old)
    return validation.update(kind, new, old)


def as_sent(
    errors: list[FieldError], obj: Obj, sent: Any, validate: Callable[[Obj], list[FieldError]]
) -> list[FieldError]:
    """Return the errors with the values they quote as they were sent: empty lists and maps are not null.

    An object loses what is empty on its way through the Go types, but not before it is validated.
    """
    whole = _with_empty(obj, sent)
    if whole is obj:
        return errors
    found = validate(whole)
    same = [(error.type, error.field) for error in found] == [(error.type, error.field) for error in errors]
    return found if same else errors


def _with_empty(value: Any, sent: Any) -> Any:
    """Return a value with the empty lists and maps put back that it was sent with."""
    if isinstance(value, dict) and isinstance(sent, dict):
        changed: Obj = {}
        for name, given in sent.items():
            if name not in value:
                if given == {} or given == []:
                    changed[name] = given
            elif (child := _with_empty(value[name], given)) is not value[name]:
                changed[name] = child
        return {**value, **changed} if changed else value
    if isinstance(value, list) and isinstance(sent, list) and len(value) == len(sent):
        items = [_with_empty(each, given) for each, given in zip(value, sent, strict=True)]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def owned(
    kind: Kind,
    new: Obj,
    old: Obj | None,
    *,
    manager: str,
    now: float,
    subresource: str = "",
    memo: Memo | None = None,
    drawn: Drawn | None = None,
) -> Obj:
    """Return ``new`` with its managedFields brought up to date."""
    from kctl.api import schema
    from kctl.api.patch import managed

    if kind.custom is not None and old is not None:
        from kctl.api.crd import decoding

        if not decoding.owners_understand(kind, kind.custom, new, old):
            return decoding.without_owners(new)
    node = schema.of(kind)
    return managed.updated(
        old,
        new,
        node,
        manager=manager,
        api_version=kind.api_version,
        now=now,
        subresource=subresource,
        reset=None if kind.custom is None else kind.custom.not_written(subresource, new),
        memo=memo,
        drawn=drawn,
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
        reset=None if kind.custom is None else kind.custom.not_written(subresource, intent),
    )


def merged(target: Obj, patch: Obj) -> Obj:
    """Return what a merge patch makes of an object (RFC 7386)."""
    from kctl.api.patch import merge

    return merge.patch(target, patch)  # type: ignore[no-any-return]
