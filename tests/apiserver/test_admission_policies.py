"""Admission policies and webhooks at work: what they refuse, change and say."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, evolve
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient

GROUP = "admissionregistration.k8s.io"
MAPS = "configmaps"
BASE = "/api/v1/namespaces/default/configmaps"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
CONSTRAINTS: Obj = {"resourceRules": [RULE]}


def config(name: str, data: Obj | None = None, **meta: Any) -> Obj:
    made: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default", **meta}}
    return {**made, "data": data} if data is not None else made


def install(client: LocalClient, kind: str, spec: Obj, binding: Obj | None = None, name: str = "p") -> None:
    plural = {"Validating": "validatingadmissionpolicies", "Mutating": "mutatingadmissionpolicies"}[kind]
    made = {"apiVersion": f"{GROUP}/v1", "metadata": {"name": name}}
    client.create(f"{plural}.{GROUP}", {**made, "kind": f"{kind}AdmissionPolicy", "spec": spec})
    bound = {"policyName": name, **(binding or {})}
    plural = plural.replace("policies", "policybindings")
    client.create(f"{plural}.{GROUP}", {**made, "kind": f"{kind}AdmissionPolicyBinding", "spec": bound})


def deny(client: LocalClient, *validations: Obj, binding: Obj | None = None, name: str = "p", **spec: Any) -> None:
    whole = {"matchConstraints": CONSTRAINTS, "validations": list(validations), **spec}
    install(client, "Validating", whole, {"validationActions": ["Deny"], **(binding or {})}, name)


def mutate(client: LocalClient, *mutations: Obj, name: str = "p", **spec: Any) -> None:
    whole = {"matchConstraints": CONSTRAINTS, "mutations": list(mutations), "reinvocationPolicy": "Never", **spec}
    install(client, "Mutating", whole, name=name)


def merged(expression: str) -> Obj:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patched(expression: str) -> Obj:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def refusal(client: LocalClient, obj: Obj) -> StatusError:
    with pytest.raises(StatusError) as refused:
        client.create(MAPS, obj)
    return refused.value


def webhook(client: LocalClient, kind: str, policy: str, **more: Any) -> None:
    hook = {
        "name": "a.example.com",
        "rules": [RULE],
        "failurePolicy": policy,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"service": {"name": "hook", "namespace": "default"}},
    }
    made = {"apiVersion": f"{GROUP}/v1", "kind": f"{kind}WebhookConfiguration", "metadata": {"name": "w"}}
    client.create(f"{kind.lower()}webhookconfigurations.{GROUP}", {**made, "webhooks": [{**hook, **more}]})


# validating policies


def test_a_policy_denies_in_the_words_of_the_server(client: LocalClient) -> None:
    deny(client, {"expression": "has(object.data)", "message": "data wanted", "reason": "Forbidden"})
    error = refusal(client, config("a"))
    text = "ValidatingAdmissionPolicy 'p' with binding 'p' denied request: data wanted"
    assert (error.code, error.reason) == (403, "Forbidden")
    assert error.message == f'configmaps "a" is forbidden: {text}'
    assert (error.details or {})["causes"] == [{"message": text}]
    client.create(MAPS, config("a", {"q": "1"}))


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ({"expression": "false"}, "failed expression: false"),
        ({"expression": "false", "messageExpression": "'no ' + object.metadata.name"}, "no a"),
        ({"expression": "false", "messageExpression": "object.data.zz", "message": "m"}, "m"),
        (
            {"expression": "object.data.zz == '1'"},
            "expression 'object.data.zz == '1'' resulted in error: no such key: zz",
        ),
    ],
)
def test_what_is_said_of_a_rule_that_does_not_hold(client: LocalClient, validation: Obj, message: str) -> None:
    if validation.get("messageExpression") == "object.data.zz":
        validation = {**validation, "messageExpression": "string(object.data.zz)"}
    deny(client, validation)
    error = refusal(client, config("a", {"q": "1"}))
    assert error.code == 422
    assert error.message.endswith(f"denied request: {message}")


def test_warnings_are_given_and_nothing_is_refused(server: APIServer, client: LocalClient) -> None:
    deny(client, {"expression": "false", "message": "hm"}, binding={"validationActions": ["Warn", "Audit"]})
    answer = server.http("POST", BASE, config("a"))
    assert answer.status == 201
    told = [value for name, value in answer.headers if name == "Warning"]
    assert told == ["299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': hm\""]


def test_conditions_and_variables_decide_what_is_judged(client: LocalClient) -> None:
    conditions = [{"name": "c", "expression": "object.metadata.name.startsWith('x')"}]
    variables = [{"name": "n", "expression": "int(object.data.n)"}, {"name": "twice", "expression": "variables.n * 2"}]
    deny(client, {"expression": "variables.twice < 10"}, matchConditions=conditions, variables=variables)
    client.create(MAPS, config("a", {"n": "9"}))
    client.create(MAPS, config("x1", {"n": "4"}))
    assert refusal(client, config("x2", {"n": "5"})).code == 422


@pytest.mark.parametrize(("policy", "is_denied"), [("Fail", True), ("Ignore", False)])
def test_what_cannot_be_judged_follows_the_failure_policy(client: LocalClient, policy: str, is_denied: bool) -> None:
    deny(client, {"expression": "object.data.x == '1'"}, failurePolicy=policy)
    if is_denied:
        assert refusal(client, config("a", {"q": "1"})).message.endswith("no such key: x")
    else:
        client.create(MAPS, config("a", {"q": "1"}))


def test_parameters_are_taken_from_objects(client: LocalClient) -> None:
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    ref = {"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"}
    rule = {
        "expression": "int(object.data.n) <= int(params.data.max)",
        "messageExpression": "'above ' + params.data.max",
    }
    constraints = {**CONSTRAINTS, "excludeResourceRules": [{**RULE, "resourceNames": ["limits"]}]}
    deny(client, rule, binding={"paramRef": ref}, paramKind=kind, matchConstraints=constraints)
    assert (
        "failed to configure binding: no params found for policy binding"
        in refusal(client, config("a", {"n": "1"})).message
    )
    client.create(MAPS, config("limits", {"max": "5"}))
    client.create(MAPS, config("a", {"n": "5"}))
    assert refusal(client, config("b", {"n": "6"})).message.endswith("above 5")


def test_updates_and_deletions_are_judged_too(client: LocalClient) -> None:
    deny(
        client, {"expression": "request.operation != 'DELETE' && (oldObject == null || object.data == oldObject.data)"}
    )
    client.create(MAPS, config("a", {"x": "1"}))
    with pytest.raises(StatusError):
        client.patch(MAPS, Key("default", "a"), {"data": {"x": "2"}})
    client.patch(MAPS, Key("default", "a"), {"metadata": {"labels": {"l": "1"}}})
    with pytest.raises(StatusError):
        client.delete(MAPS, Key("default", "a"))


def test_the_namespace_and_who_asks_can_be_asked_about(client: LocalClient) -> None:
    deny(
        client,
        {"expression": "namespaceObject.metadata.name == 'default' && request.namespace == 'default'"},
        {"expression": "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()"},
        {
            "expression": "authorizer.requestResource.check('create').allowed() && 'system:authenticated' in request.userInfo.groups"
        },
    )
    client.create(MAPS, config("a"))


def test_selectors_say_which_objects_are_meant(client: LocalClient) -> None:
    deny(client, {"expression": "false"}, binding={"matchResources": {"objectSelector": {"matchLabels": {"a": "b"}}}})
    client.create(MAPS, config("a"))
    assert refusal(client, config("b", labels={"a": "b"})).code == 422


def test_a_policy_that_is_not_bound_and_one_that_is_gone_deny_nothing(client: LocalClient) -> None:
    deny(client, {"expression": "false"})
    client.delete(f"validatingadmissionpolicybindings.{GROUP}", Key("", "p"))
    client.create(MAPS, config("a"))


def test_a_changed_policy_is_judged_by_as_it_is_now(client: LocalClient) -> None:
    deny(client, {"expression": "false"})
    assert refusal(client, config("a")).code == 422
    patch = {"spec": {"validations": [{"expression": "true"}]}}
    client.patch(f"validatingadmissionpolicies.{GROUP}", Key("", "p"), patch)
    client.create(MAPS, config("a"))


# what is wrong with a policy


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (
            {"validations": [{"expression": "objct.x"}]},
            'spec.validations[0].expression: Invalid value: "objct.x": compilation failed: ERROR: <input>:1:1: '
            "undeclared reference to 'objct' (in container '')\n | objct.x\n | ^",
        ),
        (
            {"validations": [{"expression": "1"}]},
            'spec.validations[0].expression: Invalid value: "1": must evaluate to bool but got int',
        ),
        (
            {"validations": [{"expression": "true", "messageExpression": "authorizer"}]},
            "undeclared reference to 'authorizer' (in container '')",
        ),
        ({"validations": [{"expression": "request.foo == ''"}]}, "undefined field 'foo'"),
        ({"validations": [{"expression": "params.x"}]}, "undeclared reference to 'params'"),
        (
            {
                "validations": [{"expression": "variables.v == ''"}],
                "variables": [{"name": "v", "expression": "1"}],
            },
            "found no matching overload for '_==_' applied to '(int, string)'",
        ),
        (
            {"validations": [{"expression": "true"}], "matchConditions": [{"name": "c", "expression": "'x'"}]},
            "spec.matchConditions[0].expression: Invalid value: \"'x'\": must evaluate to bool but got string",
        ),
    ],
)
def test_expressions_are_compiled_when_they_are_written(client: LocalClient, spec: Obj, complaint: str) -> None:
    made = {"apiVersion": f"{GROUP}/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}}
    with pytest.raises(StatusError) as refused:
        client.create(
            f"validatingadmissionpolicies.{GROUP}", {**made, "spec": {"matchConstraints": CONSTRAINTS, **spec}}
        )
    assert refused.value.code == 422
    assert complaint in refused.value.message


# mutating policies


def test_configurations_are_merged_as_by_server_side_apply(client: LocalClient) -> None:
    mutate(client, merged("Object{metadata: Object.metadata{labels: {'b': '2'}}, data: {'y': object.metadata.name}}"))
    made = client.create(MAPS, config("a", {"x": "1"}, labels={"a": "1"}))
    assert (made["metadata"]["labels"], made["data"]) == ({"a": "1", "b": "2"}, {"x": "1", "y": "a"})


def test_patches_are_carried_out_one_after_the_other(client: LocalClient) -> None:
    mutate(
        client,
        patched("[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'x/y': '1'}}]"),
        patched(
            "[JSONPatch{op: 'replace', path: '/metadata/annotations/' + jsonpatch.escapeKey('x/y'), "
            "value: object.metadata.annotations['x/y'] + '2'}]"
        ),
    )
    assert client.create(MAPS, config("a"))["metadata"]["annotations"] == {"x/y": "12"}


def test_a_patch_that_cannot_be_carried_out_is_refused(client: LocalClient) -> None:
    mutate(client, patched("[JSONPatch{op: 'remove', path: '/data/zz'}]"))
    error = refusal(client, config("a", {"q": "1"}))
    assert "policy 'p' with binding 'p' denied request: JSON Patch" in error.message


def test_the_name_of_the_kind_cannot_be_changed(client: LocalClient) -> None:
    mutate(client, patched("[JSONPatch{op: 'replace', path: '/kind', value: 'Secret'}]"))
    assert refusal(client, config("a")).code == 422


def test_a_policy_sees_what_later_ones_did_when_it_asks_to(client: LocalClient) -> None:
    seen = "Object{metadata: Object.metadata{annotations: {'seen': has(object.data) ? 'yes' : 'no'}}}"
    mutate(client, merged(seen), name="a", reinvocationPolicy="IfNeeded")
    mutate(client, merged("Object{data: {'x': '1'}}"), name="b")
    assert client.create(MAPS, config("m"))["metadata"]["annotations"] == {"seen": "yes"}


def test_what_policies_make_is_judged_by_policies(client: LocalClient) -> None:
    mutate(client, merged("Object{data: {'x': '1'}}"), name="m")
    deny(client, {"expression": "!has(object.data)"}, name="v")
    assert refusal(client, config("a")).code == 422


# webhooks


@pytest.mark.parametrize("kind", ["Mutating", "Validating"])
def test_a_webhook_is_not_called_and_its_failure_policy_decides(
    server: APIServer, client: LocalClient, kind: str
) -> None:
    webhook(client, kind, "Fail")
    error = refusal(client, config("a"))
    assert error.code == 500
    assert 'failed calling webhook "a.example.com"' in error.message
    name = f"{kind.lower()}webhookconfigurations.{GROUP}"
    client.delete(name, Key("", "w"))
    webhook(client, kind, "Ignore")
    answer = server.http("POST", BASE, config("a"))
    assert answer.status == 201


def test_a_webhook_whose_conditions_do_not_hold_is_not_meant(client: LocalClient) -> None:
    webhook(client, "Validating", "Fail", matchConditions=[{"name": "c", "expression": "object.metadata.name == 'x'"}])
    client.create(MAPS, config("a"))
    assert refusal(client, config("x")).code == 500


def test_policies_can_be_taken_away_whatever_they_say(client: LocalClient) -> None:
    everything = {"resourceRules": [{**RULE, "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}]}
    deny(client, {"expression": "false"}, matchConstraints=everything)
    assert refusal(client, config("a")).code == 422
    client.delete(f"validatingadmissionpolicies.{GROUP}", Key("", "p"))
    client.create(MAPS, evolve(config("a"), {"data": {"x": "1"}}))
