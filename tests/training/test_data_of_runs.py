"""A run is continued only on the data on which it was made."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from stablenets.errors import BadInput
from stablenets.training.run import check_same_data


@pytest.mark.parametrize(
    ("now", "says"), [("my csv", "its content changed"), ("another", "my csv.*another")]
)
def test_other_data_is_told_by_its_source_or_its_content(now, says):
    history = [{"data": {"source": "my csv", "digests": {"train": "a"}}}]
    dataset = SimpleNamespace(source=now, digests={"train": "b"})
    with pytest.raises(BadInput, match=says):
        check_same_data(Path("runs/x"), history, dataset)
