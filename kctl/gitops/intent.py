"""The durable intent, and the controller that carries it out.

Before anything is applied, three objects are written in one entry of the log: the *rendered set*
(every object with its file and line, named by its content), the set's inventory, and the
*intent*. From then on a crash loses nothing: the controller goes on where the status says it
was. It applies stage by stage, and starts a stage only when what it needs is ready: Namespaces
active and furnished with their default ServiceAccount, custom resources established.

There is one intent per set. Applying the set again replaces it and counts its ``serial`` up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, ClassVar, NamedTuple

from kctl.api import health, schema
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, controller_of, dig, is_condition_true, is_deleting, key_of
from kctl.api.registry import builtin
from kctl.client.cache import Caches
from kctl.client.client import Client
from kctl.gitops import fielddiff, inventory, replacing
from kctl.gitops.changes import what_became
from kctl.gitops.inventory import API_VERSION, Entry
from kctl.gitops.references import POD_TEMPLATES
from kctl.gitops.targets import CRDS, Target
from kctl.runtime.actions import Action, Apply, Delete, Patch
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

INTENTS = "intents.kctl.dev"
RENDERED_SETS = "renderedsets.kctl.dev"
FINISHED = ("Done", "Failed")
WITH_HEALTH = tuple(
    resource for resource in sorted(health.RULES) if resource not in (CRDS, "nodes", "replicasets.apps")
)
"""What a wave that is to be healthy is asked about."""
BATCH = 500
"""So many objects are applied in one sync at most."""


class Wish(NamedTuple):
    """What the user asked for besides the objects."""

    set_name: str
    source: Obj
    force: bool
    prune: bool
    pruned: Sequence[Entry]
    field_manager: str = inventory.MANAGER
    unchanged: Sequence[bool] = ()
    """For each object, in order, whether applying it was found to change nothing."""
    replaced: Sequence[bool] = ()
    """For each object, in order, whether it is to be deleted and created anew."""


def rendered_set(stages: Iterable[Sequence[Target]], waves: Sequence[int] = ()) -> Obj:
    """Return the rendered set of a plan, named by its content but for Secrets. ``waves``: one for each stage.

    A hash shows who can guess what was hashed that the guess is right, and names are not encrypted.
    """
    objects: list[Obj] = [
        {
            "file": target.manifest.file,
            "line": target.manifest.line,
            "stage": number,
            **({"wave": waves[number]} if waves and waves[number] else {}),
            "resource": target.resource,
            "object": target.object,
        }
        for number, stage in enumerate(stages)
        for target in stage
    ]
    shown = [{**entry, "object": _identity(entry["object"])} for entry in objects]
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"))
    name = blake2b(text.encode(), digest_size=20).hexdigest()
    return {
        "apiVersion": API_VERSION,
        "kind": "RenderedSet",
        "metadata": {"name": name},
        "spec": {"objects": objects},
    }


def _identity(obj: Obj) -> Obj:
    """Return the object; of a Secret what tells it from others alone."""
    if obj.get("kind") != "Secret":
        return obj
    metadata = obj.get("metadata") or {}
    return {"kind": "Secret", "namespace": metadata.get("namespace"), "name": metadata.get("name")}


def told_apart(client: Client, rendered: Obj) -> Obj:
    """Return the rendered set under a name that no other content has: sets may differ in Secrets alone."""
    name = rendered["metadata"]["name"]
    number = 1
    while True:
        found = inventory.read(client, RENDERED_SETS, rendered["metadata"]["name"])
        if found is None or found.get("spec") == rendered["spec"]:
            return rendered
        number += 1
        rendered = {**rendered, "metadata": {"name": f"{name}-{number}"}}


def pending(client: Client, set_name: str) -> Obj | None:
    """Return the set's intent when it has not been carried out, None otherwise."""
    found = inventory.read(client, INTENTS, set_name)
    return found if found is not None and not is_finished(found) else None


def is_finished(intent: Obj) -> bool:
    """Say whether the intent's latest serial has been carried out (or has failed for good)."""
    status = intent.get("status") or {}
    return status.get("observedSerial") == intent["spec"]["serial"] and status.get("phase") in FINISHED


def write(client: Client, wish: Wish, rendered: Obj, owned: Iterable[Entry]) -> None:
    """Write the rendered set, the inventory and the intent; drop rendered sets nobody needs."""
    if inventory.read(client, RENDERED_SETS, rendered["metadata"]["name"]) is None:
        client.create(RENDERED_SETS, rendered)
    known = inventory.entries(inventory.read(client, inventory.RESOURCE, wish.set_name))
    uids = {entry.identity: entry.uid for entry in known}
    _put(client, inventory.RESOURCE, inventory.build(wish.set_name, inventory.with_uids(owned, uids)))
    old = inventory.read(client, INTENTS, wish.set_name)
    serial = dig(old, "spec", "serial", default=0) + 1
    spec = {
        "set": wish.set_name,
        "serial": serial,
        "renderedSet": rendered["metadata"]["name"],
        "source": wish.source,
        "force": wish.force,
        "prune": wish.prune,
        "pruned": [entry.data() for entry in wish.pruned],
        "fieldManager": wish.field_manager,
        "unchanged": ranges(wish.unchanged),
        "replaced": ranges(wish.replaced),
    }
    _put(
        client,
        INTENTS,
        {"apiVersion": API_VERSION, "kind": "Intent", "metadata": {"name": wish.set_name}, "spec": spec},
    )
    _forget_unused(client)


def ranges(flags: Sequence[bool]) -> list[list[int]]:
    """Return where flags are set, as ``[first, behind the last]``."""
    found: list[list[int]] = []
    for n, flag in enumerate(flags):
        if flag and found and found[-1][1] == n:
            found[-1][1] = n + 1
        elif flag:
            found.append([n, n + 1])
    return found


def _is_in(ranges: Iterable[Sequence[int]], number: int) -> bool:
    return any(first <= number < behind for first, behind in ranges)


def _put(client: Client, resource: str, obj: Obj) -> None:
    """Create the object, or replace its spec when it is another."""
    live = inventory.read(client, resource, obj["metadata"]["name"])
    if live is None:
        client.create(resource, obj)
    elif live.get("spec") != obj["spec"]:
        client.update(resource, {**live, "spec": obj["spec"]})


def _forget_unused(client: Client) -> None:
    used = {intent["spec"]["renderedSet"] for intent in client.list(INTENTS).items}
    for rendered in client.list(RENDERED_SETS).items:
        if rendered["metadata"]["name"] not in used:
            client.delete(RENDERED_SETS, Key("", rendered["metadata"]["name"]))


class Seen(NamedTuple):
    """What the controller looks at: the intent, its objects, what the next ones still wait for."""

    intent: Obj
    objects: list[Obj]
    applied: int
    waits_for: tuple[str, ...]
    inventory: Obj | None


class IntentController(Controller):
    """Carries out intents."""

    name: ClassVar[str] = "intent-controller"
    user: ClassVar[str] = "kubernetes-admin"
    level: ClassVar[int] = 10
    reads: ClassVar[tuple[str, ...]] = (inventory.RESOURCE,)
    writes: ClassVar[tuple[str, ...]] = (INTENTS, inventory.RESOURCE, "*")

    def __init__(self) -> None:
        self.watches = (
            Watch(INTENTS, keys_of_self),
            Watch(RENDERED_SETS, _keys_of_unfinished),
            Watch("namespaces", _keys_of_unfinished),
            Watch("serviceaccounts", _keys_of_default_account),
            Watch(CRDS, _keys_of_unfinished),
            *(Watch(resource, _keys_of_waves, alike=True) for resource in WITH_HEALTH),
        )

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the intent and its objects; None when it is carried out."""
        intent = caches[INTENTS].get(key)
        if intent is None or is_finished(intent):
            return None
        rendered = caches[RENDERED_SETS].get(Key("", intent["spec"]["renderedSet"]))
        if rendered is None:
            return None  # its event wakes us
        objects: list[Obj] = dig(rendered, "spec", "objects", default=[])
        applied = _progress(intent)
        waits = tuple(_waits(caches, objects, applied))
        return Seen(intent, objects, applied, waits, caches[inventory.RESOURCE].get(key))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Apply the next batch, then prune, then say that it is done."""
        intent, objects, applied = seen.intent, seen.objects, seen.applied
        if seen.waits_for:
            return Decision()
        if applied < len(objects):
            stage = objects[applied]["stage"]
            batch = [entry for entry in objects[applied : applied + BATCH] if entry["stage"] == stage]
            return Decision((*(self._apply(intent, entry) for entry in batch), _report(intent, {"stage": stage})))
        results = dig(intent, "status", "results", default=[])
        pruned = [inventory.from_data(data) for data in intent["spec"]["pruned"]]
        actions: list[Action] = [Delete(entry.resource, entry.key, propagation="Background") for entry in pruned]
        actions += self._list(seen, {entry.identity for entry in pruned}, results)
        failed = any(result["change"] == "failed" for result in results)
        return Decision((*actions, _report(intent, {"phase": "Failed" if failed else "Done"})))

    @staticmethod
    def _list(seen: Seen, pruned: set[tuple[str, str, str]], results: Sequence[Obj]) -> list[Action]:
        """Bring the inventory up to date: without what was pruned, with the uids that are known now."""
        uids = {
            (entry["resource"], result["namespace"], result["name"]): result.get("uid", "")
            for entry, result in zip(seen.objects, results, strict=False)
        }
        known = inventory.entries(seen.inventory)
        kept = inventory.with_uids((entry for entry in known if entry.identity not in pruned), uids)
        if kept == known:
            return []
        name = seen.intent["spec"]["set"]
        return [Patch(inventory.RESOURCE, Key("", name), {"spec": inventory.build(name, kept)["spec"]})]

    @staticmethod
    def _apply(intent: Obj, entry: Obj) -> Apply:
        spec = intent["spec"]
        return Apply(entry["resource"], entry["object"], spec["fieldManager"], spec["force"])

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Apply each object, then record what came of it; a refusal that may pass is tried again."""
        applies = [action for action in decision.actions if isinstance(action, Apply)]
        others = [action for action in decision.actions if not isinstance(action, Apply)]
        if not applies:
            super().act(client, Decision(tuple(others)), now)
            return
        report = others[-1]
        if not isinstance(report, Patch):
            raise TypeError(f"not the report of a batch: {report!r}")
        results: list[Obj] = []
        stopped: StatusError | None = None
        intent = client.get(INTENTS, "", report.key.name)
        untouched = intent["spec"].get("unchanged") or ()
        for number, action in enumerate(applies, _progress(intent)):
            if _is_in(untouched, number):  # found when the intent was written, and nothing else was written then
                results.append(_result(action, "unchanged"))
                continue
            try:
                results.append(_carry_out(client, action, anew=_is_in(intent["spec"].get("replaced") or (), number)))
            except StatusError as error:
                if may_pass(error):
                    stopped = error
                    break
                results.append(_result(action, "failed", message=error.message))
        if results:
            self._record(client, report, results)
        if stopped is not None:
            raise stopped

    def _record(self, client: Client, report: Patch, results: list[Obj]) -> None:
        """Move the cursor behind what has been applied."""
        status = report.patch["status"]
        old = client.get(INTENTS, "", report.key.name)
        rendered = client.get(RENDERED_SETS, "", old["spec"]["renderedSet"])
        applied = _progress(old)
        places = rendered["spec"]["objects"][applied : applied + len(results)]
        located = [
            {"file": at["file"], "line": at["line"], **result} for at, result in zip(places, results, strict=True)
        ]
        before = dig(old, "status", "results", default=[]) if applied else []
        status = {**status, "applied": applied + len(results), "results": [*before, *located]}
        client.patch(INTENTS, report.key, {"status": status}, subresource="status")


def _progress(intent: Obj) -> int:
    """Return how many objects have been applied, 0 when the status is about an older serial."""
    status = intent.get("status") or {}
    is_current = status.get("observedSerial") == intent["spec"]["serial"]
    return int(status.get("applied") or 0) if is_current else 0


def _report(intent: Obj, status: Obj) -> Patch:
    """Return the action that writes the intent's status."""
    changes: Obj = {"observedSerial": intent["spec"]["serial"], "phase": "Applying", **status}
    if dig(intent, "status", "observedSerial") != intent["spec"]["serial"]:
        changes = {"applied": 0, "results": [], **changes}
    return Patch(INTENTS, Key("", intent["metadata"]["name"]), {"status": changes}, "merge", "status")


def _carry_out(client: Client, action: Apply, *, anew: bool) -> Obj:
    if anew:
        replacing.make_room(client, action.resource, action.obj)
    before = inventory.read_at(client, action.resource, key_of(action.obj))
    after = client.apply(action.resource, action.obj, field_manager=action.field_manager, force=action.force)
    uid = after["metadata"].get("uid", "")
    change = "replaced" if anew else what_became(before, after)
    if change != "configured":
        return _result(action, change, uid=uid)
    fields = fielddiff.changes(before, after, _schema(action.resource))
    return _result(action, change, uid=uid, fields=[field.data() for field in fields])


def _schema(resource: str) -> schema.Node | None:
    try:
        return schema.of(builtin().storage(resource))
    except KeyError:
        return None


def _result(action: Apply, change: str, **more: Any) -> Obj:
    obj, (namespace, name) = action.obj, key_of(action.obj)
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "namespace": namespace,
        "name": name,
        "change": change,
        **more,
    }


def may_pass(error: StatusError) -> bool:
    """Say whether the same request may succeed later: lost races, overload, a namespace on its way."""
    if error.code in (429, 500, 503, 504):
        return True
    if error.code == 409:
        return not (error.details or {}).get("causes")
    return error.code == 404 and (error.details or {}).get("kind") == "namespaces"


def _waits(caches: Caches, objects: Sequence[Obj], applied: int) -> Iterable[str]:
    """Yield what the next batch needs that is not ready yet."""
    if applied >= len(objects):
        return
    yield from unhealthy(objects, applied, lambda resource, key: caches[resource].get(key))
    stage = objects[applied]["stage"]
    brought = [entry for entry in objects[:applied] if entry["stage"] < stage]
    batch = [entry for entry in objects[applied:] if entry["stage"] == stage]
    used = {entry["object"]["metadata"].get("namespace") for entry in batch}
    kinds = {entry["resource"] for entry in batch}
    peopled = {
        entry["object"]["metadata"].get("namespace") for entry in batch if entry["object"]["kind"] in POD_TEMPLATES
    }
    new = {entry["object"]["metadata"]["name"] for entry in brought if entry["resource"] == "namespaces"}
    for name in sorted(peopled - new):  # in a new cluster no controller has seen its namespaces yet
        namespace = caches["namespaces"].get(Key("", name))
        if namespace is not None and not is_deleting(namespace):
            yield from _account_waits(caches, name)
    for entry in brought:
        name = entry["object"]["metadata"]["name"]
        if entry["resource"] == "namespaces" and name in used:
            yield from _namespace_waits(caches, name, has_pods=name in peopled)
        elif entry["resource"] == CRDS and name in kinds:
            crd = caches[CRDS].get(Key("", name))
            if crd is None or not is_condition_true(crd, "Established"):
                yield f"{CRDS}/{name}"


def unhealthy(objects: Sequence[Obj], applied: int, find: Callable[[str, Key], Obj | None]) -> Iterator[str]:
    """Yield the objects of earlier waves that the next one waits for, each with what is wrong with it."""
    wave = objects[applied].get("wave", 0) if applied < len(objects) else 0
    for entry in objects[:applied] if wave else ():
        resource, key = entry["resource"], key_of(entry["object"])
        if entry.get("wave", 0) == wave or resource not in WITH_HEALTH:
            continue
        found = find(resource, key)
        state = health.of(resource, found) if found is not None else health.Health("InProgress", "NotFound")
        if state.state not in ("Current", "Unknown"):
            yield f"{resource}/{key.name} ({state.reason or state.state})"


def _namespace_waits(caches: Caches, name: str, *, has_pods: bool) -> Iterable[str]:
    namespace = caches["namespaces"].get(Key("", name))
    if namespace is None or is_deleting(namespace) or dig(namespace, "status", "phase") != "Active":
        yield f"namespaces/{name}"
    elif has_pods:
        yield from _account_waits(caches, name)


def _account_waits(caches: Caches, namespace: str) -> Iterable[str]:
    """Yield the ServiceAccount that pods need and a controller makes."""
    if caches["serviceaccounts"].get(Key(namespace, "default")) is None:
        yield f"serviceaccounts/{namespace}/default"


def _keys_of_unfinished(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Wake every intent that is under way."""
    return [Key("", intent["metadata"]["name"]) for intent in caches[INTENTS].all() if not is_finished(intent)]


def _keys_of_default_account(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    obj = new or old or {}
    return _keys_of_unfinished(old, new, caches) if obj["metadata"]["name"] == "default" else []


def _keys_of_waves(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Wake the intents that wait for a wave to be healthy; pods of controllers are nobody's business here."""
    if controller_of(new or old or {"metadata": {}}) is not None:
        return []
    return _keys_of_unfinished(old, new, caches)
