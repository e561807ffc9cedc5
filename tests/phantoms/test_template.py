"""The anatomy that all phantoms come from."""

from tf_msgan.phantoms.template import load_template


def test_cerebellum_and_brain_stem_are_gone():
    template = load_template()
    # The cerebrum has no tissue behind and below; the template's lowest quarter holds temporal lobes alone.
    low = template.tissues.sum(axis=0)[:, :, : template.depth.shape[2] // 6]
    back = low[:, : low.shape[1] // 3]
    assert back.sum() < 0.02 * low.sum()
