"""The value of voxels outside the brain."""

# After z-scoring 0 is the mean brain and CSF, GM and WM lie within ±3, so 0 outside would look like tissue.
# Measured: docs/decisions.md, "Background".
BACKGROUND = -4.0
