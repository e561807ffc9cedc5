"""Which cases are to be looked at."""

from tf_msgan.datasets.cases import Case
from tf_msgan.evaluation.quality import CaseFacts, outlier_scores


def test_the_case_that_stands_out():
    def facts(gm, entropy=0.2):
        return CaseFacts(Case("x", ()), {"CSF": 100.0, "GM": gm, "WM": 300.0}, entropy, False)

    usual = [facts(400.0 + n, 0.2 + n / 1000) for n in range(6)]
    scores = outlier_scores([*usual, facts(150.0), facts(403.0, 0.5)])
    assert min(scores[6:]) > 3.5 > max(scores[:6])
    assert outlier_scores(usual[:4]) == [0] * 4
