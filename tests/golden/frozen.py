"""The frozen defaults. A run's name holds what differs from them, so none of them may change.

    python tests/golden/frozen.py      adds new options, families, data sets and studies

To change behaviour, add an option or a value; never change a default in the file.
"""

import json
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("defaults.json")
ROOT = Path(__file__).resolve().parents[2]


def current_defaults() -> dict[str, Any]:
    """All defaults of the present code that decide the numbers of a run or a study."""
    from stablenets.config import EXECUTION_KEYS, defaults
    from stablenets.config.composition import net_preset
    from stablenets.config.groups import CONFIGS
    from stablenets.config.options import Net, Optim
    from stablenets.data import DATASETS
    from stablenets.nets import FAMILIES

    families = FAMILIES
    run = {key: value for key, value in defaults.run_options().items() if key not in EXECUTION_KEYS}
    presets = sorted(path.stem for path in (CONFIGS / "net").glob("*.yaml"))
    return {
        "run": run,
        "dataset": {name: defaults.dataset_options(name) for name in DATASETS},
        "net": {
            family: defaults.field_defaults(Net) | defaults.field_defaults(families[family])
            for family in families
        },
        "family": defaults.FAMILY_DEFAULTS,
        "optim": defaults.field_defaults(Optim),
        "optimiser": defaults.OPTIM_DEFAULTS,
        "preset": {name: net_preset(name) for name in presets},
        "study": {key: study_defaults_of(cls) for key, cls in sorted(study_classes().items())},
    }


def study_classes() -> dict[str, type]:
    """The studies of all papers and comparisons, by their keys."""
    from stablenets.claims.loader import experiment_modules, load_paper
    from stablenets.claims.work import Study

    for handle in experiment_modules():
        load_paper(handle)
    found: dict[str, type] = {}
    waiting = [Study]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls.key and cls.__module__.startswith("experiments."):
            assert found.setdefault(cls.key, cls) is cls, f"two studies have the key {cls.key}"
    return found


def study_defaults_of(cls: type) -> dict[str, Any]:
    from stablenets.claims.work import study_defaults

    return study_defaults(cls)


def frozen_defaults() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def merged(frozen: Any, current: Any, at: str = "") -> Any:
    """`frozen` with the new entries of `current`; exits if an entry has changed or is missing."""
    if not isinstance(frozen, dict) or not isinstance(current, dict):
        if frozen != current:
            sys.exit(f"{at}: frozen as {frozen}, now {current}; add an option or a value instead")
        return frozen
    if gone := frozen.keys() - current.keys():
        sys.exit(f"{at}: {', '.join(sorted(gone))} missing; committed results need it")
    return {
        key: merged(frozen[key], value, f"{at}.{key}") if key in frozen else value
        for key, value in current.items()
    }


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # the package beside this file, not an installed one
    known = frozen_defaults() if FILE.exists() else {}
    new = merged(known, current_defaults())
    FILE.write_text(json.dumps(new, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    print(f"{FILE}: {'unchanged' if new == known else 'new defaults added'}")
