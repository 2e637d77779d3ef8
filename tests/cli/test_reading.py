"""What reads: get, describe, events, status, why, api-resources."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.gitops import yaml


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


class TestGet:
    def test_a_table_as_kubectl(self, shop: Any) -> None:
        assert rows(shop("get", "deploy", "-n", "shop").out)[:2] == [
            ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"],
            ["web", "2/2", "2", "2", rows(shop("get", "deploy", "-n", "shop").out)[1][-1]],
        ]

    def test_the_namespace_may_stand_before_the_command(self, shop: Any) -> None:
        assert shop("-n", "shop", "get", "pods").out == shop("get", "pods", "-n", "shop").out

    def test_wide_has_more_columns(self, shop: Any) -> None:
        head = rows(shop("get", "pods", "-n", "shop", "-o", "wide").out)[0]
        assert head[:8] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED"]

    def test_all_namespaces_have_a_column(self, shop: Any) -> None:
        table = rows(shop("get", "cm", "-A").out)
        assert table[0] == ["NAMESPACE", "NAME", "DATA", "AGE"]
        assert ["shop", "settings"] in [row[:2] for row in table]

    def test_labels_have_a_column(self, shop: Any) -> None:
        assert rows(shop("get", "cm", "settings", "-n", "shop", "--show-labels").out)[1][-1] == "tier=config"

    def test_the_head_may_be_left_out(self, shop: Any) -> None:
        assert rows(shop("get", "nodes", "--no-headers").out)[0][0] == "node-1"

    def test_one_object_as_json_is_the_object(self, shop: Any) -> None:
        found = shop.get("cm", "settings", "-n", "shop")
        assert (found["kind"], found["data"]) == ("ConfigMap", {"colour": "blue"})
        assert "managedFields" not in found["metadata"]

    def test_managed_fields_are_kept_where_wanted(self, shop: Any) -> None:
        assert shop.get("cm", "settings", "-n", "shop", "--show-managed-fields")["metadata"]["managedFields"]

    def test_several_objects_are_a_list(self, shop: Any) -> None:
        found = shop.get("pods", "-n", "shop")
        assert (found["kind"], len(found["items"])) == ("List", 2)

    def test_none_is_an_empty_list(self, shop: Any) -> None:
        ran = shop("get", "pods", "-o", "json")
        assert ran.json()["items"] == []
        assert ran.err == ""

    def test_yaml_holds_what_json_holds(self, shop: Any) -> None:
        args = ("get", "deploy,svc", "-n", "shop", "-o")
        assert shop(*args, "yaml").out == yaml.dump(shop(*args, "json").json())

    def test_names(self, shop: Any) -> None:
        out = shop("get", "deploy,svc", "-n", "shop", "-o", "name").out
        assert out == "deployment.apps/web\nservice/web\n"

    def test_several_kinds_are_several_tables(self, shop: Any) -> None:
        out = shop("get", "deploy,svc", "-n", "shop").out
        assert "\n\nNAME" in out
        assert "deployment.apps/web " in out
        assert "service/web " in out

    def test_type_slash_name(self, shop: Any) -> None:
        assert shop("get", "deploy/web", "svc/web", "-n", "shop", "-o", "name").out == (
            "deployment.apps/web\nservice/web\n"
        )

    def test_all_is_a_category(self, shop: Any) -> None:
        names = shop("get", "all", "-n", "shop", "-o", "name").out.splitlines()
        kinds = [name.partition("/")[0] for name in names]
        assert kinds == ["pod", "pod", "service", "deployment.apps", "replicaset.apps"]

    @pytest.mark.parametrize(
        ("selector", "count"), [("app=web", 2), ("app!=web", 0), ("app in (web, db)", 2), ("!app", 0), ("app", 2)]
    )
    def test_labels_select(self, shop: Any, selector: str, count: int) -> None:
        assert len(shop.get("pods", "-n", "shop", "-l", selector)["items"]) == count

    @pytest.mark.parametrize(
        ("selector", "count"),
        [("status.phase=Running", 2), ("status.phase!=Running", 0), ("metadata.namespace=shop", 2)],
    )
    def test_fields_select(self, shop: Any, selector: str, count: int) -> None:
        assert len(shop.get("pods", "-A", "--field-selector", selector)["items"]) == count

    def test_a_field_that_selects_nothing_is_refused_as_the_server_does(self, shop: Any) -> None:
        ran = shop("get", "pods", "--field-selector", "spec.wrong=1", code=1)
        assert "field label not supported: spec.wrong" in ran.err

    def test_what_is_not_there_is_said_as_kubectl_says_it(self, shop: Any) -> None:
        ran = shop("get", "pods", "no", code=1)
        assert (ran.out, ran.err) == ("", 'Error from server (NotFound): pods "no" not found\n')
        assert shop("get", "pods", "no", "--ignore-not-found").err == ""

    def test_the_others_are_shown_beside_what_is_not_there(self, shop: Any) -> None:
        ran = shop("get", "cm", "settings", "no", "-n", "shop", code=1)
        assert rows(ran.out)[1][0] == "settings"
        assert ran.err == 'Error from server (NotFound): configmaps "no" not found\n'

    def test_nothing_found(self, shop: Any) -> None:
        assert shop("get", "pods").err == "No resources found in default namespace.\n"
        assert shop("get", "pv").err == "No resources found\n"

    def test_an_unknown_type(self, shop: Any) -> None:
        ran = shop("get", "gadgets", code=2)
        assert ran.err == (
            'error: the server doesn\'t have a resource type "gadgets"\nhint: see "kctl api-resources"\n'
        )


class TestDescribe:
    def test_a_pod_has_kubectls_sections_in_order(self, shop: Any) -> None:
        name = shop("get", "pods", "-n", "shop", "-o", "name").out.splitlines()[0]
        out = shop("describe", name, "-n", "shop").out
        heads = [line.partition(":")[0] for line in out.splitlines() if line[:1].isalpha()]
        assert heads == [
            *("Name", "Namespace", "Priority", "Service Account", "Node", "Start Time", "Labels", "Annotations"),
            *("Status", "IP", "IPs", "Controlled By", "Containers", "Conditions", "Volumes", "QoS Class"),
            *("Node-Selectors", "Tolerations", "Events"),
        ]
        assert "      PASSWORD:  <set to the key 'password' in secret 'keys'>  Optional: false\n" in out
        assert "    Command:\n      serve\n      --all\n" in out

    def test_a_node_sums_what_its_pods_ask_for(self, shop: Any) -> None:
        pods = shop.get("pods", "-n", "shop")["items"]
        node = pods[0]["spec"]["nodeName"]
        count = sum(pod["spec"]["nodeName"] == node for pod in pods)
        out = shop("describe", "node", node).out
        heads = [line.partition(":")[0] for line in out.splitlines() if line[:1].isalpha()]
        assert heads == [
            *("Name", "Roles", "Labels", "Annotations", "CreationTimestamp", "Taints", "Unschedulable", "Lease"),
            *("Conditions", "Addresses", "Capacity", "Allocatable", "System Info", "PodCIDR", "PodCIDRs"),
            *("ProviderID", "Non-terminated Pods", "Allocated resources", "Events"),
        ]
        assert f"({count} in total)" in out
        assert ["cpu", f"{100 * count}m", f"({count * 100 // 40}%)", "0", "(0%)"] in rows(out)

    def test_a_service_names_its_endpoints(self, shop: Any) -> None:
        out = shop("describe", "svc", "web", "-n", "shop").out
        ips = sorted(pod["status"]["podIP"] for pod in shop.get("pods", "-n", "shop")["items"])
        found = next(line for line in out.splitlines() if line.startswith("Endpoints:"))
        assert sorted(found.split()[1].split(",")) == [f"{ip}:8080" for ip in ips]
        assert ["Port:", "http", "80/TCP"] in rows(out)

    def test_a_deployment_names_its_replica_sets(self, shop: Any) -> None:
        out = shop("describe", "deploy/web", "-n", "shop").out
        assert ["RollingUpdateStrategy:", "25%", "max", "unavailable,", "25%", "max", "surge"] in rows(out)
        assert "Replicas:" in out
        assert "(2/2 replicas created)" in out

    def test_other_kinds_show_every_field(self, shop: Any) -> None:
        out = shop("describe", "lease", "-n", "kube-system").out
        assert "Spec:\n  Acquire Time:" in out
        assert out.splitlines()[-1].split() == ["Events:", "<none>"]

    def test_several_stand_apart(self, shop: Any) -> None:
        assert shop("describe", "nodes").out.count("\n\n\nName:") == 2

    def test_as_data(self, shop: Any) -> None:
        document = shop("describe", "svc/web", "-n", "shop", "-o", "json").json()
        assert (document["apiVersion"], document["kind"]) == ("kctl.dev/v1", "Descriptions")
        (item,) = document["items"]
        assert item["object"]["metadata"]["name"] == "web"
        assert {event["reason"] for event in item["events"]} == {"EnsuringLoadBalancer", "EnsuredLoadBalancer"}

    def test_what_is_not_there(self, shop: Any) -> None:
        assert shop("describe", "svc/no", code=1).err == 'Error from server (NotFound): services "no" not found\n'
        assert shop("describe", "svc", "-n", "empty").err == "No resources found in empty namespace.\n"


class TestEvents:
    def test_as_a_table(self, shop: Any) -> None:
        table = rows(shop("events", "-n", "shop").out)
        assert table[0][:2] == ["LAST", "SEEN"]
        assert "ScalingReplicaSet" in {row[2] for row in table}

    def test_about_one_object(self, shop: Any) -> None:
        items = shop("events", "-n", "shop", "--for", "svc/web", "-o", "json").json()["items"]
        assert {item["involvedObject"]["kind"] for item in items} == {"Service"}

    def test_of_a_type(self, shop: Any) -> None:
        assert shop("events", "-n", "shop", "--types", "Warning").err == "No events found in shop namespace.\n"

    def test_in_all_namespaces(self, shop: Any) -> None:
        assert {row[0] for row in rows(shop("events", "-A", "--no-headers").out)} == {"default", "shop"}


class TestStatus:
    def test_as_a_tree(self, shop: Any) -> None:
        lines = shop("status").out.splitlines()
        assert "shop/deployment.apps/web Current" in lines
        assert any(line.startswith("    2 pods on node-") and line.endswith(" Current") for line in lines)

    def test_as_data(self, shop: Any) -> None:
        document = shop("status", "-o", "json").json()
        assert (document["apiVersion"], document["kind"], document["current"]) == ("kctl.dev/v1", "Status", True)

    def test_of_one_namespace(self, shop: Any) -> None:
        assert "namespace/shop" not in shop("status", "-n", "shop").out
        assert shop("status", "-n", "default").out == "nothing has been applied yet\n"

    def test_of_manifests(self, shop: Any) -> None:
        shop.write("one.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\n")
        assert shop("status", "-f", "one.yaml").out == "shop/configmap/settings Current\n"

    def test_what_is_missing_is_not_current(self, shop: Any) -> None:
        shop.write("one.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: missing}\n")
        assert shop("status", "-f", "one.yaml", code=3).out.startswith("configmap/missing Missing")


class TestWhy:
    def test_the_chain(self, shop: Any) -> None:
        out = shop("why", "deploy/web", "-n", "shop").out
        assert out.startswith("shop/deployment.apps/web Current\n")
        assert "applied from shop.yaml:16\n" in out
        assert "written by kctl at " in out

    def test_who_scaled_left_no_time(self, shop: Any) -> None:
        shop("scale", "deploy/web", "-n", "shop", "--replicas", "1")
        assert "written by kctl-scale (scale)\n" in shop("why", "deploy/web", "-n", "shop").out

    def test_a_pod_names_its_owners(self, shop: Any) -> None:
        name = shop("get", "pods", "-n", "shop", "-o", "name").out.splitlines()[0]
        out = shop("why", name, "-n", "shop").out
        assert "owned by deployment.apps/web\n" in out

    def test_as_data(self, shop: Any) -> None:
        document = shop("why", "deploy", "web", "-n", "shop", "-o", "json").json()
        assert (document["kind"], document["object"]) == ("Explanation", "deployment.apps/web")

    @pytest.mark.parametrize(
        ("args", "code", "text"),
        [
            (["why", "deploy/no"], 1, 'Error from server (NotFound): deployments.apps "no" not found'),
            (["why", "deploy"], 2, "error: name exactly one object"),
            (["why"], 2, "error: you must specify the type of resource"),
        ],
    )
    def test_errors(self, shop: Any, args: list[str], code: int, text: str) -> None:
        assert text in shop(*args, code=code).err


class TestApiResources:
    def test_as_a_table(self, kctl: Any) -> None:
        table = rows(kctl("api-resources").out)
        assert table[0][:5] == ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
        assert ["pods", "po", "v1", "true", "Pod"] in [row[:5] for row in table]

    def test_as_names_and_data(self, kctl: Any) -> None:
        names = kctl("api-resources", "-o", "name").out.splitlines()
        assert "deployments.apps" in names
        document = kctl("api-resources", "-o", "json").json()
        assert document["kind"] == "APIResourceList"
        assert len(document["resources"]) == len(names)

    def test_of_a_group(self, kctl: Any) -> None:
        assert kctl("api-resources", "--api-group", "apps", "-o", "name").out.splitlines() == [
            *("controllerrevisions.apps", "daemonsets.apps", "deployments.apps", "replicasets.apps"),
            "statefulsets.apps",
        ]


@pytest.mark.parametrize(
    "args",
    [["get", "pods"], ["describe", "pods"], ["events"], ["status"], ["why", "pod/a"], ["converge"]],
    ids=" ".join,
)
def test_without_a_cluster_a_command_says_how_to_make_one(kctl: Any, args: list[str]) -> None:
    ran = kctl(*args, code=1)
    assert ran.err == 'error: no cluster here: run "kctl init" or name one with --state\n'


def test_the_timeline_tells_the_whole_life_of_the_cluster_and_adds_it_up(shop: Any) -> None:
    shop("scale", "deploy/web", "-n", "shop", "--replicas=1")
    told = shop("status", "--timeline", "-o", "json").json()
    rows = [(row["owner"], row["what"], row["count"]) for row in told["timeline"]]
    assert ("deployment.apps/web", "pods ready", 2) in rows
    assert ("deployment.apps/web", "rolled out", 1) in rows
    assert ("deployment.apps/web", "scaled 2 -> 1", 1) in rows
    assert [row["virtualSeconds"] for row in told["timeline"]] == sorted(
        row["virtualSeconds"] for row in told["timeline"]
    )
    (web,) = told["workloads"]
    assert (web["owner"], web["peak"], web["troubled"]) == ("deployment.apps/web", 2, {})
    assert sum(web["created"].values()) == 2
    assert sum(web["deleted"].values()) == 1
    text = shop("status", "--timeline").out
    assert "  +0s shop/deployment.apps/web: 2 pods created\n" in text
    assert text.endswith(" (virtual)\n")
    assert "\nIn all\n  shop/deployment.apps/web: +2 pods web-" in text
