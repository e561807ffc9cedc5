"""What is compared with what."""

from benchmarks.throughput import compared


def test_u_nets_are_compared_at_equal_precision():
    names = ["U-Net", "multi-stage", "same U-Net, PyTorch", "U-Net, bfloat16", "same U-Net, PyTorch, bfloat16"]
    assert compared(names) == [("U-Net", names[2]), ("U-Net, bfloat16", names[4])]
