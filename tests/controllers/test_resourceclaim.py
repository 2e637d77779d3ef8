"""resourceclaim-controller: claims come from templates, and go back when nobody uses them."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.objects import Key
from kctl.controllers.resourceclaim import base_name

Obj = dict[str, Any]
CLAIMS, TEMPLATES = "resourceclaims.resource.k8s.io", "resourceclaimtemplates.resource.k8s.io"
NAMES = ("resourceclaim-controller", "garbage-collector-controller", "serviceaccount-controller")
PROTECTED = "resource.kubernetes.io/delete-protection"
SPEC = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu"}}]}}


@pytest.fixture
def claims(make_world: Any) -> Any:
    return make_world(NAMES)


def template(name: str = "one", **metadata: Any) -> Obj:
    spec = {"metadata": metadata, "spec": SPEC}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate", "metadata": meta, "spec": spec}


def claim(name: str = "shared") -> Obj:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": meta, "spec": SPEC}


def pod(name: str = "p", *, of: str = "one", **claim: str) -> Obj:
    entry = {"name": "gpu", **(claim or {"resourceClaimTemplateName": of})}
    spec = {"containers": [{"name": "c", "image": "x"}], "resourceClaims": [entry]}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def allocate(world: Any, name: str, *pods: Obj) -> Obj:
    """Do what the scheduler does for the first pod, and for others that share the claim."""
    found = world.get(CLAIMS, name)
    meta = {**found["metadata"], "finalizers": [PROTECTED]}
    found = world.client.update(CLAIMS, {**found, "metadata": meta})
    users = [{"resource": "pods", "name": p["metadata"]["name"], "uid": p["metadata"]["uid"]} for p in pods]
    result = {"request": "gpu", "driver": "d.example.com", "pool": "n1", "device": "gpu-0"}
    status = {"allocation": {"devices": {"results": [result]}}, "reservedFor": users}
    made = world.client.update(CLAIMS, {**found, "status": status}, subresource="status")
    world.settle()
    return made


def end(world: Any, name: str, phase: str = "Succeeded") -> None:
    world.client.patch("pods", Key("default", name), {"status": {"phase": phase}}, subresource="status")
    world.settle()


def test_a_pod_gets_a_claim_of_its_own_from_a_template_and_says_so(claims: Any) -> None:
    claims.create(template(labels={"team": "ml"}, annotations={"note": "a"}))
    made = claims.create(pod())
    claims.settle()
    (found,) = claims.client.list(CLAIMS, "default").items
    meta = found["metadata"]
    assert meta["generateName"] == "p-gpu-"
    assert meta["name"].startswith("p-gpu-")
    assert len(meta["name"]) == len("p-gpu-") + 5
    assert meta["annotations"] == {"note": "a", "resource.kubernetes.io/pod-claim-name": "gpu"}
    assert meta["labels"] == {"team": "ml"}
    (owner,) = meta["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Pod", "p", made["metadata"]["uid"])
    assert owner["controller"]
    assert found["spec"]["devices"]["requests"][0]["exactly"]["count"] == 1
    told = claims.get("pods", "p")["status"]["resourceClaimStatuses"]
    assert told == [{"name": "gpu", "resourceClaimName": meta["name"]}]
    assert claims.decisions() == []


def test_a_missing_template_is_told_and_waited_for(claims: Any) -> None:
    claims.create(pod(of="later"))
    claims.settle()
    (event,) = claims.client.list("events", "default").items
    assert event["reason"] == "FailedResourceClaimCreation"
    assert event["message"] == (
        'PodResourceClaim gpu: resource claim template "later": resourceclaimtemplate.resource.k8s.io "later" not found'
    )
    claims.create(template("later"))
    claims.settle()
    assert len(claims.names(CLAIMS)) == 1


def test_a_claim_that_a_person_made_is_left_alone(claims: Any) -> None:
    claims.create(claim())
    claims.create(pod(resourceClaimName="shared"))
    claims.settle()
    assert claims.names(CLAIMS) == ["shared"]
    assert "resourceClaimStatuses" not in claims.get("pods", "p")["status"]


def test_a_generated_claim_that_is_deleted_is_made_again(claims: Any) -> None:
    claims.create(template())
    claims.create(pod())
    claims.settle()
    (name,) = claims.names(CLAIMS)
    before = claims.get(CLAIMS, name)["metadata"]["uid"]
    claims.client.delete(CLAIMS, Key("default", name))
    claims.settle()
    (again,) = claims.client.list(CLAIMS, "default").items
    assert again["metadata"]["uid"] != before
    assert claims.decisions() == []


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_what_a_pod_has_ended_with_is_given_back_and_its_own_claim_deleted(claims: Any, phase: str) -> None:
    claims.create(template())
    made = claims.create(pod())
    claims.settle()
    allocate(claims, claims.names(CLAIMS)[0], made)
    end(claims, "p", phase)
    assert claims.names(CLAIMS) == []


def test_a_shared_claim_stays_allocated_until_its_last_pod_has_ended(claims: Any) -> None:
    claims.create(claim())
    users = [claims.create(pod(name, resourceClaimName="shared")) for name in ("a", "b")]
    allocate(claims, "shared", *users)
    end(claims, "a")
    found = claims.get(CLAIMS, "shared")
    assert [one["name"] for one in found["status"]["reservedFor"]] == ["b"]
    assert "allocation" in found["status"]
    claims.client.delete("pods", Key("default", "b"), grace=0)
    claims.settle()
    found = claims.get(CLAIMS, "shared")
    assert "allocation" not in found["status"]
    assert "reservedFor" not in found["status"]
    assert "finalizers" not in found["metadata"]
    assert claims.decisions() == []


def test_a_claim_in_use_is_deleted_only_when_its_pod_is_gone(claims: Any) -> None:
    claims.create(claim())
    made = claims.create(pod(resourceClaimName="shared"))
    allocate(claims, "shared", made)
    claims.client.delete(CLAIMS, Key("default", "shared"))
    claims.settle()
    assert claims.get(CLAIMS, "shared")["metadata"]["deletionTimestamp"]
    claims.client.delete("pods", Key("default", "p"), grace=0)
    claims.settle()
    assert claims.names(CLAIMS) == []


def test_an_allocated_claim_is_reserved_for_a_pod_that_was_bound_by_hand(claims: Any) -> None:
    claims.create(claim())
    made = claims.create(pod("a", resourceClaimName="shared"))
    allocate(claims, "shared", made)
    other = pod("b", resourceClaimName="shared")
    other["spec"]["nodeName"] = "n1"
    claims.create(other)
    claims.settle()
    assert [one["name"] for one in claims.get(CLAIMS, "shared")["status"]["reservedFor"]] == ["a", "b"]


def test_a_pod_of_the_same_name_is_another_consumer(claims: Any) -> None:
    claims.create(claim())
    made = claims.create(pod(resourceClaimName="shared"))
    allocate(claims, "shared", {**made, "metadata": {**made["metadata"], "uid": "another"}})
    assert "allocation" not in claims.get(CLAIMS, "shared")["status"]


@pytest.mark.parametrize(
    ("pod_name", "claim_name", "base"),
    [
        ("web", "gpu", "web-gpu-"),
        ("p" * 50, "gpu", "p" * 50 + "-gpu-"),
        ("p" * 60, "c" * 60, "p" * 28 + "-" + "c" * 28),
    ],
)
def test_names_that_are_too_long_are_cut_in_proportion(pod_name: str, claim_name: str, base: str) -> None:
    assert base_name(pod_name, claim_name) == base
