"""Whatever stands in a configuration, it ends in one line or is a run: mutations of valid ones."""

import copy

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fcr_core.experiment.config_error import ConfigError
from fcr_core.experiment.drawings import drawings_of
from fcr_core.experiment.experiment import experiments_of
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import fine_tune_of
from fcr_core.experiment.rules import check_criteria, check_names
from fcr_core.experiment.schema import check
from fcr_core.figures.registry import FIGURES
from fcr_core.tables.verdicts import CRITERIA

from ..tiers import rest_slow
from ..workspace import ROOT, merged

# Two small experiments that share cells, and everything else of the shipped configuration.
SMALL = {
    "recipes": {"control": {"lam": 0, "steps": 3}, "mine": {"lam": 1, "times": "groups", "blocks": ["mid"], "cut": 0}},
    "experiments": {
        "exp1": {"rows": ["uncached", {"stride": [5, 10]}, {"scheduler": "dpm++", "steps": 20}, {"stride": 10, "lam": [0, 0.1]}]},
        "second": {
            "title": "Second", "backbones": ["pocket"], "datasets": ["twemoji"], "scenarios": ["clean"], "goal": "FD-5",
            "control": "control", "figures": ["mechanism"], "measures": ["pairs", "variance"], "seeds": [0], "prompts": 40,
            "mechanism": {"sampler": "FD-5", "delta": 10},
            "rows": ["uncached", {"recipe": ["base", "all"], "stride": 5}, {"keys": 10, "cut": 2, "reuse": "linear", "nodes": 2}],
        },
    },
}  # fmt: skip


def base() -> dict:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config |= {"recipes": {}, "experiments": {"exp1": config["experiments"]["exp1"]}}
    return merged(config, SMALL)


def places(value, path=()) -> list[tuple]:
    """The paths of everything in a configuration."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))][not path :]


PLACES = places(base())
NAMES = ["pocket", "twemoji", "clean", "control", "mine", "base", "all", "own", "FD-5", "uncached", "50ls", "ddim", "lcm", "noto"]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([8, 50, 64, 999, 1000, 10**12]), st.sampled_from(NAMES),
    st.floats(), st.sampled_from([0.5, 1e-7, -0.0]), st.text(max_size=4), st.dates(),
)  # fmt: skip
KEYS = st.one_of(
    st.sampled_from(["at", "lam", "size", "train", "stride", "prompts"]), st.text(max_size=3), st.integers(), st.none()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=2)), max_leaves=4
)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["replace", "remove", "add"]), st.sampled_from(PLACES), VALUES, KEYS), min_size=1, max_size=3
)


def changed(config: dict, changes: list[tuple]) -> dict:
    for how, place, value, key in changes:
        try:
            holder = config
            for part in place[:-1]:
                holder = holder[part]
            if how == "replace":
                holder[place[-1]] = copy.deepcopy(value)
            elif how == "remove":
                del holder[place[-1]]
            elif isinstance(holder[place[-1]], dict):
                holder[place[-1]][key] = copy.deepcopy(value)
            else:
                holder[place[-1]].append(copy.deepcopy(value))
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change has taken the place away
    return config


def run_of(config: dict) -> None:
    """What the Snakefile makes of a configuration before it builds its rules."""
    experiments, paths = experiments_of(config), Paths()
    drawings = drawings_of(experiments.values(), {name: given.get("prompts") for name, given in config["datasets"].items()})
    for experiment in experiments.values():
        assert experiment.rows and experiment.json
        for row in experiment.rows:
            assert drawings[row.cell.path].prompts > 0 and drawings[row.twin.path].prompts > 0
            assert paths.measurements(row, experiment.measures, config["metrics"]["sets"])
            if row.cell.model.recipe:
                assert fine_tune_of(config, row.cell.model).parsed


def test_the_small_configuration_is_valid():
    config = base()
    check(config)
    run_of(config)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(CHANGES)
def test_a_changed_configuration_ends_in_one_line_or_is_a_run(changes):
    config = changed(base(), changes)
    try:
        check(config)
        check_names(config, CRITERIA, FIGURES)
        check_criteria(config, CRITERIA)
    except ConfigError as error:
        text = str(error)
        assert text.startswith("config key ") and len(text.splitlines()) == 1 and len(text) < 1500, text
    else:
        run_of(config)


@pytest.mark.parametrize("name", rest_slow(["smoke", "paper"]))
def test_so_does_a_shipped_one_without_one_of_its_keys(name):
    files = [yaml.safe_load(file.read_text()) for file in (ROOT / "config.yaml", ROOT / "config" / f"{name}.yaml")]
    whole = merged(*files)
    for place in [place for place in places(whole) if len(place) <= 2 and place[0] != "recipes"]:
        config = changed(copy.deepcopy(whole), [("remove", place, None, None)])
        try:
            check(config)
        except ConfigError as error:
            assert str(error).startswith("config key ") and len(str(error).splitlines()) == 1
        else:
            run_of(config)
