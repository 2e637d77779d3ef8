"""pods/eviction: delete a pod if no disruption budget minds.

As kube-apiserver's EvictionREST: pods that are done, unscheduled or being deleted go without
asking; otherwise the one matching PodDisruptionBudget must allow a disruption, and is charged.
"""

from __future__ import annotations

from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError, bad_request, forbidden, not_found
from kctl.api.objects import Key, Obj, condition, dig, evolve, is_condition_true, with_condition
from kctl.apiserver import delete, metadata, rules
from kctl.apiserver.body import checked
from kctl.apiserver.request import Options, Request
from kctl.apiserver.server import APIServer

TARGET = {
    "type": "DisruptionTarget",
    "status": "True",
    "lastProbeTime": None,
    "reason": "EvictionByEvictionAPI",
    "message": "Eviction API: evicting",
}
BUDGETS = "poddisruptionbudgets.policy"
BUDGET = "poddisruptionbudget.policy"
"""The budget as upstream's refusals name it, in the singular."""
MOST_DISRUPTED = 2000
"""So many evictions a budget may have that its controller has not seen the end of (MaxDisruptedPodSize)."""
TOO_MANY = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def handle(server: APIServer, request: Request) -> Obj:
    """Evict the pod the request names."""
    kind = server.registry.subresource(request.kind, "eviction")
    assert kind is not None  # noqa: S101 - the path led here
    body = metadata.placed(request, rules.decode(request, kind, checked(request, kind)))
    if body["metadata"].get("name") != request.name:
        raise bad_request("name in URL does not match name in Eviction object")
    sent: Obj = body.get("deleteOptions") or {}
    conditions: Obj = sent.get("preconditions") or {}
    options = Options(
        grace=sent.get("gracePeriodSeconds"),
        uid=conditions.get("uid") or "",
        precondition_version=conditions.get("resourceVersion") or "",
        dry_run=request.options.dry_run or "All" in (sent.get("dryRun") or ()),
    )
    _evict(server, request, Key(request.namespace, request.name), options)
    return dict(SUCCESS)


def evict(
    server: APIServer, request: Request, key: Key, *, grace: int | None, uid: str = "", dry_run: bool = False
) -> None:
    """Delete the pod; TooManyRequests while its budget allows no disruption."""
    _evict(server, request, key, Options(grace=grace, uid=uid, dry_run=dry_run))


def _evict(server: APIServer, request: Request, key: Key, options: Options) -> None:
    pod = server.storage.get("pods", key)
    if pod is None:
        raise not_found("pods", key.name)
    removal = request._replace(verb="delete", name=key.name, namespace=key.namespace, options=options, subresource="")
    delete.check_preconditions(removal, pod)
    if not ignores_budgets(pod):
        budgets = matching(server, pod)
        if len(budgets) > 1:
            raise StatusError(500, "", TOO_MANY)
        if budgets:
            charge(server, budgets[0], pod, dry_run=options.dry_run)
    if not options.dry_run:
        mark(server, key, pod)
    delete.remove(server, removal, "pods", server.storage.get("pods", key) or pod)


def mark(server: APIServer, key: Key, pod: Obj) -> None:
    """Say in the pod's status why it goes, as addConditionAndDeletePod."""
    known = dig(pod, "status", "conditions", default=())
    same = is_condition_true(pod, "DisruptionTarget")
    since = (condition(pod, "DisruptionTarget") or {}).get("lastTransitionTime") if same else None
    target = {**TARGET, "lastTransitionTime": since or rfc3339(server.clock.now())}
    server.storage.put("pods", key, evolve(pod, {"status": {"conditions": with_condition(known, target)}}))


def ignores_budgets(pod: Obj) -> bool:
    """Say whether the pod is gone as far as availability is concerned."""
    phase = dig(pod, "status", "phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


def matching(server: APIServer, pod: Obj) -> list[Obj]:
    """Return the budgets of the pod's namespace that select it, by name."""
    from kctl.api import selectors

    namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels") or {}
    found = server.storage.objects(BUDGETS)
    return [
        found[key]
        for key in sorted(found)
        if key.namespace == namespace
        and dig(found[key], "spec", "selector") is not None
        and selectors.from_label_selector(found[key]["spec"]["selector"]).matches(labels)
    ]


def charge(server: APIServer, budget: Obj, pod: Obj, *, dry_run: bool) -> None:
    """Take one disruption from the budget, unless its policy lets the unhealthy pod go freely."""
    name = budget["metadata"]["name"]
    if not is_condition_true(pod, "Ready"):
        policy = dig(budget, "spec", "unhealthyPodEvictionPolicy", default="IfHealthyBudget")
        healthy = dig(budget, "status", "currentHealthy", default=0)
        desired = dig(budget, "status", "desiredHealthy", default=0)
        if policy == "AlwaysAllow" or (healthy >= desired and desired > 0):
            return
    status = budget.get("status") or {}
    if (status.get("observedGeneration") or 0) < (budget["metadata"].get("generation") or 0):
        raise refused(name, f"The disruption budget {name} is still being processed by the server.", seconds=10)
    allowed = status.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise forbidden(BUDGET, name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or ()) > MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden(BUDGET, name, why)
    if not allowed:
        need, have = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        if have > need:
            raise refused(name, f"The disruption budget {name} does not allow evicting pods currently")
        raise refused(name, f"The disruption budget {name} needs {need} healthy pods and has {have} currently")
    if dry_run:
        return
    disrupted = {**(status.get("disruptedPods") or {}), pod["metadata"]["name"]: rfc3339(server.clock.now())}
    status = {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}
    if allowed == 1:
        status["conditions"] = _exhausted(budget, rfc3339(server.clock.now()))
    from kctl.apiserver import rules

    kind = server.registry.storage(BUDGETS)
    changed = {**budget, "status": status}
    changed = rules.owned(kind, changed, budget, manager="kube-apiserver", now=server.clock.now(), subresource="status")
    server.storage.put(BUDGETS, Key(budget["metadata"]["namespace"], name), changed)


def _exhausted(budget: Obj, now: str) -> list[Obj]:
    """Return the conditions of a budget that allows nothing any more, as UpdateDisruptionAllowedCondition."""
    old = condition(budget, "DisruptionAllowed") or {}
    same = old.get("status") == "False"
    found: Obj = {"type": "DisruptionAllowed", "status": "False"}
    seen = dig(budget, "status", "observedGeneration")
    if seen:
        found["observedGeneration"] = seen
    since = old.get("lastTransitionTime") if same else None
    found |= {"lastTransitionTime": since or now, "reason": "InsufficientPods", "message": ""}
    return with_condition(dig(budget, "status", "conditions", default=()), found)


def refused(name: str, why: str, *, seconds: int = 0) -> StatusError:
    """429: the budget does not allow the eviction now."""
    details: Obj = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if seconds:
        details["retryAfterSeconds"] = seconds
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return StatusError(429, "TooManyRequests", message, details=details)
