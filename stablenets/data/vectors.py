"""Data sets of feature vectors, float32 (N, d), standardised feature by feature.

The package has none of its own; docs/how-to/add-a-dataset.md adds one.
"""

from dataclasses import dataclass

from torch import Tensor

from stablenets.data.dataset import Examples, check_lengths, float_examples
from stablenets.data.resident import ResidentData
from stablenets.data.scaling import Scaling, fit_feature_scaling
from stablenets.data.splitting import draw_test_set


@dataclass(frozen=True)
class VectorData(ResidentData):
    """Base class of data sets of feature vectors.

    Each feature is scaled to mean 0 and standard deviation 1 over the training examples in use.
    """

    def fit_scaling(self, train: Tensor) -> Scaling:
        return fit_feature_scaling(train)


def split_off_test(features: Tensor, labels: Tensor, seed: int, source: str) -> Examples:
    """Return examples of a data set without a test set of its own: a fifth is held out for testing.

    Args:
        features: (N, d).
        labels: long (N,), 0 ... classes - 1; in a regression float32 (N, 1). A fifth of each class
            is held out.
        seed: The split seed.
        source: Where the examples come from, in one line.

    Raises:
        BadInput: If there are not as many labels as features.
    """
    check_lengths("split_off_test", features, labels)
    is_test = draw_test_set(labels, "test set", seed)
    return float_examples(
        features[~is_test], labels[~is_test], features[is_test], labels[is_test], source
    )
