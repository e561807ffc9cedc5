"""FreeSurfer's codes as tissues: one table for every label map in its manner (aseg, aparc+aseg, wmparc).

Codes are those of FreeSurfer's FreeSurferColorLUT.txt; which structure is which tissue is as usual in volumetry, with
the ventral diencephalon (28, 60) among the grey matter.
"""

from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.preprocessing.reserved_values import IGNORE

TISSUES = ("CSF", "GM", "WM")

# Ventricles (4, 5, 14, 15, 43, 44, 72), choroid plexus (31, 63) and CSF itself.
CSF_CODES = (4, 5, 14, 15, 24, 31, 43, 44, 63, 72)
# Cerebral cortex, whole (3, 42) or parcellated (Desikan-Killiany, Destrieux).
CORTEX_CODES = (3, 42, *range(1000, 1036), *range(2000, 2036), *range(11100, 11176), *range(12100, 12176))
# The grey nuclei of either side.
NUCLEUS_CODES = (10, 11, 12, 13, 17, 18, 26, 28, 49, 50, 51, 52, 53, 54, 58, 60)
# Cerebral white matter, whole or parcellated, hypointensities in it, and the corpus callosum.
WM_CODES = (2, 41, 77, 78, 79, *range(251, 256), *range(3000, 3036), *range(4000, 4036), 5001, 5002)

CLASSES = {
    0: 0,
    **dict.fromkeys(CSF_CODES, 1),
    **dict.fromkeys((*CORTEX_CODES, *NUCLEUS_CODES), 2),
    **dict.fromkeys(WM_CODES, 3),
}

# Cerebellum, brain stem, vessels and whatever else is not listed count neither in the loss nor in Dice.
FREESURFER = LabelTable(TISSUES, CLASSES, unlisted=IGNORE)
