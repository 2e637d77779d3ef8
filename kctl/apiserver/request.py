"""What is asked of the API server, in structured form, and who asks.

HTTP and the in-process client both make a :class:`Request`; from there on there is one pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.errors import StatusError
from kctl.api.objects import Obj
from kctl.api.registry import Kind

if TYPE_CHECKING:
    from kctl.apiserver.texts import Repeats


class User(NamedTuple):
    """Who sends a request, as authentication found out."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ("system:authenticated",)
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


MASTERS = "system:masters"
"""The group that may do everything."""
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
ADMIN = User("kubernetes-admin", "", (MASTERS, AUTHENTICATED))
ANONYMOUS = User("system:anonymous", "", (UNAUTHENTICATED,))


def shown_name(obj: Obj) -> str:
    """Return what refusals call an object that may not have its generated name yet."""
    meta = obj["metadata"]
    return str(meta.get("name") or meta.get("generateName") or "")


def component(name: str) -> User:
    """Return the user a control plane component is, with the groups its name implies."""
    groups: tuple[str, ...]
    if name.startswith("system:serviceaccount:"):
        namespace = name.split(":")[2]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    elif name.startswith("system:node:"):
        groups = ("system:nodes", "system:authenticated")
    else:
        return ADMIN if name == ADMIN.name else User(name)
    return User(name, "", groups)


class Options(NamedTuple):
    """The options of every verb together; a verb reads its own."""

    field_manager: str = ""
    dry_run: bool = False
    field_validation: str = ""
    force: bool = False
    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    limit: int = 0
    continue_: str = ""
    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    precondition_version: str = ""
    include_object: str = ""


DEFAULTS = Options()


class Request(NamedTuple):
    """One request: verb, place, body. ``user_agent`` names the field manager when no option does."""

    verb: str
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: Any = None
    options: Options = DEFAULTS
    user: User = ADMIN
    patch_type: str = ""
    user_agent: str = ""
    warnings: list[str] | None = None
    repeats: Repeats | None = None

    @property
    def manager(self) -> str:
        """Return the field manager: the option, or the first word of the user agent."""
        return self.options.field_manager or self.user_agent.partition("/")[0] or "unknown"

    def warn(self, *texts: str) -> None:
        """Add warnings to the answer, once each."""
        if self.warnings is not None:
            self.warnings.extend(t for t in texts if t not in self.warnings)


class Listing(NamedTuple):
    """The objects of a list, its revision, and where to go on."""

    items: list[Obj]
    revision: int
    continue_: str = ""
    remaining: int | None = None


class GenericError(StatusError):
    """An error of the server rather than of a resource: its details are an empty object."""

    def status(self) -> Obj:
        """Return the Status with ``details: {}``, as errors.NewGenericServerResponse makes it."""
        out = super().status()
        code = out.pop("code")
        return {**out, "details": {}, "code": code}


def unknown_resource() -> StatusError:
    """404 for a path that names no resource."""
    return GenericError(404, "NotFound", "the server could not find the requested resource")


def wrong_method() -> StatusError:
    """405 for a resource that has no such verb."""
    message = "the server does not allow this method on the requested resource"
    return GenericError(405, "MethodNotAllowed", message)
