"""Which rule of a scenario speaks of which pod, container or image.

In: rules, a pod. Out: the rules that match; the first in order of writing decides each property. A workload is
known by the pod alone: its controlling owner, and a Deployment or CronJob by the names it gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from kctl.api.objects import Obj, controller_of, key_of, labels_of
from kctl.api.scenario.model import Match, WorkloadRule

HASH_LABEL = "pod-template-hash"
CANONICAL = {
    "deploy": "deployment",
    "deployments": "deployment",
    "sts": "statefulset",
    "statefulsets": "statefulset",
    "ds": "daemonset",
    "daemonsets": "daemonset",
    "rs": "replicaset",
    "replicasets": "replicaset",
    "rc": "replicationcontroller",
    "jobs": "job",
    "cj": "cronjob",
    "cronjobs": "cronjob",
    "po": "pod",
    "pods": "pod",
}


def kind_of(word: str) -> str:
    """Return the kind that people mean, in lower case."""
    word = word.lower().partition(".")[0]
    return CANONICAL.get(word, word)


def owners_of(pod: Obj) -> Iterator[tuple[str, str]]:
    """Yield kind (in lower case) and name of the pod and of what is above it, as far as the pod tells."""
    meta = pod["metadata"]
    yield "pod", meta.get("name", "")
    ref = controller_of(pod)
    if ref is None:
        return
    kind, name = ref["kind"].lower(), ref["name"]
    yield kind, name
    if kind == "replicaset" and (hashed := labels_of(pod).get(HASH_LABEL)) and name.endswith(f"-{hashed}"):
        yield "deployment", name.removesuffix(f"-{hashed}")
    if kind == "job":
        stem, _, minutes = name.rpartition("-")
        if stem and minutes.isdecimal() and len(minutes) >= 8:
            yield "cronjob", stem


def matches(match: Match, pod: Obj, container: str = "") -> bool:
    """Say whether a rule speaks of a pod, and of that container of it."""
    if match.namespace and not fnmatchcase(key_of(pod).namespace, match.namespace):
        return False
    if match.container and container and not fnmatchcase(container, match.container):
        return False
    labels = labels_of(pod)
    if any(labels.get(name) != value for name, value in match.labels.items()):
        return False
    if not match.kind:
        return not match.name or any(fnmatchcase(name, match.name) for _, name in owners_of(pod))
    wanted = kind_of(match.kind)
    return any(kind == wanted and fnmatchcase(name, match.name or "*") for kind, name in owners_of(pod))


def workload_rules(rules: tuple[WorkloadRule, ...], pod: Obj, container: str = "") -> list[WorkloadRule]:
    """Return the rules that speak of a container of a pod, in order."""
    return [rule for rule in rules if matches(rule.match, pod, container)]


def image_matches(pattern: str, image: str) -> bool:
    """Say whether a pattern means an image: as it is written in pods, or any ending of it at a slash.

    A pattern without a tag means every tag.
    """
    last = pattern.rpartition("/")[2]
    if ":" not in last and "@" not in last:
        pattern = f"{pattern}*" if pattern.endswith("*") else f"{pattern}:*"
    if ":" not in image.rpartition("/")[2] and "@" not in image:
        image = f"{image}:latest"
    candidates = [image]
    while "/" in image:
        image = image.partition("/")[2]
        candidates.append(image)
    return any(fnmatchcase(name, pattern) for name in candidates)
