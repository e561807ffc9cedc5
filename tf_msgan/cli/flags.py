"""What commands call the options that the library knows by name."""

from tf_msgan.config import every_option


def flag_of(name: str) -> str:
    """Returns the flag of a field of a config, `PART.FIELD`, or of an argument of a function, such as `labeled`."""
    declared = every_option().get(name)
    if declared:
        return declared.flag or f"--set {name}"
    return f"--{name.replace('_', '-')}"
