"""ValidatingAdmissionPolicy: what policies in CEL refuse, warn of, or note.

As k8s.io/apiserver pkg/admission/plugin/policy/validating: all bound policies judge, in the order of
their names, and the first that denies is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kctl.api.errors import StatusError, forbidden
from kctl.api.objects import Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.admission.policies import Policy
    from kctl.apiserver.server import APIServer

POLICIES = "validatingadmissionpolicies.admissionregistration.k8s.io"
BINDINGS = "validatingadmissionpolicybindings.admissionregistration.k8s.io"
CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
"""The code of each reason a policy may give; 422 otherwise."""
MESSAGE_BYTES = 5 * 1024


class Denial(NamedTuple):
    """What a policy holds against a request."""

    message: str
    reason: str = ""


def validate(server: APIServer, request: Request, obj: Obj | None, old: Obj | None) -> None:
    """Refuse what a bound policy denies."""
    if not server.storage.objects(BINDINGS):
        return
    judge(server, request, obj, old)


def judge(server: APIServer, request: Request, obj: Obj | None, old: Obj | None) -> None:
    """Let every bound policy judge; StatusError for the first that denies."""
    from kctl.apiserver.admission import matching, policies

    if matching.is_exempt(request):
        return
    first: StatusError | None = None
    for policy, bindings in policies.bound(server, POLICIES, BINDINGS):
        kind = matching.matched(server, request, policy.spec.get("matchConstraints") or {}, obj, old)
        if kind is None:
            continue
        seen, before = (_seen(server, one, kind, request) for one in (obj, old))
        for binding in bindings:
            if matching.matched(server, request, binding["spec"].get("matchResources") or {}, obj, old) is None:
                continue
            for denial in _denials(server, request, policy, binding, seen, before):
                refused = _carry_out(request, policy, binding, denial)
                first = first or refused
    if first is not None:
        raise first


def _seen(server: APIServer, obj: Obj | None, kind: object, request: Request) -> Obj | None:
    """Return an object in the version that the policy's rules name."""
    from kctl.api.registry import Kind
    from kctl.apiserver import convert

    if obj is None or not isinstance(kind, Kind) or kind is request.kind:
        return obj
    return convert.to_version(kind, obj)


def _carry_out(request: Request, policy: Policy, binding: Obj, denial: Denial) -> StatusError | None:
    """Do what the binding says of a denial: refuse, warn, or note it for an audit that there is none of."""
    actions = binding["spec"].get("validationActions") or ()
    name = binding["metadata"]["name"]
    if "Warn" in actions:
        request.warn(
            f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding '{name}': {denial.message}"
        )
    if "Deny" not in actions:
        return None
    text = f"ValidatingAdmissionPolicy '{policy.name}' with binding '{name}' denied request: {denial.message}"
    return refusal(request, text, denial.reason)


def refusal(request: Request, text: str, reason: str = "") -> StatusError:
    """Return the error of a request that a policy denies."""
    from kctl.apiserver.admission.matching import request_name

    body = request.body if isinstance(request.body, dict) else {}
    name = request_name(request) or str((body.get("metadata") or {}).get("generateName") or "") or "Unknown"
    error = forbidden(request.kind.resource, name, text)
    reason = reason or "Invalid"
    details = {**(error.details or {}), "causes": [{"message": text}]}
    return StatusError(CODES.get(reason, 422), reason, error.message, details=details)


def _denials(
    server: APIServer, request: Request, policy: Policy, binding: Obj, obj: Obj | None, old: Obj | None
) -> list[Denial]:
    from kctl.apiserver.admission import policies, policy_params

    try:
        params = policy_params.collect(server, request, policy.obj, binding)
    except policy_params.BadParams as error:
        return [Denial(f"failed to configure binding: {error}")] if policy.fails else []
    found: list[Denial] = []
    for one in params:
        given = policies.variables(server, request, obj, old, one)
        try:
            if not policy.is_met(given):
                continue
        except policies.PolicyError as error:
            found.append(Denial(str(error)))
            continue
        found += _validations(policy, policy.with_variables(given))
    return found


def _validations(policy: Policy, given: Obj) -> list[Denial]:
    from kctl.apiserver.admission import policies

    found: list[Denial] = []
    budget = policies.Budget(policies.ALL)
    for rule in policy.spec.get("validations") or ():
        try:
            holds = policy.expression(rule["expression"]).run(given, budget)
        except policies.PolicyError as error:
            if policy.fails:
                found.append(Denial(str(error)))
            continue
        if holds is not True:
            found.append(Denial(_message(policy, rule, given, budget), rule.get("reason") or "Invalid"))
    return found


def _message(policy: Policy, rule: Obj, given: Obj, budget: object) -> str:
    """Return what is said of a rule that does not hold."""
    from kctl.apiserver.admission import policies

    text = ""
    if rule.get("messageExpression") and isinstance(budget, policies.Budget):
        try:
            computed = policy.expression(rule["messageExpression"]).run(given, budget)
        except policies.PolicyError:
            computed = None
        if isinstance(computed, str):
            text = computed.strip()
            if "\n" in text or len(text.encode()) > MESSAGE_BYTES:
                text = ""
    return text or rule.get("message") or f"failed expression: {rule['expression'].strip()}"
