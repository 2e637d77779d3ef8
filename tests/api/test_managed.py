"""Server-side apply and the ownership of fields."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import registry, schema
from kctl.api.clock import EPOCH
from kctl.api.errors import StatusError
from kctl.api.objects import evolve, freeze
from kctl.api.patch import fieldsets, managed

BUILTIN = registry.builtin()
NOW = EPOCH


def node_of(obj):
    kind = BUILTIN.by_kind(obj["apiVersion"], obj["kind"])
    return schema.of(kind) if kind else None


def apply(live, obj, manager="m1", *, now=NOW, **more):
    kwargs = {"manager": manager, "api_version": obj["apiVersion"], "now": now, **more}
    out = managed.apply(freeze(live) if live else live, freeze(obj), node_of(obj), **kwargs)
    return stored(out)


def update(live, new, manager="m2", *, now=NOW, **more):
    kwargs = {"manager": manager, "api_version": new["apiVersion"], "now": now, **more}
    return stored(managed.updated(freeze(live) if live else live, freeze(new), node_of(new), **kwargs))


def stored(obj):
    return obj if obj["metadata"].get("uid") else evolve(obj, {"metadata": {"uid": "u1"}})


def owned(obj):
    """Return {manager: fields} of the live object."""
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields") or ()}


def config(data=None, **meta):
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **meta}}
    return {**obj, "data": data} if data else obj


def deployment(*containers, **spec):
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": list(containers)}}
    selector = {"matchLabels": {"app": "a"}}
    spec = {"selector": selector, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def refused(live, obj, manager="m1", **more):
    with pytest.raises(StatusError) as caught:
        apply(live, obj, manager, **more)
    return caught.value


def test_an_applied_object_is_owned_field_by_field():
    live = apply(None, config({"x": "1"}, labels={"l": "1"}))
    (entry,) = live["metadata"]["managedFields"]
    assert entry == {
        "manager": "m1",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:x": {}}, "f:metadata": {"f:labels": {"f:l": {}}}},
    }


def test_applying_the_same_again_returns_the_live_object_itself():
    live = freeze(apply(None, config({"x": "1"}, labels={"l": "1"})))
    again = config({"x": "1"}, labels={"l": "1"})
    assert managed.apply(live, again, node_of(again), manager="m1", api_version="v1", now=NOW + 9) is live


def test_a_field_no_longer_applied_is_removed():
    live = apply(apply(None, config({"x": "1", "y": "2"})), config({"y": "2"}))
    assert live["data"] == {"y": "2"}
    assert owned(live) == {"m1": {"f:data": {"f:y": {}}}}


def test_a_field_that_another_manager_owns_too_stays():
    live = apply(None, config({"x": "1", "y": "2"}))
    live = apply(live, config({"x": "1"}), "m2")
    live = apply(live, config({"y": "2"}))
    assert live["data"] == {"x": "1", "y": "2"}
    assert owned(live) == {"m1": {"f:data": {"f:y": {}}}, "m2": {"f:data": {"f:x": {}}}}


def test_what_nobody_sets_any_more_is_gone():
    live = apply(None, config({"x": "1"}))
    live = apply(live, config({"x": "1"}), "m2")
    for manager in ("m1", "m2"):
        live = apply(live, config(), manager)
    assert "data" not in live or not live["data"]


def test_a_field_of_another_applier_is_a_conflict():
    live = apply(None, config({"x": "1"}))
    error = refused(live, config({"x": "2"}), "m2")
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == 'Apply failed with 1 conflict: conflict with "m1": .data.x'
    assert error.details == {
        "causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "m1"', "field": ".data.x"}]
    }


def test_conflicts_are_listed_by_manager():
    live = deployment({"name": "c1", "image": "new"}, replicas=2)
    live = update(None, live, "kubectl-edit")
    error = refused(live, deployment({"name": "c1", "image": "old"}, replicas=3))
    assert error.message == (
        'Apply failed with 2 conflicts: conflicts with "kubectl-edit" using apps/v1:\n'
        '- .spec.replicas\n- .spec.template.spec.containers[name="c1"].image'
    )


def test_a_status_owner_is_named_with_its_subresource():
    live = apply(None, deployment({"name": "c1", "image": "i"}))
    live = update(live, evolve(live, {"status": {"replicas": 1}}), "ctl", subresource="status")
    wanted = {**deployment(), "status": {"replicas": 2}}
    error = refused(live, wanted, subresource="status")
    assert error.message == (
        'Apply failed with 1 conflict: conflict with "ctl" with subresource "status" using apps/v1: .status.replicas'
    )


def test_scaling_leaves_an_entry_without_a_time():
    live = apply(None, deployment({"name": "c"}, replicas=1))
    live = update(live, evolve(live, {"spec": {"replicas": 2}}), "sc", subresource="scale")
    entry = live["metadata"]["managedFields"][-1]
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert (entry["subresource"], "time" in entry) == ("scale", False)


def test_force_takes_the_fields_over():
    live = apply(None, config({"x": "1", "y": "1"}))
    live = apply(live, config({"x": "2"}), "m2", force=True)
    assert live["data"] == {"x": "2", "y": "1"}
    assert owned(live) == {"m1": {"f:data": {"f:y": {}}}, "m2": {"f:data": {"f:x": {}}}}


def test_the_same_value_is_shared_without_a_conflict():
    live = apply(apply(None, config({"x": "1"})), config({"x": "1"}), "m2")
    assert owned(live) == {"m1": {"f:data": {"f:x": {}}}, "m2": {"f:data": {"f:x": {}}}}


def test_an_applier_that_changes_nothing_has_no_time_and_comes_first():
    live = apply(apply(None, config({"x": "1"})), config({"x": "1"}), "m2")
    entries = live["metadata"]["managedFields"]
    assert [(entry["manager"], "time" in entry) for entry in entries] == [("m2", False), ("m1", True)]


def test_list_items_merge_by_their_keys():
    live = apply(None, deployment({"name": "a", "image": "1"}, {"name": "b", "image": "1"}))
    live = apply(live, deployment({"name": "z", "image": "1"}), "m2", force=True)
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["a", "b", "z"]
    live = apply(live, deployment({"name": "b", "image": "1"}))
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["b", "z"]


def test_a_key_that_is_left_out_stands_for_its_default():
    port = {"name": "c", "image": "i", "ports": [{"containerPort": 80}]}
    live = apply(None, deployment(port))
    element = 'k:{"containerPort":80,"protocol":"TCP"}'
    containers = owned(live)["m1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert element in containers['k:{"name":"c"}']["f:ports"]
    defaulted = {**port, "ports": [{"containerPort": 80, "protocol": "TCP"}]}
    live = evolve(live, {"spec": {"template": {"spec": {"containers": [defaulted]}}}})
    assert apply(live, deployment(port)) is not None
    assert len(apply(live, deployment(port))["spec"]["template"]["spec"]["containers"][0]["ports"]) == 1


def test_atomic_lists_and_maps_are_owned_as_one():
    obj = deployment({"name": "c", "image": "i", "args": ["a", "b"]})
    fields = owned(apply(None, obj))["m1"]["f:spec"]
    assert fields["f:selector"] == {}
    assert fields["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']["f:args"] == {}


def test_sets_are_owned_value_by_value():
    live = apply(None, config(finalizers=["a.io/1"]))
    live = update(live, evolve(live, {"metadata": {"finalizers": ["a.io/1", "b.io/2"]}}))
    assert owned(live) == {
        "m1": {"f:metadata": {"f:finalizers": {'v:"a.io/1"': {}}}},
        "m2": {"f:metadata": {"f:finalizers": {'v:"b.io/2"': {}}}},
    }


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (
            config({"x": 5}),
            "failed to create typed patch object (/c; /v1, Kind=ConfigMap): "
            ".data.x: expected string, got &value.valueUnstructured{Value:5}",
        ),
        (
            {**config(), "foo": 1},
            "failed to create typed patch object (/c; /v1, Kind=ConfigMap): .foo: field not declared in schema",
        ),
        (
            deployment({"name": "c1", "image": "i", "env": [{"name": "A"}, {"name": "A"}]}),
            "failed to create typed patch object (/d; apps/v1, Kind=Deployment): "
            '.spec.template.spec.containers[name="c1"].env: duplicate entries for key [name="A"]',
        ),
        (
            deployment({"name": "c", "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]}),
            "failed to create typed patch object (/d; apps/v1, Kind=Deployment): "
            '.spec.template.spec.containers[name="c"].ports: '
            'duplicate entries for key [containerPort=80,protocol="TCP"]',
        ),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_in_upstreams_words(obj, message):
    error = refused(None, obj)
    assert (error.code, error.reason, error.message) == (500, "", message)


@pytest.mark.parametrize(
    "obj",
    [
        config(finalizers="x"),
        config(finalizers=[None]),
        config(finalizers=[{}]),
        config(labels=[]),
        config(labels={"a": ["b"]}),
        deployment("x"),
        deployment(None),
        deployment({"image": "i"}, {"image": "j"}),
        deployment({"name": {"a": 1}, "ports": 5}, {"name": ["x"]}),
        {**deployment(), "spec": []},
        {**deployment(), "spec": {"replicas": "3"}},
        {**deployment(), "spec": {"paused": 1}},
        {**deployment(), "spec": {"selector": "x"}},
    ],
)
def test_no_malformed_configuration_gives_anything_but_an_error(obj):
    assert refused(None, obj).code == 500


def test_a_configuration_with_managed_fields_is_refused():
    assert refused(None, config(managedFields=[])).message == "metadata.managedFields must be nil"


def test_another_version_than_the_requests_is_refused():
    error = refused(None, config(), api_version="v2")
    assert error.message == "Incorrect version specified in apply patch. Specified patch version: v1, expected: v2"


def test_what_nobody_tracked_belongs_to_a_manager_of_its_own_before_the_first_apply():
    live = config({"x": "1"}, uid="u1")
    assert refused(live, config({"x": "2"})).message == (
        'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.x'
    )
    live = apply(live, config({"x": "2"}), force=True)
    assert owned(live)["before-first-apply"] == {"f:data": {}}


def test_status_cannot_be_applied_with_the_object_nor_the_object_with_its_status():
    live = apply(None, {**deployment({"name": "c", "image": "i"}, replicas=1), "status": {"replicas": 9}})
    assert "f:status" not in owned(live)["m1"]
    live = {name: value for name, value in live.items() if name != "status"}
    live = apply(live, {**deployment({"name": "c"}, replicas=7), "status": {"replicas": 1}}, "s", subresource="status")
    assert (live["spec"]["replicas"], live["status"]) == (1, {"replicas": 1})
    assert owned(live)["s"] == {"f:status": {"f:replicas": {}}}


def test_an_update_takes_what_it_changes_from_everybody():
    live = apply(None, config({"x": "1", "y": "1"}))
    live = update(live, evolve(live, {"data": {"x": "2"}}), now=NOW + 60)
    assert owned(live) == {"m1": {"f:data": {"f:y": {}}}, "m2": {"f:data": {"f:x": {}}}}
    assert live["metadata"]["managedFields"][1]["time"] == "2026-01-01T00:01:00Z"


def test_an_update_forgets_the_owners_of_what_it_removes():
    live = update(None, config({"x": "1", "y": "1"}), "m1")
    new = {**live, "data": {"y": "1"}}
    assert owned(update(live, new)) == {"m1": {"f:data": {".": {}, "f:y": {}}}}


def test_an_update_that_changes_nothing_leaves_the_entries_alone():
    live = update(None, config({"x": "1"}), "m1")
    new = {**live, "metadata": {k: v for k, v in live["metadata"].items() if k != "managedFields"}}
    assert update(live, new, now=NOW + 9)["metadata"]["managedFields"] is not None
    assert update(live, new, now=NOW + 9) == live


def test_structs_that_are_always_there_are_not_added_by_a_create():
    live = update(None, deployment({"name": "c", "image": "i"}, strategy={"type": "Recreate"}))
    spec = owned(live)["m2"]["f:spec"]
    assert "." not in spec
    assert spec["f:strategy"] == {"f:type": {}}
    assert spec["f:template"]["f:metadata"]["f:labels"] == {".": {}, "f:app": {}}
    assert "." not in spec["f:template"]["f:spec"]["f:containers"]


@pytest.mark.parametrize("reset", [[], [{}]])
def test_a_write_may_forget_all_owners(reset):
    live = apply(None, config({"x": "1"}))
    assert owned(update(live, evolve(live, {"metadata": {"managedFields": reset}}))) == {}


def test_without_owners_an_update_tracks_nothing():
    live = config({"x": "1"}, uid="u1")
    assert "managedFields" not in update(live, evolve(live, {"data": {"x": "2"}}))["metadata"]


@pytest.mark.parametrize(
    "entries",
    [["x"], [{"manager": "a"}], [{"operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV9"}], [None]],
)
def test_owners_that_cannot_be_read_give_way_to_the_live_ones(entries):
    live = apply(None, config({"x": "1"}))
    assert owned(update(live, evolve(live, {"metadata": {"managedFields": entries}}))) == owned(live)


def test_names_and_versions_of_an_object_belong_to_nobody():
    obj = config({"x": "1"}, namespace="n", resourceVersion="5", generation=1, generateName="g-")
    assert owned(update(None, obj)) == {"m2": {"f:data": {".": {}, "f:x": {}}, "f:metadata": {"f:generateName": {}}}}


def test_the_oldest_of_more_than_ten_updaters_are_merged():
    live = update(None, config({"x0": "1"}), "u0")
    for n in range(1, 13):
        live = update(live, evolve(live, {"data": {f"x{n}": "1"}}), f"u{n}", now=NOW + n)
    assert list(owned(live)) == ["ancient-changes", *(f"u{n}" for n in range(4, 13))]
    assert owned(live)["ancient-changes"] == {"f:data": {".": {}, "f:x0": {}, "f:x1": {}, "f:x2": {}, "f:x3": {}}}


def test_kubectl_takes_over_what_it_applied_client_side():
    last = json.dumps(config({"x": "1"}))
    live = update(
        None, config({"x": "1", "y": "1"}, annotations={managed.LAST_APPLIED: last}), "kubectl-client-side-apply"
    )
    out = apply(live, config({"x": "2"}), "kubectl")
    assert out["data"] == {"x": "2", "y": "1"}
    assert json.loads(out["metadata"]["annotations"][managed.LAST_APPLIED])["data"] == {"x": "2"}
    assert refused(live, config({"x": "2"}), "somebody").code == 409
    assert refused(live, config({"y": "2"}), "kubectl").message.endswith(".data.y")


def custom(spec):
    return {"apiVersion": "x.io/v1", "kind": "Foo", "metadata": {"name": "f"}, "spec": spec}


def test_without_a_schema_maps_merge_and_lists_are_one_value():
    live = apply(None, custom({"a": {"b": 1}, "l": [1]}))
    assert owned(live)["m1"] == {"f:spec": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:l": {}}}
    live = apply(live, custom({"a": {"c": 2}}), "m2")
    assert live["spec"] == {"a": {"b": 1, "c": 2}, "l": [1]}
    assert refused(live, custom({"l": [2]}), "m2").message.endswith(": .spec.l")


def test_without_a_schema_a_map_may_become_a_scalar():
    live = apply(None, custom({"a": {"b": 1}}))
    live = update(live, custom({"a": 5}))
    assert "f:a" in owned(live)["m2"]["f:spec"]
    assert "m1" not in owned(live) or "f:b" not in json.dumps(owned(live)["m1"])


values = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)
steps = st.lists(st.tuples(st.sampled_from(["m1", "m2", "m3"]), st.booleans(), values), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(steps)
def test_whatever_is_applied_holds_and_belongs_to_who_applied_it(history):
    live = None
    for n, (manager, by_apply, data) in enumerate(history):
        if by_apply or live is None:
            live = apply(live, config(data), manager, force=True, now=NOW + n)
            assert data.items() <= (live.get("data") or {}).items()
            if data:
                (mine,) = (
                    e for e in live["metadata"]["managedFields"] if (e["manager"], e["operation"]) == (manager, "Apply")
                )
                assert mine["fieldsV1"]["f:data"].keys() == {f"f:{key}" for key in data}
            again = config(data)
            kwargs = {"manager": manager, "api_version": "v1", "now": NOW + 99}
            assert managed.apply(live, again, node_of(again), **kwargs) == live
        else:
            rest = {name: value for name, value in live.items() if name != "data"}
            live = update(live, {**rest, "data": data} if data else rest, manager, now=NOW + n)
        fields = set()
        for entry in live["metadata"].get("managedFields") or ():
            fields |= {path for path in fieldsets.paths(entry["fieldsV1"]) if path != ".data"}
        assert fields <= {f".data.{key}" for key in live.get("data") or {}}


elements = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', "v:1"])
sets = st.recursive(
    st.just({}), lambda inner: st.dictionaries(elements, inner, min_size=1, max_size=3), max_leaves=8
).filter(lambda fields: fields != {})


def flat(fields):
    return set(fieldsets.paths(fields))


@settings(max_examples=150)
@given(sets, sets)
def test_sets_of_fields_obey_the_laws_of_sets(one, two):
    assert flat(fieldsets.union(one, two)) == flat(one) | flat(two)
    assert flat(fieldsets.intersection(one, two)) == flat(one) & flat(two)
    assert flat(fieldsets.difference(one, two)) == flat(one) - flat(two)
    assert fieldsets.difference(one, {}) is one
    assert fieldsets.union(one, {}) is one
    assert fieldsets.union(one, one) is one


@settings(max_examples=100)
@given(sets)
def test_a_set_without_a_path_has_nothing_below_it(fields):
    left = fieldsets.without(fields, ("f:a",))
    assert "f:a" not in left
    assert flat(left) == {path for path in flat(fields) if not path.startswith(".a")}
