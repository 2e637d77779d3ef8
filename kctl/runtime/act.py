"""Carry actions out through the client.

In: the actions of a decision. Out: writes, or the StatusError of the first that failed. What
is already as asked (the object to delete is gone, the child with our own derived name is
there) is not an error: decisions may be replayed.
"""

from __future__ import annotations

from collections.abc import Iterable

from kctl.api.errors import StatusError
from kctl.api.objects import controller_uid, key_of
from kctl.client.client import Client
from kctl.runtime.actions import Action, Apply, Bind, Create, Delete, Emit, Patch, Update
from kctl.runtime.events import Recorder


def carry_out(
    client: Client, actions: Iterable[Action], *, now: float, component: str, recorder: Recorder | None = None
) -> None:
    """Do each action in order; who calls it often with events about the same object keeps a ``recorder``.

    Raises the StatusError of the first action that the server refuses, except NotFound of a
    Delete or Patch and AlreadyExists of a Create whose object is already its owner's.
    """
    for action in actions:
        if isinstance(action, Emit) and recorder is None:
            recorder = Recorder(client, now=now, component=component)
        carry_out_one(client, action, now=now, component=component, recorder=recorder)


def carry_out_one(
    client: Client, action: Action, *, now: float, component: str, recorder: Recorder | None = None
) -> None:
    """Do one action; errors as :func:`carry_out`."""
    if isinstance(action, Emit):
        (recorder or Recorder(client, now=now, component=component)).record(action)
        return
    try:
        _send(client, action)
    except StatusError as error:
        if not _is_done_already(client, action, error):
            raise


def _send(client: Client, action: Action) -> None:
    match action:
        case Create():
            client.create(action.resource, action.obj)
        case Update():
            client.update(action.resource, action.obj, subresource=action.subresource)
        case Patch():
            client.patch(action.resource, action.key, action.patch, type=action.type, subresource=action.subresource)
        case Apply():
            client.apply(
                action.resource,
                action.obj,
                field_manager=action.field_manager,
                force=action.force,
                subresource=action.subresource,
            )
        case Delete():
            client.delete(
                action.resource, action.key, uid=action.uid, grace=action.grace, propagation=action.propagation
            )
        case Bind():
            client.bind(action.key, action.uid, action.node)
        case _:
            raise TypeError(f"not an action: {action!r}")


def _is_done_already(client: Client, action: Action, error: StatusError) -> bool:
    """Say whether the refusal means that what was asked is so already."""
    if isinstance(action, Delete | Patch) and error.reason == "NotFound":
        return True
    if isinstance(action, Delete) and action.uid and error.reason == "Conflict":
        return True  # another object has the name by now: ours is gone
    if isinstance(action, Create) and error.reason == "AlreadyExists":
        key = key_of(action.obj)
        owner = controller_uid(action.obj)
        return bool(owner) and controller_uid(client.get(action.resource, key.namespace, key.name)) == owner
    return False
