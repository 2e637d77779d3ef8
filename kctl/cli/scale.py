"""``kctl scale``: another number of replicas, through the scale subresource as kubectl."""

from __future__ import annotations

import click

from kctl.api.objects import Key, Obj, dig, evolve
from kctl.cli import options, targets, writing
from kctl.cli.session import Settings
from kctl.client.client import Client

MOST = 2**31 - 1


@click.command("scale", short_help="Set how many replicas objects have.")
@options.resources("TYPE NAME... | TYPE/NAME...", required=False)
@click.option("--replicas", type=int, default=-1, metavar="COUNT", help="The new number of replicas.")
@click.option("--current-replicas", type=int, default=-1, metavar="COUNT", help="Only when it is this number now.")
@click.option("--resource-version", default="", metavar="REV", help="Only when this is the object's revision now.")
@targets.options
@writing.options("kctl-scale")
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    replicas: int,
    current_replicas: int,
    resource_version: str,
    choice: targets.Choice,
    how: writing.How,
) -> int:
    """Set a new number of replicas for Deployments, ReplicaSets, StatefulSets and the like."""
    from kctl.api.errors import KctlError, UsageError
    from kctl.cli.session import open_existing

    if replicas < 0:
        raise UsageError("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    if replicas > MOST:
        raise UsageError(f"--replicas={replicas} is out of range: the most is {MOST}")
    if current_replicas < -1:
        raise UsageError("The --current-replicas must specify an integer of -1 or greater")
    with open_existing(settings) as plane:
        client = writing.client_of(plane, how)

        def step(said: writing.Said) -> None:
            found = targets.find(plane, resources, choice)
            if resource_version and len(found.targets) > 1:
                raise UsageError("cannot use --resource-version with multiple resources")
            if not found.targets and not found.missing:
                raise KctlError("no objects passed to scale")

            def act(target: targets.Target) -> None:
                if not how.is_local:
                    scale(client, target, replicas, current_replicas, resource_version, dry_run=how.is_dry)
                said.did(with_replicas(target.object, replicas), "scaled")

            writing.each(found, said, act)

        return writing.carry_out(plane, how, step)


def scale(
    client: Client, target: targets.Target, replicas: int, current: int, revision: str, *, dry_run: bool = False
) -> Obj:
    """Set the replicas of one object; KctlError when a precondition does not hold."""
    from kctl.api.errors import KctlError

    key: Key = target.key
    if current != -1:
        actual = dig(target.object, "spec", "replicas", default=0)
        if actual != current:
            raise KctlError(f"Expected replicas to be {current}, was {actual}")
    patch: Obj = {"spec": {"replicas": replicas}}
    if revision:
        actual_revision = target.object["metadata"]["resourceVersion"]
        if actual_revision != revision:
            raise KctlError(f"Expected resource version to be {revision}, was {actual_revision}")
        patch["metadata"] = {"resourceVersion": revision}
    return client.patch(target.kind.resource, key, patch, subresource="scale", dry_run=dry_run)


def with_replicas(obj: Obj, replicas: int) -> Obj:
    """Return the object as it reads with that many replicas."""
    return evolve(obj, {"spec": {"replicas": replicas}})
