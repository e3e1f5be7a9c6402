"""Feature files keep rows and prompts together, refuse what is damaged, and come out the same from any shards."""

import json
import random

import numpy as np
import pytest

from fcr_core.data import load
from fcr_core.features import effnet
from fcr_core.features.extractor import extract, record_of
from fcr_core.features.feature_files import FeatureTable, merge, read, write
from fcr_core.metrics import frechet_pca, kid

RNG = np.random.default_rng(0)
RECORD = {"extractor": "effnet", "weights_sha256": "0" * 64, "resize": "none", "precision": "fp32"}
IDS, SEEDS = [f"p{i}" for i in range(7)], [2, 0, 1]


@pytest.fixture
def table():
    arrays = {"pool": RNG.normal(size=(3, 7, 4)).astype(np.float32), "logits": RNG.normal(size=(3, 7, 2)).astype(np.float32)}
    return FeatureTable(IDS, arrays, RECORD, SEEDS)


def refusal(path, **expected) -> str:
    with pytest.raises(ValueError) as error:
        read(path, **expected)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


def part(table: FeatureTable, seeds: list[int], ids: list[str]) -> FeatureTable:
    rows = np.ix_([table.seeds.index(seed) for seed in seeds], [table.prompt_ids.index(prompt_id) for prompt_id in ids])
    return FeatureTable(ids, {kind: array[rows] for kind, array in table.arrays.items()}, table.record, seeds)


def test_what_is_read_is_what_was_written(tmp_path, table):
    write(tmp_path / "f.npz", table)
    found = read(tmp_path / "f.npz", prompt_ids=IDS, seeds=SEEDS, record=RECORD)
    assert (found.prompt_ids, found.seeds, found.record) == (IDS, SEEDS, RECORD)
    assert all(np.array_equal(found[kind], table[kind]) for kind in ("pool", "logits"))


def test_real_features_have_no_seeds(tmp_path):
    write(tmp_path / "f.npz", FeatureTable(IDS, {"pool": np.ones((7, 4))}, RECORD))
    assert read(tmp_path / "f.npz")["pool"].shape == (7, 4)


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, table, share):
    path = tmp_path / "f.npz"
    write(path, table)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "not a whole feature file" in refusal(path)


def test_a_flipped_bit_is_refused(tmp_path, table):
    path = tmp_path / "f.npz"
    write(path, table)
    content = bytearray(path.read_bytes())
    content[content.index(table["pool"].tobytes()) + 5] ^= 1
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize(
    "change, says",
    [
        ({"pool": lambda array: array[:, ::-1]}, "reordered"),
        ({"pool": lambda array: array[::-1]}, "reordered"),
        ({"prompt_id": lambda array: array[::-1]}, "reordered"),
        ({"seed": lambda array: array[::-1]}, "reordered"),
        ({"prompt_id": lambda array: array[:-1]}, "'logits' has the shape (3, 7, 2), but there are 3 seeds and 6 prompts"),
        ({"pool": lambda array: array[:, :-1]}, "'pool' has the shape (3, 6, 4), but there are 3 seeds and 7 prompts"),
        ({"record": lambda record: json.dumps(json.loads(str(record)) | {"precision": "bf16"})}, "changed"),
    ],
)
def test_rows_that_are_not_those_written_are_refused(tmp_path, table, change, says):
    path = tmp_path / "f.npz"
    write(path, table)
    arrays = dict(np.load(path))
    np.savez(path, **{key: change.get(key, lambda same: same)(array) for key, array in arrays.items()})
    assert says in refusal(path)


def test_a_file_without_record_is_refused(tmp_path):
    np.savez(tmp_path / "old.npz", prompt_id=IDS, pool=np.ones((7, 4)))
    assert "not a whole feature file ('record')" in refusal(tmp_path / "old.npz")


def test_a_file_of_other_prompts_seeds_or_network_is_refused(tmp_path, table):
    path = tmp_path / "f.npz"
    write(path, table)
    assert "prompts are not those expected, first 'p6' instead of None" in refusal(path, prompt_ids=IDS[:-1])
    assert "prompts are not those expected, first 'p0' instead of 'p6'" in refusal(path, prompt_ids=IDS[::-1])
    assert "seeds are not those expected, first 2 instead of 0" in refusal(path, seeds=[0, 1, 2])
    text = refusal(path, record=RECORD | {"precision": "bf16"})
    assert "first ('precision', 'fp32') instead of ('precision', 'bf16')" in text


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused_with_the_prompt_and_the_seed(tmp_path, table, value):
    arrays = {kind: array.copy() for kind, array in table.arrays.items()}
    arrays["pool"][1, 4, 2] = value
    with pytest.raises(
        ValueError, match=r"'pool' of effnet is NaN or infinite in 1 of 21 rows, the first is prompt 'p4', seed 0"
    ):
        FeatureTable(IDS, arrays, RECORD, SEEDS)
    with pytest.raises(ValueError, match=r"in 1 of 7 rows, the first is prompt 'p2'$"):
        FeatureTable(IDS, {"pool": np.where(np.arange(7)[:, None] == 2, value, np.ones((7, 4)))}, RECORD)
    write(tmp_path / "f.npz", table)
    written = dict(np.load(tmp_path / "f.npz"))
    np.savez(tmp_path / "f.npz", **written | arrays)
    assert "'pool' of effnet is NaN or infinite" in refusal(tmp_path / "f.npz")


def test_a_kind_that_the_network_does_not_give_is_named(table):
    with pytest.raises(ValueError, match="features of effnet have no 'image', only \\['logits', 'pool'\\]"):
        table["image"]


def test_shards_of_seeds_and_prompts_in_any_order_make_the_same_bytes(tmp_path, table):
    shards = [part(table, [0, 1], ["p3", "p0"]), part(table, [2], ["p5", "p0", "p3"])]
    shards += [part(table, [1, 0], ["p1", "p2", "p4", "p5", "p6"]), part(table, [2], ["p4", "p6", "p2", "p1"])]
    write(tmp_path / "whole.npz", table)
    for turn in range(4):
        random.Random(turn).shuffle(shards)
        write(tmp_path / "merged.npz", merge(shards, IDS, SEEDS))
        assert (tmp_path / "merged.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_rows_that_are_missing_twice_there_foreign_or_of_another_network_are_refused(table):
    half = part(table, SEEDS, IDS[:4])
    rest = part(table, SEEDS, IDS[4:])
    with pytest.raises(ValueError, match="prompt 'p4', seed 2, is in 0 of the merged features, not in one"):
        merge([half, part(table, [0, 1], IDS[4:])], IDS, SEEDS)
    with pytest.raises(ValueError, match="prompt 'p0', seed 2, is in 2 of the merged features, not in one"):
        merge([half, rest, half], IDS, SEEDS)
    with pytest.raises(ValueError, match="prompt 'p0', seed 2, is in 2 of the merged features, not in one"):
        merge([part(table, SEEDS, [*IDS, "p0"])], IDS, SEEDS)
    with pytest.raises(ValueError, match="prompt 'p4' of the merged features is not one of those asked for"):
        merge([half, rest], IDS[:4], SEEDS)
    with pytest.raises(ValueError, match="seed 1 of the merged features is not one of those asked for"):
        merge([half, rest], IDS, [2, 0])
    other = FeatureTable(rest.prompt_ids, rest.arrays, RECORD | {"precision": "bf16"}, rest.seeds)
    with pytest.raises(ValueError, match="different networks"):
        merge([half, other], IDS, SEEDS)


def test_distances_do_not_depend_on_how_extraction_was_sharded():
    records = load("twemoji", "test")
    ids, images = [record.prompt_id for record in records[:50]], [record.image() for record in records[:50]]
    network = effnet.load()
    record, reference = record_of(network, "fp32"), extract(network, [r.image() for r in records[50:120]])["pool"]

    def shard(rows: list[int]) -> FeatureTable:
        return FeatureTable([ids[row] for row in rows], extract(network, [images[row] for row in rows]), record)

    order = random.Random(0).sample(range(50), 50)
    shards = [shard(order[start:stop]) for start, stop in ((33, 50), (0, 1), (1, 33))]
    whole, merged = shard(list(range(50))), merge(shards, ids)
    assert merged.checksum == whole.checksum
    for metric in (kid, frechet_pca):
        assert metric.of_set(merged["pool"], reference) == metric.of_set(whole["pool"], reference)
