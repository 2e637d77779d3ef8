"""Defaults of the kinds that need one or two lines each: core objects, RBAC, policy, admission.

In comes an object; out goes it as kube-apiserver would fill it in.
"""

from __future__ import annotations

from collections.abc import Callable

from kctl.api.defaults.pods import amounts, each
from kctl.api.defaults.volumes import filled
from kctl.api.objects import Obj

NODE_INFO = dict.fromkeys(
    (
        "machineID",
        "systemUUID",
        "bootID",
        "kernelVersion",
        "osImage",
        "containerRuntimeVersion",
        "kubeletVersion",
        "kubeProxyVersion",
        "operatingSystem",
        "architecture",
    ),
    "",
)
RBAC = "rbac.authorization.k8s.io"
ALL_RESOURCES = "*"


def namespace(obj: Obj) -> Obj:
    """Default a Namespace: its own name as a label, active, finalised by Kubernetes."""
    meta = obj.get("metadata") or {}
    if meta.get("name"):
        labels = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
        obj = {**obj, "metadata": {**meta, "labels": labels}}
    return {**obj, "status": filled(obj.get("status") or {}, {"phase": "Active"})}


def secret(obj: Obj) -> Obj:
    """Default the type of a Secret, and take in what was written as plain text (stringData)."""
    out = filled(obj, {"type": "Opaque"})
    plain = out.get("stringData")
    if not plain:
        return out
    from base64 import b64encode

    data = {**(out.get("data") or {}), **{k: b64encode(v.encode()).decode() for k, v in plain.items()}}
    return {**{k: v for k, v in out.items() if k != "stringData"}, "data": data}


def node(obj: Obj) -> Obj:
    """Default a Node's status: what can be allocated is the capacity."""
    status = dict(obj.get("status") or {})
    for name in ("capacity", "allocatable"):
        if status.get(name):
            status[name] = amounts(status[name])
    if status.get("allocatable") is None and status.get("capacity"):
        status["allocatable"] = status["capacity"]
    if status.get("conditions"):
        unset: Obj = {"lastHeartbeatTime": None, "lastTransitionTime": None}
        status["conditions"] = [
            value if unset.keys() <= value.keys() else unset | value for value in status["conditions"]
        ]
    spec = obj.get("spec") or {}
    cidrs, cidr = spec.get("podCIDRs"), spec.get("podCIDR")
    if cidr and (not cidrs or cidr != cidrs[0]):
        spec = {**spec, "podCIDRs": [cidr]}
    elif cidrs and not cidr:
        spec = {**spec, "podCIDR": cidrs[0]}
    ports = {"kubeletEndpoint": {"Port": 0}}
    status["daemonEndpoints"] = status.get("daemonEndpoints") or ports
    return {**obj, "spec": spec, "status": {**status, "nodeInfo": status.get("nodeInfo") or NODE_INFO}}


def limit_range(obj: Obj) -> Obj:
    """Default the limits of containers from each other, as SetDefaults_LimitRangeItem."""
    spec = obj.get("spec") or {}
    return {**obj, "spec": {**spec, "limits": each(spec.get("limits"), _limit)}}


def _limit(value: Obj) -> Obj:
    """Default one limit: default from max, request from default, then from min."""
    out = dict(value)
    for name in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
        if out.get(name):
            out[name] = amounts(out[name])
    if value.get("type") != "Container":
        return out
    default = {**(out.get("max") or {}), **(out.get("default") or {})}
    request = {**(out.get("min") or {}), **default, **(out.get("defaultRequest") or {})}
    return {**out, **({"default": default} if default else {}), **({"defaultRequest": request} if request else {})}


def resource_quota(obj: Obj) -> Obj:
    """Write the amounts of a ResourceQuota in canonical form."""
    spec = obj.get("spec") or {}
    if spec.get("hard"):
        spec = {**spec, "hard": amounts(spec["hard"])}
    return {**obj, "spec": spec, "status": obj.get("status") or {}}


def priority_class(obj: Obj) -> Obj:
    """Default whether pods of the class preempt others."""
    return {"value": 0, "preemptionPolicy": "PreemptLowerPriority", **obj}


def role_binding(obj: Obj) -> Obj:
    """Default the API groups of subjects and role, as rbac/v1 SetDefaults_RoleBinding."""
    ref = obj.get("roleRef") or {}
    subjects = each(obj.get("subjects"), _subject)
    return {**obj, "roleRef": filled(ref, {"apiGroup": RBAC}), **({"subjects": subjects} if subjects else {})}


def _subject(value: Obj) -> Obj:
    """Default the API group of a user or group; service accounts have none."""
    if value.get("kind") in {"User", "Group"}:
        return filled(value, {"apiGroup": RBAC})
    return value


def role(obj: Obj) -> Obj:
    """Write the rules of a Role, which the Go type never leaves out; [] becomes null when stored."""
    return {**obj, "rules": obj.get("rules")}


def disruption_budget(obj: Obj) -> Obj:
    """Write the counts of a PodDisruptionBudget's status, which the Go type never leaves out."""
    counts = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
    return {**obj, "spec": obj.get("spec") or {}, "status": {**counts, **(obj.get("status") or {})}}


def autoscaler(obj: Obj) -> Obj:
    """Default a HorizontalPodAutoscaler v2, as SetDefaults_HorizontalPodAutoscaler."""
    spec = dict(obj.get("spec") or {})
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        spec["behavior"] = {
            **behavior,
            "scaleUp": _scale_up(behavior.get("scaleUp")),
            "scaleDown": _scale_down(behavior),
        }
    status = {"desiredReplicas": 0, "currentMetrics": None, **(obj.get("status") or {})}
    return {**obj, "spec": spec, "status": status}


def _scale_up(rules: Obj | None) -> Obj:
    """Default how fast replicas are added."""
    defaults: Obj = {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ],
    }
    return {**defaults, **{name: value for name, value in (rules or {}).items() if value is not None}}


def _scale_down(behavior: Obj) -> Obj:
    """Default how fast replicas are taken away."""
    defaults: Obj = {
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }
    rules = behavior.get("scaleDown") or {}
    return {**defaults, **{name: value for name, value in rules.items() if value is not None}}


def autoscaler_v1(obj: Obj) -> Obj:
    """Default a HorizontalPodAutoscaler v1."""
    spec = filled(obj.get("spec") or {}, {"minReplicas": 1, "targetCPUUtilizationPercentage": 80})
    return {**obj, "spec": spec, "status": {"currentReplicas": 0, "desiredReplicas": 0, **(obj.get("status") or {})}}


def api_service(obj: Obj) -> Obj:
    """Default the port of an APIService's backend."""
    service = (obj.get("spec") or {}).get("service")
    if service is None:
        return {**obj, "status": obj.get("status") or {}}
    return {
        **obj,
        "spec": {**obj["spec"], "service": filled(service, {"port": 443})},
        "status": obj.get("status") or {},
    }


def runtime_class(obj: Obj) -> Obj:
    """Write the overhead of a RuntimeClass in canonical form."""
    fixed = (obj.get("overhead") or {}).get("podFixed")
    if not fixed:
        return obj
    return {**obj, "overhead": {**obj["overhead"], "podFixed": amounts(fixed)}}


def event(obj: Obj) -> Obj:
    """Write the fields of an Event that the Go type never leaves out."""
    out = {"involvedObject": {}, "source": {}, **obj}
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        out.setdefault(name, None)
    out.setdefault("reportingComponent", "")
    out.setdefault("reportingInstance", "")
    return out


def event_v1(obj: Obj) -> Obj:
    """Write the fields of an events.k8s.io Event that the Go type never leaves out."""
    out = {"regarding": {}, "deprecatedSource": {}, **obj}
    for name in ("deprecatedFirstTimestamp", "deprecatedLastTimestamp", "eventTime"):
        out.setdefault(name, None)
    return out


def _webhook(value: Obj, extra: Obj) -> Obj:
    """Default one admission webhook, v1."""
    defaults: Obj = {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10, **extra}
    out = filled(value, defaults)
    for name in ("namespaceSelector", "objectSelector"):
        if out.get(name) is None:
            out = {**out, name: {}}
    service = (out.get("clientConfig") or {}).get("service")
    if service is not None:
        out = {**out, "clientConfig": {**out["clientConfig"], "service": filled(service, {"port": 443})}}
    rules = each(out.get("rules"), lambda rule: filled(rule, {"scope": ALL_RESOURCES}))
    return {**out, "rules": rules} if rules else out


def webhooks(**extra: str) -> Callable[[Obj], Obj]:
    """Return the rule for a webhook configuration; mutating ones have one default more."""

    def configuration(obj: Obj) -> Obj:
        """Default every webhook of a configuration."""
        listed = each(obj.get("webhooks"), lambda value: _webhook(value, extra))
        return {**obj, "webhooks": listed} if listed else obj

    return configuration


def match_resources(value: Obj | None) -> Obj | None:
    """Default which requests an admission policy or binding looks at."""
    if value is None:
        return None
    out = filled(value, {"matchPolicy": "Equivalent"})
    for name in ("namespaceSelector", "objectSelector"):
        if out.get(name) is None:
            out = {**out, name: {}}
    for name in ("resourceRules", "excludeResourceRules"):
        if out.get(name):
            out = {**out, name: each(out[name], lambda rule: filled(rule, {"scope": ALL_RESOURCES}))}
    return out


def admission_policy(obj: Obj) -> Obj:
    """Default an admission policy."""
    spec = filled(obj.get("spec") or {}, {"failurePolicy": "Fail"})
    if spec.get("matchConstraints") is not None:
        spec = {**spec, "matchConstraints": match_resources(spec["matchConstraints"])}
    return {**obj, "spec": spec}


def validating_policy(obj: Obj) -> Obj:
    """Default a ValidatingAdmissionPolicy, which has a status."""
    return {**admission_policy(obj), "status": obj.get("status") or {}}


def policy_binding(obj: Obj) -> Obj:
    """Default the binding of an admission policy."""
    spec = dict(obj.get("spec") or {})
    if spec.get("matchResources") is not None:
        spec["matchResources"] = match_resources(spec["matchResources"])
    return {**obj, "spec": spec}


def flow_schema(obj: Obj) -> Obj:
    """Default the place of a FlowSchema among others, as SetDefaults_FlowSchemaSpec."""
    spec = obj.get("spec") or {}
    return {**obj, "spec": filled(spec, {"matchingPrecedence": 1000}), "status": obj.get("status") or {}}


def priority_level(obj: Obj) -> Obj:
    """Default shares and queues of a PriorityLevelConfiguration, as its SetDefaults functions."""
    spec = dict(obj.get("spec") or {})
    if spec.get("exempt") is not None:
        spec["exempt"] = {"nominalConcurrencyShares": 0, "lendablePercent": 0, **spec["exempt"]}
    limited = spec.get("limited")
    if limited is not None:
        limited = {"nominalConcurrencyShares": 30, "lendablePercent": 0, **limited}
        queuing = (limited.get("limitResponse") or {}).get("queuing")
        if queuing is not None:
            sizes = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
            limited["limitResponse"] = {**limited["limitResponse"], "queuing": filled(queuing, sizes)}
        spec["limited"] = limited
    return {**obj, "spec": spec, "status": obj.get("status") or {}}


def resource_claim(obj: Obj) -> Obj:
    """Default how many devices a ResourceClaim's requests ask for."""
    return {**obj, "spec": _claim_spec(obj.get("spec") or {}), "status": obj.get("status") or {}}


def resource_claim_template(obj: Obj) -> Obj:
    """Default the claim that is made from a template."""
    spec = obj.get("spec") or {}
    return {**obj, "spec": {"metadata": {}, **spec, "spec": _claim_spec(spec.get("spec") or {})}}


def _claim_spec(spec: Obj) -> Obj:
    """Default the requests for devices, as SetDefaults_ExactDeviceRequest and _DeviceSubRequest."""
    devices = dict(spec.get("devices") or {})
    if devices.get("requests"):
        devices["requests"] = [_device_request(value) for value in devices["requests"]]
    return {**spec, "devices": devices}


def _device_request(value: Obj) -> Obj:
    """Default one request, be it exact or a choice."""
    out = dict(value)
    if value.get("exactly") is not None:
        out["exactly"] = _counted(value["exactly"])
    if value.get("firstAvailable"):
        out["firstAvailable"] = [_counted(row) for row in value["firstAvailable"]]
    return out


def _counted(value: Obj) -> Obj:
    """Default one device, counted exactly."""
    value = filled(value, {"allocationMode": "ExactCount"})
    if value["allocationMode"] == "ExactCount":
        value = filled(value, {"count": 1})
    if value.get("tolerations"):
        value = {**value, "tolerations": [filled(row, {"operator": "Equal"}) for row in value["tolerations"]]}
    return value


def lease(obj: Obj) -> Obj:
    """Give a Lease the spec that is no pointer."""
    return obj if "spec" in obj else {**obj, "spec": {}}


def status_only(obj: Obj) -> Obj:
    """Write an empty status, which the Go type never leaves out."""
    return obj if obj.get("status") is not None else {**obj, "status": {}}


def crd(obj: Obj) -> Obj:
    """Default a CustomResourceDefinition: names, and no conversion."""
    spec = dict(obj.get("spec") or {})
    names = dict(spec.get("names") or {})
    kind = names.get("kind") or ""
    if not names.get("singular") and kind:
        names["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = kind + "List"
    spec["names"] = names
    if spec.get("conversion") is None:
        spec["conversion"] = {"strategy": "None"}
    client = ((spec["conversion"].get("webhook") or {}).get("clientConfig") or {}).get("service")
    if client is not None and client.get("port") is None:
        hook = spec["conversion"]["webhook"]
        config = {**hook["clientConfig"], "service": {**client, "port": 443}}
        spec["conversion"] = {**spec["conversion"], "webhook": {**hook, "clientConfig": config}}
    return {**obj, "spec": spec}


def volume_attachment(obj: Obj) -> Obj:
    """Write the status of a VolumeAttachment: not attached."""
    return {**obj, "status": {"attached": False, **(obj.get("status") or {})}}


mutating_webhooks = webhooks(reinvocationPolicy="Never")
validating_webhooks = webhooks()
