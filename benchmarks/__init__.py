"""Scripts that measured what the docs quote."""

import tf_msgan  # noqa: F401  sets TensorFlow up, before any of them imports it
