"""``kctl describe``: an object in full, as kubectl."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kctl.api.objects import Obj, controller_uid, key_of
from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.cli.select import Selection
    from kctl.plane.plane import ControlPlane

SERVICE_NAME = "kubernetes.io/service-name"


@click.command("describe", short_help="Show objects in detail.")
@options.resources("TYPE[,TYPE] [NAME...] | TYPE/NAME...", required=False)
@options.filenames()
@options.namespace
@options.all_namespaces
@options.selector
@click.option(
    "--show-events", type=bool, is_flag=False, flag_value=True, default=True, help="With their events (default)."
)
@options.show_secrets
@options.output("json", "yaml")
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    namespace: str | None,
    all_namespaces: bool,
    selector: str,
    show_events: bool,
    show_secrets: bool,
    output: str | None,
) -> int:
    """Show objects with everything about them, and their events."""
    from kctl.cli.get import fetch, selections
    from kctl.cli.output import document, presentable, write
    from kctl.cli.session import open_reader
    from kctl.cli.targets import Choice
    from kctl.plan import why

    options.refuse_kustomize(kustomize)
    with open_reader(settings) as plane:
        scope = "" if all_namespaces else namespace or "default"
        found, failures, told = [], [], why.Told(plane.client)
        choice = Choice(paths, recursive, None, ignore_not_manifest, namespace)
        for selection, where in selections(plane, resources, choice, scope):
            items, errors = fetch(plane, selection, where, selector, "")
            if errors and len(resources) == 2 and "/" not in resources[0]:
                items, errors = _beginning_so(plane, selection, where) or (items, errors)
            failures += errors
            for item in items:
                shown = presentable(item, secrets=show_secrets)
                events = told.about(item) if show_events else []
                found.append((selection.kind.resource, item, shown, events))
        if output:
            entries = [{"object": shown, "events": events} for _, _, shown, events in found]
            write(document({"apiVersion": "kctl.dev/v1", "kind": "Descriptions", "items": entries}, output))
        else:
            write("\n\n".join(_text(plane, resource, item, shown, events) for resource, item, shown, events in found))
    for failure in failures:
        print(failure, file=sys.stderr)
    if not found and not failures:
        print("No resources found" + ("" if all_namespaces else f" in {scope} namespace."), file=sys.stderr)
    return 1 if failures else 0


def _beginning_so(plane: ControlPlane, selection: Selection, scope: str) -> tuple[list[Obj], list[str]] | None:
    """Return the objects whose names begin with what names none, as kubectl's DescribeMatchingResources."""
    kind, (prefix,) = selection
    listed = plane.client.list(kind.resource, scope if kind.namespaced else "").items
    found = [item for item in listed if item["metadata"]["name"].startswith(prefix)]
    return (found, []) if found else None


def _text(plane: ControlPlane, resource: str, item: Obj, obj: Obj, events: Sequence[Obj]) -> str:
    """Return the description of one object, with what kubectl looks up for its kind.

    ``obj`` is what may be shown of ``item``: of a Secret, whose values are masked, the sizes are told.
    """
    client, now, key = plane.client, plane.now, key_of(obj)
    if resource == "pods":
        from kctl.cli.describing import pods

        return pods.describe(obj, now, events)
    if resource == "nodes":
        from kctl.cli.describing import nodes

        leases = client.list("leases.coordination.k8s.io", "kube-node-lease").items
        lease = next((found for found in leases if found["metadata"]["name"] == key.name), None)
        running = f"spec.nodeName={key.name},status.phase!=Succeeded,status.phase!=Failed"
        placed = client.list("pods", field_selector=running).items
        return nodes.describe(obj, now, events, lease=lease, pods=placed)
    if resource == "services":
        from kctl.cli.describing import services

        label = f"{SERVICE_NAME}={key.name}"
        slices = client.list("endpointslices.discovery.k8s.io", key.namespace, label_selector=label).items
        return services.describe(obj, now, events, slices=slices)
    if resource == "deployments.apps":
        from kctl.cli.describing import deployments

        uid = obj["metadata"]["uid"]
        owned = [
            found for found in client.list("replicasets.apps", key.namespace).items if controller_uid(found) == uid
        ]
        return deployments.describe(obj, now, events, replicasets=owned)
    text = (
        _of_workload(plane, resource, obj, events)
        or _of_data(plane, resource, item, obj, events)
        or _of_limits(plane, resource, obj, events)
        or _of_network(plane, resource, obj, events)
        or _of_storage(plane, resource, obj, events)
    )
    if text:
        return text
    from kctl.cli.describing import other

    return other.describe(obj, now, events)


def _of_workload(plane: ControlPlane, resource: str, obj: Obj, events: Sequence[Obj]) -> str:
    from kctl.cli.describing import workloads

    if resource == "jobs.batch":
        return workloads.job(obj, plane.now, events)
    if resource == "cronjobs.batch":
        return workloads.cron_job(obj, plane.now, events)
    describe = {
        "replicasets.apps": workloads.replica_set,
        "replicationcontrollers": workloads.replica_set,
        "daemonsets.apps": workloads.daemon_set,
        "statefulsets.apps": workloads.stateful_set,
    }.get(resource)
    if describe is None:
        return ""
    uid = obj["metadata"]["uid"]
    owned = [found for found in plane.client.list("pods", key_of(obj).namespace).items if controller_uid(found) == uid]
    return describe(obj, plane.now, events, owned=owned)


def _of_data(plane: ControlPlane, resource: str, obj: Obj, shown: Obj, events: Sequence[Obj]) -> str:
    from kctl.cli.describing import access, data

    if resource == "configmaps":
        return data.config_map(obj, plane.now, events)
    if resource == "secrets":
        return data.secret(obj, with_values=obj.get("data") == shown.get("data"))
    if resource == "serviceaccounts":
        secrets = plane.client.list("secrets", key_of(obj).namespace).items
        return data.service_account(obj, plane.now, events, secrets=secrets)
    name, _, group = resource.partition(".")
    if group != "rbac.authorization.k8s.io":
        return ""
    return access.role(obj) if name in ("roles", "clusterroles") else access.binding(obj)


def _of_limits(plane: ControlPlane, resource: str, obj: Obj, events: Sequence[Obj]) -> str:
    from kctl.cli.describing import policies

    client, now, name = plane.client, plane.now, key_of(obj).name
    if resource == "namespaces":
        return policies.namespace(
            obj, quotas=client.list("resourcequotas", name).items, ranges=client.list("limitranges", name).items
        )
    if resource == "resourcequotas":
        return policies.quota(obj)
    if resource == "limitranges":
        return policies.limit_range(obj)
    if resource == "priorityclasses.scheduling.k8s.io":
        return policies.priority_class(obj, now, events)
    if resource == "poddisruptionbudgets.policy":
        return policies.disruption_budget(obj, now, events)
    return policies.autoscaler(obj, now, events) if resource == "horizontalpodautoscalers.autoscaling" else ""


def _of_network(plane: ControlPlane, resource: str, obj: Obj, events: Sequence[Obj]) -> str:
    from kctl.cli.describing import network

    if resource == "ingresses.networking.k8s.io":
        where = key_of(obj).namespace
        found = {one["metadata"]["name"]: one for one in plane.client.list("services", where).items}

        def written(backend: Obj) -> str:
            label = f"{SERVICE_NAME}={(backend.get('service') or {}).get('name', '')}"
            slices = plane.client.list("endpointslices.discovery.k8s.io", where, label_selector=label).items
            return network.backend_text(backend, found, slices)

        return network.ingress(obj, plane.now, events, backends=written)
    if resource == "networkpolicies.networking.k8s.io":
        return network.network_policy(obj)
    describe = {
        "ingressclasses.networking.k8s.io": network.ingress_class,
        "endpoints": network.endpoints,
        "endpointslices.discovery.k8s.io": network.endpoint_slice,
    }.get(resource)
    return describe(obj, plane.now, events) if describe else ""


def _of_storage(plane: ControlPlane, resource: str, obj: Obj, events: Sequence[Obj]) -> str:
    from kctl.cli.describing import storage

    if resource == "persistentvolumeclaims":
        pods = plane.client.list("pods", key_of(obj).namespace).items
        return storage.claim(obj, plane.now, events, pods=pods)
    describe = {
        "persistentvolumes": storage.volume,
        "storageclasses.storage.k8s.io": storage.storage_class,
    }.get(resource)
    return describe(obj, plane.now, events) if describe else ""
