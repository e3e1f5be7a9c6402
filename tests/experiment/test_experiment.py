"""Experiments as lists of cells: products, roles, rivals, twins, and what has to be drawn."""

import pytest

from fcr_core.experiment.drawings import drawings_of
from fcr_core.experiment.experiment import Experiment, experiments_of
from fcr_core.experiment.fine_tune import FineTune, lambda_name, max_delta_in_train_steps
from fcr_core.experiment.paths import Paths

from .test_schema import DEFAULT, exp1, merged

TWO = {"backbones": {"second": {"like": "pocket", "train": "noto"}}, "datasets": {"noto": {"prompts": 50}}}


def experiment(*rows, **fields) -> Experiment:
    return Experiment.from_config(merged(merged(DEFAULT, TWO), exp1(*rows, **fields)), "exp1")


def test_the_rows_of_experiment_1_carry_the_names_of_the_literature():
    made = experiments_of(DEFAULT)["exp1"]
    assert [row.name for row in made.rows] == [
        "uncached-50", "DDIM-35", "DDIM-10", "DPM++20", "FD-5", "FD-10",
        "FCR(0)-FD-10", "FCR(0.05)-FD-10", "FCR(0.10)-FD-10", "FCR(0.20)-FD-10",
    ]  # fmt: skip
    assert [row.role for row in made.rows] == ["plain"] * 3 + ["reference"] + ["cached"] * 2 + ["control"] + ["fcr"] * 3
    assert {row.goal for row in made.rows} == {"FD-5"}
    assert [row.control for row in made.rows[-2:]] == ["FCR(0)-FD-10"] * 2


def test_an_experiment_reads_back_from_its_file(tmp_path):
    for name, made in experiments_of(DEFAULT).items():
        (tmp_path / name).write_text(made.json, encoding="utf-8")
        assert Experiment.read(tmp_path / name) == made


def test_several_backbones_and_data_sets_stand_in_names_and_paths():
    made = experiment({"stride": 10, "lam": 0.1}, backbones=["pocket", "second"], datasets=["twemoji", "noto"])
    names = [row.name for row in made.rows]
    assert len(names) == len(set(names)) == 2 * 2 * 3
    assert names[:3] == ["pocket-uncached-50 on twemoji", "pocket-FD-5 on twemoji", "pocket-FCR(0.10)-FD-10 on twemoji"]
    last = made.rows[-1]
    assert last.cell.path == "second/lambda0.10@noto/FD-10/noto/clean" and last.goal == "second-FD-5 on noto"
    assert last.twin.path == "second/lambda0.10@noto/uncached-50/noto/clean"
    assert last.base.path == "second/base/uncached-50/noto/clean"


def test_a_cached_run_of_another_solver_has_that_solvers_uncached_run_as_its_twin():
    row = experiment({"scheduler": "dpm++", "steps": 20, "stride": 2}).rows[-1]
    assert (row.name, row.twin.sampler.name, row.base.sampler.name) == ("DPM++20-FD-2", "DPM++20", "uncached-50")
    plain = experiment({"scheduler": "dpm++", "steps": 20}).rows[-1]
    assert plain.twin == plain.base and plain.role == "plain"


def test_a_reuse_decoder_has_the_published_models_twin():
    row = experiment({"recipe": "decoder-5-cut2", "sampler": "own"}).rows[-1]
    assert row.cell.path == "pocket/decoder-5-cut2@twemoji/FD-5-cut2/twemoji/clean"
    assert row.twin == row.base and row.role == "fcr"


def test_all_stands_for_the_recipes_that_fit():
    made = experiments_of(DEFAULT)["ablations"]
    decoders = {row.cell.model.recipe for row in made.rows if row.cell.model.own_decoder}
    assert decoders == {name for name, recipe in DEFAULT["recipes"].items() if recipe.get("trains") == "decoder"}
    assert {row.cell.sampler.name for row in made.rows if row.cell.model.recipe == "cosine"} == {
        "FD-5", "FD-10", "FD-15", "FD-20", "FD-10-linear", "FD-10-cut2", "FD-3-cut2-linear", "FD-5-cut2-linear"
    }  # fmt: skip


def test_what_two_experiments_share_is_drawn_once_with_what_either_wants():
    experiments = experiments_of(DEFAULT)
    drawings = drawings_of(experiments.values(), {"twemoji": 100})
    shared = drawings["pocket/base/FD-5/twemoji/clean"]
    assert (shared.prompts, shared.seeds) == (100, (0, 1, 2))
    assert drawings["pocket/cosine@twemoji/FD-5/twemoji/clean"].prompts == 40
    # Only to compare with: 20 prompts for Experiment 1, the grid's 40 where it has the model too.
    assert drawings["pocket/lambda0.10@twemoji/uncached-50/twemoji/clean"].prompts == 20
    control = drawings["pocket/control@twemoji/uncached-50/twemoji/clean"]
    assert (control.prompts, control.seeds) == (40, (0, 1, 2))


def test_another_data_set_adds_cells_and_changes_none():
    before = drawings_of([experiment()], {"twemoji": 100})
    after = drawings_of([experiment(datasets=["twemoji", "noto"])], {"twemoji": 100, "noto": 50})
    assert before.items() < after.items()
    assert {path.split("/")[3] for path in after.keys() - before.keys()} == {"noto"}


def test_a_backbones_entry_overrides_the_training():
    config = merged(DEFAULT, {"backbones": {"pocket": {"finetune": {"batch": 8}, "guidance": 7.5}}})
    assert FineTune.of_lambda(config, 0.1, "pocket").training["batch"] == 8
    assert Experiment.from_config(config, "exp1").rows[0].cell.sampler.guidance == 7.5


def test_a_fine_tune_that_ends_before_its_first_mini_validation_is_not_validated():
    config = merged(DEFAULT, {"finetune": {"steps": 40, "validate_every": 50}})
    short, long = FineTune.of_lambda(config, 0.1, "pocket"), FineTune.of_recipe(config, "control", "pocket")
    assert not short.validated and "--validate-every=50" not in short.arguments
    assert long.validated and "--validate-every=50" in long.arguments


def test_a_lambda_has_one_name_that_reads_back():
    assert [lambda_name(x) for x in (0, 0.05, 0.1, 0.125, 3)] == ["0", "0.05", "0.10", "0.125", "3.00"]
    assert all(float(lambda_name(x)) == x for x in (1e-7, 0.3, 12.5))


def test_delta_counts_training_steps_or_sampling_steps():
    assert max_delta_in_train_steps(DEFAULT) == 10
    assert max_delta_in_train_steps(merged(DEFAULT, {"finetune": {"delta_unit": "sampling_steps"}})) == 200


@pytest.mark.parametrize(
    "measures, count", [(["pairs"], 1), (["sets", "pairs"], 3), (["sets", "image_text", "pairs", "variance"], 5)]
)
def test_a_rows_files_follow_from_what_is_measured(measures, count):
    row = experiments_of(DEFAULT)["exp1"].rows[-1]
    files = Paths().measurements(row, measures, ["kid", "frechet"])
    assert len(files) == count and all(row.cell.model.path in file for file in files)
