"""Training patches of the embedded phantoms."""

from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import read_split
from tf_msgan.phantoms.phantom_cohort import embedded_cohort
from tf_msgan.training.train_run import load_training_scans, training_patches


def patches_of_phantoms(model):
    """Returns the stream that a model would learn from."""
    cohort = read_cohort(embedded_cohort(), "iseg")
    scans = load_training_scans(cohort, read_split("iseg-few-shot", cohort), model.config)
    return training_patches(model, scans, model.config.has_adversarial_phase)
