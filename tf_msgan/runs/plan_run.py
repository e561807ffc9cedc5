"""What a new run is to do."""

from typing import Any

from tf_msgan.config import Config
from tf_msgan.datasets.check_scans import check_scans
from tf_msgan.datasets.choose_preparation import prepare_config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.splits import Split, read_split
from tf_msgan.errors import OptionError
from tf_msgan.progress import Progress, silent


def plan_run(
    cohort: Cohort,
    config: Config,
    split: str | None = None,
    labeled: int | None = None,
    progress: Progress = silent,
    **asked: Any,
) -> tuple[Split, Config]:
    """Chooses the roles of a cohort's subjects and what is done to their scans, and checks every scan.

    Args:
        cohort: the subjects.
        config: what the run starts from.
        split, labeled: as of `read_split`.
        progress: told of every scan that is checked.
        asked: the fields of a `Preparation` that are not to be chosen.

    Returns:
        The split, and the config with its preparation.

    Raises:
        InputError: the split does not fit, or a scan cannot be trained on or tested.
    """
    roles = read_split(split, cohort, labeled, config.augmentation.may_lack_modality)
    if config.training.patience and not roles.validation:
        raise OptionError("training.patience", config.training.patience, "a split with validation subjects")
    config = prepare_config(config, cohort, roles, **asked)
    check_scans(cohort, roles, config.preparation, progress)
    return roles, config
