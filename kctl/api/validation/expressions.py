"""Expressions of admission policies and webhooks: they compile, to the types that are asked for.

As the compiler of k8s.io/apiserver pkg/admission/plugin/cel: the objects are of any type, the request
and the namespace have declared fields, and the variables of a policy the types of their expressions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation.meta import Errors

if TYPE_CHECKING:
    from kctl.api.cel.program import Program

TEXTS = ("string",)
CONDITION = ("bool",)
LONGEST_SELECTOR = 10 * 1024
PATCHES = {"applyConfiguration": ("Object",), "jsonPatch": ("list(JSONPatch)",)}
ANNOTATION = ("string", "null")
SHAPES = """
GroupVersionKind: group=string version=string kind=string
GroupVersionResource: group=string version=string resource=string
UserInfo: username=string uid=string groups=list<string> extra=map<string,list<string>>
AdmissionRequest: kind=GroupVersionKind resource=GroupVersionResource subResource=string \
requestKind=GroupVersionKind requestResource=GroupVersionResource requestSubResource=string name=string \
namespace=string operation=string userInfo=UserInfo dryRun=bool options=dyn
NamespaceSpec: finalizers=list<string>
NamespaceCondition: status=string type=string lastTransitionTime=timestamp message=string reason=string
NamespaceStatus: conditions=list<dyn> phase=string
NamespaceMetadata: name=string generateName=string namespace=string labels=map<string,string> \
annotations=map<string,string> UID=string uid=string creationTimestamp=timestamp \
deletionGracePeriodSeconds=int deletionTimestamp=timestamp generation=int resourceVersion=string finalizers=list<string>
Namespace: metadata=NamespaceMetadata spec=NamespaceSpec status=NamespaceStatus
"""


@lru_cache(maxsize=1)
def _declared() -> dict[str, Any]:
    """Return the types of the names that every expression may use."""
    from kctl.api.cel import types

    made: dict[str, Any] = {}
    for line in SHAPES.strip().splitlines():
        name, _, fields = line.partition(": ")
        parts = dict(one.split("=") for one in fields.split())
        read = {field: made[of] if of in made else types.read(of) for field, of in parts.items()}
        made[name] = types.Type("object", f"kubernetes.{name}", fields=read)
    return {
        "object": None,
        "oldObject": None,
        "request": made["AdmissionRequest"],
        "namespaceObject": made["Namespace"],
    }


def compiled(source: str, variables: dict[str, Any], at: str, out: Errors) -> Program | None:
    """Compile an expression, None and a complaint when that fails."""
    from kctl.api.cel import program
    from kctl.api.cel.errors import CompileError

    try:
        return program.compile(source, variables)
    except CompileError as error:
        out.append(errors.invalid(at, source, f"compilation failed: {error}"))
        return None


def of_device(source: str, at: str, out: Errors) -> None:
    """Check an expression that selects devices."""
    if len(source) > LONGEST_SELECTOR:
        out.append(errors.too_long(at, source, LONGEST_SELECTOR))
        return
    made = compiled(source, {"device": device_type()}, at, out)
    if made is not None and str(made.type) not in ("bool", "dyn"):
        out.append(errors.invalid(at, source, f"must evaluate to bool or the unknown type, not {made.type}"))


def device_type() -> Any:
    """Return the type of what expressions that select devices look at."""
    from kctl.api.cel.types import Type, read

    values = {
        "driver": "string",
        "allowMultipleAllocations": "bool",
        "attributes": "map<string, map<string, dyn>>",
        "capacity": "map<string, map<string, kubernetes.Quantity>>",
    }
    return Type("object", "kubernetes.DRADevice", fields={name: read(of) for name, of in values.items()})


class Compiler:
    """Compiles the expressions of one policy, in the order they are written in."""

    def __init__(self, *, params: bool = False, variables: bool = False) -> None:
        self._has_variables = variables
        self._names = {**_declared(), **({"params": None} if params else {})}
        self._variables: dict[str, Any] = {}

    def _given(self, *, authorizer: bool, variables: bool) -> dict[str, Any]:
        from kctl.api.cel.types import Type, read

        given = dict(self._names)
        if authorizer:
            given["authorizer"] = read("kubernetes.authorization.Authorizer")
            given["authorizer.requestResource"] = read("kubernetes.authorization.ResourceCheck")
        if variables and self._has_variables:
            given["variables"] = Type("object", "kubernetes.variables", fields=self._variables)
        return given

    def check(
        self,
        value: Obj,
        name: str,
        at: str,
        out: Errors,
        wanted: tuple[str, ...] = (),
        *,
        authorizer: bool = True,
        variables: bool = True,
    ) -> Any:
        """Compile an expression and complain about it; return its type."""
        source = value[name]
        made = compiled(source, self._given(authorizer=authorizer, variables=variables), f"{at}.{name}", out)
        if made is None:
            return None
        if wanted and str(made.type) not in wanted:
            shown = [{"null": "null_type"}.get(one, one) for one in wanted]
            text = shown[0] if len(shown) == 1 else f"one of [{' '.join(shown)}]"
            out.append(errors.invalid(f"{at}.{name}", source, f"must evaluate to {text} but got {made.type}"))
        return made.type

    def variable(self, value: Obj, at: str, out: Errors) -> None:
        """Compile a variable; what follows may use it."""
        from kctl.api.cel.types import DYN

        self._variables[value.get("name") or ""] = self.check(value, "expression", at, out) or DYN
