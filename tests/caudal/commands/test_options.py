"""Options that several commands share."""

from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import typer

from caudal.commands.options import with_options


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Two options."""

    height: Annotated[int, typer.Option(help="In pixels.")] = 1
    width: int = 2


def test_a_class_of_options_is_shown_as_its_fields_and_arrives_as_one() -> None:
    """In its place among the parameters, with the defaults of the parameter's own default."""
    given: list[object] = []

    @with_options
    def command(name: str, shape: Shape = Shape(width=5), loud: bool = False) -> None:
        given.extend((name, shape, loud))

    parameters = signature(command).parameters
    assert list(parameters) == ["name", "height", "width", "loud"]
    assert [parameters[name].default for name in ("height", "width", "loud")] == [1, 5, False]
    command(name="x", height=3, width=4, loud=True)
    assert given == ["x", Shape(height=3, width=4), True]


def test_typer_reads_the_fields_as_options() -> None:
    """Their types, defaults and helps."""
    given: list[Shape] = []

    @with_options
    def command(shape: Shape = Shape()) -> None:
        given.append(shape)

    app = typer.Typer()
    app.command()(command)
    app(["--width", "7"], standalone_mode=False)
    assert given == [Shape(height=1, width=7)]
    options = {each.name: each for each in typer.main.get_command(app).params}
    assert (options["height"].help, options["height"].default) == ("In pixels.", 1)  # type: ignore[attr-defined]
