"""How a command that changes objects does it: write, make durable, converge, say what was done.

In: a step that writes through a client and says so. When another process wrote first, the step
is done again on what it made. Out: kubectl's lines, and its exit code.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import click

from kctl.api.objects import Obj
from kctl.cli import options as common

if TYPE_CHECKING:
    from kctl.api.errors import KctlError
    from kctl.cli.targets import Found, Target
    from kctl.client.local import LocalClient
    from kctl.plane.plane import ControlPlane

F = TypeVar("F", bound=Callable[..., Any])
ATTEMPTS = 20
SUFFIX = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


class How(NamedTuple):
    """The options that say how to write, and what to print."""

    dry_run: str = "none"
    output: str | None = None
    show_secrets: bool = False
    show_managed_fields: bool = False
    field_manager: str = "kctl"
    wait: bool = True
    cause: str = ""
    within: float | None = None
    """Virtual seconds to wait at most, None for as long as any run."""

    @property
    def is_local(self) -> bool:
        """Say whether nothing is sent to the API server."""
        return self.dry_run == "client"

    @property
    def is_dry(self) -> bool:
        """Say whether the API server is asked to write nothing."""
        return self.dry_run == "server"


def options(field_manager: str) -> Callable[[F], F]:
    """Add ``--dry-run -o --show-secrets --field-manager --wait``; the command gets them as ``how``."""
    cause = field_manager.removeprefix("kctl-")

    def wrap(function: F) -> F:
        @functools.wraps(function)
        def called(*args: Any, **given: Any) -> Any:
            flags = {name: given.pop(name) for name in How._fields if name not in ("cause", "within")}
            return function(*args, how=How(**flags, cause=cause), **given)

        for option in (
            click.option("--wait/--no-wait", default=True, help="Run the control plane until it settles (default)."),
            click.option(
                "--field-manager",
                default=field_manager,
                show_default=True,
                metavar="NAME",
                help="Who is noted as the owner of the fields.",
            ),
            click.option("--show-managed-fields", is_flag=True, help="Keep managedFields in documents."),
            common.show_secrets,
            common.output("json", "yaml", "name"),
            common.dry_run,
        ):
            called = option(called)
        return cast("F", called)

    return wrap


class Said:
    """What a step has done and what failed, to be printed once it is durable."""

    def __init__(self, how: How) -> None:
        self.how = how
        self.text = ""
        self.errors: list[str] = []
        self.notes: list[str] = []
        self._documents = 0

    def line(self, text: str) -> None:
        """Say a line of one's own."""
        self.text += f"{text}\n"

    def note(self, text: str) -> None:
        """Say something on stderr that is no failure."""
        self.notes.append(text)

    def did(self, obj: Obj, operation: str) -> None:
        """Say that something was done to an object: kubectl's line, its name, or the object itself."""
        from kctl.cli import output as out

        how = self.how
        name = name_of(obj)
        if how.output in ("json", "yaml"):
            shown = out.presentable(obj, managed_fields=how.show_managed_fields, secrets=how.show_secrets)
            self.text += "---\n" if how.output == "yaml" and self._documents else ""
            self.text += out.document(shown, how.output)
            self._documents += 1
        elif how.output == "name":
            self.line(name)
        else:
            self.line(f"{name} {operation}{SUFFIX[how.dry_run]}")

    def failed(self, error: KctlError | str) -> None:
        """Say what could not be done; the exit code is 1 then."""
        from kctl.cli.errors import text_of

        self.errors.append(error if isinstance(error, str) else text_of(error))


def each(found: Found, said: Said, act: Callable[[Target], None]) -> None:
    """Do something to every target; what fails is said and the others are done all the same."""
    from kctl.api.errors import KctlError
    from kctl.cli.errors import unrevealing

    for target in found.targets:
        try:
            act(target)
        except KctlError as error:
            said.failed(unrevealing(error, target.object, secrets=said.how.show_secrets))
    for missing in found.missing:
        said.failed(missing)


def name_of(obj: Obj) -> str:
    """Return ``deployment.apps/web``, as kubectl names an object."""
    group = obj["apiVersion"].rpartition("/")[0]
    return f"{obj['kind'].lower()}{'.' if group else ''}{group}/{obj['metadata']['name']}"


def client_of(plane: ControlPlane, how: How) -> LocalClient:
    """Return the administrator's client under the field manager of the command."""
    from kctl.client.local import LocalClient
    from kctl.plane.plane import ADMIN

    return LocalClient(plane.server, user=ADMIN, field_manager=how.field_manager)


def carry_out(plane: ControlPlane, how: How, step: Callable[[Said], None]) -> int:
    """Do a step, make it durable, print what it said, let the cluster settle; return the exit code."""
    said = durably(plane, how, step)
    emit(said)
    if how.wait and how.dry_run == "none":
        settle(plane, within=how.within)
    return 1 if said.errors else 0


def durably(plane: ControlPlane, how: How, step: Callable[[Said], None]) -> Said:
    """Do a step until it is durable: again, when another process wrote first."""
    from kctl.api.errors import KctlError
    from kctl.store.errors import HeadMoved

    for _ in range(ATTEMPTS):
        said = Said(how)
        step(said)
        try:
            plane.server.commit(cause=how.cause)
        except HeadMoved:
            plane.refresh()
            continue
        return said
    raise KctlError("other processes keep writing to this cluster", hint="run it again")


def emit(said: Said) -> None:
    """Print what was done to stdout, the rest to stderr."""
    from kctl.cli.output import write

    for note in said.notes:
        print(note, file=sys.stderr)
    write(said.text)
    for error in said.errors:
        print(error, file=sys.stderr)


def settle(plane: ControlPlane, *, within: float | None = None) -> None:
    """Run the control plane until nothing would change any more, or for so many virtual seconds."""
    from kctl.cli.run import run

    run(plane, within=within)
