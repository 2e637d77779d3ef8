"""kubectl's columns: what a pod's STATUS says, what a Service shows, and that every kind has a row."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api import printers, registry, schema
from kctl.api.clock import EPOCH
from kctl.api.printers import autoscaling, control, core, custom, network, nodes, pods, storage, workloads

Obj = dict[str, Any]
AT = "2026-01-01T00:00:00Z"
FAMILIES = (autoscaling, control, core, network, nodes, pods, storage, workloads)
LISTED = sorted({kind.resource for kind in registry.builtin().all() if "list" in kind.verbs})


def row(resource: str, obj: Obj, now: float = EPOCH + 60) -> dict[str, Any]:
    """Return the cells of an object by the names of their columns."""
    printer = printers.of(resource)
    meta = {"name": "x", "creationTimestamp": AT, **obj.get("metadata", {})}
    cells = printer.cells({**obj, "metadata": meta}, now)
    return dict(zip([column.name for column in printer.columns], cells, strict=True))


def container(**more: Any) -> Obj:
    return {"name": "c", "ready": False, "restartCount": 0, **more}


def pod(status: Obj, init: int = 0, sidecars: int = 0, **meta: Any) -> Obj:
    always = [{"name": f"s{n}", "restartPolicy": "Always"} for n in range(sidecars)]
    return {
        "metadata": {"name": "p", "creationTimestamp": AT, **meta},
        "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": f"i{n}"} for n in range(init)] + always},
        "status": status,
    }


def waiting(reason: str) -> Obj:
    return {"state": {"waiting": {"reason": reason}}}


READY = [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]
RUNNING = container(ready=True, state={"running": {}})
DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
FAILED = {"state": {"terminated": {"exitCode": 3}}}
KILLED = {"state": {"terminated": {"exitCode": 137, "signal": 9}}}
GATED = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
SIDECAR = container(name="s0", ready=True, started=True, restartCount=2, state={"running": {}})
GONE = {"deletionTimestamp": AT}

STATUSES = [
    ("nothing known", pod({"phase": "Pending"}), "0/1", "Pending", 0),
    ("held by a gate", pod({"phase": "Pending", "conditions": [GATED]}), "0/1", "SchedulingGated", 0),
    ("running", pod({"phase": "Running", "conditions": READY, "containerStatuses": [RUNNING]}), "1/1", "Running", 0),
    (
        "a container that waits",
        pod({"phase": "Pending", "containerStatuses": [container(**waiting("ImagePullBackOff"))]}),
        "0/1",
        "ImagePullBackOff",
        0,
    ),
    (
        "killed by a signal",
        pod({"phase": "Running", "containerStatuses": [container(**KILLED)]}),
        "0/1",
        "Signal:9",
        0,
    ),
    (
        "done but for one container, and ready",
        pod({"phase": "Running", "conditions": READY, "containerStatuses": [container(**DONE), RUNNING]}),
        "1/1",
        "Running",
        0,
    ),
    (
        "done but for one container, and not ready",
        pod({"phase": "Running", "containerStatuses": [container(**DONE), RUNNING]}),
        "1/1",
        "NotReady",
        0,
    ),
    (
        "the first init container runs",
        pod({"phase": "Pending", "initContainerStatuses": [container(name="i0", state={"running": {}})]}, init=2),
        "0/1",
        "Init:0/2",
        0,
    ),
    (
        "an init container failed",
        pod({"phase": "Pending", "initContainerStatuses": [container(name="i0", restartCount=4, **FAILED)]}, init=1),
        "0/1",
        "Init:ExitCode:3",
        4,
    ),
    (
        "an init container that waits for the pod's start",
        pod(
            {"phase": "Pending", "initContainerStatuses": [container(name="i0", **waiting("PodInitializing"))]}, init=1
        ),
        "0/1",
        "Init:0/1",
        0,
    ),
    (
        "init containers are done: their restarts count no more",
        pod(
            {
                "phase": "Running",
                "initContainerStatuses": [container(name="i0", restartCount=4, **DONE)],
                "containerStatuses": [RUNNING | {"restartCount": 1}],
            },
            init=1,
        ),
        "1/1",
        "Running",
        1,
    ),
    (
        "a sidecar counts as a container, its restarts too",
        pod({"phase": "Running", "initContainerStatuses": [SIDECAR], "containerStatuses": [RUNNING]}, sidecars=1),
        "2/2",
        "Running",
        2,
    ),
    ("done", pod({"phase": "Succeeded", "containerStatuses": [container(**DONE)]}), "0/1", "Completed", 0),
    ("evicted", pod({"phase": "Failed", "reason": "Evicted"}), "0/1", "Evicted", 0),
    (
        "on its way out",
        pod({"phase": "Running", "containerStatuses": [RUNNING]}, deletionTimestamp=AT),
        "1/1",
        "Terminating",
        0,
    ),
    ("on its way out, but done", pod({"phase": "Failed"}, deletionTimestamp=AT), "0/1", "Failed", 0),
    ("on a lost node", pod({"phase": "Running", "reason": "NodeLost"}, deletionTimestamp=AT), "0/1", "Unknown", 0),
]


@pytest.mark.parametrize(
    ("obj", "ready", "status", "restarts"), [case[1:] for case in STATUSES], ids=[case[0] for case in STATUSES]
)
def test_the_status_of_a_pod(obj: Obj, ready: str, status: str, restarts: int) -> None:
    found = row("pods", obj)
    assert (found["Ready"], found["Status"], found["Restarts"]) == (ready, status, str(restarts))


def test_restarts_say_how_long_ago_the_last_one_was() -> None:
    ended = {"terminated": {"finishedAt": "2026-01-01T00:00:10Z"}}
    status = {"phase": "Running", "containerStatuses": [container(**RUNNING | {"restartCount": 2, "lastState": ended})]}
    assert row("pods", pod(status), EPOCH + 70)["Restarts"] == "2 (60s ago)"


@pytest.mark.parametrize(("phase", "reasons"), [("Running", []), ("Succeeded", ["Succeeded"]), ("Failed", ["Failed"])])
def test_the_row_of_a_pod_that_is_done_says_so(phase: str, reasons: list[str]) -> None:
    conditions = printers.of("pods").conditions
    assert conditions is not None
    assert [found["reason"] for found in conditions(pod({"phase": phase}))] == reasons


def service(type_: str, points: tuple[Obj, ...] = (), **spec: Any) -> Obj:
    return {"spec": {"type": type_, **spec}, "status": {"loadBalancer": {"ingress": list(points)}}}


def hosts(*names: str) -> Obj:
    return {"spec": {"rules": [{"host": found} if found else {} for found in names]}}


def slice_of(*ports: Obj, addresses: int = 1) -> Obj:
    return {"ports": list(ports), "endpoints": [{"addresses": [f"10.0.0.{n}"]} for n in range(addresses)]}


def node(labels: dict[str, str], **spec: Any) -> Obj:
    return {"metadata": {"labels": labels}, "spec": spec, "status": {"conditions": READY[:1]}}


def metric(type_: str, target: Obj, field: str = "") -> Obj:
    return {"type": type_, field or type_.lower(): {"name": "cpu", "target": target}}


def found(type_: str, current: Obj, field: str = "") -> Obj:
    return {"type": type_, field or type_.lower(): {"current": current}}


def scaler(metrics: list[Obj], current: list[Obj] | None = None) -> Obj:
    return {"spec": {"metrics": metrics}, "status": {"currentMetrics": current or []}}


def job(**status: Any) -> Obj:
    return {"spec": {"completions": 3}, "status": status}


def is_true(type_: str) -> list[Obj]:
    return [{"type": type_, "status": "True"}]


CPU = {"averageUtilization": 60}
NAMED = "apiservices.apiregistration.k8s.io"
HPA, CSR = "horizontalpodautoscalers.autoscaling", "certificatesigningrequests.certificates.k8s.io"
BINDING, SLICE = "rolebindings.rbac.authorization.k8s.io", "endpointslices.discovery.k8s.io"
INGRESS, CLAIM = "ingresses.networking.k8s.io", "resourceclaims.resource.k8s.io"
CLASS, LEVEL = "storageclasses.storage.k8s.io", "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
POLICY = "validatingadmissionpolicybindings.admissionregistration.k8s.io"
LABELLED = {
    "matchLabels": {"b": "2", "a": "1"},
    "matchExpressions": [{"key": "k", "operator": "In", "values": ["x", "y"]}],
}

CELLS = [
    ("no address", "services", service("ClusterIP"), "External-IP", "<none>"),
    ("external addresses", "services", service("NodePort", externalIPs=["1.2.3.4"]), "External-IP", "1.2.3.4"),
    ("an external name", "services", service("ExternalName", externalName="a.example"), "External-IP", "a.example"),
    ("no load balancer yet", "services", service("LoadBalancer"), "External-IP", "<pending>"),
    ("a load balancer", "services", service("LoadBalancer", ({"ip": "9.9.9.9"},)), "External-IP", "9.9.9.9"),
    ("its name", "services", service("LoadBalancer", ({"hostname": "lb"},)), "External-IP", "lb"),
    ("a point twice", "services", service("LoadBalancer", ({"ip": "9"}, {"ip": "9"})), "External-IP", "9"),
    ("no ports", "services", service("ClusterIP"), "Port(s)", "<none>"),
    ("a node port", "services", service("NodePort", ports=[{"port": 1, "nodePort": 2}]), "Port(s)", "1:2/TCP"),
    ("any host", INGRESS, hosts(""), "Hosts", "*"),
    ("three hosts", INGRESS, hosts("a", "b", "c"), "Hosts", "a,b,c"),
    ("four hosts", INGRESS, hosts("a", "b", "c", "d"), "Hosts", "a,b,c + 1 more..."),
    ("hosts after a rule without", INGRESS, hosts("", "a", "b", "c"), "Hosts", "a,b,c"),
    ("hosts before a rule without", INGRESS, hosts("a", "b", "c", ""), "Hosts", "a,b,c + 1 more..."),
    ("no TLS", INGRESS, hosts("a"), "Ports", "80"),
    ("a port by name", SLICE, slice_of({"name": "http"}), "Ports", "http"),
    ("a port that is all", SLICE, slice_of({}), "Ports", "*"),
    ("no port", SLICE, slice_of(), "Ports", "<unset>"),
    ("five endpoints", SLICE, slice_of(addresses=5), "Endpoints", "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."),
    ("endpoints without subsets", "endpoints", {}, "Endpoints", "<none>"),
    (
        "endpoints of two families",
        "endpoints",
        {"subsets": [{"addresses": [{"ip": "::1"}, {"ip": "1.1.1.1"}], "ports": [{"port": 80}]}]},
        "Endpoints",
        "[::1]:80,1.1.1.1:80",
    ),
    ("a node without role", "nodes", node({}), "Roles", "<none>"),
    (
        "a node with roles",
        "nodes",
        node({"node-role.kubernetes.io/b": "", "kubernetes.io/role": "a", "node-role.kubernetes.io/": ""}),
        "Roles",
        "a,b",
    ),
    ("a cordoned node", "nodes", node({}, unschedulable=True), "Status", "Ready,SchedulingDisabled"),
    ("no metrics", HPA, scaler([]), "Targets", "<none>"),
    ("use unknown", HPA, scaler([metric("Resource", CPU)]), "Targets", "cpu: <unknown>/60%"),
    (
        "use known",
        HPA,
        scaler([metric("Resource", CPU)], [found("Resource", {"averageUtilization": 10})]),
        "Targets",
        "cpu: 10%/60%",
    ),
    (
        "the goal of autoscaling/v1",
        HPA,
        {"spec": {"targetCPUUtilizationPercentage": 7}},
        "Targets",
        "cpu: <unknown>/7%",
    ),
    (
        "an average of another object",
        HPA,
        scaler([metric("Object", {"averageValue": "5"})], [found("Object", {"averageValue": "1"})]),
        "Targets",
        "1/5 (avg)",
    ),
    ("an unknown source", HPA, scaler([{"type": "Moon"}]), "Targets", "<unknown type>"),
    ("nothing decided", CSR, {}, "Condition", "Pending"),
    ("denied wins", CSR, {"status": {"conditions": [*is_true("Approved"), *is_true("Denied")]}}, "Condition", "Denied"),
    (
        "issued",
        CSR,
        {"status": {"conditions": is_true("Approved"), "certificate": "eA=="}},
        "Condition",
        "Approved,Issued",
    ),
    ("a local API", NAMED, {"spec": {}, "status": {"conditions": is_true("Available")}}, "Available", "True"),
    (
        "an API whose service is missing",
        NAMED,
        {"status": {"conditions": [{"type": "Available", "status": "False", "reason": "ServiceNotFound"}]}},
        "Available",
        "False (ServiceNotFound)",
    ),
    (
        "subjects by kind",
        BINDING,
        {"subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "namespace": "n", "name": "s"}]},
        "ServiceAccounts",
        "n/s",
    ),
    ("a claim that waits", CLAIM, {}, "State", "pending"),
    ("a claim in use", CLAIM, {"status": {"allocation": {"a": 1}, "reservedFor": [{}]}}, "State", "allocated,reserved"),
    ("a claim on its way out", CLAIM, {"metadata": GONE}, "State", "deleted"),
    (
        "the default class",
        CLASS,
        {"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}},
        "Name",
        "x (default)",
    ),
    ("an exempt level", LEVEL, {"spec": {"type": "Exempt"}}, "Queues", "<none>"),
    ("parameters by name", POLICY, {"spec": {"paramRef": {"name": "p"}}}, "ParamRef", "*/p"),
    (
        "parameters by labels",
        POLICY,
        {"spec": {"paramRef": {"selector": LABELLED}}},
        "ParamRef",
        "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{"
        "LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}",
    ),
    ("completions", "jobs.batch", job(succeeded=1), "Completions", "1/3"),
    ("a job that goes on", "jobs.batch", job(startTime=AT), "Duration", "60s"),
    ("a job that is done", "jobs.batch", job(startTime=AT, completionTime="2026-01-01T00:00:05Z"), "Duration", "5s"),
    ("a job that is suspended", "jobs.batch", job(conditions=is_true("Suspended")), "Status", "Suspended"),
    ("a quota", "resourcequotas", {"status": {"hard": {"pods": "3", "limits.cpu": "1"}}}, "Limit", "limits.cpu: 0/1"),
    ("an unbound claim", "persistentvolumeclaims", {"spec": {}, "status": {"accessModes": ["x"]}}, "Access Modes", ""),
    (
        "modes in order, each once",
        "persistentvolumes",
        {"spec": {"accessModes": ["ReadWriteMany", "ReadWriteOnce", "ReadWriteOnce"]}},
        "Access Modes",
        "RWO,RWX",
    ),
    (
        "a revision's controller",
        "controllerrevisions.apps",
        {
            "metadata": {
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "controller": True}]
            }
        },
        "Controller",
        "daemonset.apps/d",
    ),
    (
        "an address's owner",
        "ipaddresses.networking.k8s.io",
        {"spec": {"parentRef": {"resource": "services", "namespace": "n", "name": "s"}}},
        "ParentRef",
        "services/n/s",
    ),
    ("a kind without columns", "limitranges", {}, "Created At", AT),
    ("a kind of kctl's own", "intents.kctl.dev", {}, "Age", "60s"),
]


@pytest.mark.parametrize(
    ("resource", "obj", "column", "text"), [case[1:] for case in CELLS], ids=[case[0] for case in CELLS]
)
def test_a_cell(resource: str, obj: Obj, column: str, text: str) -> None:
    assert row(resource, obj)[column] == text


SERIES = {"series": {"count": 7, "lastObservedTime": "2026-01-01T00:00:50.000000Z"}}
EVENTS = [
    ("once", {"eventTime": AT}, ("60s", "60s", 1)),
    ("several times", {"firstTimestamp": AT, "lastTimestamp": "2026-01-01T00:00:30Z", "count": 3}, ("30s", "60s", 3)),
    ("a series wins", {"eventTime": AT, "lastTimestamp": AT, "count": 3, **SERIES}, ("10s", "60s", 7)),
    ("of events.k8s.io", {"deprecatedFirstTimestamp": AT, "deprecatedCount": 2}, ("60s", "60s", 2)),
    ("without a time", {}, ("<unknown>", "<unknown>", 1)),
]


@pytest.mark.parametrize(("event", "wanted"), [case[1:] for case in EVENTS], ids=[case[0] for case in EVENTS])
def test_when_an_event_happened(event: Obj, wanted: tuple[str, str, int]) -> None:
    shown = row("events", event)
    assert (shown["Last Seen"], shown["First Seen"], shown["Count"]) == wanted


def test_an_event_reads_the_same_in_both_groups() -> None:
    about = {"kind": "Pod", "name": "p"}
    old = {"involvedObject": about, "message": " m\n", "source": {"component": "kubelet", "host": "n"}}
    new = {"regarding": about, "note": " m\n", "reportingController": "kubelet", "reportingInstance": "n"}
    assert row("events", old) == row("events.events.k8s.io", new)
    assert row("events", old)["Object"] == "pod/p"
    assert row("events", old)["Source"] == "kubelet, n"


@pytest.mark.parametrize("resource", LISTED)
def test_every_kind_prints_an_object_that_has_nothing_but_a_name(resource: str) -> None:
    assert row(resource, {})["Name"] == "x"


@pytest.mark.parametrize("resource", LISTED)
def test_every_kind_prints_the_bookmark_of_a_watch(resource: str) -> None:
    printer = printers.of(resource)
    assert len(printer.cells({"metadata": {"resourceVersion": "1"}}, EPOCH)) == len(printer.columns)


def test_the_families_hold_the_printers_they_are_said_to_hold() -> None:
    for module in FAMILIES:
        family = module.__name__.rpartition(".")[2]
        assert sorted(printers.FAMILIES[family].split()) == sorted(module.PRINTERS)
    assert len(FAMILIES) == len(printers.FAMILIES)


def test_every_description_that_is_looked_up_is_in_the_schema() -> None:
    fields = {column.field for resource in LISTED for column in printers.of(resource).columns} - {""}
    assert len(fields) > 90
    for path in fields:
        definition, _, field = path.rpartition(".")
        assert schema.describe(schema.definition(definition))[1].get(field), path


CUSTOM: Obj = {
    "metadata": {"name": "x", "annotations": {"a.b": "v"}, "creationTimestamp": AT},
    "spec": {
        "replicas": 3,
        "ratio": 1.5,
        "on": True,
        "list": ["a", "b"],
        "map": {"k": "v"},
        "items": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
    },
}
PATHS = [
    ("a number", "integer", ".spec.replicas", 3),
    ("a fraction as a whole", "integer", ".spec.ratio", 1),
    ("a fraction", "number", ".spec.ratio", 1.5),
    ("a boolean", "boolean", ".spec.on", True),
    ("a boolean as text", "string", ".spec.on", "true"),
    ("a list as text", "string", ".spec.list", '["a","b"]'),
    ("an object as text", "string", ".spec.map", '{"k":"v"}'),
    ("an item", "string", ".spec.list[1]", "b"),
    ("the last item", "string", ".spec.list[-1]", "b"),
    ("an item that is not there", "string", ".spec.list[2]", None),
    ("every item shows the first", "string", ".spec.list[*]", "a"),
    ("a slice", "string", ".spec.list[1:]", "b"),
    ("a quoted field", "string", ".metadata.annotations['a.b']", "v"),
    ("an escaped dot", "string", ".metadata.annotations.a\\.b", "v"),
    ("a filter", "string", '.spec.items[?(@.type=="Other")].status', "False"),
    ("a filter that excludes", "string", ".spec.items[?(@.type!='Ready')].type", "Other"),
    ("another type", "integer", ".spec.map", None),
    ("a boolean is no number", "integer", ".spec.on", None),
    ("nothing there", "string", ".status.phase", None),
    ("a date", "date", ".metadata.creationTimestamp", "60s"),
    ("no date", "date", ".spec.list[0]", "<invalid>"),
    ("no path", "string", ".spec[", None),
    ("no path either", "string", "spec", None),
]


@pytest.mark.parametrize(("type_", "path", "wanted"), [case[1:] for case in PATHS], ids=[case[0] for case in PATHS])
def test_a_column_of_a_custom_resource(type_: str, path: str, wanted: Any) -> None:
    printer = custom.printer([{"name": "C", "type": type_, "jsonPath": path}])
    cells = printer.cells(CUSTOM, EPOCH + 60)
    assert cells[0] == "x"
    assert (cells[1], type(cells[1])) == (wanted, type(wanted))


def test_a_custom_resource_has_an_age_unless_told_otherwise() -> None:
    definition = {"spec": {"versions": [{"name": "v1"}, {"name": "v2", "additionalPrinterColumns": []}]}}
    for version in ("v1", "v2", "v3"):
        assert [column.name for column in custom.of(definition, version).columns] == ["Name", "Age"]
