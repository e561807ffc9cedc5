"""One line that says where a figure was measured."""

from tf_msgan.machine import describe_machine, describe_versions


def provenance() -> str:
    versions = " ".join(f"{name} {number}" for name, number in describe_versions().items())
    return f"{describe_machine()}; {versions}"
