"""Values of images and of label maps that stand for something else than an intensity or a tissue."""

# The intensity of voxels outside the brain. After z-scoring 0 is the mean brain and CSF, GM and WM lie within ±3, so 0
# outside would look like tissue. Measured: docs/decisions.md, "Background".
BACKGROUND = -4.0

# The class of voxels that count neither in the loss nor in Dice.
IGNORE = 255
