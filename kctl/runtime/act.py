"""Carry actions out through the client.

In: the actions of a decision. Out: writes, or the StatusError of the first that failed. What
is already as asked (the object to delete is gone, the child with our own derived name is
there) is not an error: decisions may be replayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kctl.api.errors import StatusError
from kctl.api.objects import controller_uid, key_of
from kctl.client.client import Client
from kctl.runtime.actions import Action, Apply, Bind, Create, Delete, DeleteCollection, Emit, Patch, Update
from kctl.runtime.events import Recorder


def carry_out(
    client: Client, actions: Iterable[Action], *, now: float, component: str, recorder: Recorder | None = None
) -> None:
    """Do each action in order; who calls it often with events about the same object keeps a ``recorder``.

    Raises the StatusError of the first action that the server refuses, except NotFound of a
    Delete or Patch and AlreadyExists of a Create whose object is already its owner's.
    """
    for run in _runs(actions):
        if len(run) > 1:
            _delete_each(client, [action for action in run if isinstance(action, Delete)])
            continue
        action = run[0]
        if isinstance(action, Emit) and recorder is None:
            recorder = Recorder(client, now=now, component=component)
        carry_out_one(client, action, now=now, component=component, recorder=recorder)


def _runs(actions: Iterable[Action]) -> Iterator[Sequence[Action]]:
    """Yield the actions in their order: deletions of one sort that follow each other together, others alone."""
    run: list[Delete] = []
    for action in actions:
        if run and not (isinstance(action, Delete) and _sort(action) == _sort(run[0])):
            yield run
            run = []
        if isinstance(action, Delete):
            run.append(action)
        else:
            yield (action,)
    if run:
        yield run


def _sort(action: Delete) -> tuple[object, ...]:
    return action.resource, action.grace, action.propagation


def _delete_each(client: Client, run: Sequence[Delete]) -> None:
    """Delete several objects; raise the refusal of one that is still there."""
    first = run[0]
    wanted = [(action.key, action.uid) for action in run]
    found = client.delete_each(first.resource, wanted, grace=first.grace, propagation=first.propagation)
    for action, answer in zip(run, found, strict=False):
        if isinstance(answer, StatusError) and not _is_done_already(client, action, answer):
            raise answer


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
        case DeleteCollection():
            client.delete_collection(action.resource, action.namespace, propagation=action.propagation)
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
