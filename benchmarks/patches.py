"""Training patches of the embedded phantoms."""

from tf_msgan.data.layouts import read_cohort
from tf_msgan.data.phantoms.cohort import embedded_cohort
from tf_msgan.data.splits import read_split
from tf_msgan.progress import Progress
from tf_msgan.training.run import load_training_scans, training_patches


def patches_of_phantoms(model):
    """The stream that a model would learn from."""
    cohort = read_cohort(embedded_cohort(), "iseg")
    scans = load_training_scans(cohort, read_split("iseg-few-shot", cohort), model.config, None, Progress(False))
    return training_patches(model, scans, model.learns_unlabelled())
