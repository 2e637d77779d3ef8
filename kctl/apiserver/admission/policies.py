"""Admission policies: their expressions compiled, and the variables these see.

In: a policy as stored, a request, the object before and after. Out: values of expressions, and what
keeps a policy from being judged. What follows from them is decided by the plugins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.cel import program
from kctl.api.cel.authorizers import Answer, Question, authorizer, resource_check
from kctl.api.cel.errors import CelError, CompileError
from kctl.api.cel.program import BUDGET, PER_CALL, Program
from kctl.api.objects import Key, Obj
from kctl.apiserver.admission import matching
from kctl.apiserver.request import Request, component

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

ALL = BUDGET
"""What the expressions of a policy may cost together."""
MATCH_BUDGET = BUDGET // 4
"""What the match conditions of a policy may cost (RuntimeCELCostBudgetMatchConditions)."""
NAMES = ("object", "oldObject", "request", "namespaceObject", "params", "authorizer", "authorizer.requestResource")
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class PolicyError(Exception):
    """An expression of a policy that has no value."""


class Expression(NamedTuple):
    """An expression of a policy, compiled or not."""

    source: str
    program: Program | None
    error: str

    def run(self, variables: Obj, budget: Budget) -> Any:
        """Return the value; PolicyError for what has none."""
        if self.program is None:
            raise PolicyError(self.error)
        try:
            found, cost = self.program.run(variables, limit=PER_CALL)
        except CelError as error:
            raise PolicyError(f"expression '{self.source}' resulted in error: {error}") from None
        budget.spend(cost)
        return found


class Budget:
    """What the expressions of one policy may still cost."""

    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, cost: int) -> None:
        """Count a cost; PolicyError when nothing is left."""
        if cost > self._left:
            raise PolicyError(OUT_OF_BUDGET)
        self._left -= cost


class Policy:
    """One policy as stored, its expressions compiled when first needed."""

    def __init__(self, obj: Obj) -> None:
        self.obj = obj
        self.name: str = obj["metadata"]["name"]
        self.spec: Obj = obj["spec"]
        self._compiled: dict[str, Expression] = {}
        names = {name: None for name in NAMES if self.spec.get("paramKind") or name != "params"}
        self._names: dict[str, Any] = {**names, "variables": None}

    @property
    def fails(self) -> bool:
        """Say whether what cannot be judged is refused."""
        return self.spec.get("failurePolicy") != "Ignore"

    def expression(self, source: str) -> Expression:
        """Return an expression of the policy, compiled once."""
        found = self._compiled.get(source)
        if found is None:
            try:
                found = Expression(source, program.compile(source, self._names), "")
            except CompileError as error:
                found = Expression(source, None, f"compilation error: compilation failed: {error}")
            self._compiled[source] = found
        return found

    def is_met(self, variables: Obj) -> bool:
        """Say whether the match conditions hold; PolicyError when that cannot be said and matters."""
        conditions = self.spec.get("matchConditions") or ()
        errors = []
        budget = Budget(MATCH_BUDGET)
        for condition in conditions:
            try:
                if self.expression(condition["expression"]).run(variables, budget) is not True:
                    return False
            except PolicyError as error:
                errors.append(str(error))
        if not errors:
            return True
        if not self.fails:
            return False
        raise PolicyError(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")

    def with_variables(self, variables: Obj) -> Obj:
        """Return the variables of expressions with those the policy itself defines."""
        own: Obj = {}
        out = {**variables, "variables": own}
        for one in self.spec.get("variables") or ():
            expression = self.expression(one["expression"])
            if expression.program is not None:
                own[one["name"]] = expression.program.later(out)
        return out


def of(server: APIServer, obj: Obj) -> Policy:
    """Return a policy ready to be judged by; it stays so until it changes."""
    known = server.admission.compiled
    found = known.get((obj["kind"], obj["metadata"]["name"]))
    if found is None or found.obj is not obj:
        found = known[obj["kind"], obj["metadata"]["name"]] = Policy(obj)
    return found


def bound(server: APIServer, policies: str, bindings: str) -> list[tuple[Policy, list[Obj]]]:
    """Return the policies that are bound, by name, each with its bindings."""
    made = server.storage.objects(bindings)
    if not made:
        return []
    defined = server.storage.objects(policies)
    by_policy: dict[str, list[Obj]] = {}
    for key in sorted(made):
        by_policy.setdefault(made[key]["spec"].get("policyName") or "", []).append(made[key])
    return [(of(server, defined[key]), by_policy[key.name]) for key in sorted(defined) if key.name in by_policy]


def variables(server: APIServer, request: Request, obj: Obj | None, old: Obj | None, params: Obj | None) -> Obj:
    """Return what expressions of a policy may name."""

    def ask(question: Question) -> Answer:
        return _answer(server, request, question)

    kind = request.kind
    own = Question(
        group=kind.group,
        resource=kind.plural,
        subresource=request.subresource,
        namespace=request.namespace,
        name=matching.request_name(request),
    )
    namespace = None
    if kind.namespaced and request.namespace:
        found = server.storage.get("namespaces", Key("", request.namespace))
        namespace = found and {
            name: value for name, value in found.items() if name in ("apiVersion", "kind", "metadata", "spec", "status")
        }
    return {
        "object": obj,
        "oldObject": old,
        "request": described(request, obj, old),
        "namespaceObject": namespace,
        "params": params,
        "authorizer": authorizer(ask),
        "authorizer.requestResource": resource_check(ask, own),
    }


def described(request: Request, obj: Obj | None, old: Obj | None) -> Obj:
    """Return the request as an AdmissionRequest."""
    kind, user = request.kind, request.user
    gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    gvr = {"group": kind.group, "version": kind.version, "resource": kind.plural}
    info: Obj = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.extra:
        info["extra"] = {name: list(values) for name, values in user.extra}
    out: Obj = {
        "kind": gvk,
        "resource": gvr,
        "requestKind": gvk,
        "requestResource": gvr,
        "name": ((obj or old or {}).get("metadata") or {}).get("name") or matching.request_name(request),
        "namespace": request.namespace if kind.namespaced else "",
        "operation": matching.operation(request, obj, old),
        "userInfo": info,
        "dryRun": request.options.dry_run,
    }
    if request.subresource:
        out["subResource"] = out["requestSubResource"] = request.subresource
    return out


def _answer(server: APIServer, request: Request, question: Question) -> Answer:
    """Ask the server's authorizer for an expression."""
    from kctl.apiserver.authz import Attributes

    user = component(question.user) if question.user else request.user
    found = server.authorizer.decide(
        Attributes(
            user,
            question.verb,
            question.group,
            question.resource,
            question.subresource,
            question.namespace,
            question.name,
            question.path,
            question.field_selector,
        )
    )
    return Answer(found.is_allowed, found.reason)
