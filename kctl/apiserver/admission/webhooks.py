"""Webhooks: never called, and never passed over in silence.

A webhook that would be asked counts as one that cannot be reached: with failurePolicy Fail the
request is refused in kube-apiserver's words, with Ignore it goes on and the answer warns of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import internal
from kctl.api.objects import Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

NOT_CALLED = "kctl calls no webhooks"


def consult(server: APIServer, resource: str, request: Request, obj: Obj | None, old: Obj | None) -> None:
    """Treat the webhooks of one kind of configuration by their failurePolicy."""
    from kctl.api.cel.errors import CelError
    from kctl.apiserver.admission import matching, policies

    if matching.is_exempt(request):
        return
    configurations = server.storage.objects(resource)
    for key in sorted(configurations):
        for hook in configurations[key].get("webhooks") or ():
            constraints = {
                "namespaceSelector": hook.get("namespaceSelector"),
                "objectSelector": hook.get("objectSelector"),
                "matchPolicy": hook.get("matchPolicy"),
                "resourceRules": hook.get("rules") or [],
            }
            if matching.matched(server, request, constraints, obj, old) is None:
                continue
            conditions = {"metadata": {"name": hook["name"]}, "spec": hook, "kind": "Webhook"}
            policy = policies.Policy(conditions)
            try:
                if not policy.is_met(policies.variables(server, request, obj, old, None)):
                    continue
            except (policies.PolicyError, CelError):
                pass  # as unreachable as the webhook itself
            _unreachable(hook, request)


def _unreachable(hook: Obj, request: Request) -> None:
    name = hook["name"]
    if hook.get("failurePolicy") == "Ignore":
        request.warn(f'webhook "{name}" was not called: {NOT_CALLED}; its failurePolicy is Ignore')
        return
    raise internal(f'failed calling webhook "{name}": failed to call webhook: {NOT_CALLED}')
