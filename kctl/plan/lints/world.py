"""What lints look at: the objects of a set, and behind them those of the cluster.

In: targets and a client. Out: items by resource, each with its target when the set brings it. Objects come as people
wrote them, so every field may be of a wrong type: the API server says so, rules here only step aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api import selectors
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, annotations_of, controller_of, dig, key_of, printed_name
from kctl.gitops.references import is_built_in

if TYPE_CHECKING:
    from kctl.client.client import Client
    from kctl.gitops.targets import Target

IGNORE = "kctl.dev/ignore-lints"
WORKLOADS = (
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "replicationcontrollers",
    "jobs.batch",
    "cronjobs.batch",
    "pods",
)

LASTING = ("deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicationcontrollers", "cronjobs.batch")
"""The workloads that people write; those that others of them make are looked for in the set only."""


class Finding(NamedTuple):
    """Something to be remarked about an object, at a line of a file."""

    file: str
    line: int
    code: str
    namespace: str
    object: str
    message: str

    def data(self) -> Obj:
        """Return the entry of a report."""
        return self._asdict()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.object}: {self.message} [{self.code}]"


class Item(NamedTuple):
    """An object, and the target that brings it; None for one of the cluster."""

    resource: str
    obj: Obj
    target: Target | None = None

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.target.key if self.target is not None else key_of(self.obj)

    @property
    def text(self) -> str:
        """As ``kubectl -o name`` has it."""
        group = self.resource.partition(".")[2]
        return printed_name(str(self.obj.get("kind") or self.resource), group, self.key.name)

    def finding(self, code: str, path: str, message: str) -> Finding:
        """Return a finding about a field; the item is one of the set."""
        target = self.target
        if target is None:
            return Finding("", 0, code, self.key.namespace, self.text, message)
        line = target.manifest.positions.place(path).line if path else target.manifest.line
        return Finding(target.manifest.file, line, code, self.key.namespace, self.text, message)


class Template(NamedTuple):
    """The pods that a workload makes."""

    item: Item
    labels: Mapping[str, str]
    spec: Obj
    path: str
    """Where the spec stands in the workload."""

    @property
    def containers(self) -> list[tuple[str, Obj]]:
        """The containers that run beside each other, with their paths."""
        found = [(f"{self.path}.containers[{n}]", c) for n, c in enumerate(items(self.spec, "containers"))]
        sidecars = enumerate(items(self.spec, "initContainers"))
        found += [(f"{self.path}.initContainers[{n}]", c) for n, c in sidecars if c.get("restartPolicy") == "Always"]
        return found

    def ports(self) -> list[Obj]:
        """Return the ports that the containers declare."""
        return [port for _, container in self.containers for port in items(container, "ports")]


class World:
    """The set before the cluster."""

    def __init__(self, client: Client, targets: Iterable[Target]) -> None:
        self.client = client
        self.targets = list(targets)
        self._own: dict[str, dict[Key, Item]] = {}
        self.custom: list[Item] = []
        """The custom resources of the set: what they bring is their operators' secret."""
        for target in self.targets:
            item = Item(target.resource, target.object, target)
            self._own.setdefault(target.resource, {})[target.key] = item
            if not is_built_in(target):
                self.custom.append(item)
        self._all: dict[str, list[Item]] = {}
        self._templates: dict[str, list[Template]] | None = None
        self._by_label: dict[tuple[str, str, str], list[Template]] = {}

    def own(self, *resources: str) -> Iterator[Item]:
        """Yield the objects of the set."""
        for resource in resources:
            yield from self._own.get(resource, {}).values()

    def all(self, resource: str) -> list[Item]:
        """Return the objects of the set, and those of the cluster that the set does not bring."""
        found = self._all.get(resource)
        if found is None:
            own = self._own.get(resource, {})
            try:
                there = self.client.list(resource).items
            except StatusError:
                there = []
            others = [Item(resource, obj) for obj in there if key_of(obj) not in own]
            found = self._all[resource] = [*own.values(), *others]
        return found

    def get(self, resource: str, namespace: str, name: str) -> Item | None:
        """Return an object of the set or the cluster."""
        key = Key(namespace, name)
        own = self._own.get(resource, {}).get(key)
        if own is not None:
            return own
        try:
            [found] = self.client.find_many(resource, [key])
        except StatusError:
            return None
        return Item(resource, found) if found is not None else None

    def templates(self, namespace: str) -> list[Template]:
        """Return the pods that workloads of a namespace make."""
        if self._templates is None:
            self._templates = {}
            for resource in LASTING:
                for item in self.all(resource):
                    self._add(item)
            for item in self.own(*(resource for resource in WORKLOADS if resource not in LASTING)):
                self._add(item)
        return self._templates.get(namespace, [])

    def _add(self, item: Item) -> None:
        if controller_of(item.obj) is not None or self._templates is None:
            return
        template = template_of(item)
        if template is not None:
            self._templates.setdefault(item.key.namespace, []).append(template)
            for label, value in template.labels.items():
                self._by_label.setdefault((item.key.namespace, label, str(value)), []).append(template)

    def selected(self, namespace: str, selector: selectors.Selector) -> list[Template]:
        """Return the pods of workloads that a selector selects; a label it names narrows the search."""
        found = self.templates(namespace)
        for requirement in selector.requirements:
            value = selector.exact(requirement.key)
            if value is not None:
                alike = self._by_label.get((namespace, requirement.key, value), [])
                found = alike if len(alike) < len(found) else found
        return [template for template in found if selector.matches(template.labels)]

    def runs(self, namespace: str, selector: selectors.Selector) -> bool:
        """Say whether a pod of the cluster is selected, whoever made it."""
        try:
            return any(
                selector.matches(dig(pod, "metadata", "labels", default={}))
                for pod in self.client.list("pods", namespace).items
            )
        except StatusError:
            return False

    def is_provided(self, namespace: str, name: str) -> bool:
        """Say whether a custom resource of the namespace speaks of the name: its operator may bring the object."""
        return any(
            item.key.namespace in (namespace, "") and (item.key.name == name or _says(item.obj.get("spec"), name))
            for item in self.custom
        )


def _says(value: Any, name: str) -> bool:
    if isinstance(value, dict):
        return any(_says(child, name) for child in value.values())
    if isinstance(value, list):
        return any(_says(child, name) for child in value)
    return bool(value == name)


def template_of(item: Item) -> Template | None:
    """Return the pods a workload makes; None for what is no workload."""
    steps = {"pods": (), "cronjobs.batch": ("spec", "jobTemplate", "spec", "template")}.get(
        item.resource, ("spec", "template") if item.resource in WORKLOADS else None
    )
    if steps is None:
        return None
    found = dig(item.obj, *steps, default={}) if steps else item.obj
    spec = found.get("spec") if isinstance(found, dict) else None
    if not isinstance(spec, dict):
        return None
    labels = dig(found, "metadata", "labels", default={})
    return Template(item, labels if isinstance(labels, dict) else {}, spec, ".".join((*steps, "spec")))


def items(value: Any, field: str) -> list[Obj]:
    """Return the maps of a list field; nothing where it is none."""
    found = value.get(field) if isinstance(value, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def selector_of(value: Any) -> selectors.Selector | None:
    """Read a LabelSelector; None when it is not there or not well."""
    if not isinstance(value, dict):
        return None
    try:
        found = selectors.from_label_selector(value)
    except (StatusError, ValueError, TypeError, KeyError, AttributeError):
        return None
    words = [word for requirement in found.requirements for word in (requirement.key, *requirement.values)]
    return found if all(isinstance(word, str) for word in words) else None


def labels_selector(value: Any) -> selectors.Selector | None:
    """Read a plain map of labels, as Services have it; None when it is empty or not well."""
    if not isinstance(value, dict) or not value:
        return None
    if not all(isinstance(part, str) for pair in value.items() for part in pair):
        return None
    return selectors.from_labels(value)


def is_ignored(world: World, finding: Finding) -> bool:
    """Say whether the object of a finding does not want to hear it."""
    for target in world.targets:
        if target.manifest.file == finding.file and target.key.namespace == finding.namespace:
            text = printed_name(str(target.object.get("kind")), target.resource.partition(".")[2], target.key.name)
            if text == finding.object:
                codes = str(annotations_of(target.object).get(IGNORE, "")).replace(" ", "").split(",")
                return finding.code in codes or "all" in codes
    return False
