"""What a decision can ask for, as values. :func:`kctl.runtime.act.carry_out` does them."""

from __future__ import annotations

from typing import Any, NamedTuple

from kctl.api.objects import Key, Obj
from kctl.client.client import PatchType, Propagation


class Create(NamedTuple):
    """Create an object. ``resource`` is ``pods`` or ``deployments.apps``."""

    resource: str
    obj: Obj


class Update(NamedTuple):
    """Replace an object (or its ``subresource``); its resourceVersion must be the current one.

    Updates with the same ``like`` are alike: objects as they are and as they come differ in nothing but what each
    has of its own, see :mod:`kctl.api.forms`.
    """

    resource: str
    obj: Obj
    subresource: str = ""
    like: object = None


class Patch(NamedTuple):
    """Patch an object (or its ``subresource``)."""

    resource: str
    key: Key
    patch: Any
    type: PatchType = "merge"
    subresource: str = ""


class Apply(NamedTuple):
    """Server-side apply by ``field_manager``."""

    resource: str
    obj: Obj
    field_manager: str
    force: bool = True
    subresource: str = ""


class Delete(NamedTuple):
    """Delete an object; with ``uid`` only that very one."""

    resource: str
    key: Key
    uid: str = ""
    grace: int | None = None
    propagation: Propagation | None = None


class DeleteCollection(NamedTuple):
    """Delete all objects of a namespace."""

    resource: str
    namespace: str
    propagation: Propagation | None = None


class Bind(NamedTuple):
    """Bind a pod to a node."""

    key: Key
    uid: str
    node: str


class Emit(NamedTuple):
    """Record an Event about ``regarding``; repeated ones are counted, not repeated.

    ``field_path`` names the part of the object that is meant (``spec.containers{web}``),
    ``host`` the node of the component that reports. With ``once`` an equal Event that is there already is
    not even counted: for what is said of a state that lasts, whenever it is looked at.
    """

    regarding: Obj
    type: str
    reason: str
    message: str
    action: str = ""
    field_path: str = ""
    host: str = ""
    once: bool = False


Action = Create | Update | Patch | Apply | Delete | DeleteCollection | Bind | Emit


def update_status(resource: str, obj: Obj, status: Obj, like: object = None) -> Update:
    """Return the action that writes ``status``; callers compare first: a no-op write is a bug."""
    return Update(resource, {**obj, "status": status}, "status", like)
