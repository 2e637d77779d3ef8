"""Commands that have commands below them: ``rollout status``, ``create configmap``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


def _keep(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Note the namespace for the command below."""
    if value is not None:
        ctx.default_map = {**(ctx.default_map or {}), str(param.name): value}


class Verbs(click.Group):
    """A group whose commands take the global options, and the options given before their name.

    ``later`` names commands that are imported when they are used: ``"module:attribute"`` by name.
    """

    def __init__(self, *args: Any, later: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._later = dict(later or {})
        if not any(param.name == "namespace" for param in self.params):
            namespace = click.Option(
                ["-n", "--namespace"], metavar="NS", expose_value=False, callback=_keep, help="The namespace."
            )
            self.params.append(namespace)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self._later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command with the options that every command takes."""
        from kctl.cli.main import seed_option, state_option

        command = super().get_command(ctx, cmd_name)
        if command is None and cmd_name in self._later:
            module, _, attribute = self._later[cmd_name].partition(":")
            command = getattr(importlib.import_module(module), attribute)
            self.add_command(command, cmd_name)
        if command is not None and not any(param.name == "state" for param in command.params):
            command.params += [state_option(), seed_option()]
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Hand the options given before the name of the command below down to it."""
        from click.core import ParameterSource

        said = (name for name in ctx.params if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE)
        given = {**(ctx.default_map or {}), **{name: ctx.params[name] for name in said}}
        if given:
            ctx.default_map = dict.fromkeys(self.list_commands(ctx), given)
        return super().invoke(ctx)
