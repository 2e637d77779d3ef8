"""KubeSchedulerConfiguration: what it may say, what that means, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.scheduler import config
from kctl.scheduler.config_plugins import DEFAULTS, EXTENDS, POINTS
from kctl.scheduler.profile import CLASSES, build

Obj = dict[str, Any]
HEAD = {"apiVersion": config.VERSION, "kind": config.KIND}


def parsed(**fields: Any) -> config.Configuration:
    found, errors = config.parse({**HEAD, **fields})
    assert errors == []
    return found


def profile(**fields: Any) -> config.Profile:
    return parsed(profiles=[fields]).profiles[0]


def wrong(**fields: Any) -> list[str]:
    return [str(error) for error in config.parse({**HEAD, **fields})[1]]


def with_args(plugin: str, args: Obj) -> Obj:
    return {"profiles": [{"pluginConfig": [{"name": plugin, "args": args}]}]}


def names(*listed: str) -> list[Obj]:
    return [{"name": name} for name in listed]


def test_nothing_said_is_one_default_scheduler_with_all_nodes_scored() -> None:
    found = parsed()
    assert found == config.Configuration()
    assert found.names == {"default-scheduler"}
    assert found.profiles[0].percentage is None


def test_every_default_plugin_is_known_and_has_the_weight_of_1_36() -> None:
    points = config.Profile().points
    assert {name for name, _ in DEFAULTS} == set(EXTENDS)
    assert points.plugins["score"] == (
        "TaintToleration",
        "NodeAffinity",
        "NodeResourcesFit",
        "VolumeBinding",
        "PodTopologySpread",
        "InterPodAffinity",
        "DynamicResources",
        "NodeResourcesBalancedAllocation",
        "ImageLocality",
    )
    heavy = {"TaintToleration": 3, "NodeAffinity": 2, "PodTopologySpread": 2, "InterPodAffinity": 2}
    assert {name: weight for name, weight in points.weights.items() if weight > 1} == {**heavy, "DynamicResources": 2}


def test_plugins_stand_in_their_order_at_their_points() -> None:
    framework = build(config.Profile())
    for point, found in (("filter", framework.filters), ("postFilter", framework.post_filters)):
        made = [plugin.name for plugin in found]
        assert made == [name for name in config.Profile().points.plugins[point] if name in made]
    assert {make.name for make in CLASSES} <= set(EXTENDS)  # type: ignore[attr-defined]


ORDER = [
    pytest.param(
        {"multiPoint": {"disabled": names("*"), "enabled": names("PrioritySort", "DefaultBinder", "NodeName")}},
        "filter",
        ("NodeName",),
        id="all disabled, some enabled again",
    ),
    pytest.param(
        {"filter": {"disabled": names("*"), "enabled": names("NodePorts", "NodeName")}},
        "filter",
        ("NodePorts", "NodeName"),
        id="a point's own list alone, in its order",
    ),
    pytest.param(
        {"filter": {"disabled": names("NodeName", "NodeUnschedulable", "TaintToleration", "NodeAffinity")}},
        "filter",
        (
            "NodePorts",
            "NodeResourcesFit",
            "VolumeRestrictions",
            "NodeVolumeLimits",
            "VolumeBinding",
            "VolumeZone",
            "PodTopologySpread",
            "InterPodAffinity",
            "DynamicResources",
            "NodeDeclaredFeatures",
        ),
        id="disabled at one point only",
    ),
    pytest.param(
        {"postFilter": {"enabled": names("DefaultPreemption")}},
        "postFilter",
        ("DefaultPreemption", "DynamicResources"),
        id="what a point names itself goes before multiPoint",
    ),
    pytest.param(
        {"multiPoint": {"disabled": names("ImageLocality")}, "score": {"enabled": names("ImageLocality")}},
        "score",
        (
            "TaintToleration",
            "NodeAffinity",
            "NodeResourcesFit",
            "VolumeBinding",
            "PodTopologySpread",
            "InterPodAffinity",
            "DynamicResources",
            "NodeResourcesBalancedAllocation",
            "ImageLocality",
        ),
        id="what multiPoint does not have goes behind it",
    ),
]


@pytest.mark.parametrize(("plugins", "point", "expected"), ORDER)
def test_order_at_a_point(plugins: Obj, point: str, expected: tuple[str, ...]) -> None:
    assert profile(plugins=plugins).points.plugins[point] == expected


WEIGHTS = [
    pytest.param({"score": {"enabled": [{"name": "NodeAffinity", "weight": 7}]}}, 7, id="of the point"),
    pytest.param({"multiPoint": {"enabled": [{"name": "NodeAffinity", "weight": 5}]}}, 5, id="of multiPoint"),
    pytest.param(
        {
            "score": {"enabled": [{"name": "NodeAffinity", "weight": 7}]},
            "multiPoint": {"enabled": [{"name": "NodeAffinity", "weight": 5}]},
        },
        7,
        id="the point before multiPoint",
    ),
    pytest.param({"score": {"enabled": names("NodeAffinity")}}, 1, id="none is one, also where the default is two"),
]


@pytest.mark.parametrize(("plugins", "weight"), WEIGHTS)
def test_weights(plugins: Obj, weight: int) -> None:
    assert profile(plugins=plugins).points.weights["NodeAffinity"] == weight


def test_a_profiles_percentage_goes_before_that_of_all() -> None:
    found = parsed(
        percentageOfNodesToScore=30,
        profiles=[{"schedulerName": "a"}, {"schedulerName": "b", "percentageOfNodesToScore": 0}],
    )
    assert [p.percentage for p in found.profiles] == [30, 0]


def test_what_concerns_the_process_is_taken_and_has_no_consequence() -> None:
    found = parsed(
        parallelism=4,
        enableProfiling=False,
        enableContentionProfiling=True,
        delayCacheUntilActive=True,
        leaderElection={"leaderElect": True, "resourceLock": "leases", "leaseDuration": "15s"},
        clientConnection={"kubeconfig": "/k", "qps": 50.5, "burst": 100},
    )
    assert found == config.Configuration()


ARGS = [
    pytest.param("DefaultPreemption", {}, {"min_percent": 10, "min_absolute": 100}, id="preemption, defaults"),
    pytest.param("InterPodAffinity", {}, {"hard_weight": 1, "ignore_preferred": False}, id="affinity, defaults"),
    pytest.param("NodeAffinity", {}, {}, id="node affinity, defaults"),
    pytest.param("VolumeBinding", {"bindTimeoutSeconds": 5}, {"bind_timeout": 5}, id="volumes"),
    pytest.param("NodeResourcesBalancedAllocation", {}, {"resources": ("cpu", "memory")}, id="balance, defaults"),
    pytest.param("PodTopologySpread", {"defaultingType": "List"}, {"defaults": ()}, id="spread by an empty list"),
    pytest.param("PodTopologySpread", {}, {"defaults": None}, id="spread, defaults"),
    pytest.param(
        "NodeResourcesFit",
        {"scoringStrategy": {"type": "MostAllocated", "resources": [{"name": "cpu"}, {"name": "x/y", "weight": 5}]}},
        {
            "strategy": "MostAllocated",
            "resources": (("cpu", 1), ("x/y", 5)),
            "shape": (),
            "ignored": frozenset(),
            "ignored_groups": frozenset(),
        },
        id="fit, resources without a weight weigh one",
    ),
]


@pytest.mark.parametrize(("plugin", "args", "expected"), ARGS)
def test_arguments(plugin: str, args: Obj, expected: Obj) -> None:
    kind = {"apiVersion": config.VERSION, "kind": f"{plugin}Args"}
    assert profile(pluginConfig=[{"name": plugin, "args": {**kind, **args}}]).args == {plugin: expected}


SHAPE = {"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": {"shape": []}}
WRONG = [
    ({"apiVersion": "kubescheduler.config.k8s.io/v1beta3"}, 'apiVersion: Unsupported value: "kubescheduler.config.'),
    ({"kind": "Policy"}, 'kind: Unsupported value: "Policy": supported values: "KubeSchedulerConfiguration"'),
    ({"percentageOfNodesToScore": 101}, "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]"),
    ({"parallelism": 0}, "parallelism: Invalid value: 0: should be an integer value greater than zero"),
    ({"podInitialBackoffSeconds": 0}, "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0"),
    (
        {"podInitialBackoffSeconds": 9, "podMaxBackoffSeconds": 3},
        "podMaxBackoffSeconds: Invalid value: 3: must be greater than or equal to PodInitialBackoffSeconds",
    ),
    ({"podMaxBackoffSeconds": "10"}, 'podMaxBackoffSeconds: Invalid value: "10": must be an integer'),
    (
        {"leaderElection": {"leaderElect": True, "resourceLock": "endpoints"}},
        'leaderElection.resourceLock: Invalid value: "endpoints": resourceLock value must be "leases"',
    ),
    ({"leaderElection": {"elect": True}}, "leaderElection.elect: Invalid value: true: unknown field; known are "),
    ({"extenders": [{"urlPrefix": "http://x"}]}, "extenders: Forbidden: kctl does not call scheduler extenders"),
    ({"profiles": {}}, "profiles: Invalid value: {}: must be a list"),
    ({"profiles": [None, None]}, "profiles[0].schedulerName: Required value"),
    (
        {"profiles": [{"schedulerName": "a"}, {"schedulerName": "a"}]},
        'profiles[1].schedulerName: Duplicate value: "a"',
    ),
    ({"profiles": [{"plugin": {}}]}, "profiles[0].plugin: Invalid value: {}: unknown field; known are "),
    (
        {"profiles": [{"plugins": {"filter": {"enabled": names("Nope")}}}]},
        'profiles[0].plugins.filter.enabled[0].name: Invalid value: "Nope": FilterPlugin "Nope" does not exist',
    ),
    (
        {"profiles": [{"plugins": {"multiPoint": {"enabled": names("Nope")}}}]},
        'profiles[0].plugins.multiPoint.enabled[0].name: Invalid value: "Nope": PreFilterPlugin "Nope" does not exist',
    ),
    (
        {"profiles": [{"plugins": {"score": {"disabled": names("Nope")}}}]},
        'profiles[0].plugins.score.disabled[0].name: Invalid value: "Nope": there is no such plugin',
    ),
    (
        {"profiles": [{"plugins": {"score": {"enabled": names("NodeName")}}}]},
        'profiles[0].plugins.score.enabled[0].name: Invalid value: "NodeName": '
        'plugin "NodeName" does not extend ScorePlugin plugin',
    ),
    (
        {"profiles": [{"plugins": {"filter": {"enabled": names("NodeName", "NodeName")}}}]},
        'profiles[0].plugins.filter.enabled[1].name: Invalid value: "NodeName": '
        'plugin "NodeName" already registered as "FilterPlugin"',
    ),
    (
        {"profiles": [{"plugins": {"filter": {"enabled": names("EBSLimits")}}}]},
        'profiles[0].plugins.filter.enabled[0].name: Invalid value: "EBSLimits": was invalid in version '
        '"kubescheduler.config.k8s.io/v1" (KubeSchedulerConfiguration is version "kubescheduler.config.k8s.io/v1")',
    ),
    (
        {"profiles": [{"plugins": {"queueSort": {"disabled": names("*")}}}]},
        "profiles[0].plugins.queueSort: Invalid value: 0: only one queue sort plugin required for profile with "
        'scheduler name "default-scheduler", but got 0',
    ),
    (
        {"profiles": [{"plugins": {"bind": {"disabled": names("DefaultBinder")}}}]},
        "profiles[0].plugins.bind: Invalid value: 0: at least one bind plugin is needed for profile with "
        'scheduler name "default-scheduler"',
    ),
    (
        {"profiles": [{"plugins": {"preFilter": {"disabled": names("NodePorts")}}}]},
        'profiles[0].plugins.preFilter: Invalid value: "NodePorts": its filter needs what its preFilter finds: '
        "without it every pod fails with an error",
    ),
    (
        {"profiles": [{"pluginConfig": [{"name": "Nope"}]}]},
        'profiles[0].pluginConfig[0].name: Invalid value: "Nope": there is no such plugin',
    ),
    (
        {"profiles": [{"pluginConfig": [{"name": "NodeName"}, {"name": "NodeName"}]}]},
        'profiles[0].pluginConfig[1]: Duplicate value: "NodeName"',
    ),
    (with_args("NodeName", {"a": 1}), "args.a: Invalid value: 1: unknown field; known are apiVersion, kind"),
    (with_args("NodeName", {"kind": "Other"}), 'args.kind: Invalid value: "Other": args for plugin NodeName must be'),
    (
        with_args("DefaultPreemption", {"minCandidateNodesPercentage": 0, "minCandidateNodesAbsolute": 0}),
        "args.minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as "
        "minCandidateNodesAbsolute",
    ),
    (
        with_args("DefaultPreemption", {"minCandidateNodesAbsolute": -1}),
        "args.minCandidateNodesAbsolute: Invalid value: -1: not in valid range [0, inf)",
    ),
    (
        with_args("InterPodAffinity", {"hardPodAffinityWeight": 101}),
        "args.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]",
    ),
    (
        with_args("InterPodAffinity", {"ignorePreferredTermsOfExistingPods": "yes"}),
        'args.ignorePreferredTermsOfExistingPods: Invalid value: "yes": must be true or false',
    ),
    (
        with_args("NodeAffinity", {"addedAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}),
        "args.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: "
        "must have at least one node selector term",
    ),
    (with_args("NodeAffinity", {"addedAffinity": {"required": {}}}), "args.addedAffinity.required: Invalid value: {}"),
    (with_args("NodeAffinity", {"addedAffinity": []}), "args.addedAffinity: Invalid value: []: must be a map"),
    (
        with_args("NodeResourcesBalancedAllocation", {"resources": [{"name": "cpu"}, {"name": "cpu", "weight": 2}]}),
        'args.resources[1].name: Duplicate value: "cpu"',
    ),
    (
        with_args("NodeResourcesBalancedAllocation", {"resources": [{"name": "cpu", "weight": 2}]}),
        "args.resources[0].weight: Invalid value: 2: must be 1",
    ),
    (
        with_args("NodeResourcesFit", {"scoringStrategy": {}}),
        'args.scoringStrategy.type: Unsupported value: "": supported values: "LeastAllocated", "MostAllocated", ',
    ),
    (
        with_args("NodeResourcesFit", {"scoringStrategy": {"type": "RequestedToCapacityRatio"}}),
        "args.scoringStrategy.requestedToCapacityRatio: Required value: "
        "must be specified when type is RequestedToCapacityRatio",
    ),
    (
        with_args("NodeResourcesFit", {"scoringStrategy": {**SHAPE, "type": "MostAllocated"}}),
        "args.scoringStrategy.requestedToCapacityRatio: Forbidden: "
        "must be nil when type is not RequestedToCapacityRatio",
    ),
    (
        with_args("NodeResourcesFit", {"scoringStrategy": SHAPE}),
        "args.scoringStrategy.requestedToCapacityRatio.shape: Required value: at least one point must be specified",
    ),
    (
        with_args("NodeResourcesFit", {"ignoredResourceGroups": ["example.com/gpu"]}),
        "args.ignoredResourceGroups[0]: Invalid value: \"example.com/gpu\": resource group name can't contain '/'",
    ),
    (
        with_args("PodTopologySpread", {"defaultConstraints": [{"maxSkew": 1, "topologyKey": "z"}]}),
        'args.defaultingType: Invalid value: "System": when .defaultConstraints are not empty',
    ),
    (
        with_args("PodTopologySpread", {"defaultingType": "None"}),
        'args.defaultingType: Unsupported value: "None": supported values: "System", "List"',
    ),
    (
        with_args("PodTopologySpread", {"defaultingType": "List", "defaultConstraints": [{"maxSkew": 0}]}),
        "args.defaultConstraints[0].maxSkew: Invalid value: 0: not in valid range (0, inf)",
    ),
    (
        with_args(
            "PodTopologySpread",
            {"defaultingType": "List", "defaultConstraints": [{"labelSelector": {"matchLabels": {"a": "b"}}}]},
        ),
        "args.defaultConstraints[0].labelSelector: Forbidden: "
        "constraint must not define a selector, as they deduced for each pod",
    ),
    (with_args("VolumeBinding", {"bindTimeoutSeconds": -1}), "args.bindTimeoutSeconds: Invalid value: -1: invalid "),
    (with_args("VolumeBinding", {"shape": []}), "args.shape: Invalid value: []: unexpected field `shape`, remove it"),
]


@pytest.mark.parametrize(("fields", "expected"), WRONG, ids=[expected for _, expected in WRONG])
def test_what_is_refused(fields: Obj, expected: str) -> None:
    assert any(expected in error for error in wrong(**fields)), wrong(**fields)


def test_equal_constraints_are_one_too_many() -> None:
    one = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    found = wrong(**with_args("PodTopologySpread", {"defaultingType": "List", "defaultConstraints": [one, one]}))
    assert found == ['profiles[0].pluginConfig[0].args.defaultConstraints[1]: Duplicate value: "{zone, DoNotSchedule}"']


def test_all_mistakes_are_told_with_the_path_of_their_document() -> None:
    value = {**HEAD, "parallelism": -1, "profiles": [{"plugins": {"score": {"enabled": names("A", "B")}}}]}
    assert [error.field for error in config.parse(value, "spec.scheduler")[1]] == [
        "spec.scheduler.parallelism",
        "spec.scheduler.profiles[0].plugins.score.enabled[0].name",
        "spec.scheduler.profiles[0].plugins.score.enabled[1].name",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 200) | st.sampled_from(["", "a", "*", "NodeName", "List", "System"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "profiles",
                    "plugins",
                    "pluginConfig",
                    "name",
                    "args",
                    "score",
                    "multiPoint",
                    "enabled",
                    "disabled",
                    "scoringStrategy",
                    "shape",
                    "resources",
                    "addedAffinity",
                    "defaultConstraints",
                    "kind",
                    "weight",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(sorted(EXTENDS)))
@settings(max_examples=150, deadline=None)
def test_anything_is_read_or_refused(value: Any, plugin: str) -> None:
    config.parse(value)
    config.parse({**HEAD, "profiles": value})
    config.parse({**HEAD, **with_args(plugin, value)})
    config.parse({**HEAD, "profiles": [{"plugins": dict.fromkeys(POINTS, value)}]})


SETS = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.lists(st.sampled_from(sorted(EXTENDS)).map(lambda n: {"name": n}), max_size=4),
        "disabled": st.lists(st.sampled_from(["*", *sorted(EXTENDS)]).map(lambda n: {"name": n}), max_size=4),
    },
)


@given(st.dictionaries(st.sampled_from(["multiPoint", *POINTS]), SETS, max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_profile_that_is_accepted_can_be_built_and_runs_nothing_twice(plugins: Obj) -> None:
    found, errors = config.parse({**HEAD, "profiles": [{"plugins": plugins}]})
    if errors:
        return
    points = found.profiles[0].points
    for point, listed in points.plugins.items():
        assert len(set(listed)) == len(listed)
        assert all(point in EXTENDS[name] for name in listed)
    assert set(points.plugins["score"]) <= set(points.weights)
    framework = build(found.profiles[0])
    built = {name for name, plugin in framework.by_name.items() if hasattr(plugin, "filter")}
    assert [f.name for f in framework.filters] == [name for name in points.plugins["filter"] if name in built]
