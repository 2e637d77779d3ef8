"""``kctl status``: the health of what was applied, with what blocks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.plan.tree import Target
    from kctl.plane.plane import ControlPlane

NOT_CURRENT = 3


@click.command("status", short_help="Show the health of what was applied, with what blocks it.")
@options.filenames()
@options.namespace
@click.option("--timeline", "with_timeline", is_flag=True, help="Add what happened at which virtual time.")
@options.output("json", "yaml")
@click.pass_obj
def command(
    settings: Settings,
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    namespace: str | None,
    with_timeline: bool,
    output: str | None,
) -> int:
    """Show the health tree of everything that was applied, or of the manifests in PATH.

    With -n: of what is in that namespace.

    Exit code 0 when all of it is Current, 3 when not.
    """
    from kctl.cli.output import document, write
    from kctl.cli.session import open_explaining
    from kctl.plan import leaves, tree, why

    options.refuse_kustomize(kustomize)
    with open_explaining(settings) as plane:
        if paths:
            targets = _targets(plane, paths, recursive, ignore_not_manifest, namespace)
        else:
            targets = tree.applied(plane.client)
        if namespace:
            targets = [target for target in targets if target.key.namespace == namespace]
        family = tree.Family(plane.client)
        found = tree.status(plane.client, targets, family)
        blocked = [
            pod
            for target in targets
            if (obj := tree.find(plane.client, target)) is not None
            for pod in why.unschedulable(family, target.resource, obj)
        ]
        found["scheduling"] = why.scheduling(plane, *blocked)
        found["blockers"] = leaves.with_leaves(plane, found["blockers"])
        if with_timeline:
            found["timeline"], found["workloads"] = _told(plane)
        write(document(found, output) if output else _text(found))
    return 0 if found["current"] else NOT_CURRENT


def _told(plane: ControlPlane) -> tuple[list[Obj], list[Obj]]:
    """Return what the log still knows, told from its first entry on: the rows, and a record per workload."""
    from kctl.plan.tale import Tale

    told = Tale.of_log(plane)
    rows = [row.data() for row in told.rows(told.started)]
    records = told.records(plane.client.list("pods").items)
    return rows, [record for record in records if record["type"] in ("pods", "rollout")]


def _targets(
    plane: ControlPlane, paths: tuple[str, ...], recursive: bool, lenient: bool, namespace: str | None
) -> list[Target]:
    from kctl.api.objects import key_of
    from kctl.cli.manifests import load
    from kctl.plan.tree import Target

    found = []
    for manifest in load(plane, paths, recursive=recursive, ignore_not_manifest=lenient):
        kind = plane.server.registry.by_kind(manifest.object["apiVersion"], manifest.object["kind"])
        if kind is not None:
            key = key_of(manifest.object)
            found.append(Target(kind.resource, key._replace(namespace=key.namespace or namespace or "default")))
            if not kind.namespaced:
                found[-1] = Target(kind.resource, key._replace(namespace=""))
    return found


def _text(found: Obj) -> str:
    from kctl.cli import layers, trees

    nodes = found["objects"]
    lines = [line for node in nodes for line in trees.tree_lines(node)]
    if not lines:
        return "nothing has been applied yet\n"
    text = "\n".join(lines) + "\n"
    blockers = found["blockers"]
    if blockers:
        text += "\n" + click.style("Blockers", bold=True) + "\n"
        text += "".join(f"  {line}\n" for line in layers.residual_lines(blockers))
    if found["scheduling"]:
        text += "\n" + trees.scheduling_text(found["scheduling"])
    if "timeline" in found:
        text += "\n" + click.style("Timeline", bold=True) + "\n" + layers.timeline_text(found["timeline"])
        lines = [line for record in found["workloads"] for line in layers.record_lines(record)]
        if lines:
            text += "\n" + click.style("In all", bold=True) + "\n" + "".join(f"  {line}\n" for line in lines)
    return text
