"""A tiny data set of nnU-Net's, and what can be wrong with a scan or a label map of it."""

import gzip
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np

from tests.conftest import save_nifti, tiny_brain

IDS = ("bad", "good_1", "good_2")


def write_case(root, subject_id, number):
    t1, t2, classes = tiny_brain(number, shape=(20, 22, 18))
    save_nifti(root / f"imagesTr/{subject_id}_0000.nii.gz", t1)
    save_nifti(root / f"imagesTr/{subject_id}_0001.nii.gz", t2)
    save_nifti(root / f"labelsTr/{subject_id}.nii.gz", classes)


def write_set(root):
    labels = {"background": 0, "CSF": 1, "GM": 2, "WM": 3}
    root.mkdir(parents=True)
    (root / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "T2"}, "labels": labels}))
    for number, subject_id in enumerate(IDS, start=1):
        write_case(root, subject_id, number)
    split = {"train": ["bad", "good_1"], "validation": [], "unlabeled": [], "test": ["good_2"]}
    (root / "split.json").write_text(json.dumps(split))


def image_of(path):
    image = nib.load(path)
    return np.asanyarray(image.dataobj), image.affine


def rewrite(path, change=lambda data: data, affine=None, header=lambda header: None):
    """Writes a volume anew with its voxels, affine or header changed."""
    data, old = image_of(path)
    image = nib.Nifti1Image(change(np.array(data)), old if affine is None else affine)
    header(image.header)
    nib.save(image, path)


def patch_header(path, **fields):
    """Sets header fields that nibabel would not write."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    header = np.frombuffer(content, nib.Nifti1Header.template_dtype, count=1)
    for name, value in fields.items():
        header[name][0] = value
    path.write_bytes(gzip.compress(bytes(content)))


def as_analyze(path, keep=1.0):
    """Replaces a volume by an Analyze pair; of the voxels a part is kept, or no file."""
    data, _ = image_of(path)
    stem = Path(str(path).removesuffix(".nii.gz"))
    nib.save(nib.AnalyzeImage(data, np.eye(4)), stem.with_name(stem.name + ".hdr"))
    path.unlink()
    voxels = stem.with_name(stem.name + ".img")
    if keep == 0:
        voxels.unlink()
    else:
        voxels.write_bytes(voxels.read_bytes()[: int(voxels.stat().st_size * keep)])


def dims(*sizes):
    return [len(sizes), *sizes, *[1] * (7 - len(sizes))]


def set_voxel(value):
    def change(data):
        data = data.astype(np.float64)
        data[10, 11, 9] = value
        return data

    return change


def rgb(path):
    data, affine = image_of(path)
    colours = np.zeros(data.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, affine), path)


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def by(path):
    """In place of the file: a folder, or a link to itself."""

    def folder(files):
        getattr(files, path).unlink()
        getattr(files, path).mkdir()

    def loop(files):
        getattr(files, path).unlink()
        getattr(files, path).symlink_to(getattr(files, path))

    return SimpleNamespace(folder=folder, loop=loop)


SHEAR = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


# What is done to the files, and what the refusal says of them. Scans go through train, predict and doctor, …
BAD_SCANS = {
    "truncated gzip": (lambda f: f.t1.write_bytes(f.t1.read_bytes()[:3000]), "truncated or damaged"),
    "damaged gzip": (lambda f: flip_a_byte(f.t1), "truncated or damaged"),
    "zero bytes": (lambda f: f.t1.write_bytes(b""), "a header that cannot be read"),
    "a text file": (lambda f: f.t1.write_text("no scan\n" * 99), "truncated or damaged|cannot be read"),
    "a gzipped text": (lambda f: f.t1.write_bytes(gzip.compress(b"no scan\n" * 99)), "cannot be read"),
    "truncated raw": (lambda f: as_analyze(f.t1, keep=0.5), "truncated or damaged"),
    "no .img": (lambda f: as_analyze(f.t1, keep=0), "truncated or damaged"),
    "huge dims": (lambda f: patch_header(f.t1, dim=dims(32767, 32767, 32767)), "at most 134,217,728 voxels"),
    "a bomb's dims": (lambda f: patch_header(f.t1, dim=dims(2000, 2000, 2000)), "at most 134,217,728 voxels"),
    "dims beyond the data": (lambda f: patch_header(f.t1, dim=dims(500, 500, 500)), "truncated or damaged"),
    "negative dims": (lambda f: patch_header(f.t1, dim=dims(20, -22, 18)), "shape|cannot be read"),
    "zero dims": (lambda f: patch_header(f.t1, dim=dims(20, 0, 18)), "shape"),
    "too many dims": (lambda f: patch_header(f.t1, dim=[9, 20, 22, 18, 1, 1, 1, 1]), "shape|damaged|read"),
    "fewer dims than data": (lambda f: patch_header(f.t1, dim=dims(10, 11, 9)), "shape"),
    "wrong magic": (lambda f: patch_header(f.t1, magic=b"abc"), "shape|cannot be read|truncated"),
    "voxels beyond the end": (lambda f: patch_header(f.t1, vox_offset=1e6), "truncated or damaged"),
    "unknown type": (lambda f: patch_header(f.t1, datatype=77), "cannot be read"),
    "NaN": (lambda f: rewrite(f.t1, set_voxel(np.nan)), "1 voxels that are NaN or infinite"),
    "inf": (lambda f: rewrite(f.t1, set_voxel(np.inf)), "1 voxels that are NaN or infinite"),
    "beyond float32": (lambda f: rewrite(f.t1, set_voxel(1e300)), "1 voxels that are NaN or infinite"),
    "all zero": (lambda f: rewrite(f.t1, np.zeros_like), "only zeros"),
    "constant": (lambda f: rewrite(f.t1, lambda data: np.full_like(data, 7)), "the constant 7"),
    "4-D": (lambda f: rewrite(f.t1, lambda data: np.stack([data] * 3, axis=-1)), "shape"),
    "2-D": (lambda f: rewrite(f.t1, lambda data: data[..., 9]), "shape"),
    "RGB": (lambda f: rgb(f.t1), "voxels of type RGB"),
    "complex": (lambda f: rewrite(f.t1, lambda data: data.astype(np.complex64)), "voxels of type complex64"),
    "singular affine": (lambda f: rewrite(f.t1, affine=SHEAR), "the affine"),
    "NaN affine": (lambda f: patch_header(f.t1, sform_code=1, srow_x=[np.nan] * 4), "the affine"),
    "voxels of a kilometre": (lambda f: rewrite(f.t1, affine=np.diag([1e6, 1e6, 1e6, 1])), "mm; expected 0.05 to 30"),
    "voxels of nothing": (lambda f: rewrite(f.t1, affine=np.diag([1e-6, 1, 1, 1])), "mm; expected 0.05 to 30|affine"),
    "modality of another shape": (lambda f: rewrite(f.t2, lambda data: data[1:]), "expected .* as in"),
    "modality elsewhere": (lambda f: rewrite(f.t2, affine=np.diag([1, 1, 1.3, 1])), "an affine whose corners lie"),
    "constant second modality": (lambda f: rewrite(f.t2, np.ones_like), "the constant 1"),
    "no second modality": (lambda f: f.t2.unlink(), "no T2"),
    "a folder for a scan": (by("t1").folder, "a folder"),
    "a symlink loop": (by("t1").loop, "no such file|no T1"),
}


# … label maps through train and doctor.
BAD_LABELS = {
    "label map of another shape": (lambda f: rewrite(f.label, lambda data: data[1:]), "expected .* as in"),
    "label map elsewhere": (lambda f: rewrite(f.label, affine=np.diag([1, 1, 1.3, 1])), "an affine whose corners"),
    "unknown label": (lambda f: rewrite(f.label, set_voxel(4)), r"label values \[4\]"),
    "fractional label": (lambda f: rewrite(f.label, set_voxel(1.5)), "the label value 1.5"),
    "negative label": (lambda f: rewrite(f.label, lambda data: -data.astype(np.int16)), r"label values \[-3, -2, -1\]"),
    "NaN label": (lambda f: rewrite(f.label, set_voxel(np.nan)), "the label value nan"),
    "empty label map": (lambda f: rewrite(f.label, np.zeros_like), "no voxel of CSF, GM, WM"),
    "truncated label map": (lambda f: f.label.write_bytes(f.label.read_bytes()[:200]), "truncated or damaged"),
    "duplicated subject": (lambda f: shutil.copy(f.root / "imagesTr/good_2_0000.nii.gz", f.t1), "again"),
    "recompressed duplicate": (
        lambda f: f.t1.write_bytes(
            gzip.compress(gzip.decompress((f.root / "imagesTr/good_2_0000.nii.gz").read_bytes()))
        ),
        "again",
    ),
}


# … and these are scans as they may be.
GOOD_SCANS = {
    "int64": lambda f: nib.save(nib.Nifti1Image(image_of(f.t1)[0].astype(np.int64), np.eye(4), dtype="int64"), f.t1),
    "float64": lambda f: rewrite(f.t1, lambda data: data.astype(np.float64)),
    "a fourth axis of 1": lambda f: rewrite(f.t1, lambda data: data[..., None]),
    "slope 0": lambda f: patch_header(f.t1, scl_slope=0, scl_inter=9),
    "slope NaN": lambda f: patch_header(f.t1, scl_slope=np.nan),
    "slope and intercept": lambda f: patch_header(f.t1, scl_slope=0.25, scl_inter=3),
    "Analyze": lambda f: (as_analyze(f.t1), as_analyze(f.t2), as_analyze(f.label)),
    "a missing tissue": lambda f: rewrite(f.label, lambda data: np.where(data == 3, 2, data)),
    "forms that disagree": lambda f: patch_header(f.t1, qform_code=1, qoffset_x=40.0),
    "labels as floats": lambda f: rewrite(f.label, lambda data: data.astype(np.float32)),
    "a header of big-endian": lambda f: rewrite(f.t1, lambda data: data.astype(">i2")),
}
