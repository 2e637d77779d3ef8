"""``kctl wait``: until a condition holds, in virtual time, as kubectl."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from kctl.api.errors import KctlError, UsageError
from kctl.api.objects import Obj, key_of
from kctl.cli import options, targets, writing
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.plane.plane import ControlPlane

WEEK = 7 * 24 * 3600.0
JSONPATH_FORM = "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'"
Check = Callable[[Obj], bool]


@click.command("wait", short_help="Let virtual time pass until a condition holds.")
@options.resources("TYPE NAME... | TYPE/NAME...", required=False)
@click.option(
    "--for",
    "wanted",
    required=True,
    metavar="WHAT",
    help="delete, create, condition=TYPE[=STATUS], jsonpath=PATH[=VALUE].",
)
@click.option(
    "--timeout", default="30s", show_default=True, metavar="DURATION", help="Virtual time to wait; 0s to look once."
)
@targets.options
@options.output("json", "yaml", "name")
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    wanted: str,
    timeout: str,
    choice: targets.Choice,
    output: str | None,
) -> int:
    """Run the control plane until a condition holds on every object named."""
    from kctl.cli.session import open_existing
    from kctl.plane.plane import parse_duration

    is_gone = wanted.lower() == "delete"
    check = (lambda _: False) if is_gone else parse(wanted)
    negative = timeout.startswith("-")
    within = WEEK if negative else parse_duration(timeout)
    said = writing.Said(writing.How(output=output))
    with open_existing(settings) as plane:
        found = targets.find(plane, resources, choice)
        if wanted.lower() == "create" and found.missing:
            _run(plane, within)
            found = targets.find(plane, resources, choice)
        for missing in found.missing:
            if not (is_gone and missing.reason == "NotFound"):
                said.failed(missing)
        if not found.targets and not found.missing and not is_gone:
            raise KctlError("no matching resources found")
        waiter = Waiter(plane, check, within, is_gone=is_gone)
        for target in found.targets:
            met = waiter.met(target)
            if met is not None:
                said.did(met, "condition met")
            else:
                what = "condition not met for" if not within else "timed out waiting for the condition on"
                said.failed(KctlError(f"{what} {target.kind.plural}/{target.key.name}"))
    writing.emit(said)
    return 1 if said.errors else 0


def _run(plane: ControlPlane, within: float) -> None:
    """Converge; when that took less than it may, let the rest of the time pass."""
    from kctl.cli.run import run

    started = plane.now
    run(plane, within=within)
    left = started + within - plane.now
    if left > 0:
        run(plane, advance=left)


class Waiter:
    """Looks at objects, lets the time pass once, and looks at everything that happened meanwhile."""

    def __init__(self, plane: ControlPlane, check: Check, within: float, *, is_gone: bool) -> None:
        self._plane = plane
        self._check = check
        self._within = within
        self._is_gone = is_gone
        self._happened: list[tuple[str, str, Obj]] | None = None

    def met(self, target: targets.Target) -> Obj | None:
        """Return the object in the state that was waited for, None when it never came."""
        if self._check(target.object):
            return target.object
        if not self._within:
            return None
        uid = target.object["metadata"]["uid"]
        for type_, resource, obj in self._events():
            if resource == target.kind.resource and key_of(obj) == target.key and obj["metadata"].get("uid") == uid:
                if type_ == "DELETED":
                    return obj if self._is_gone else None
                if self._check(obj):
                    return obj
        return None

    def _events(self) -> list[tuple[str, str, Obj]]:
        """Return what happened while the time passed: first until all was quiet, then the rest."""
        if self._happened is None:
            from kctl.cli.run import run

            started = self._plane.now
            run(self._plane, within=self._within, keep=True)
            self._happened = self._trace(started)
            left = started + self._within - self._plane.now
            if left > 0:
                run(self._plane, advance=left, keep=True)
                self._happened += self._trace(started)
        return self._happened

    def _trace(self, started: float) -> list[tuple[str, str, Obj]]:
        converger = self._plane.converger
        events = zip(converger.trace, converger.times, strict=True)
        return [(e.type, e.resource, e.object) for e, at in events if at <= started + self._within]


def parse(wanted: str) -> Check:
    """Read ``--for``; UsageError in kubectl's words."""
    if wanted.lower() == "create":
        return lambda _: True
    kind, equals, rest = wanted.partition("=")
    if equals and kind == "condition":
        name, has_value, value = rest.partition("=")
        return _condition(name, value if has_value else "true")
    if equals and kind == "jsonpath":
        return _jsonpath(rest)
    raise UsageError(f'unrecognized condition: "{wanted}"')


def _condition(name: str, status: str) -> Check:
    def check(obj: Obj) -> bool:
        found = next(
            (
                c
                for c in (obj.get("status") or {}).get("conditions") or ()
                if str(c.get("type", "")).lower() == name.lower()
            ),
            None,
        )
        if found is None:
            return False
        generation = obj["metadata"].get("generation") or 0
        seen = found.get("observedGeneration") or (obj.get("status") or {}).get("observedGeneration")
        if seen is not None and seen < generation:
            return False  # it was computed from an older spec
        return str(found.get("status", "")).casefold() == status.casefold()

    return check


def split(text: str) -> list[str]:
    """Split at single equals signs; ``==`` belongs to a filter, as splitJSONPathInput."""
    parts = [""]
    at = 0
    while at < len(text):
        if text.startswith("==", at):
            parts[-1] += "=="
            at += 2
            continue
        if text[at] == "=":
            parts.append("")
        else:
            parts[-1] += text[at]
        at += 1
    return parts


def _jsonpath(text: str) -> Check:
    from kctl.cli import jsonpath

    parts = split(text)
    if len(parts) > 2:
        raise UsageError(JSONPATH_FORM)
    if not parts[0]:
        raise UsageError("jsonpath expression cannot be empty")
    find = jsonpath.compile_path(parts[0])
    value = None
    if len(parts) == 2:
        value = parts[1].strip("'\"")
        if not value:
            raise UsageError(
                "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3"
            )

    def check(obj: Obj) -> bool:
        found = find(obj)
        if value is None:
            return bool(found)
        if len(found) > 1:
            raise KctlError("given jsonpath expression matches more than one value")
        if found and isinstance(found[0], dict | list):
            raise KctlError("jsonpath leads to a nested object or list, which cannot be compared with a value")
        return bool(found) and jsonpath.text(found[0]) == value

    return check
