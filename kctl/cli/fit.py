"""``kctl fit``: how many pods still fit, where, and what stops the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.gitops.manifests import Manifest
    from kctl.plane.fitting import Asked
    from kctl.plane.plane import ControlPlane

DOES_NOT_FIT = 3
LINE = 60


@click.command("fit", short_help="Say how many pods still fit, where, and what stops the next.")
@options.resources("TYPE/NAME | TYPE NAME", required=False)
@options.filenames()
@options.namespace
@click.option("--replicas", type=click.IntRange(min=1), metavar="N", help="So many are to fit; else as many as can.")
@options.output("json", "yaml", "wide")
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    namespace: str | None,
    replicas: int | None,
    output: str | None,
) -> int:
    """Say how many pods like those of a Pod, Deployment, StatefulSet, Job ... fit beside what runs already.

    It takes a manifest (-f; what else the files hold is taken for there) or an object of the cluster
    (then: how many more). Nothing is written. Admission has its say first: LimitRanges, PodSecurity, priorities and
    quotas. Exit code 0 when N fit, or as many as the object wants; 3 when not.
    """
    from kctl.api.errors import UsageError
    from kctl.cli.output import document, write
    from kctl.cli.session import open_imagined
    from kctl.plane import fitting

    options.refuse_kustomize(kustomize)
    if bool(resources) == bool(paths):
        raise UsageError("give manifests with -f PATH, or an object as TYPE/NAME")
    with open_imagined(settings) as plane:
        if paths:
            asked = _of_files(plane, paths, (recursive, ignore_not_manifest), namespace)
        else:
            asked = _of_cluster(plane, resources, namespace)
        found = fitting.capacity(plane, asked._replace(replicas=replicas))
    write(document(found, output) if output in ("json", "yaml") else _text(found, wide=output == "wide"))
    return 0 if found["fits"] >= _due(found, is_there=bool(resources)) else DOES_NOT_FIT


def _due(found: Obj, *, is_there: bool) -> int:
    """Return how many must fit for all to be well; of what is there already one more."""
    if found["asked"] is not None:
        return int(found["asked"])
    return 1 if is_there else max(1, found["wanted"] or 1)


def _of_cluster(plane: ControlPlane, resources: Sequence[str], namespace: str | None) -> Asked:
    from kctl.api.errors import UsageError
    from kctl.cli import select
    from kctl.plane.fitting import Asked

    chosen = select.parse(plane.server.registry, resources)
    if len(chosen) != 1 or len(chosen[0].names) != 1:
        raise UsageError("name exactly one object, for example deploy/web")
    kind, (name,) = chosen[0]
    plane.run()
    return Asked(kind, plane.client.get(kind.resource, (namespace or "default") if kind.namespaced else "", name))


def _of_files(plane: ControlPlane, paths: Sequence[str], how: tuple[bool, bool], namespace: str | None) -> Asked:
    """Return the one workload of the files; everything else in them is applied to the image of the cluster."""
    from kctl.api.errors import StatusError, UsageError
    from kctl.cli.manifests import load
    from kctl.plane.amendments import TEMPLATES
    from kctl.plane.fitting import Asked

    recursive, lenient = how
    manifests = load(plane, paths, recursive=recursive, ignore_not_manifest=lenient, namespace=namespace)
    registry = plane.server.registry
    kinds = [(found, registry.by_kind(found.object["apiVersion"], found.object["kind"])) for found in manifests]
    workloads = [(found, kind) for found, kind in kinds if kind is not None and kind.resource in TEMPLATES]
    if len(workloads) != 1:
        names = ", ".join(
            f"{found.object['kind'].lower()}/{found.object['metadata']['name']}" for found, _ in workloads
        )
        raise UsageError(f"want one Pod or workload in these files, found {names or 'none'}")
    own, kind = workloads[0]
    _apply(plane, [found for found in manifests if found is not own], namespace)
    plane.run()
    obj = _in_namespace(own.object, namespace)
    try:
        stored = plane.client.apply(kind.resource, obj, field_manager="kctl", force=True, dry_run=True)
    except StatusError as error:
        from kctl.gitops.sources import ManifestError, ManifestErrors

        raise ManifestErrors([ManifestError(own.file, own.line, 0, error.message)]) from None
    return Asked(kind, stored)


def _apply(plane: ControlPlane, manifests: Sequence[Manifest], namespace: str | None) -> None:
    """Apply what stands beside the workload to the image of the cluster."""
    from kctl.cli import carry
    from kctl.cli.session import Opened
    from kctl.gitops.apply import Options

    if not manifests:
        return
    job = carry.Job("fit", {"paths": []}, Options(namespace=namespace or "", force=True))
    carry.carried_out(Opened(plane, None), manifests, job)


def _in_namespace(obj: Obj, namespace: str | None) -> Obj:
    if obj["metadata"].get("namespace"):
        return obj
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace or "default"}}


def _text(found: Obj, *, wide: bool) -> str:
    from kctl.cli import tables
    from kctl.cli.layers import in_namespace

    used = [node for node in found["nodes"] if node["pods"]]
    pods = "pod fits" if found["fits"] == 1 else "pods fit"
    where = f" on {len(used)} of {len(found['nodes'])} nodes" if used else ""
    goal = found["asked"] if found["asked"] is not None else found["wanted"]
    goal_text = "" if goal is None else f" ({goal} {'asked for' if found['asked'] is not None else 'wanted'})"
    text = f"{in_namespace(found['namespace'], found['object'])}: {found['fits']} {pods}{where}{goal_text}\n"
    text += "".join(f"note: {note}\n" for note in found["notes"])
    rows: dict[tuple[object, ...], list[str]] = {}
    for node in found["nodes"] if wide else used:
        free = (node["free"]["cpu"], node["free"]["memory"]) if wide else ()
        alone = (node["name"],) if wide else ()
        rows.setdefault((node["zone"], node["pods"], *free, *alone), []).append(node["name"])
    headers = ["ZONE", "PODS EACH", *(["FREE CPU", "FREE MEMORY"] if wide else []), "NODES"]
    if rows:
        table = [[*cells[: len(headers) - 1], _shortened(names)] for cells, names in rows.items()]
        text += "\n" + tables.plain(headers, sorted(table, key=str))
    return text + _limit_text(found["limit"], wide=wide)


def _shortened(names: Sequence[str]) -> str:
    """Write the names of nodes in a line; of too many how many they are. -o wide has each."""
    from kctl.cli.trees import folded

    text = folded(names)
    return text if len(text) <= LINE else f"{len(names)} nodes: {text[:LINE].rpartition(',')[0]},..."


def _limit_text(limit: Obj, *, wide: bool) -> str:
    from kctl.cli import trees

    if limit["by"] == "asked":
        return ""
    lead = {
        "none": "Nothing stops the next",
        "quota": "A quota stops the next",
        "admission": "It is not let in",
        "scheduler": "Nobody places it",
    }
    text = f"\n{lead.get(limit['by'], 'What stops the next')}: {limit['message']}\n"
    if limit["why"]:
        text += f"  {limit['why']}\n"
    return text + trees.remedies_text(limit["remedies"], wide=wide)
