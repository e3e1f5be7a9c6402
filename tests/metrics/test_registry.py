"""What every metric says of itself: names, ranges, the registry; and the replicates of a jackknife."""

import pkgutil
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

from fcr_core import metrics
from fcr_core.metrics import class_score, frechet, frechet_pca, kid, latent_mse, lit_score, precision_recall, registry, st_lpips
from fcr_core.metrics.left_out import ALL, over_seeds, replicates
from fcr_core.metrics.metric import metrics_of, named
from fcr_core.statistics.prompt_groups import group_of
from fcr_core.tables.metric_columns import describe

from ..workspace import ROOT

HELPERS = {"metric", "registry", "left_out", "rows", "mmd"}
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(90, 12)), RNG.normal(0.3, 1.2, size=(100, 12))


def test_every_module_but_the_helpers_is_in_the_registry():
    modules = {module.name for module in pkgutil.iter_modules(metrics.__path__)} - HELPERS
    described = [metric for name in modules for metric in metrics_of(import_module(f"fcr_core.metrics.{name}"))]
    assert sorted(metric.key for metric in described) == sorted(registry.METRICS)


@pytest.mark.parametrize("metric", registry.METRICS.values(), ids=str)
def test_every_metric_says_what_it_is(metric):
    assert metric.title and metric.needs and metric.source and metric.direction in ("lower", "higher")
    assert metric.range[0] < metric.range[1]


def test_the_names_in_tables_are_formula_and_network():
    assert [module.METRIC.name("effnet") for module in (kid, frechet_pca, class_score)] == [
        "kid_effnet",
        "frechet_pca64_effnet",
        "class_score_effnet",
    ]
    assert [lit_score.METRIC.name(), latent_mse.METRIC.name(), st_lpips.METRIC.name("alex")] == [
        "lit_score",
        "latent_mse",
        "st_lpips_alex",
    ]


@pytest.mark.parametrize(
    "column, key",
    [
        ("kid_effnet", "kid"),
        ("frechet_inception", "frechet"),
        ("frechet_pca64_effnet", "frechet_pca64"),
        ("frechet_infinity_dinov2", "frechet_infinity"),
        ("inception_score_sd_inception", "inception_score_sd"),
        ("lit_score", "lit_score"),
        ("latent_mse_own", "latent_mse"),
        ("st_lpips_alex_base", "st_lpips"),
    ],
)
def test_a_column_is_described_without_its_network_and_twin(column, key):
    assert describe(column) is registry.METRICS[key]


@pytest.mark.parametrize("column", ["speedup_b1", "kid_effnet_low_end", "own"])
def test_a_column_that_is_no_metric_is_refused(column):
    with pytest.raises(ValueError, match=f"column {column}: no metric"):
        describe(column)


@pytest.mark.parametrize("module", [module for module in registry.SETS.values() if hasattr(module, "of_set")])
@pytest.mark.parametrize("features", [X, Y, np.ones((40, 12)), 30 * X], ids=["near", "equal", "constant", "far"])
def test_values_of_sets_keep_to_the_declared_range(module, features):
    for key, value in named(module, module.of_set(features, Y), "").items():
        low, high = registry.METRICS[key].range
        assert low - 1e-9 <= value <= high


@pytest.mark.parametrize("metric", [kid, frechet, frechet_pca, class_score, precision_recall])
def test_replicates_are_the_value_of_all_prompts_and_without_each_group(metric):
    groups, values = zip(*replicates(metric, X[None], Y), strict=True)
    assert groups == tuple(range(-1, 20))
    assert values[0] == pytest.approx(metric.of_set(X, Y), rel=1e-9)
    for group in (0, 19):
        assert values[1 + group] == pytest.approx(metric.of_set(X[group_of(90) != group], Y), rel=1e-9)


def test_a_biased_metric_takes_the_images_of_all_seeds_together_and_an_unbiased_one_their_mean():
    features = np.stack([X, X + 0.1])
    found = {(seed, group): value for seed, group, value in over_seeds(frechet, features, Y, [5, 7])}
    assert found[ALL, -1] == pytest.approx(frechet.of_set(np.concatenate(features), Y), rel=1e-9)
    kept = group_of(90) != 3
    assert found[ALL, 3] == pytest.approx(frechet.of_set(np.concatenate(features[:, kept]), Y), rel=1e-9)
    assert found[7, -1] == pytest.approx(frechet.of_set(X + 0.1, Y), rel=1e-9) and (7, 3) not in found
    seeds = {seed for seed, _, _ in over_seeds(kid, features, Y, [5, 7])}
    assert seeds == {5, 7}


def test_no_metric_needs_torch():
    modules = "fcr_core.tables.metric_columns, fcr_core.metrics.left_out, fcr_core.experiment.schema"
    command = f"import sys; import {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def test_the_page_on_metrics_lists_each_as_it_says_itself():
    page = (ROOT / "docs" / "metrics.md").read_text()
    for metric in registry.METRICS.values():
        assert f"| `{metric.key}` | {metric.title} | {metric.direction} | {metric.unit} |" in page
        assert f"| {metric.needs} | {metric.source} |" in page
