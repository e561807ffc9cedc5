"""What a comparison or a study is made of, on disk, so that another is not mixed into its folder."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tf_msgan.config import Config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.layouts import present_name
from tf_msgan.datasets.splits import Split
from tf_msgan.datasets.subject_digests import digest_labels, digest_split
from tf_msgan.errors import InputError, OptionError
from tf_msgan.io.digests import combine


def describe(cohort: Cohort, split: Split, preset: str, settings: tuple[str, ...], config: Config) -> dict[str, Any]:
    """Returns what all trainings share: data by digest, wherever they lie, and config."""
    return {
        "layout": cohort.layout,
        "modalities": list(cohort.modalities),
        "labels_sha256": digest_labels(cohort.labels),
        "sha256": combine(digest_split(cohort, split)),
        "split": split.to_dict(),
        "preset": preset,
        "settings": list(settings),
        "config": config.to_dict(),
    }


def check_settings(settings: Iterable[str], own: dict[str, str]) -> None:
    """Refuses what a comparison or a study sets itself: fields, and where they come from.

    Raises:
        InputError: one of `settings`, texts `PART.FIELD=VALUE`, is of such a field.
    """
    for setting in settings:
        field = setting.partition("=")[0]
        if field in own:
            raise OptionError("set", setting, f"another field: {own[field]}")


def check_roles(split: Split, asked: str | None, *roles: str) -> None:
    """Refuses a split without subjects for one of `roles`.

    Raises:
        InputError: a role has none; the text names `asked`, by which the split was asked for, if it was.
    """
    for role in roles:
        if not split.roles()[role]:
            raise OptionError("split", asked or "the default", f"one with {role} subjects")


def check_same(path: Path, facts: dict[str, Any], expected: str) -> None:
    """Refuses facts that are not those of the plan in the file `path`.

    Raises:
        InputError: they are not; the text says which, and what was `expected`.
    """
    recorded, facts = json.loads(path.read_text(encoding="utf-8")), json.loads(json.dumps(facts))
    recorded["layout"] = present_name(recorded.get("layout"))
    different = sorted(key for key in facts if recorded.get(key) != facts[key])
    if different:
        raise InputError(path, f"another {', '.join(different)}", expected)
