"""Whether bfloat16 is worth a try."""

from pathlib import Path


def multiplies_bfloat16() -> bool:
    """Returns whether this processor has instructions for it; else it is emulated, which takes far longer than
    float32."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return "amx_bf16" in flags or "avx512_bf16" in flags
