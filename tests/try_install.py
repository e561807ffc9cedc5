"""Installs the package as a user does, and uses it: `python tests/try_install.py python3.12`.

In an empty folder outside the checkout: a virtual environment, `pip install CHECKOUT`, `tf-msgan`, a tiny training to
its report, predictions from the shell and by the README's Python. What is needed comes from the environment alone.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
# Of who only predicts, none.
EXTRAS = ("keras_tuner", "dipy", "nilearn", "tensorflow_serving", "SimpleITK")
# Seconds that `import tf_msgan` may take; the README says so.
IMPORT_SECONDS = 0.3

WRITE_SCANS = """
import json, pathlib
import nibabel as nib
import numpy as np

root = pathlib.Path("scans")
for folder in ("imagesTr", "labelsTr"):
    (root / folder).mkdir(parents=True)
channels, labels = {"0": "T1", "1": "T2"}, {"background": 0, "CSF": 1, "GM": 2, "WM": 3}
(root / "dataset.json").write_text(json.dumps({"channel_names": channels, "labels": labels}))
rng = np.random.default_rng(0)
distance = np.linalg.norm(np.indices((28, 32, 30)) - np.reshape([13.5, 15.5, 14.5], (3, 1, 1, 1)), axis=0)
classes = np.digitize(-distance, [-13, -11, -8]).astype(np.uint8)
for case in range(4):
    for channel, means in enumerate(([0, 250, 500, 620], [0, 800, 520, 450])):
        image = (np.array(means)[classes] + rng.normal(0, 15, classes.shape)) * (classes > 0)
        nib.save(nib.Nifti1Image(image.astype(np.int16), np.eye(4)), root / f"imagesTr/case{case}_{channel:04}.nii.gz")
    nib.save(nib.Nifti1Image(classes, np.eye(4)), root / f"labelsTr/case{case}.nii.gz")
"""
IMPORT_ALONE = """
import os, sys, time
before, modules = dict(os.environ), set(sys.modules)
start = time.perf_counter()
import tf_msgan
seconds = time.perf_counter() - start
heavy = {"tensorflow", "keras", "matplotlib", "numpy", "nibabel", "scipy"} & (set(sys.modules) - modules)
assert not heavy, heavy
assert {name for name in os.environ if os.environ[name] != before.get(name)} <= {"TF_ENABLE_ONEDNN_OPTS"}
print(f"{seconds:.3f}")
"""
TINY = ["--epochs", "1", "--steps-per-epoch", "2", "--batch-size", "1", "--patch", "16", "--no-progress"]
TINY += [f"--set=network.{part}_width=2" for part in ("coarse", "noise", "refine", "discriminator")]


def find(python: str) -> str:
    """An interpreter by its name, or pyenv's."""
    # pyenv's shims are there for versions that they do not run.
    if shutil.which(python) and subprocess.run([python, "--version"], capture_output=True).returncode == 0:
        return python
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{python.removeprefix('python')}*/bin/{python}"))
    if not found:
        sys.exit(f"no {python}")
    return str(found[-1])


def run(*command, status=0, **options) -> subprocess.CompletedProcess:
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    if result.returncode != status:
        sys.exit(f"{' '.join(map(str, command))}: status {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def copy_checkout(folder):
    """The files of the checkout alone: a build leaves its own beside them, and the next would pack those too."""
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=CHECKOUT).stdout.splitlines()
    for name in names:
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, folder / name)
    return folder


def readme_python() -> str:
    """The README's first block of Python."""
    return re.search(r"```python\n(.*?)```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]


def main(python):
    start = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="install-"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TF_"))}
    options = {"cwd": folder, "env": environment}
    run(find(python), "-m", "venv", folder / "v", **options)
    v = folder / "v" / "bin"
    run(v / "python", "-m", "pip", "install", "--quiet", copy_checkout(folder / "checkout"), **options)
    shutil.rmtree(folder / "checkout")
    installed = time.monotonic() - start
    version = run(v / "tf-msgan", "--version", **options).stdout.split()[1]
    assert "predict" in run(v / "tf-msgan", "--help", **options).stdout
    for extra in EXTRAS:
        run(v / "python", "-c", f"import {extra}", status=1, **options)
    for command, extra in (
        (("tf-msgan", "phantom", "infant", "phantoms"), "phantoms"),
        (("python", "-m", "tuning.study", "--factor", "lr"), "tuning"),
        (("tf-msgan", "export", "runs/mine", "--name", "brain"), "serving"),
    ):
        said = run(v / command[0], *command[1:], status=2, **options).stderr
        assert said.count("\n") == 1 and f"pip install 'tf_msgan[{extra}]'" in said, said
    # The first import compiles.
    seconds = [float(run(v / "python", "-c", IMPORT_ALONE, **options).stdout) for _ in range(3)][-1]
    assert seconds < IMPORT_SECONDS, seconds

    run(v / "python", "-c", WRITE_SCANS, **options)
    run(v / "tf-msgan", "train", "--data", "scans", "--out", "runs/mine", *TINY, **options)
    assert (folder / "runs/mine/report.html").stat().st_size > 10_000
    for channel, modality in enumerate(("T1", "T2")):
        shutil.copy(folder / f"scans/imagesTr/case3_{channel:04}.nii.gz", folder / f"{modality}.nii.gz")
    run(v / "tf-msgan", "predict", "runs/mine", "--input", "T1.nii.gz", "T2.nii.gz", "--output", "maps", **options)
    # A model file alone is enough.
    shutil.copy(folder / "runs/mine/model.keras", folder / "alone.keras")
    run(v / "tf-msgan", "predict", "alone.keras", "--input-dir", "scans/imagesTr", "--output", "more", **options)
    assert len(list((folder / "more").glob("case?.nii.gz"))) == 4
    same = (
        "import nibabel as nib, numpy as np; from pathlib import Path; (path,) = Path('maps').glob('*_dseg.nii.gz');"
        "assert np.array_equal(nib.load(path).dataobj, nib.load('labels.nii.gz').dataobj)"
    )
    run(v / "python", "-c", readme_python(), **options)
    run(v / "python", "-c", same, **options)
    shutil.rmtree(folder)
    print(
        f"tf_msgan {version} on {python}: installed in {installed:.0f} s, imported in {seconds:.2f} s, "
        f"trained and segmented; {time.monotonic() - start:.0f} s in all",
        flush=True,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
