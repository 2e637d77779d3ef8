"""Custom resources on the command line: definitions, objects and policies applied in one go."""

from __future__ import annotations

from typing import Any

import pytest

FOO = """\
apiVersion: example.com/v1
kind: Foo
metadata: {name: a}
spec: {replicas: 2}
"""
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: foos.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: foos, kind: Foo, shortNames: [fo], categories: [all]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
      additionalPrinterColumns: [{name: Replicas, type: integer, jsonPath: .spec.replicas}]
      schema:
        openAPIV3Schema:
          type: object
          description: Something that has replicas.
          properties:
            spec:
              type: object
              properties: {replicas: {type: integer, maximum: 9, description: how many}}
              x-kubernetes-validations: [{rule: "self.replicas != 3", message: three is no number}]
            status: {type: object, properties: {replicas: {type: integer}}}
"""
POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: limit}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [example.com], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [foos]}
  validations: [{expression: object.spec.replicas < 8, message: too many}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: limit}
spec: {policyName: limit, validationActions: [Deny]}
"""


@pytest.fixture
def foos(kctl: Any) -> Any:
    """Kctl where a definition, an object of it and a policy are applied, the object's file first."""
    kctl.write("m/1.yaml", FOO)
    kctl.write("m/2.yaml", DEFINITION)
    kctl.write("m/3.yaml", POLICY)
    kctl("apply", "-f", "m")
    return kctl


def test_a_folder_is_applied_in_one_go_and_says_what_nobody_simulates(kctl: Any) -> None:
    kctl.write("m/1.yaml", FOO)
    kctl.write("m/2.yaml", DEFINITION)
    out = kctl("apply", "-f", "m").out
    assert "foo.example.com/a created" in out
    assert "foos.example.com: no controller of this custom resource runs here" in out
    assert "unchanged" in kctl("apply", "-f", "m").out


@pytest.mark.parametrize("name", ["foos", "foo", "fo", "foos.example.com", "Foo"])
def test_objects_are_read_by_every_name_of_their_kind(foos: Any, name: str) -> None:
    assert foos("get", name).out.splitlines() == ["NAME   REPLICAS", "a      2"]


def test_commands_know_the_kind(foos: Any) -> None:
    assert "how many" in foos("explain", "foo.spec.replicas").out
    assert "foos" in foos("api-resources", "--api-group=example.com").out
    assert "foo.example.com/a" in foos("get", "all").out
    assert "Replicas:  2" in foos("describe", "foo", "a").out
    foos("scale", "foo/a", "--replicas=5")
    assert foos.get("foo", "a")["spec"] == {"replicas": 5}
    foos("label", "foo", "a", "x=y")
    assert foos("get", "foo", "-l", "x=y", "-o", "name").out == "foo.example.com/a\n"


@pytest.mark.parametrize(
    ("replicas", "complaint"),
    [
        ("10", "spec.replicas: Invalid value: 10: spec.replicas in body should be less than or equal to 9"),
        ("3", "three is no number"),
        ("8", "ValidatingAdmissionPolicy 'limit' with binding 'limit' denied request: too many"),
    ],
)
def test_what_the_server_would_refuse_is_refused(foos: Any, replicas: str, complaint: str) -> None:
    foos.write("bad.yaml", FOO.replace("replicas: 2", f"replicas: {replicas}"))
    assert complaint in foos("apply", "-f", "bad.yaml", code=None).err
    assert foos.get("foo", "a")["spec"] == {"replicas": 2}


def test_objects_go_with_their_definition(foos: Any) -> None:
    foos("delete", "crd", "foos.example.com")
    assert "the server doesn't have a resource type" in foos("get", "foos", code=2).err


def test_a_definition_that_is_wrong_is_refused(kctl: Any) -> None:
    kctl.write("crd.yaml", DEFINITION.replace("self.replicas != 3", "self.number != 3"))
    ran = kctl("apply", "-f", "crd.yaml", code=None)
    assert ran.code != 0
    assert "undefined field 'number'" in ran.err
