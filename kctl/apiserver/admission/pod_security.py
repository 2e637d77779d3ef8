"""PodSecurity: pods keep to the Pod Security Standard that the labels of their namespace name.

As k8s.io/pod-security-admission: ``enforce`` refuses pods, ``warn`` warns about pods and about
everything that holds a pod template; ``audit`` would go to an audit log, which there is none of. A
namespace with labels that cannot be understood is refused; one whose enforced level gets stricter
is warned about the pods that would be refused now. There are no exemptions. The labels are read in
:mod:`.pod_security_policy`, the checks stand in :mod:`.pod_security_checks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import forbidden, unprocessable
from kctl.api.objects import Key, Obj, annotations_of, controller_uid, dig, labels_of
from kctl.apiserver.admission.pod_security_policy import LABELS, STRICTNESS, Standard, parse
from kctl.apiserver.remarks import TEMPLATES
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

MOST_PODS = 3000
"""So many pods of a namespace are looked at when its level changes."""
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
CHANGING = ("ephemeralcontainers", "resize")
"""The subresources of pods that can change what is judged."""


def validate(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> None:
    """Judge a pod, something with a pod template, or a namespace."""
    resource = request.kind.resource
    if resource == "namespaces":
        if not request.subresource:
            _namespace(server, request, obj, old)
        return
    if request.subresource and not (resource == "pods" and request.subresource in CHANGING):
        return
    namespace = server.storage.get("namespaces", Key("", request.namespace))
    if namespace is None or LABELS.isdisjoint(labels_of(namespace)):
        return
    if resource == "pods":
        if old is None or is_significant(obj, old):
            _pod(request, obj, labels_of(namespace))
    else:
        template = dig(obj, *TEMPLATES[resource])
        if template is not None:
            _warn(request, parse(labels_of(namespace)).warn, template)


def _pod(request: Request, pod: Obj, labels: dict[str, str]) -> None:
    """Refuse a pod that breaks the enforced standard; warn about the other one."""
    policy = parse(labels)
    said = violations(policy.enforce, pod)
    if said:
        why = f'violates PodSecurity "{policy.enforce}": {told(said)}'
        raise forbidden("pods", shown_name(pod), why)
    _warn(request, policy.warn, pod)


def _warn(request: Request, standard: Standard, pod: Obj) -> None:
    if request.warnings is None:
        return
    said = violations(standard, pod)
    if said:
        request.warn(f'would violate PodSecurity "{standard}": {told(said)}')


def violations(standard: Standard, pod: Obj) -> list[tuple[str, str]]:
    """Return reason and detail of every check the pod, or template, fails."""
    if standard.level == "privileged":
        return []
    from kctl.apiserver.admission.pod_security_checks import evaluate

    return evaluate(standard, pod.get("metadata") or {}, pod.get("spec") or {})


def told(said: list[tuple[str, str]]) -> str:
    """Write failed checks as AggregateCheckResult.ForbiddenDetail."""
    return ", ".join(f"{reason} ({detail})" if detail else reason for reason, detail in said)


def is_significant(pod: Obj, old: Obj) -> bool:
    """Say whether an update of a pod changes anything that is judged, as isSignificantPodUpdate."""
    notes, before = annotations_of(pod), annotations_of(old)
    if notes.get(SECCOMP) != before.get(SECCOMP):
        return True
    for field in ("containers", "initContainers", "ephemeralContainers"):
        new = dig(pod, "spec", field, default=())
        known = {c.get("name"): c.get("image") for c in dig(old, "spec", field, default=())}
        if field != "ephemeralContainers" and len(new) != len(known):
            return True
        for container in new:
            name = container.get("name")
            key = f"{SECCOMP_CONTAINER}{name}"
            if name not in known or container.get("image") != known[name] or notes.get(key) != before.get(key):
                return True
    return False


def _namespace(server: APIServer, request: Request, namespace: Obj, old: Obj | None) -> None:
    """Refuse labels that are wrong and new; warn of pods that a stricter level would refuse."""
    if LABELS.isdisjoint(labels_of(namespace)) and (old is None or LABELS.isdisjoint(labels_of(old))):
        return
    policy = parse(labels_of(namespace))
    before = parse(labels_of(old)) if old is not None else None
    if policy.errors and (before is None or policy.errors != before.errors):
        raise unprocessable("Namespace", "", namespace["metadata"].get("name", ""), policy.errors)
    if before is None or policy.enforce == before.enforce or request.warnings is None:
        return
    stricter = STRICTNESS[policy.enforce.level] > STRICTNESS[before.enforce.level]
    if policy.enforce.level != "privileged" and (stricter or policy.enforce.version != before.enforce.version):
        request.warn(*_existing(server, namespace["metadata"]["name"], policy.enforce))


def _existing(server: APIServer, namespace: str, standard: Standard) -> list[str]:
    """Say which pods of a namespace break a standard, as EvaluatePodsInNamespace."""
    pods = [pod for key, pod in sorted(server.storage.objects("pods").items()) if key.namespace == namespace]
    found: dict[str, list[str]] = {}
    for pod in _prioritized(pods)[:MOST_PODS]:
        said = violations(standard, pod)
        if said:
            reasons = ", ".join(reason for reason, _ in said)
            found.setdefault(reasons, []).append(pod["metadata"]["name"])
    out = []
    if len(pods) > MOST_PODS:
        checked = f"checked against the first {MOST_PODS} of {len(pods)} existing pods"
        out.append(f"new PodSecurity enforce level only {checked}")
    if found:
        out.append(f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"')
    return out + sorted(f"{_counted(names)}: {reasons}" for reasons, names in found.items())


def _prioritized(pods: list[Obj]) -> list[Obj]:
    """Put one pod of every controller before all others of it, as prioritizePods."""
    first: list[Obj] = []
    more: list[Obj] = []
    seen: set[str] = set()
    for pod in pods:
        owner = controller_uid(pod)
        (more if owner and owner in seen else first).append(pod)
        seen.add(owner)
    return first + more


def _counted(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other pod{'s' if others > 1 else ''})"
