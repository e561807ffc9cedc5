"""FreeSurfer's codes."""

from tf_msgan.preprocessing.reserved_values import IGNORE


def test_freesurfer_codes():
    from tf_msgan.datasets.freesurfer import FREESURFER

    classes = FREESURFER.classes
    # From FreeSurferColorLUT.txt: names and what they are.
    for code in (4, 43, 5, 44, 14, 15, 24, 31, 63, 72):
        assert classes[code] == 1
    for code in (3, 42, 10, 49, 11, 12, 13, 17, 18, 26, 28, 1024, 2035, 11101, 12175):
        assert classes[code] == 2
    for code in (2, 41, 77, 251, 255, 3024, 4035, 5001):
        assert classes[code] == 3
    for code in (7, 8, 16, 46, 47, 30, 62, 80, 85, 172):
        assert code not in classes
    assert FREESURFER.unlisted == IGNORE
