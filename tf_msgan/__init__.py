"""Segments brain MRI from very few labelled scans with a multi-stage GAN."""

import os

# TensorFlow reads this when it is first imported. By itself it leaves oneDNN off on processors without AVX-512 VNNI,
# and its own 3-D convolutions take five times as long there (docs/decisions.md).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
