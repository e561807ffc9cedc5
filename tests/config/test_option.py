"""What a field of a config says of itself."""

import dataclasses
from dataclasses import dataclass

import pytest

from tf_msgan.config import Config, every_option
from tf_msgan.config.option import COUNT, SHARE, Options, declared_options, option
from tf_msgan.errors import OptionError


@dataclass(frozen=True)
class Room(Options, part="room"):
    doors: int = option(1, "to go through", bounds=COUNT)
    light: float = option(0.5, "of the sun's", bounds=SHARE)
    wall: str = option("white", "colour", choices=("white", "grey"))
    warm: bool = option(True, "whether it is")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"doors": 0}, "room.doors: found 0; expected 1 or more"),
        ({"doors": 1.0}, "room.doors: found 1.0; expected a whole number"),
        ({"doors": True}, "room.doors: found True; expected a whole number"),
        ({"light": 1.5}, "room.light: found 1.5; expected within 0..1"),
        ({"light": float("nan")}, "room.light: found nan; expected within 0..1"),
        ({"light": "1"}, "room.light: found '1'; expected a number"),
        ({"light": None}, "room.light: found None; expected a number"),
        ({"wall": "red"}, "room.wall: found red; expected one of white, grey"),
        ({"wall": 3}, "room.wall: found 3; expected a name"),
        ({"warm": 1}, "room.warm: found 1; expected true or false"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(values, complaint):
    with pytest.raises(OptionError) as raised:
        Room(**values)
    assert str(raised.value) == complaint
    assert isinstance(raised.value, ValueError)


def test_right_values_are_taken():
    room = Room(doors=3, light=1, wall="grey", warm=False)
    assert dataclasses.asdict(room) == {"doors": 3, "light": 1, "wall": "grey", "warm": False}
    assert [each.help for each in declared_options(Room).values()] == [
        *("to go through", "of the sun's", "colour", "whether it is")
    ]


def test_every_field_of_a_config_is_declared():
    """Each by its part and name, with a help, and a default that it may have."""
    fields = {
        f"{part}.{name}" for part, values in Config().to_dict().items() if isinstance(values, dict) for name in values
    }
    assert set(every_option()) == {"model", *fields}
    for name, declared in every_option().items():
        assert declared.help and declared.allows(Config().value(name)), name
    flags = [declared.flag for declared in every_option().values() if declared.flag]
    assert len(set(flags)) == len(flags)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [("training", "lr", "fast"), ("network", "latent", [1]), ("loss", "gan", None), ("preparation", "spacing", [1, 1])],
)
def test_json_of_another_type_is_refused(part, field, value):
    values = Config().to_dict()
    values[part][field] = value
    with pytest.raises((OptionError, TypeError), match=field):
        Config.from_dict(values)
