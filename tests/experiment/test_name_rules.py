"""What is called alike lies in the same file: a configuration in which two things would is refused."""

import pytest

from fcr_core.experiment.config_error import ConfigError
from fcr_core.experiment.name_rules import check_targets
from fcr_core.experiment.schema import check

from .test_schema import DEFAULT, exp1, merged, message

SMALL = {"backbones": ["pocket"], "datasets": ["twemoji"], "scenarios": ["clean"], "measures": ["pairs"], "rows": ["uncached"]}


@pytest.mark.parametrize(
    "change, key, allowed",
    [
        (exp1({"stride": [10, 20], "name": "mine"}), "experiments.exp1.rows = 'mine'", "two rows have this name"),
        (exp1({"stride": 10, "name": "FD-5"}), "experiments.exp1.rows = 'FD-5'", "two rows have this name"),
        (exp1({"stride": 5, "name": "mine"}), "experiments.exp1.rows[2].name = 'mine'", "an earlier row is the same cell, FD-5"),
        (exp1({"stride": 5, "role": "reference"}), "experiments.exp1.rows[2].role = 'reference'", "an earlier row is the same"),
        (
            exp1({"stride": 10, "lam": [0.12345678, 0.12345679]}),
            "experiments.exp1.rows = 'FCR(0.123457)-FD-10'",
            "two rows have this name",
        ),
        (
            merged(
                {"recipes": {"lambda0.10": {"lam": 1}}}, exp1({"stride": 10, "lam": 0.1}, {"stride": 5, "recipe": "lambda0.10"})
            ),
            "experiments.exp1.rows = 'lambda0.10@twemoji'",
            "rename the recipe, or round lam",
        ),
        (
            exp1(
                {"stride": 10, "guidance": 2.0000001},
                {"stride": 20, "guidance": 2.0000002},
                {"stride": 10, "guidance": 2.0000003},
            ),
            "experiments.exp1.rows = 'FD-10-g2'",
            "two rows have this name",
        ),
        ({"recipes": {"base": {"lam": 1}}}, "recipes.base = ", "in a row this name means something else"),
        ({"recipes": {"all": {"lam": 1}}}, "recipes.all = ", "in a row this name means something else"),
        ({"experiments": {"exp1_64px": SMALL}}, "experiments.exp1_64px = ", "ends as files of costs do"),
        (
            {"experiments": {"a": SMALL | {"figures": ["samples"]}, "a_preserving": SMALL | {"figures": ["samples"]}}},
            None,
            None,
        ),
        (
            {
                "experiments": {
                    "a": SMALL | {"figures": ["preserving_samples"]},
                    "a_preserving": SMALL | {"figures": ["samples"]},
                }
            },
            "experiments.a_preserving = ",
            "would write results/figures/a_preserving_samples.png, as experiments.a does",
        ),
        ({"experiments": {"a": SMALL | {"title": "x" * 900, "goal": "FD-9"}}}, "experiments.a.goal = 'FD-9'", "add a row"),
    ],
)
def test_two_things_of_one_name_are_refused(change, key, allowed):
    if key is None:
        return check(merged(DEFAULT, change))
    text = message(change)
    assert text.startswith(f"config key {key}") and allowed in text, text


def test_a_row_that_is_written_twice_counts_once_and_lists_may_overlap():
    check(merged(DEFAULT, exp1({"stride": [5, 10]}, {"stride": 10, "lam": [0, 0]}, {"stride": 5})))


def test_fine_tunes_of_one_name_in_two_experiments_are_refused():
    two = {name: SMALL | {"rows": ["uncached", {"stride": 5, "lam": lam}]} for name, lam in (("a", 0.3333331), ("b", 0.3333332))}
    assert "config key experiments.b.rows = 'lambda0.333333@twemoji'" in message({"experiments": two})


def test_no_experiment_has_the_name_of_a_rule():
    check_targets(["exp1", "recipes"], ["table", "sample"])
    with pytest.raises(ConfigError, match=r"config key experiments\.table = 'table': a rule of the workflow has this name"):
        check_targets(["exp1", "table"], ["table", "sample"])
