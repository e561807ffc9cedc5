"""How names of files call modalities."""

import re

# Sequences whose names begin as another's.
LONGER = ("T1_IR", "T2_FLAIR")
# What skull-strippers add to a name, as FSL's BET.
BRAIN = "([-_]brain)?"


def name_pattern(modality):
    """A pattern of how files call a modality: T1, and T1w as in BIDS; FLAIR, and T2_FLAIR."""
    longer = "(T2[-_])?" if modality.upper() == "FLAIR" else ""
    return f"{longer}{re.escape(unweighted(modality))}w?"


def unweighted(modality):
    """T1 for T1w."""
    return re.sub("^(T1|T2|PD)w$", r"\1", modality)
