"""A Scenario manifest, read and checked.

In: the manifest. Out: a :class:`kctl.api.scenario.model.Scenario`, and every mistake by its field: unknown
fields are mistakes.
"""

from __future__ import annotations

from typing import Any

from kctl.api import latencies
from kctl.api.errors import FieldError, invalid, not_supported
from kctl.api.objects import Obj
from kctl.api.scenario import expectations, happenings
from kctl.api.scenario.fields import NEVER, Fields, seconds_of
from kctl.api.scenario.model import (
    API_VERSION,
    KIND,
    CloudFault,
    Crash,
    Event,
    Expectation,
    ImageRule,
    Match,
    Scenario,
    WorkloadRule,
)

LATENCIES = {
    "nodeBoot": "node_boot",
    "imagePull": "image_pull",
    "containerStart": "container_start",
    "containerStop": "container_stop",
    "initContainerRun": "init_container_run",
    "jobContainerRun": "job_container_run",
    "loadBalancerCreate": "load_balancer_create",
    "loadBalancerDelete": "load_balancer_delete",
    "volumeCreate": "volume_create",
    "volumeDelete": "volume_delete",
    "volumeAttach": "volume_attach",
    "volumeDetach": "volume_detach",
    "volumeResize": "volume_resize",
    "imagePullRate": "image_pull_rate",
}
"""The latencies a profile may give, by the names ``kctl.yaml`` has for them."""
TOP = ("apiVersion", "kind", "metadata", "status")


def read(manifest: Obj) -> tuple[Scenario, list[FieldError]]:
    """Return the scenario, and what is wrong with it; with errors the scenario is not to be used."""
    errors: list[FieldError] = []
    fields = Fields(manifest, "", errors)
    for name, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if fields.raw(name) != wanted:
            errors.append(not_supported(name, str(manifest.get(name)), (wanted,)))
    for name in TOP:
        fields.raw(name)
    meta = manifest.get("metadata") if isinstance(manifest.get("metadata"), dict) else {}
    profile, seed = _profile(fields)
    images = tuple(_image(*item, errors) for item in fields.each("images"))
    workloads = tuple(_workload(*item, errors) for item in fields.each("workloads"))
    found = [happenings.read(item, path, n, errors) for n, item, path in fields.each("events")]
    scenario = Scenario(
        name=str((meta or {}).get("name") or "what-if"),
        namespace=fields.text("namespace", "default"),
        start="apply" if fields.choice("start", ("converged", "apply"), "converged") == "apply" else "converged",
        duration=fields.seconds("duration", 0.0),
        seed=seed,
        latencies=profile,
        images=images,
        workloads=workloads,
        events=tuple(sorted((event for event in found if isinstance(event, Event)), key=lambda event: event.at)),
        cloud=tuple(fault for fault in found if isinstance(fault, CloudFault)),
        expect=tuple(_expectations(fields)),
        source=manifest,
    )
    fields.close()
    return scenario, errors


def _profile(fields: Fields) -> tuple[dict[str, float], int | None]:
    inside = fields.inside("profile")
    if inside is None:
        return {}, None
    seed = inside.whole("seed", None)
    found: dict[str, float] = {}
    for name, known in LATENCIES.items():
        said = inside.raw(name)
        if known == latencies.RATE or (isinstance(said, str) and ".." in said):
            try:
                found |= latencies.read(known, str(said)) if said is not None else {}
            except ValueError as error:
                inside.fail(name, str(error))
            continue
        seconds = inside.seconds(name, None)
        if seconds is not None:
            found[known] = seconds
    inside.close()
    return found, seed


def _image(index: int, value: Any, path: str, errors: list[FieldError]) -> ImageRule:
    """Read ``{match: app:v2, pull: fail | 20s, times: 3, error: "...", size: 900Mi}``."""
    fields = Fields(value, path, errors)
    match, pull = fields.needed("match"), fields.raw("pull")
    times = fields.whole("times", None, least=1)
    fails, seconds = None, None
    if pull == "fail":
        fails = -1 if times is None else times
    elif pull is not None:
        try:
            seconds = seconds_of(pull)
        except ValueError as error:
            fields.fail("pull", f"must be fail or a duration: {error}")
    if times is not None and pull != "fail":
        fields.fail("times", "is for pull: fail")
    found = ImageRule(match, fails, fields.text("error"), seconds, fields.size("size"), index)
    if pull is None and found.size is None:
        errors.append(invalid(path, value, "must have pull or size"))
    fields.close()
    return found


def _workload(index: int, value: Any, path: str, errors: list[FieldError]) -> WorkloadRule:
    fields = Fields(value, path, errors)
    found = WorkloadRule(
        _match(fields),
        ready_after=_after(fields, "ready"),
        unhealthy_after=_after(fields, "unhealthy"),
        crash=_crash(fields),
        run=fields.seconds("run", None),
        exit_code=_exit_code(fields, "exitCode"),
        stop=fields.seconds_or_never("stop"),
        place=index,
    )
    usage = fields.inside("usage")
    if usage is not None:
        found = found._replace(cpu=usage.formula("cpu"), memory=usage.formula("memory"))
        usage.close()
    says = ("ready", "unhealthy", "crash", "run", "exitCode", "stop", "usage")
    if isinstance(value, dict) and not any(name in fields for name in says):
        errors.append(
            invalid(path, value, "says nothing: must have ready, unhealthy, crash, run, exitCode, stop, usage")
        )
    fields.close()
    return found


def _match(fields: Fields) -> Match:
    inside = fields.inside("match")
    if inside is None:
        fields.errors.append(invalid(fields.at("match"), None, "must be set: {} is every workload"))
        return Match()
    found = Match(
        kind=inside.text("kind"),
        name=inside.text("name"),
        namespace=inside.text("namespace"),
        labels=inside.texts("labels"),
        container=inside.text("container"),
    )
    inside.close()
    return found


def _after(fields: Fields, name: str) -> float | None:
    """Read ``never`` or ``{after: 12s}``."""
    if fields.raw(name) == "never":
        return NEVER
    inside = fields.inside(name)
    if inside is None:
        return None
    found = inside.seconds_or_never("after")
    inside.close()
    if found is None:
        inside.fail("after", "must be a duration or never")
    return found


def _crash(fields: Fields) -> Crash | None:
    inside = fields.inside("crash")
    if inside is None:
        return None
    code = _exit_code(inside, "exitCode")
    found = Crash(
        1 if code is None else code,
        inside.seconds("after", 0.0),
        inside.whole("times", None, least=1),
        inside.choice("reason", ("", "Error", "OOMKilled"), ""),
    )
    inside.close()
    return found


def _exit_code(fields: Fields, name: str) -> int | None:
    code = fields.whole(name, None)
    if code is not None and code > 255:
        fields.fail(name, "must be from 0 to 255")
    return code


def _expectations(fields: Fields) -> list[Expectation]:
    found = []
    for n, value, path in fields.each("expect"):
        if not isinstance(value, str):
            fields.errors.append(invalid(path, value, "must be a text"))
            continue
        try:
            expectations.parse(value)
        except expectations.ExpectationError as error:
            fields.errors.append(invalid(path, value, str(error)))
        found.append(Expectation(value, n))
    return found
