"""Several managers create, update, apply, patch and delete the same objects; the invariants of the server hold.

What is kept: managedFields are well-formed and own only what is there, resourceVersions and generations
follow their rules, applying the same again changes nothing, and nobody's fields get lost unless taken by force.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kctl import ControlPlane
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, dig
from kctl.client.local import LocalClient

MANAGERS = ("ann", "bob", "eve")
NAMES = ("one", "two")
DEPLOYMENTS = "deployments.apps"
WORDS = st.sampled_from(("a", "b", "c"))
LABELS = st.dictionaries(WORDS, st.sampled_from(("x", "y")), max_size=3)
ENV = st.dictionaries(st.sampled_from(("A", "B", "C")), st.sampled_from(("1", "2")), max_size=3)
REPLICAS = st.none() | st.integers(1, 3)


def deployment(name: str, labels: dict[str, str], env: dict[str, str], replicas: int | None) -> Obj:
    """Return a valid Deployment; without replicas it says nothing of them."""
    container: Obj = {"name": "c", "image": "x:1"}
    if env:
        container["env"] = [{"name": k, "value": v} for k, v in sorted(env.items())]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec: Obj = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if replicas is not None:
        spec["replicas"] = replicas
    meta: Obj = {"name": name, "namespace": "default", **({"labels": labels} if labels else {})}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def owned(fields: Obj, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths that a field set names."""
    for element, below in fields.items():
        if element == ".":
            yield above
        elif not below:
            yield (*above, element)
        else:
            yield from owned(below, (*above, element))


def is_there(value: Any, path: tuple[str, ...]) -> bool:
    """Say whether an object has what a path of a field set names."""
    for element in path:
        kind, _, text = element.partition(":")
        if kind == "f":
            if not isinstance(value, dict) or text not in value:
                return False
            value = value[text]
        elif kind == "k":
            import json

            keys = json.loads(text)
            items = [item for item in value or () if all(item.get(k) == v for k, v in keys.items())]
            if len(items) != 1:
                return False
            value = items[0]
    return True


class Managers(RuleBasedStateMachine):
    """Random requests of three managers on two Deployments."""

    def __init__(self) -> None:
        super().__init__()
        self.plane = ControlPlane.open(None, controllers=[])
        server = self.plane.server
        self.clients = {name: LocalClient(server, user="kubernetes-admin", field_manager=name) for name in MANAGERS}
        self.before: dict[str, Obj] = {}

    def teardown(self) -> None:
        self.plane.close()

    def live(self, name: str) -> Obj | None:
        try:
            return self.plane.client.get(DEPLOYMENTS, "default", name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            return None

    def asked(self, call: Any) -> Obj | None:
        """Return the answer, None where the server refuses as it may."""
        try:
            return call()
        except StatusError as error:
            if error.reason not in ("Conflict", "AlreadyExists", "NotFound"):
                raise
            return None

    @rule(who=st.sampled_from(MANAGERS), name=st.sampled_from(NAMES), labels=LABELS, env=ENV, replicas=REPLICAS)
    def create(self, who: str, name: str, labels: Any, env: Any, replicas: Any) -> None:
        self.asked(lambda: self.clients[who].create(DEPLOYMENTS, deployment(name, labels, env, replicas)))

    @rule(
        who=st.sampled_from(MANAGERS),
        name=st.sampled_from(NAMES),
        labels=LABELS,
        env=ENV,
        replicas=REPLICAS,
        force=st.booleans(),
    )
    def apply(self, who: str, name: str, labels: Any, env: Any, replicas: Any, force: bool) -> None:
        wanted, client = deployment(name, labels, env, replicas), self.clients[who]
        others = self.applied_by_others(name, who)
        first = self.asked(lambda: client.apply(DEPLOYMENTS, wanted, field_manager=who, force=force))
        if first is None:
            assert not force
            return
        assert client.apply(DEPLOYMENTS, wanted, field_manager=who, force=force) == first
        entry = next(e for e in first["metadata"]["managedFields"] if (e["manager"], e["operation"]) == (who, "Apply"))
        assert "f:replicas" in entry["fieldsV1"]["f:spec"] or replicas is None
        if not force:  # what others applied is as they left it
            assert {path for path in others if is_there(first, path)} == others

    def applied_by_others(self, name: str, who: str) -> set[tuple[str, ...]]:
        entries = dig(self.live(name), "metadata", "managedFields", default=())
        return {
            path
            for entry in entries
            if entry["operation"] == "Apply" and entry["manager"] != who
            for path in owned(entry["fieldsV1"])
        }

    @rule(who=st.sampled_from(MANAGERS), name=st.sampled_from(NAMES), labels=LABELS, env=ENV, stale=st.booleans())
    def update(self, who: str, name: str, labels: Any, env: Any, stale: bool) -> None:
        live = self.live(name)
        if live is None:
            return
        new = deployment(name, labels, env, live["spec"]["replicas"])
        version = "1" if stale else live["metadata"]["resourceVersion"]
        new["metadata"]["resourceVersion"] = version
        answer = self.asked(lambda: self.clients[who].update(DEPLOYMENTS, new))
        assert (answer is None) == stale
        if answer is not None:
            assert (answer["metadata"].get("labels") or {}) == labels

    @rule(
        who=st.sampled_from(MANAGERS),
        name=st.sampled_from(NAMES),
        word=WORDS,
        value=st.sampled_from(("x", "y", None)),
        kind=st.sampled_from(("merge", "strategic")),
    )
    def patch_label(self, who: str, name: str, word: str, value: Any, kind: Any) -> None:
        patch = {"metadata": {"labels": {word: value}}}
        answer = self.asked(lambda: self.clients[who].patch(DEPLOYMENTS, Key("default", name), patch, type=kind))
        if answer is not None:
            assert (answer["metadata"].get("labels") or {}).get(word) == value

    @rule(who=st.sampled_from(MANAGERS), name=st.sampled_from(NAMES), replicas=st.integers(0, 3))
    def write_status(self, who: str, name: str, replicas: int) -> None:
        live = self.live(name)
        patch = {"spec": {"replicas": 99}, "status": {"replicas": replicas}}
        key = Key("default", name)
        answer = self.asked(
            lambda: self.clients[who].patch(DEPLOYMENTS, key, patch, type="merge", subresource="status")
        )
        if answer is not None and live is not None:
            assert answer["spec"] == live["spec"]
            assert answer["metadata"]["generation"] == live["metadata"]["generation"]

    @precondition(lambda self: self.before)
    @rule(who=st.sampled_from(MANAGERS), name=st.sampled_from(NAMES))
    def delete(self, who: str, name: str) -> None:
        if self.asked(lambda: self.clients[who].delete(DEPLOYMENTS, Key("default", name))) is not None:
            assert self.live(name) is None
            self.before.pop(name, None)

    @invariant()
    def versions_and_generations_follow_their_rules(self) -> None:
        for name in NAMES:
            old, new = self.before.get(name), self.live(name)
            if old is not None and new is not None and old["metadata"]["uid"] == new["metadata"]["uid"]:
                moved = int(new["metadata"]["resourceVersion"]) - int(old["metadata"]["resourceVersion"])
                assert (moved == 0) if old == new else (moved > 0)
                steps = new["metadata"]["generation"] - old["metadata"]["generation"]
                assert steps == (old["spec"] != new["spec"])
            if new is not None:
                self.before[name] = new

    @invariant()
    def managed_fields_are_well_formed_and_own_what_is_there(self) -> None:
        for name in NAMES:
            live = self.live(name)
            entries = dig(live, "metadata", "managedFields", default=())
            identities = [(e["manager"], e["operation"], e["apiVersion"], e.get("subresource", "")) for e in entries]
            assert len(identities) == len(set(identities))
            for entry in entries:
                # the time is left out, as upstream does, where an apply only adds its name to what is there
                assert set(entry) - {"subresource", "time"} == {
                    "manager",
                    "operation",
                    "apiVersion",
                    "fieldsType",
                    "fieldsV1",
                }
                assert (entry["operation"], entry["fieldsType"]) in (("Apply", "FieldsV1"), ("Update", "FieldsV1"))
                missing = [path for path in owned(entry["fieldsV1"]) if not is_there(live, path)]
                assert missing == [], entry["manager"]


Managers.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestManagers = Managers.TestCase
