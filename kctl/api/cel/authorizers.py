"""Kubernetes' library of authorization: ``authorizer.group('').resource('pods').check('get').allowed()``.

The authorizer is a value the caller fills in: a function from a question to its answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.values import Opaque, no_overload

DECLARATIONS = """
path: kubernetes.authorization.Authorizer.(string) kubernetes.authorization.PathCheck
group: kubernetes.authorization.Authorizer.(string) kubernetes.authorization.GroupCheck
serviceAccount: kubernetes.authorization.Authorizer.(string, string) kubernetes.authorization.Authorizer
resource: kubernetes.authorization.GroupCheck.(string) kubernetes.authorization.ResourceCheck
subresource: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
namespace: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
name: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
fieldSelector: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
labelSelector: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
check: kubernetes.authorization.PathCheck.(string) kubernetes.authorization.Decision; kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.Decision
errored: kubernetes.authorization.Decision.() bool
error: kubernetes.authorization.Decision.() string
allowed: kubernetes.authorization.Decision.() bool
reason: kubernetes.authorization.Decision.() string
"""
CHECK_COST = 350_000
"""What asking the authorizer costs."""


class Answer(NamedTuple):
    """What the authorizer says."""

    allowed: bool
    reason: str = ""
    error: str = ""


class Question(NamedTuple):
    """What the authorizer is asked; ``user`` is "" for who sent the request."""

    user: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    verb: str = ""
    field_selector: str = ""
    label_selector: str = ""


Ask = Callable[[Question], Answer]


class Check(Opaque):
    """A question that is being put together, and whom to ask."""

    __slots__ = ("ask", "question", "stage")

    def __init__(self, ask: Ask, question: Question, stage: str) -> None:
        self.ask = ask
        self.question = question
        self.stage = stage

    @property
    def type_name(self) -> str:  # type: ignore[override]
        """The name of the stage's type."""
        return f"kubernetes.authorization.{self.stage}"


class Decision(Opaque):
    """An answer."""

    __slots__ = ("answer",)
    type_name = "kubernetes.authorization.Decision"

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


def authorizer(ask: Ask) -> Check:
    """Return the value of the variable ``authorizer``."""
    return Check(ask, Question(), "Authorizer")


def resource_check(ask: Ask, question: Question) -> Check:
    """Return the value of the variable ``authorizer.requestResource``."""
    return Check(ask, question, "ResourceCheck")


def _step(stage: str, field: str, then: str) -> Callable[[Any, Any], Check]:
    def function(value: Any, text: Any) -> Check:
        if not isinstance(value, Check) or value.stage != stage or type(text) is not str:
            raise no_overload()
        if field == "path" and not text:
            raise EvaluationError("path must not be empty")
        return Check(value.ask, value.question._replace(**{field: text}), then)

    return function


def service_account(value: Any, namespace: Any, name: Any) -> Check:
    """Return an authorizer that answers for a service account."""
    if (
        not isinstance(value, Check)
        or value.stage != "Authorizer"
        or type(namespace) is not str
        or type(name) is not str
    ):
        raise no_overload()
    from kctl.api.validation import formats

    if wrong := formats.dns_subdomain(name):
        raise EvaluationError(f"Invalid service account name: {wrong[0]}")
    if wrong := formats.dns_label(namespace):
        raise EvaluationError(f"Invalid service account namespace: {wrong[0]}")
    user = f"system:serviceaccount:{namespace}:{name}"
    return Check(value.ask, value.question._replace(user=user), "Authorizer")


def check(value: Any, verb: Any) -> Decision:
    """Ask the authorizer."""
    if not isinstance(value, Check) or value.stage not in ("PathCheck", "ResourceCheck") or type(verb) is not str:
        raise no_overload()
    return Decision(value.ask(value.question._replace(verb=verb)))


def _of(read: Callable[[Answer], Any]) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        if not isinstance(value, Decision):
            raise no_overload()
        return read(value.answer)

    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "path": _step("Authorizer", "path", "PathCheck"),
    "group": _step("Authorizer", "group", "GroupCheck"),
    "serviceAccount": service_account,
    "resource": _step("GroupCheck", "resource", "ResourceCheck"),
    "subresource": _step("ResourceCheck", "subresource", "ResourceCheck"),
    "namespace": _step("ResourceCheck", "namespace", "ResourceCheck"),
    "name": _step("ResourceCheck", "name", "ResourceCheck"),
    "fieldSelector": _step("ResourceCheck", "field_selector", "ResourceCheck"),
    "labelSelector": _step("ResourceCheck", "label_selector", "ResourceCheck"),
    "check": check,
    "errored": _of(lambda answer: bool(answer.error)),
    "error": _of(lambda answer: answer.error),
    "allowed": _of(lambda answer: answer.allowed),
    "reason": _of(lambda answer: answer.reason),
}
COSTS: dict[str, Callable[[list[Any], Any], int]] = {"check": lambda *_: CHECK_COST}
