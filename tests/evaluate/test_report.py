"""What is measured of a model is measured, and would say so if the model were another."""

from types import SimpleNamespace

import numpy as np
import pytest

from ecgimn.evaluate.report import bias_alone


class Model:
    """Whose logit of a class is twice its label, of which the bias carries a share."""

    def __init__(self, share):
        self.share = share

    def write_linear_model(self, x):
        return SimpleNamespace(bias=self.share * 2.0 * x - 1.0, logit=2.0 * x - 1.0)


class Records(SimpleNamespace):
    """Inputs that are their own labels."""

    def __len__(self):
        return len(self.x)


LABELS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
DATA = Records(x=LABELS.astype(float), labels={"superclass": LABELS})


@pytest.mark.parametrize(("share", "variance", "ranking"), [(0.0, 0.0, 0.5), (0.5, 0.25, 1.0), (1.0, 1.0, 1.0)])
def test_a_bias_that_holds_evidence_is_found_out(share, variance, ranking):
    found = bias_alone(Model(share), DATA, "superclass")
    assert found["variance_share"] == [variance, variance]
    assert found["auroc_of_bias_alone"] == ranking
    assert found["n"] == 4
