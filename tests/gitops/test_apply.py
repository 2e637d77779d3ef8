"""Planning in a fork, the intent, the loop that carries it out, prune."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.errors import Refused, StatusError, conflict, unavailable
from kctl.api.objects import Key, Obj
from kctl.gitops import applied, apply, intent, inventory, manifests, unified
from kctl.gitops.apply import Options, Plan
from kctl.gitops.sources import ManifestErrors, Source

LOOPS = ["intent-controller", "serviceaccount-controller", "namespace-controller"]

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: nginx:1
"""
SHOP = """\
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: shop}
spec:
  containers: [{name: c, image: x}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
"""


class Cluster:
    """A control plane in memory, and sets applied to it."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.client = plane.client

    def plan(self, text: str, options: Options = apply.DEFAULTS, name: str = "test") -> Plan:
        found, errors = manifests.collect([Source("x.yaml", text.encode)])
        if errors:
            raise ManifestErrors(errors)
        server = self.plane.server
        return apply.plan(
            self.client, found, set_name=name, registry=server.registry, fork=server.fork, options=options
        )

    def write(self, text: str, options: Options = apply.DEFAULTS, name: str = "test") -> str | None:
        return apply.commit(self.client, self.plan(text, options, name), source={"paths": ["x.yaml"]})

    def run(self, text: str, options: Options = apply.DEFAULTS, name: str = "test") -> Obj:
        self.write(text, options, name)
        self.plane.commit()
        self.plane.converge()
        return self.client.get(intent.INTENTS, "", name)["status"]

    def refused(self, text: str, options: Options = apply.DEFAULTS) -> list[str]:
        revision = self.plane.revision
        with pytest.raises(ManifestErrors) as caught:
            self.write(text, options)
        assert self.plane.revision == revision
        return caught.value.message.splitlines()

    def has(self, resource: str, namespace: str, name: str) -> bool:
        return inventory.read_at(self.client, resource, Key(namespace, name)) is not None


@pytest.fixture
def cluster() -> Any:
    with ControlPlane.open(None, controllers=LOOPS) as plane:
        yield Cluster(plane)


def changes(planned: Plan) -> dict[str, str]:
    return {change.object: change.change for change in planned.changes}


class TestPlan:
    def test_nothing_is_written(self, cluster: Cluster) -> None:
        before = cluster.plane.revision
        planned = cluster.plan(SHOP)
        assert cluster.plane.revision == before
        assert changes(planned) == {"pod/bare": "created", "namespace/shop": "created", "configmap/settings": "created"}
        assert not cluster.has("namespaces", "", "shop")

    def test_the_namespace_comes_in_a_stage_of_its_own(self, cluster: Cluster) -> None:
        names = [[target.key.name for target in stage] for stage in cluster.plan(SHOP).stages]
        assert names == [["shop"], ["settings", "bare"]]

    def test_what_differs_is_said_field_by_field(self, cluster: Cluster) -> None:
        cluster.run(DEPLOYMENT)
        (change,) = cluster.plan(DEPLOYMENT.replace("nginx:1", "nginx:2").replace("replicas: 2", "replicas: 3")).changes
        assert change.data()["fields"] == [
            {"path": "spec.replicas", "from": 2, "to": 3},
            {"path": "spec.template.spec.containers[name=web].image", "from": "nginx:1", "to": "nginx:2"},
        ]
        assert change.change == "configured"

    def test_the_form_of_a_value_is_no_difference(self, cluster: Cluster) -> None:
        resources = "        resources: {requests: {cpu: %s, memory: %s}}\n"
        cluster.run(DEPLOYMENT + resources % ("500m", "1Gi"))
        planned = cluster.plan(DEPLOYMENT + resources % ("0.5", "1024Mi"))
        assert [field for change in planned.changes for field in change.fields] == []

    def test_secrets_are_masked_unless_asked_for(self, cluster: Cluster) -> None:
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: %s, b: same}\n"
        cluster.run(secret % "old")
        (change,) = cluster.plan(secret % "new").changes
        assert [field.data() for field in change.fields] == [
            {"path": "data.a", "from": "*** (before)", "to": "*** (after)"}
        ]
        (change,) = cluster.plan(secret % "new", Options(secrets=True)).changes
        assert change.fields[0].after == "bmV3"

    def test_data_has_what_the_report_wants(self, cluster: Cluster) -> None:
        assert cluster.plan(DEPLOYMENT).data() == [
            {
                "file": "x.yaml",
                "line": 1,
                "object": "deployment.apps/web",
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "namespace": "default",
                "name": "web",
                "change": "created",
                "fields": [],
            }
        ]


class TestRefusals:
    def test_a_bad_value_is_named_with_its_line(self, cluster: Cluster) -> None:
        assert cluster.refused(DEPLOYMENT.replace("replicas: 2", "replicas: -1")) == [
            'x.yaml:6: deployments.apps "web": spec.replicas: Invalid value: -1: must be greater than or equal to 0'
        ]

    def test_all_errors_of_all_objects_come_at_once(self, cluster: Cluster) -> None:
        bad = DEPLOYMENT.replace("image: nginx:1", "image: nginx:1\n        imag: y").replace(
            "replicas: 2", "replicas: two"
        )
        found = cluster.refused(bad + "---\n" + SHOP.replace("namespace: shop", "namespace: nowhere"))
        assert found == [
            'x.yaml:6: deployments.apps "web": spec.replicas: Invalid type. Expected: integer, given: string',
            'x.yaml:16: deployments.apps "web": spec.template.spec.containers[0].imag: ' + found[1].rpartition(": ")[2],
            'x.yaml:20: pods "bare": namespaces "nowhere" not found: no manifest here brings it and the cluster has none',
            'x.yaml:30: configmaps "settings": namespaces "nowhere" not found: '
            "no manifest here brings it and the cluster has none",
        ]
        assert "unknown field" in found[1].lower() or "additional property" in found[1].lower()

    def test_unknown_kinds_are_named(self, cluster: Cluster) -> None:
        assert cluster.refused("apiVersion: v1\nkind: Pood\nmetadata: {name: a}\n") == [
            'x.yaml:2: Pood "a": no matches for kind "Pood" in version "v1": ensure CRDs are installed first'
        ]
        assert "example.com/v9" in cluster.refused("apiVersion: example.com/v9\nkind: Pod\nmetadata: {name: a}\n")[0]

    def test_an_object_is_named_once(self, cluster: Cluster) -> None:
        (message,) = cluster.refused(SHOP.replace("name: bare", "name: Bare"))
        assert message.startswith('x.yaml:3: pods "Bare": metadata.name: Invalid value: "Bare": ')

    def test_a_bad_namespace_does_not_drown_the_reason(self, cluster: Cluster) -> None:
        (message,) = cluster.refused(SHOP.replace("{name: shop}", "{name: shop, labels: {a: '/'}}"))
        assert message.startswith('x.yaml:9: namespaces "shop": metadata.labels: Invalid value: "/"')

    def test_an_immutable_field_is_named(self, cluster: Cluster) -> None:
        cluster.run(DEPLOYMENT)
        (message,) = cluster.refused(DEPLOYMENT.replace("app: web", "app: other"))
        assert message.startswith('x.yaml:7: deployments.apps "web": spec.selector: Invalid value: ')
        assert "field is immutable: --recreate" in message

    def test_the_given_namespace_must_match(self, cluster: Cluster) -> None:
        assert cluster.refused(SHOP, Options(namespace="default")) == [
            'x.yaml:3: pods "bare": namespace "shop" does not match "default", which -n gives',
            'x.yaml:13: configmaps "settings": namespace "shop" does not match "default", which -n gives',
        ]

    def test_a_field_of_another_manager_is_a_conflict_until_forced(self, cluster: Cluster) -> None:
        cluster.run(DEPLOYMENT)
        live = cluster.client.get("deployments.apps", "default", "web")
        cluster.client.apply(
            "deployments.apps",
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {**{k: live["spec"][k] for k in ("selector", "template")}, "replicas": 9},
            },
            field_manager="someone",
            force=True,
        )
        found = cluster.refused(DEPLOYMENT)
        assert found[0].startswith('x.yaml:6: deployments.apps "web": spec.replicas: conflict with "someone"')
        assert changes(cluster.plan(DEPLOYMENT, Options(force=True))) == {"deployment.apps/web": "configured"}


class TestCommit:
    def test_applying_the_same_again_writes_nothing(self, cluster: Cluster) -> None:
        status = cluster.run(SHOP + "---\n" + DEPLOYMENT)
        assert (status["phase"], status["applied"]) == ("Done", 4)
        revision = cluster.plane.revision
        assert cluster.write(SHOP + "---\n" + DEPLOYMENT) is None
        assert cluster.plane.revision == revision

    def test_results_name_object_place_and_change(self, cluster: Cluster) -> None:
        cluster.run(DEPLOYMENT)
        status = cluster.run(DEPLOYMENT.replace("nginx:1", "nginx:2") + "---\n" + SHOP)
        assert [(r["file"], r["line"], r["kind"], r["name"], r["change"]) for r in status["results"]] == [
            ("x.yaml", 23, "Namespace", "shop", "created"),
            ("x.yaml", 1, "Deployment", "web", "configured"),
            ("x.yaml", 27, "ConfigMap", "settings", "created"),
            ("x.yaml", 17, "Pod", "bare", "created"),
        ]
        changed = next(r for r in status["results"] if r["name"] == "web")
        assert changed["fields"] == [
            {"path": "spec.template.spec.containers[name=web].image", "from": "nginx:1", "to": "nginx:2"}
        ]

    def test_what_was_written_survives_being_interrupted(self, cluster: Cluster) -> None:
        cluster.write(SHOP)
        cluster.plane.commit()
        assert cluster.write(SHOP) == "test"  # asked again before it was carried out
        cluster.plane.converge()
        assert cluster.client.get(intent.INTENTS, "", "test")["spec"]["serial"] == 1
        assert cluster.has("pods", "shop", "bare")

    def test_a_newer_wish_replaces_one_that_was_not_carried_out(self, cluster: Cluster) -> None:
        cluster.write(DEPLOYMENT)
        status = cluster.run(DEPLOYMENT.replace("replicas: 2", "replicas: 5"))
        assert status["phase"] == "Done"
        assert cluster.client.get("deployments.apps", "default", "web")["spec"]["replicas"] == 5
        assert len(cluster.client.list(intent.RENDERED_SETS).items) == 1

    def test_drift_is_healed(self, cluster: Cluster) -> None:
        cluster.run(DEPLOYMENT)
        cluster.client.patch("deployments.apps", Key("default", "web"), {"spec": {"replicas": 7}})
        status = cluster.run(DEPLOYMENT, Options(force=True))
        assert status["results"][0]["fields"] == [{"path": "spec.replicas", "from": 7, "to": 2}]


class TestWhatWasApplied:
    def test_every_set_can_be_read_back(self, cluster: Cluster) -> None:
        cluster.run(SHOP)
        cluster.write(DEPLOYMENT, name="other")
        first, second = applied.sets(cluster.client)
        assert (first.name, first.phase, first.manifests[0].place()) == ("other", "Pending", "x.yaml:1")
        assert (second.name, second.phase, len(second.manifests)) == ("test", "Done", 3)

    def test_drift_is_what_planning_it_again_would_change(self, cluster: Cluster) -> None:
        cluster.run(DEPLOYMENT)
        cluster.client.patch("deployments.apps", Key("default", "web"), {"spec": {"replicas": 7}})
        server = cluster.plane.server
        (change,) = apply.drift(cluster.client, registry=server.registry, fork=server.fork, options=Options(force=True))
        assert [line for line in unified.lines(change) if line[0] in "+-"] == [
            "--- live/apps.v1.Deployment.default.web\n",
            "+++ merged/apps.v1.Deployment.default.web\n",
            "-  replicas: 7\n",
            "+  replicas: 2\n",
        ]

    def test_unified_yaml_masks_secrets(self, cluster: Cluster) -> None:
        planned = cluster.plan("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: geheim}\n")
        (change,) = planned.changes
        assert "+  a: '***'\n" in unified.lines(change)
        assert any("Z2VoZWlt" in line for line in unified.lines(change, secrets=True))


class Flaky:
    """A client whose apply fails at chosen calls."""

    def __init__(self, client: Any, errors: dict[int, StatusError]) -> None:
        self._client = client
        self._errors = errors
        self.calls = 0

    def apply(self, *args: Any, **kwargs: Any) -> Obj:
        self.calls += 1
        error = self._errors.get(self.calls)
        if error:
            raise error
        return self._client.apply(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: shops, kind: Shop}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
---
"""


class TestController:
    def test_a_definition_nobody_in_the_set_uses_holds_nothing_up(self, cluster: Cluster) -> None:
        assert cluster.run(CRD + SHOP)["phase"] == "Done"
        assert cluster.client.get("configmaps", "shop", "settings")

    def test_a_refusal_that_may_pass_stops_the_batch_and_is_tried_again(self, cluster: Cluster) -> None:
        text = "---\n".join(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}}}\n" for n in range(4))
        cluster.write(text)
        found = intent_state(cluster)
        controller = intent.IntentController()
        decision = controller.decide(found, 0.0)
        with pytest.raises(StatusError):
            controller.act(Flaky(cluster.client, {3: unavailable("busy")}), decision, 0.0)  # type: ignore[arg-type]
        assert cluster.client.get(intent.INTENTS, "", "test")["status"]["applied"] == 2
        controller.act(cluster.client, controller.decide(intent_state(cluster), 0.0), 0.0)
        status = cluster.client.get(intent.INTENTS, "", "test")["status"]
        assert [result["name"] for result in status["results"]] == ["c0", "c1", "c2", "c3"]

    def test_a_refusal_for_good_is_recorded_and_the_rest_goes_on(self, cluster: Cluster) -> None:
        text = "---\n".join(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}}}\n" for n in range(3))
        cluster.write(text)
        controller = intent.IntentController()
        error = StatusError(422, "Invalid", "no")
        controller.act(
            Flaky(cluster.client, {2: error}),  # type: ignore[arg-type]
            controller.decide(intent_state(cluster), 0.0),
            0.0,
        )
        controller.act(cluster.client, controller.decide(intent_state(cluster), 0.0), 0.0)
        status = cluster.client.get(intent.INTENTS, "", "test")["status"]
        assert [result["change"] for result in status["results"]] == ["created", "failed", "created"]
        assert status["phase"] == "Failed"

    @pytest.mark.parametrize("stop", [1, 2, 3])
    def test_it_goes_on_where_it_was_whatever_was_done(self, cluster: Cluster, stop: int) -> None:
        cluster.write(SHOP)
        controller = intent.IntentController()
        first = controller.decide(intent_state(cluster), 0.0)
        controller.act(cluster.client, first, 0.0)
        for _ in range(stop):  # the same stale decision, again and again
            for action in first.actions[:-1]:
                cluster.client.apply(action.resource, action.obj, field_manager="kctl", force=False)  # type: ignore[union-attr]
        cluster.plane.commit()
        cluster.plane.converge()
        status = cluster.client.get(intent.INTENTS, "", "test")["status"]
        assert (status["phase"], [r["name"] for r in status["results"]]) == ("Done", ["shop", "settings", "bare"])

    def test_lost_races_may_pass_and_ownership_conflicts_do_not(self) -> None:
        assert intent.may_pass(conflict("pods", "a", "changed"))
        owned = StatusError(409, "Conflict", "x", details={"causes": [{"reason": "FieldManagerConflict"}]})
        assert not intent.may_pass(owned)
        assert not intent.may_pass(StatusError(422, "Invalid", "x"))


def intent_state(cluster: Cluster) -> intent.Seen:
    """Return what the controller would observe, read from the server itself."""
    found = cluster.client.get(intent.INTENTS, "", "test")
    rendered = cluster.client.get(intent.RENDERED_SETS, "", found["spec"]["renderedSet"])
    status = found.get("status") or {}
    listed = inventory.read(cluster.client, inventory.RESOURCE, "test")
    return intent.Seen(found, rendered["spec"]["objects"], status.get("applied", 0), (), listed)


class TestPrune:
    def test_what_the_set_no_longer_has_goes_when_asked(self, cluster: Cluster) -> None:
        cluster.run(SHOP + "---\n" + DEPLOYMENT)
        planned = cluster.plan(DEPLOYMENT)
        assert (planned.pruned, changes(planned)) == ([], {"deployment.apps/web": "unchanged"})
        planned = cluster.plan(SHOP, Options(prune=True))
        assert changes(planned)["deployment.apps/web"] == "pruned"
        cluster.run(SHOP, Options(prune=True))
        assert not cluster.has("deployments.apps", "default", "web")
        listed = inventory.entries(cluster.client.get(inventory.RESOURCE, "", "test"))
        assert [entry.name for entry in listed] == ["settings", "shop", "bare"]

    def test_what_was_left_once_can_be_pruned_later(self, cluster: Cluster) -> None:
        cluster.run(SHOP + "---\n" + DEPLOYMENT)
        cluster.run(SHOP)
        assert cluster.has("deployments.apps", "default", "web")
        cluster.run(SHOP, Options(prune=True))
        assert not cluster.has("deployments.apps", "default", "web")

    def test_nothing_else_is_touched(self, cluster: Cluster) -> None:
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "default"}}
        cluster.client.create("configmaps", config)
        cluster.run(DEPLOYMENT + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ours}\n")
        cluster.client.delete("configmaps", Key("default", "ours"))
        cluster.client.create("configmaps", {**config, "metadata": {"name": "ours", "namespace": "default"}})
        cluster.run(DEPLOYMENT, Options(prune=True))
        assert cluster.has("configmaps", "default", "mine")
        assert cluster.has("configmaps", "default", "ours")  # somebody else made it anew

    def test_what_moved_to_another_set_stays(self, cluster: Cluster) -> None:
        cluster.run(SHOP + "---\n" + DEPLOYMENT)
        cluster.run(DEPLOYMENT, name="other")
        cluster.run(SHOP, Options(prune=True))
        assert cluster.has("deployments.apps", "default", "web")

    def test_a_namespace_with_content_is_guarded(self, cluster: Cluster) -> None:
        cluster.run(SHOP + "---\n" + DEPLOYMENT)
        with pytest.raises(Refused, match=r'namespaces "shop" \(2 objects in it\)') as caught:
            cluster.plan(DEPLOYMENT, Options(prune=True))
        assert caught.value.exit_code == 4
        planned = cluster.plan(DEPLOYMENT, Options(prune=True, prune_confirm=True))
        assert [entry.name for entry in planned.pruned] == ["bare", "settings", "shop"]

    def test_pruning_everything_is_guarded(self, cluster: Cluster) -> None:
        cluster.run(DEPLOYMENT)
        with pytest.raises(Refused, match="prune everything"):
            cluster.plan("", Options(prune=True))


CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
@pytest.mark.parametrize("folder", ["microservices-demo", "voting-app"])
def test_a_real_set_is_planned_and_applied(cluster: Cluster, folder: str) -> None:
    found = manifests.load([str(CORPUS / folder)])
    server = cluster.plane.server
    planned = apply.plan(cluster.client, found, set_name="test", registry=server.registry, fork=server.fork)
    assert {change.change for change in planned.changes} == {"created"}
    apply.commit(cluster.client, planned, source={"paths": [folder]})
    cluster.plane.commit()
    cluster.plane.converge()
    again = apply.plan(cluster.client, found, set_name="test", registry=server.registry, fork=server.fork)
    assert {change.change for change in again.changes} == {"unchanged"}
    assert apply.commit(cluster.client, again, source={"paths": [folder]}) is None


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ([], []),
        ([False, False], []),
        ([True, True, True], [[0, 3]]),
        ([True, False, True, True, False], [[0, 1], [2, 4]]),
    ],
)
def test_what_is_unchanged_is_noted_in_ranges(flags: list[bool], found: list[list[int]]) -> None:
    assert intent.ranges(flags) == found


def test_carrying_out_writes_only_what_the_plan_changes(cluster: Cluster) -> None:
    cluster.run(SHOP)
    before = {name: cluster.client.get("configmaps", "shop", name) for name in ("settings",)}
    cluster.run(SHOP + "data: {colour: blue}\n")
    wish = cluster.client.get(intent.INTENTS, "", "test")
    assert wish["spec"]["unchanged"] == [[0, 1], [2, 3]]
    assert [result["change"] for result in wish["status"]["results"]] == ["unchanged", "configured", "unchanged"]
    assert cluster.client.get("configmaps", "shop", "settings") != before["settings"]


AUTOSCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  maxReplicas: 9
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
"""


def test_replicas_that_an_autoscaler_has_set_are_left_to_it(cluster: Cluster) -> None:
    both = f"{DEPLOYMENT}---\n{AUTOSCALER}"
    cluster.run(both)
    assert cluster.plan(both).warnings == ()
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
    path = "/apis/apps/v1/namespaces/default/deployments/web/scale?fieldManager=horizontal-pod-autoscaler"
    assert cluster.plane.request("PUT", path, body=scale).status == 200
    planned = cluster.plan(both)
    assert [str(warning) for warning in planned.warnings] == [
        'x.yaml:6: deployments.apps "web": spec.replicas: left to the HorizontalPodAutoscaler web'
    ]
    assert cluster.client.get("deployments.apps", "default", "web")["spec"]["replicas"] == 5
    cluster.run(both)
    assert cluster.client.get("deployments.apps", "default", "web")["spec"]["replicas"] == 5
    assert set(changes(cluster.plan(both)).values()) == {"unchanged"}


def test_the_name_of_a_rendered_set_tells_nothing_of_a_secret(cluster: Cluster) -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {{name: db}}\nstringData: {{password: {}}}\n"
    one, other = (intent.rendered_set(cluster.plan(text.format(value)).stages) for value in ("hunter2", "hunter3"))
    assert one["metadata"]["name"] == other["metadata"]["name"]
    cluster.client.create(intent.RENDERED_SETS, one)
    assert intent.told_apart(cluster.client, one) == one
    apart = intent.told_apart(cluster.client, other)
    assert apart["metadata"]["name"] == f"{one['metadata']['name']}-2"
    assert apart["spec"] == other["spec"]
