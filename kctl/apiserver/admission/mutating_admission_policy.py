"""MutatingAdmissionPolicy: what policies in CEL change before an object is judged.

As k8s.io/apiserver pkg/admission/plugin/policy/mutating: apply configurations are merged as
server-side apply merges, JSON patches are carried out; then the object is defaulted again. Who asks for
it (reinvocationPolicy IfNeeded) judges again when a later plugin changed the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kctl.api.errors import StatusError
from kctl.api.objects import Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.admission.policies import Policy
    from kctl.apiserver.server import APIServer

POLICIES = "mutatingadmissionpolicies.admissionregistration.k8s.io"
BINDINGS = "mutatingadmissionpolicybindings.admissionregistration.k8s.io"


def admit(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> Obj:
    """Return the object as the bound policies change it."""
    if not server.storage.objects(BINDINGS):
        return obj
    return _mutated(server, request, obj, old, again=False)


def admit_again(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> Obj:
    """Return the object as policies change it that want to see what others made of it."""
    return _mutated(server, request, obj, old, again=True) if server.storage.objects(BINDINGS) else obj


def _mutated(server: APIServer, request: Request, obj: Obj, old: Obj | None, *, again: bool) -> Obj:
    from kctl.apiserver.admission import matching, policies

    if matching.is_exempt(request) or request.verb in ("delete", "deletecollection"):
        return obj
    for policy, bindings in policies.bound(server, POLICIES, BINDINGS):
        if again and policy.spec.get("reinvocationPolicy") != "IfNeeded":
            continue
        if matching.matched(server, request, policy.spec.get("matchConstraints") or {}, obj, old) is None:
            continue
        for binding in bindings:
            if matching.matched(server, request, binding["spec"].get("matchResources") or {}, obj, old) is not None:
                obj = _by_binding(server, request, policy, binding, obj, old)
    return obj


def _by_binding(server: APIServer, request: Request, policy: Policy, binding: Obj, obj: Obj, old: Obj | None) -> Obj:
    from kctl.apiserver.admission import policies, policy_params

    try:
        for params in policy_params.collect(server, request, policy.obj, binding):
            given = policies.variables(server, request, obj, old, params)
            if not policy.is_met(given):
                continue
            budget = policies.Budget(policies.ALL)
            for mutation in policy.spec.get("mutations") or ():
                given = policy.with_variables({**given, "object": obj})
                obj = _changed(request, policy, mutation, given, obj, budget)
    except (policy_params.BadParams, policies.PolicyError) as error:
        if policy.fails:
            raise _denied(request, policy, binding, str(error)) from None
    return obj


def _denied(request: Request, policy: Policy, binding: Obj, why: str) -> StatusError:
    from kctl.apiserver.admission.validating_admission_policy import refusal

    name = binding["metadata"]["name"]
    return refusal(request, f"policy '{policy.name}' with binding '{name}' denied request: {why}")


def _changed(request: Request, policy: Policy, mutation: Obj, given: Obj, obj: Obj, budget: Any) -> Obj:
    """Return the object after one mutation, defaulted; PolicyError when that cannot be made."""
    from kctl.api.cel.json import json_of
    from kctl.apiserver import rules
    from kctl.apiserver.admission.policies import PolicyError

    if mutation["patchType"] == "JSONPatch":
        found = policy.expression(mutation["jsonPatch"]["expression"]).run(given, budget)
        out = _patched(obj, [_operation(one) for one in found] if isinstance(found, list) else [])
    else:
        found = policy.expression(mutation["applyConfiguration"]["expression"]).run(given, budget)
        if not isinstance(found, dict):
            raise PolicyError("invalid ApplyConfiguration: expression must evaluate to an Object")
        out = _merged(request, obj, json_of(found))
    for field in ("apiVersion", "kind"):
        if out.get(field) != obj.get(field):
            raise PolicyError(f"invalid mutation: {field} may not be changed")
    return rules.default(request.kind, out)


def _operation(value: Any) -> Obj:
    """Return an operation of a JSON patch as an expression made it."""
    from kctl.api.cel.json import json_of

    out = json_of(value)
    return {name: out[name] for name in ("op", "path", "from", "value") if name in out}


def _patched(obj: Obj, operations: list[Obj]) -> Obj:
    from kctl.api.patch import jsonpatch
    from kctl.apiserver.admission.policies import PolicyError

    try:
        out: Obj = jsonpatch.patch(obj, operations)
    except StatusError as error:
        raise PolicyError(f"JSON Patch: {error.message}") from None
    return out


def _merged(request: Request, obj: Obj, config: Obj) -> Obj:
    """Merge an apply configuration into the object as server-side apply does, atomic parts apart."""
    from kctl.api import schema
    from kctl.api.patch import shape, typed
    from kctl.apiserver.admission.policies import PolicyError

    what = shape.of(schema.of(request.kind))
    reader = typed.Reader()
    full = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **config}
    reader.fields(what, full)
    if reader.errors:
        raise PolicyError(f"error applying patch: failed to create typed patch object: {reader.errors[0]}")
    atomic = _atomic(what, config, "")
    if atomic:
        raise PolicyError(
            f"invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        )
    out: Obj = typed.merge(what, obj, full)
    return out


def _atomic(what: Any, value: Any, path: str) -> list[str]:
    """Return where a configuration would replace what can only be replaced whole."""
    from kctl.api.patch.shape import KEYED, LEAF, MAP
    from kctl.api.patch.typed import kind_at

    if kind_at(what, value) == LEAF:
        return [path] if isinstance(value, dict | list) and value else []
    found: list[str] = []
    if kind_at(what, value) == MAP and isinstance(value, dict):
        for name, child in value.items():
            below = what.field(name)
            if below is not None:
                found += _atomic(below, child, f"{path}.{name}")
    elif what.kind == KEYED and isinstance(value, list):
        for n, item in enumerate(value):
            found += _atomic(what.items, item, f"{path}[{n}]")
    return found
