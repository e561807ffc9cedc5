"""How names of files call modalities."""

import re
from collections.abc import Sequence

# Sequences whose names begin as another's.
LONGER = ("T1_IR", "T2_FLAIR")
# What skull-strippers add to a name, as FSL's BET.
BRAIN = "([-_]brain)?"


def name_pattern(modality: str) -> str:
    """A pattern of how files call a modality: T1, and T1w as in BIDS; FLAIR, and T2_FLAIR."""
    longer = "(T2[-_])?" if modality.upper() == "FLAIR" else ""
    return f"{longer}{re.escape(unweighted(modality))}w?"


def find_modality(name: str, known: Sequence[str]) -> int | None:
    """Returns which of the `known` modalities is meant, by its number from 0: the one of that name, or the only one
    that is called so but for upper case and a `w`, as T1 and T1w; None without one."""
    if name in known:
        return tuple(known).index(name)
    alike = [n for n, other in enumerate(known) if unweighted(other).casefold() == unweighted(name).casefold()]
    return alike[0] if len(alike) == 1 else None


def unweighted(modality: str) -> str:
    """T1 for T1w."""
    return re.sub("^(T1|T2|PD)w$", r"\1", modality)
