"""What-ifs: a scenario is put together, played in a plane and judged.

In: a manifest, ``--what-if`` texts, expectations. Out: the checked scenario; a run of it told by a
:class:`kctl.plan.witness.Witness`; the parts that it adds to a Report: ``scenario`` and ``expectations``.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.errors import FieldError, UsageError, invalid
from kctl.api.objects import Key, Obj, dig, key_of
from kctl.api.scenario import oneliners, reading
from kctl.api.scenario.model import RESOURCE, Event, Scenario
from kctl.api.scenario.steps import is_in_zone
from kctl.client.client import Client
from kctl.plan.witness import Witness, place_of
from kctl.plane.plane import ControlPlane
from kctl.plane.playing import unused


def compose(
    manifest: Obj | None, what_ifs: Sequence[str] = (), expect: Sequence[str] = (), *, namespace: str = ""
) -> Scenario:
    """Return the scenario of a manifest (that has been checked) and of texts; UsageError for a wrong text.

    ``namespace`` is where objects are looked for, unless the manifest says.
    """
    for option, texts in (("--what-if", what_ifs), ("--expect", expect)):
        for text in texts:
            _check(option, text)
    whole = oneliners.manifest_of(what_ifs, expect, manifest)
    if namespace and "namespace" not in whole:
        whole = {**whole, "namespace": namespace}
    scenario, errors = reading.read(whole)
    if errors:
        raise UsageError("\n".join(map(str, errors)))
    return scenario


def checked(manifest: Obj | None) -> Obj | None:
    """Return a manifest; UsageError with all that is wrong with it."""
    errors = reading.read(manifest)[1] if manifest is not None else []
    if errors:
        raise UsageError("\n".join(map(str, errors)))
    return manifest


def _check(option: str, text: str) -> None:
    try:
        made = oneliners.manifest_of([text]) if option == "--what-if" else oneliners.manifest_of((), [text])
    except oneliners.OneLinerError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None
    errors = reading.read(made)[1]
    if errors:
        raise UsageError(f"{option} {text!r}: " + "; ".join(error.detail for error in errors))


def misfits(plane: ControlPlane, scenario: Scenario) -> list[FieldError]:
    """Return which events speak of nodes, zones or kinds that this cluster does not have."""
    nodes = [*plane.client.list("nodes").items, *map(_node_of, plane.client.list("instances.cloud.kctl.dev").items)]
    found = []
    for event in scenario.events:
        problem = _misfit(plane, event, nodes)
        if problem:
            found.append(invalid(f"events[{event.place}]", event.subject or (event.target or event).text, problem))
    return found


def _misfit(plane: ControlPlane, event: Event, nodes: Sequence[Obj]) -> str:
    from fnmatch import fnmatchcase

    names = sorted({node["metadata"]["name"] for node in nodes})
    if event.scope == "node" and not any(fnmatchcase(name, event.subject) for name in names):
        return f"there is no such node; there are {_some(names)}" if names else "there are no nodes"
    if event.scope == "zone" and not any(is_in_zone(node, event.subject) for node in nodes):
        zones = sorted({zone for node in nodes if (zone := _zone(node))})
        return f"there is no node in such a zone; there are {_some(zones)}"
    if event.target is not None and event.what != "apply":
        try:
            place_of(plane, event.target, scenario_namespace(event))
        except UsageError as error:
            return error.message
    return ""


def scenario_namespace(event: Event) -> str:
    """Return the namespace an event's object is looked for in when none is written."""
    return (event.target.namespace if event.target is not None else "") or "default"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")


def _zone(node: Obj) -> str:
    return str((node["metadata"].get("labels") or {}).get("topology.kubernetes.io/zone", ""))


def _node_of(machine: Obj) -> Obj:
    """Return what the node of a machine that has yet to register will be like."""
    spec = machine["spec"]
    labels = {
        "topology.kubernetes.io/zone": spec.get("zone", ""),
        "topology.kubernetes.io/region": spec.get("region", ""),
    }
    return {"metadata": {"name": spec.get("nodeName") or machine["metadata"]["name"], "labels": labels}}


def put(plane: ControlPlane, scenario: Scenario, *, commit: bool = True) -> None:
    """Have a plane play the scenario from its next run on; one of the same name ends."""
    if scenario.is_empty:
        return
    name = scenario.name
    manifest = {**scenario.source, "metadata": {**(scenario.source.get("metadata") or {}), "name": name}}
    manifest.pop("status", None)
    if dig(manifest, "metadata", "name") in {obj["metadata"]["name"] for obj in _listed(plane.client)}:
        plane.client.delete(RESOURCE, Key("", name))
    plane.client.create(RESOURCE, manifest)
    if commit:
        plane.commit(cause="scenario")
    plane.converger.drop()


def watched(plane: ControlPlane, scenario: Scenario) -> Witness:
    """Return who listens to the run of a scenario."""
    return Witness(plane, scenario, lambda: plane.client.list("replicasets.apps").items)


def added(plane: ControlPlane, scenario: Scenario, witness: Witness, report: Obj, started: float) -> Obj:
    """Return the report with what became of the scenario; ``started`` is when the run did."""
    obj = next((found for found in _listed(plane.client) if key_of(found).name == scenario.name), {})
    log = dig(obj, "status", "log", default=[])
    begin = witness.start - started
    told = {
        "name": scenario.name,
        "virtualSeconds": round(begin, 3),
        "events": [{**entry, "error": entry.get("error", "")} for entry in log],
    }
    failed = [f"scenario {scenario.name}: +{e['at']:g}s {e['what']}: {e['error']}" for e in log if e.get("error")]
    missed = len(scenario.events) and not log
    if missed:
        failed.append(f"scenario {scenario.name}: none of its events happened: the run ended before its clock started")
    failed += [f"scenario {scenario.name}: {text}" for text in unused(plane.converger.manager, scenario.name)]
    judgements = witness.judge(report)
    return {
        **report,
        "warnings": sorted({*report["warnings"], *failed}),
        **({} if scenario.is_empty else {"scenario": told}),
        "expectations": [{"text": j.text, "holds": j.holds, "found": j.found} for j in judgements],
    }


def _listed(client: Client) -> list[Obj]:
    return client.list(RESOURCE).items
