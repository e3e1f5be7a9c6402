"""Precision, recall, density and coverage against prdc and torch-fidelity; their forms that ask for the prompt."""

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_prc import prc_features_to_metric

from fcr_core.metrics import joint_precision_recall, precision_recall, prompt_precision_recall, rows

RNG = np.random.default_rng(0)
X, Y = RNG.normal(0.2, 0.8, size=(150, 6)), RNG.normal(size=(180, 6))


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_all_four_equal_prdc(neighbours):
    measured = precision_recall.of_set(X, Y, neighbours)
    assert measured == pytest.approx(compute_prdc(Y, X, neighbours), rel=1e-12)
    assert all(0.1 < measured[key] <= 1 for key in ("precision", "recall", "coverage"))


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_precision_and_recall_equal_torch_fidelity(neighbours):
    tensors = torch.from_numpy(X), torch.from_numpy(Y)
    expected = prc_features_to_metric(*tensors, prc_neighborhood=neighbours, save_cpu_ram=False, verbose=False)
    measured = precision_recall.of_set(X, Y, neighbours)
    assert measured["precision"] == pytest.approx(expected["precision"], rel=1e-6)
    assert measured["recall"] == pytest.approx(expected["recall"], rel=1e-6)


def test_the_neighbours_are_five():
    assert precision_recall.of_set(X, Y) == precision_recall.of_set(X, Y, 5)


@pytest.mark.parametrize("block", [1, 7, 149])
def test_blocks_and_the_order_of_rows_change_nothing(monkeypatch, block):
    expected = precision_recall.of_set(X, Y)
    monkeypatch.setattr(rows, "BLOCK", block)
    assert precision_recall.of_set(RNG.permutation(X), RNG.permutation(Y)) == expected


@pytest.mark.parametrize("block", [7, 2048])
@pytest.mark.parametrize("number", [3, 20, 150], ids="{} groups".format)
def test_leaving_groups_out_equals_measuring_the_others_anew(monkeypatch, number, block):
    groups, wide = RNG.permutation(np.arange(150) % number), 2 * X
    expected = [precision_recall.of_set(wide[groups != group], Y) for group in range(-1, number)]
    monkeypatch.setattr(rows, "BLOCK", block)
    values = list(precision_recall.left_out(wide, Y, groups))
    assert values == [pytest.approx(value, rel=1e-12) for value in expected]
    assert all(len({value[key] for value in values}) > 1 for key in expected[0])


def test_a_radius_without_a_group_reaches_to_the_next_row_of_the_others():
    line, groups = np.array([[0.0], [1], [3], [7], [8]]), np.array([0, 0, 1, 1, 2])
    kept = np.array([[True, True, True], [False, True, True], [True, True, False]])
    radii = precision_recall.radii_within(line, groups, kept, 1)
    assert radii.tolist() == [[1, 1, 4, 1, 1], [-1, -1, 16, 1, 1], [1, 1, 4, 16, -1]]


def test_the_radius_reaches_to_the_kth_other_row_and_its_edge_is_inside():
    line = np.array([[0.0], [1], [3], [7]])
    assert precision_recall.squared_radii(line, 2).tolist() == [9, 4, 9, 36]
    assert precision_recall.of_set(np.array([[-1.0], [-2], [-9]]), line, 1)["precision"] == pytest.approx(1 / 3)


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="5 nearest neighbours need at least 6 images, not 5"):
        precision_recall.of_set(X[:5], Y)
    with pytest.raises(ValueError, match="need at least 6 images, not 4"):
        list(precision_recall.left_out(X[:8], Y, np.arange(8) % 2))


def joint(images, texts, real_images, real_texts) -> dict[str, float]:
    weight = joint_precision_recall.balance(real_images, real_texts)
    pairs = (images, texts), (real_images, real_texts)
    return joint_precision_recall.of_set(*(joint_precision_recall.joined(*pair, weight) for pair in pairs))


def test_joint_precision_and_recall_of_one_prompt_are_the_plain_ones():
    plain = precision_recall.of_set(X, Y)
    expected = {"joint_precision": plain["precision"], "joint_recall": plain["recall"]}
    assert joint(X, np.ones((150, 3)), Y, np.ones((180, 3))) == expected
    groups = np.arange(150) % 20
    left_out = list(joint_precision_recall.left_out(X, Y, groups))
    assert left_out[0] == expected and left_out[3] == joint_precision_recall.of_set(X[groups != 2], Y)


def test_joint_precision_falls_when_prompts_are_swapped_and_the_plain_one_does_not():
    classes = np.repeat([[-1.0], [1]], 90, axis=0)
    images, texts = Y + 10 * classes, np.hstack([classes, 1 - classes])
    assert precision_recall.of_set(images[::-1], images)["precision"] == 1
    assert joint(images, texts, images, texts)["joint_precision"] == 1
    assert joint(images, texts[::-1], images, texts)["joint_precision"] == 0


def test_the_joint_space_does_not_depend_on_the_scale_of_the_texts():
    texts, real_texts = RNG.normal(size=(150, 3)), RNG.normal(size=(180, 3))
    assert joint(X, texts, Y, real_texts) == joint(X, 64 * texts, Y, 64 * real_texts)


def test_prompt_precision_and_recall_look_only_at_the_prompts_own_images():
    seeds = np.stack([Y + 0.5 * RNG.normal(size=Y.shape) for _ in range(3)])
    measured = prompt_precision_recall.per_prompt(seeds, Y)
    radii, real_radii = np.sqrt(precision_recall.squared_radii(seeds.reshape(-1, 6))), np.sqrt(precision_recall.squared_radii(Y))
    for prompt in (0, 17, 179):
        gaps = np.linalg.norm(seeds[:, prompt] - Y[prompt], axis=1)
        assert measured["prompt_precision"][prompt] == (gaps <= real_radii[prompt]).mean()
        assert measured["prompt_recall"][prompt] == (gaps <= radii.reshape(3, -1)[:, prompt]).any()
    swapped = prompt_precision_recall.per_prompt(seeds[:, ::-1], Y)
    assert swapped["prompt_precision"].mean() < 0.5 * measured["prompt_precision"].mean()
    assert swapped["prompt_recall"].mean() < 0.5 * measured["prompt_recall"].mean()
