"""Objects as rows: kubectl's columns, by kind.

As k8s.io/kubernetes pkg/printers/internalversion. In: an object and the present. Out: cells
(text, numbers, booleans) under columns; a column of priority 1 shows in wide listings only.
Kinds without columns of their own have Name and Created At, as rest.NewDefaultTableConvertor.
What columns mean is told by reference into the schema's descriptions, which are read only when
a Table is sent over HTTP. The columns of custom resources are in :mod:`kctl.api.printers.custom`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kctl.api import durations
from kctl.api.clock import parse_time
from kctl.api.objects import Obj

Cell = str | int | float | bool | None
Cells = Callable[[Obj, float], list[Cell]]


class Column(NamedTuple):
    """A column's definition, as metav1.TableColumnDefinition.

    Its description is ``about``, or what the schema says of ``field`` (``core.v1.PodSpec.nodeName``).
    """

    name: str
    type: str = "string"
    priority: int = 0
    format: str = ""
    about: str = ""
    field: str = ""


class Printer(NamedTuple):
    """The columns of a kind and how to fill them: ``cells(object, now)``.

    ``conditions`` gives the conditions of an object's row, ``order`` the rows' order where a list
    is not printed in the order it comes.
    """

    columns: tuple[Column, ...]
    cells: Cells
    conditions: Callable[[Obj], list[Obj]] | None = None
    order: Callable[[Obj], Any] | None = None


NAME = Column("Name", format="name", field="meta.v1.ObjectMeta.name")
AGE = Column("Age", field="meta.v1.ObjectMeta.creationTimestamp")
CREATED = AGE._replace(name="Created At", type="date")

FAMILIES = {
    "pods": "pods podtemplates",
    "workloads": """
        replicationcontrollers replicasets.apps deployments.apps statefulsets.apps daemonsets.apps
        controllerrevisions.apps jobs.batch cronjobs.batch
        """,
    "autoscaling": "horizontalpodautoscalers.autoscaling poddisruptionbudgets.policy scales.autoscaling",
    "network": """
        services endpoints endpointslices.discovery.k8s.io ingresses.networking.k8s.io ingressclasses.networking.k8s.io
        networkpolicies.networking.k8s.io ipaddresses.networking.k8s.io servicecidrs.networking.k8s.io
        """,
    "storage": """
        persistentvolumes persistentvolumeclaims storageclasses.storage.k8s.io csidrivers.storage.k8s.io
        csinodes.storage.k8s.io volumeattachments.storage.k8s.io volumeattributesclasses.storage.k8s.io
        """,
    "nodes": """
        nodes leases.coordination.k8s.io runtimeclasses.node.k8s.io priorityclasses.scheduling.k8s.io
        deviceclasses.resource.k8s.io resourceclaims.resource.k8s.io resourceclaimtemplates.resource.k8s.io
        resourceslices.resource.k8s.io
        """,
    "core": """
        namespaces configmaps secrets serviceaccounts events events.events.k8s.io resourcequotas componentstatuses
        """,
    "control": """
        rolebindings.rbac.authorization.k8s.io clusterrolebindings.rbac.authorization.k8s.io
        certificatesigningrequests.certificates.k8s.io apiservices.apiregistration.k8s.io
        mutatingwebhookconfigurations.admissionregistration.k8s.io
        validatingwebhookconfigurations.admissionregistration.k8s.io
        validatingadmissionpolicies.admissionregistration.k8s.io
        validatingadmissionpolicybindings.admissionregistration.k8s.io
        mutatingadmissionpolicies.admissionregistration.k8s.io
        mutatingadmissionpolicybindings.admissionregistration.k8s.io
        flowschemas.flowcontrol.apiserver.k8s.io prioritylevelconfigurations.flowcontrol.apiserver.k8s.io
        """,
}
"""Which module of this package has the printers of which resources."""


def of(resource: str) -> Printer:
    """Return the printer of a built-in resource (``pods``, ``deployments.apps``); loads one family."""
    for family, resources in FAMILIES.items():
        if resource in resources.split():
            from importlib import import_module

            found: Printer = import_module(f"kctl.api.printers.{family}").PRINTERS[resource]
            return found
    return AGED if resource.endswith("kctl.dev") else DATED


def columns(*specs: str | Column) -> tuple[Column, ...]:
    """Build columns from specs: name, ``:type``, ``/1`` when wide only, `` | `` and description.

    A description that begins with ``@`` is a field's: ``Desired:integer | @apps.v1.ReplicaSetSpec.replicas``.
    """
    out = []
    for spec in specs:
        if isinstance(spec, Column):
            out.append(spec)
            continue
        head, _, about = spec.partition(" | ")
        head, _, priority = head.partition("/")
        name, _, type_ = head.partition(":")
        described = {"field": about[1:]} if about.startswith("@") else {"about": about}
        out.append(Column(name, type_ or "string", int(priority or 0), **described))
    return tuple(out)


def row(between: Callable[[Obj], list[Cell]], wide: Callable[[Obj], list[Cell]] | None = None) -> Cells:
    """Return cells of the usual form: the name, those of ``between``, the age, those of ``wide``."""

    def cells(obj: Obj, now: float) -> list[Cell]:
        return [name(obj), *between(obj), age(obj, now), *(wide(obj) if wide else ())]

    return cells


def name(obj: Obj) -> str:
    """Return the object's name; bookmarks of a watch have none."""
    return str(obj["metadata"].get("name", ""))


def age(obj: Obj, now: float) -> str:
    """Return how old the object is, as kubectl's AGE."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(text: str | None, now: float) -> str:
    """Return the time since a timestamp, ``<unknown>`` when there is none."""
    return durations.age(now - parse_time(text)) if text else "<unknown>"


def spec_of(obj: Obj) -> Obj:
    """Return the spec, empty when there is none."""
    return obj.get("spec") or {}


def status_of(obj: Obj) -> Obj:
    """Return the status, empty when there is none."""
    return obj.get("status") or {}


def joined(values: Iterable[Any], empty: str = "<none>") -> str:
    """Return the values with commas, ``<none>`` for none."""
    return ",".join(str(value) for value in values) or empty


def first(values: list[str], most: int = 3, *, empty: str = "<unset>", separator: str = ",") -> str:
    """Return the first values and how many more there are, as listWithMoreString."""
    more = len(values) - most
    shown = separator.join(values[:most])
    return f"{shown} + {more} more..." if more > 0 else shown or empty


def label_selector(selector: Obj | None) -> str:
    """Write a LabelSelector as metav1.FormatLabelSelector does."""
    from kctl.api import selectors

    if not selector or not (selector.get("matchLabels") or selector.get("matchExpressions")):
        return "<none>"
    return str(selectors.from_label_selector(selector))


def plain_selector(selector: Obj | None) -> str:
    """Write a map selector as labels.FormatLabels does."""
    return joined(f"{key}={value}" for key, value in sorted((selector or {}).items()))


AGED = Printer((NAME, AGE), row(lambda _: []))
"""kctl's own kinds, and built-in ones that have nothing more to say."""

DATED = Printer((NAME, CREATED), lambda obj, _: [name(obj), obj["metadata"].get("creationTimestamp")])
"""Kinds without columns of their own."""
