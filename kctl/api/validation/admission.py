"""Validation of admission policies and their bindings.

In comes a policy or binding; complaints are appended as pkg/apis/admissionregistration/validation
orders them.
"""

from __future__ import annotations

import re

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, meta
from kctl.api.validation.expressions import ANNOTATION, CONDITION, PATCHES, TEXTS, Compiler
from kctl.api.validation.meta import Errors, formatted
from kctl.api.validation.webhooks import (
    FAILURE_POLICIES,
    MATCH_POLICIES,
    REINVOCATION,
    choice,
    match_conditions,
    rule_with_operations,
)

REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
PATCH_TYPES = ("ApplyConfiguration", "JSONPatch")
MUTABLE = ("*", "CONNECT", "CREATE", "UPDATE")
ACTIONS = ("Audit", "Deny", "Warn")
NOT_FOUND = ("Deny", "Allow")
IDENTIFIER = "[_a-zA-Z][_a-zA-Z0-9]*"
EXCLUSIVE = "name and selector are mutually exclusive"
BOTH = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and "
    "headers serves no purpose)"
)


def validating_policy(obj: Obj, out: Errors) -> None:
    """Check a ValidatingAdmissionPolicy."""
    spec = obj.get("spec") or {}
    compiler = _common(spec, out)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        text = "validations or auditAnnotations must contain at least one item"
        out.append(errors.required("spec.validations", f"{text}"))
    for n, value in enumerate(spec.get("validations") or ()):
        _validation(value, f"spec.validations[{n}]", compiler, out)
    _annotations(obj, spec.get("auditAnnotations") or [], compiler, out)


def _common(spec: Obj, out: Errors) -> Compiler:
    """Check what both kinds of policies have; return the compiler that knows the variables."""
    compiler = Compiler(params=spec.get("paramKind") is not None, variables=bool(spec.get("variables")))
    if not spec.get("failurePolicy"):
        out.append(errors.required("spec.failurePolicy"))
    else:
        choice(spec["failurePolicy"], FAILURE_POLICIES, "spec.failurePolicy", out)
    if spec.get("paramKind") is not None:
        _param_kind(spec["paramKind"], "spec.paramKind", out)
    constraints = spec.get("matchConstraints")
    if constraints is None:
        out.append(errors.required("spec.matchConstraints"))
    else:
        match_resources(constraints, "spec.matchConstraints", out)
        if not constraints.get("resourceRules"):
            out.append(errors.required("spec.matchConstraints.resourceRules"))
    match_conditions(spec.get("matchConditions") or [], "spec.matchConditions", out, compiler)
    for n, value in enumerate(spec.get("variables") or ()):
        at, name = f"spec.variables[{n}]", value.get("name") or ""
        if not name.strip():
            out.append(errors.required(f"{at}.name", "name is not specified"))
        elif not re.fullmatch(IDENTIFIER, name):
            out.append(errors.invalid(f"{at}.name", name, "must be a valid CEL identifier"))
        if _expression(value, "expression", at, out):
            compiler.variable(value, at, out)
    return compiler


def _expression(value: Obj, name: str, at: str, out: Errors) -> bool:
    """Check that an expression is there."""
    if (value.get(name) or "").strip():
        return True
    out.append(errors.required(f"{at}.{name}", f"{name} is not specified"))
    return False


def _param_kind(value: Obj, at: str, out: Errors) -> None:
    """Check the kind of parameters."""
    version = value.get("apiVersion") or ""
    if not version:
        out.append(errors.required(f"{at}.apiVersion"))
    elif version.count("/") > 1:
        text = f"unexpected GroupVersion string: {version}"
        out.append(errors.invalid(f"{at}.apiVersion", version, text))
    else:
        group, _, number = version.rpartition("/")
        if group:
            formatted(formats.dns_subdomain, group, f"{at}.apiVersion", out)
        formatted(formats.dns_1035_label, number, f"{at}.apiVersion", out)
    kind = value.get("kind") or ""
    if not kind:
        out.append(errors.required(f"{at}.kind"))
    for text in formats.dns_1035_label(kind.lower()) if kind else ():
        out.append(errors.invalid(f"{at}.kind", kind, "may have mixed case, but should otherwise match: " + text))


def match_resources(value: Obj, at: str, out: Errors) -> None:
    """Check which requests are meant."""
    for name in ("namespaceSelector", "objectSelector"):
        meta.selector(value.get(name), f"{at}.{name}", out)
    for part in ("resourceRules", "excludeResourceRules"):
        for n, rule in enumerate(value.get(part) or ()):
            here = f"{at}.{part}[{n}]"
            names = rule.get("resourceNames") or []
            for m, name in enumerate(names):
                formatted(formats.path_segment, name, f"{here}.resourceNames[{m}]", out)
                if name in names[:m]:
                    out.append(errors.duplicate(f"{here}.resourceNames[{m}]", name))
            rule_with_operations(rule, here, out)
    choice(value.get("matchPolicy"), MATCH_POLICIES, f"{at}.matchPolicy", out)


def _validation(value: Obj, at: str, compiler: Compiler, out: Errors) -> None:
    """Check one validation."""
    if _expression(value, "expression", at, out):
        compiler.check(value, "expression", at, out, CONDITION)
    message, computed = value.get("message") or "", value.get("messageExpression") or ""
    if computed and not computed.strip():
        out.append(errors.invalid(f"{at}.messageExpression", computed, "must be non-empty if specified"))
    elif computed:
        compiler.check(value, "messageExpression", at, out, TEXTS, authorizer=False)
    if message and not message.strip():
        out.append(errors.invalid(f"{at}.message", message, "message must be non-empty if specified"))
    elif "\n" in message.strip():
        out.append(errors.invalid(f"{at}.message", message, "must not contain line breaks"))
    reason = value.get("reason")
    if reason is not None and reason not in REASONS:
        out.append(errors.not_supported(f"{at}.reason", reason, REASONS[:3]))


def _annotations(obj: Obj, values: list[Obj], compiler: Compiler, out: Errors) -> None:
    """Check what is written into the audit log: keys qualified by the policy's name."""
    policy = obj["metadata"].get("name") or ""
    keys: set[str] = set()
    for n, value in enumerate(values):
        at, key = f"spec.auditAnnotations[{n}]", value.get("key") or ""
        if policy:
            formatted(formats.qualified_name_plain, f"{policy}/{key}", f"{at}.key", out)
        else:
            out.append(errors.invalid(f"{at}.key", key, "requires metadata.name be non-empty"))
        if _expression(value, "valueExpression", at, out):
            compiler.check(value, "valueExpression", at, out, ANNOTATION)
        if key in keys:
            out.append(errors.duplicate(f"{at}.key", key))
        keys.add(key)


def mutating_policy(obj: Obj, out: Errors) -> None:
    """Check a MutatingAdmissionPolicy."""
    spec = obj.get("spec") or {}
    compiler = _common(spec, out)
    constraints = spec.get("matchConstraints") or {}
    for rule in constraints.get("resourceRules") or ():
        for operation in rule.get("operations") or ():
            choice(operation, MUTABLE, "spec.matchConstraints.resourceRules.operations", out)
    if not spec.get("mutations"):
        out.append(errors.required("spec.mutations", "mutations must contain at least one item"))
    for n, value in enumerate(spec.get("mutations") or ()):
        _mutation(value, f"spec.mutations[{n}]", compiler, out)
    policy = spec.get("reinvocationPolicy") or ""
    if not policy:
        out.append(errors.required("spec.reinvocationPolicy"))
    else:
        choice(policy, REINVOCATION, "spec.reinvocationPolicy", out)


def _mutation(value: Obj, at: str, compiler: Compiler, out: Errors) -> None:
    """Check one mutation: of its type, and no other."""
    kind = value.get("patchType") or ""
    fields = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
    if not kind:
        out.append(errors.required(f"{at}.patchType"))
    elif kind not in fields:
        out.append(errors.not_supported(f"{at}.patchType", kind, PATCH_TYPES))
    for name, field in fields.items():
        part = value.get(field)
        if kind == name and part is None:
            out.append(errors.required(f"{at}.{field}", f"must be specified when patchType is {name}"))
        elif kind == name and not ((part or {}).get("expression") or "").strip():
            out.append(errors.required(f"{at}.{field}.expression"))
        elif kind == name and part is not None:
            compiler.check(part, "expression", f"{at}.{field}", out, PATCHES[field])
        elif kind in fields and kind != name and part is not None:
            text = f"must not be specified when patchType is {kind}"
            out.append(errors.forbidden_field(f"{at}.{field}", text))


def validating_binding(obj: Obj, out: Errors) -> None:
    """Check a ValidatingAdmissionPolicyBinding."""
    binding(obj, out)
    actions = (obj.get("spec") or {}).get("validationActions") or []
    at = "spec.validationActions"
    if not actions:
        out.append(errors.required(at, "at least one validation action is required"))
    for n, action in enumerate(actions):
        choice(action, ACTIONS, f"{at}[{n}]", out)
        if action in actions[:n]:
            out.append(errors.duplicate(f"{at}[{n}]", action))
    if {"Deny", "Warn"} <= set(actions):
        out.append(errors.invalid(at, actions, BOTH))


def binding(obj: Obj, out: Errors) -> None:
    """Check which policy is bound, to what, with which parameters."""
    spec = obj.get("spec") or {}
    name = spec.get("policyName") or ""
    if not name:
        out.append(errors.required("spec.policyName"))
    else:
        formatted(formats.dns_subdomain, name, "spec.policyName", out)
    if spec.get("paramRef") is not None:
        _param_ref(spec["paramRef"], "spec.paramRef", out)
    if spec.get("matchResources") is not None:
        match_resources(spec["matchResources"], "spec.matchResources", out)


def _param_ref(value: Obj, at: str, out: Errors) -> None:
    """Check the parameters of a binding: by name or by selector."""
    name, selector = value.get("name") or "", value.get("selector")
    if name:
        formatted(formats.path_segment, name, f"{at}.name", out)
        if selector is not None:
            out.append(errors.forbidden_field(f"{at}.name", EXCLUSIVE))
    if selector is not None:
        meta.selector(selector, f"{at}.selector", out)
        if name:
            out.append(errors.forbidden_field(f"{at}.selector", EXCLUSIVE))
    if not name and selector is None:
        out.append(errors.required(at, "one of name or selector must be specified"))
    action = value.get("parameterNotFoundAction")
    if not action:
        out.append(errors.required(f"{at}.parameterNotFoundAction"))
    else:
        choice(action, NOT_FOUND, f"{at}.parameterNotFoundAction", out)
