"""Where trainings were made."""

from collections.abc import Collection, Mapping
from typing import Any


def say_provenance(outcomes: Collection[Mapping[str, Any]]) -> str:
    """Names the machines, versions and commits of trainings, each once. `outcomes` have "machine", "versions" and "git"
    as a run's `config.json` does."""
    machines = sorted({outcome["machine"] for outcome in outcomes})
    versions = sorted({", ".join(map(" ".join, outcome["versions"].items())) for outcome in outcomes})
    commits = sorted({_commit(outcome["git"]) for outcome in outcomes})
    return f"{'; '.join([*machines, *versions])}; commits {', '.join(commits)}."


def _commit(git: dict[str, Any] | None) -> str:
    return f"{git['commit'][:10]}{' with changes' * git['changed']}" if git else "unknown"
