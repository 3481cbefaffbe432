"""The trained model asked about many rows: the answers are those of `evaluate`, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.core.arrays import batch_of
from tests.support import tiny


@pytest.mark.parametrize("labels", ["classes", "regression"])
@pytest.mark.parametrize("more", [0, 7])  # rows beyond whole batches
def test_the_answers_are_those_of_evaluate_to_the_bit(tmp_path, labels, more):
    from tasks.network.assemble import assemble
    from tasks.network.feed import in_batches
    from tasks.scores.asking import asker

    model = assemble(tiny.compiled(tmp_path / "tiny", labels), seed=4)
    x, y = tiny.rows(labels, 3 * 256 + more, seed=1)
    assert batch_of(x) == 256
    ask = asker(model)
    expected = model.predict(in_batches(x, y), verbose=0)
    assert ask(x).tobytes() == expected.tobytes()
    assert ask(x[:5]).shape == expected[:5].shape
    assert ask(x[:256]).tobytes() == expected[:256].tobytes()


def test_a_layer_that_is_another_in_the_training_answers_as_in_evaluate(tmp_path):
    from tasks.network.assemble import assemble
    from tasks.network.feed import in_batches
    from tasks.scores.asking import asker

    build = tiny.changed(tiny.CNN, batch_norm=True, dropout=0.5)
    model = assemble(tiny.compiled(tmp_path / "tiny", "classes", build), seed=4)
    x, y = tiny.rows("classes", 600, seed=1)
    expected = model.predict(in_batches(x, y), verbose=0)
    np.testing.assert_array_equal(asker(model)(x), expected)
