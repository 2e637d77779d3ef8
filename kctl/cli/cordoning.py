"""Nodes by name or label, and marking them unschedulable: shared by cordon, uncordon and drain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kctl.api.errors import KctlError, UsageError

if TYPE_CHECKING:
    from kctl.cli import targets, writing
    from kctl.cli.session import Settings
    from kctl.plane.plane import ControlPlane


def find(plane: ControlPlane, names: Sequence[str], selector: str, usage: str) -> targets.Found:
    """Return the nodes named (``n1`` or ``node/n1``) or chosen by label."""
    from kctl.cli import targets

    if names and selector:
        raise UsageError("cannot specify both a node name and a --selector option")
    if not names and not selector:
        raise UsageError(f"USAGE: {usage} [flags]")
    plain = []
    for name in names:
        word, slash, rest = name.rpartition("/")
        if slash and word not in ("node", "nodes", "no"):
            raise UsageError(f'expected resource of type node, got "{word}"')
        plain.append(rest)
    return targets.from_args(plane, ["nodes", *plain], targets.Choice(selector=selector))


def mark(plane: ControlPlane, found: targets.Found, said: writing.Said, *, unschedulable: bool) -> None:
    """Set ``spec.unschedulable`` of the nodes and say so, as kubectl's RunCordonOrUncordon."""
    from kctl.cli import writing

    word = "cordoned" if unschedulable else "uncordoned"
    how = said.how

    def act(target: targets.Target) -> None:
        if bool(target.object["spec"].get("unschedulable")) == unschedulable:
            said.did(target.object, f"already {word}")
            return
        node = target.object
        if not how.is_local:
            client = writing.client_of(plane, how)
            patch = {"spec": {"unschedulable": True if unschedulable else None}}
            try:
                node = client.patch("nodes", target.key, patch, type="strategic", dry_run=how.is_dry)
            except KctlError as error:
                raise KctlError(
                    f'unable to {word.removesuffix("ed")} node "{target.key.name}": {error.message}'
                ) from None
        said.did(node, word)

    writing.each(found, said, act)


def run(settings: Settings, names: Sequence[str], selector: str, how: writing.How, *, unschedulable: bool) -> int:
    """Mark nodes and let the cluster settle."""
    from kctl.cli import writing
    from kctl.cli.session import open_existing

    usage = f"{'cordon' if unschedulable else 'uncordon'} NODE"
    with open_existing(settings) as plane:

        def step(said: writing.Said) -> None:
            mark(plane, find(plane, names, selector, usage), said, unschedulable=unschedulable)

        return writing.carry_out(plane, how, step)
