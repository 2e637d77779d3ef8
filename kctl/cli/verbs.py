"""Commands that have commands below them: ``rollout status``, ``create configmap``."""

from __future__ import annotations

from typing import Any

import click


def _keep(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Note the namespace for the command below."""
    if value is not None:
        ctx.default_map = {**(ctx.default_map or {}), str(param.name): value}


class Verbs(click.Group):
    """A group whose commands take the global options, and the options given before their name."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if not any(param.name == "namespace" for param in self.params):
            namespace = click.Option(
                ["-n", "--namespace"], metavar="NS", expose_value=False, callback=_keep, help="The namespace."
            )
            self.params.append(namespace)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command with the options that every command takes."""
        from kctl.cli.main import seed_option, state_option

        command = super().get_command(ctx, cmd_name)
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
