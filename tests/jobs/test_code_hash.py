import shutil

import pytest

from fcr_core.backbones.weights_hash import content_hash, remembered_hash
from fcr_core.jobs.code_hash import code_hash, normalized

from ..workspace import ROOT


@pytest.fixture
def tree(tmp_path):
    for package in ("fcr_core", "workflow_scripts"):
        shutil.copytree(ROOT / package, tmp_path / package)

    def edit(file: str, old: str, new: str) -> None:
        path = tmp_path / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        normalized.cache_clear()

    return tmp_path, edit


def hashes(root):
    return {name: code_hash(f"workflow_scripts/{name}.py", root=root) for name in ("finetune", "sample", "table")}


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    "file, old, new, expected",
    [
        ("fcr_core/finetuning/consistency.py", "(a - b).square().mean()", "(a - b).abs().mean()", {"finetune"}),
        ("fcr_core/caching/launches.py", "LAUNCH_STEPS = 16", "LAUNCH_STEPS = 8", {"sample"}),
        ("fcr_core/jobs/files.py", "indent=2", "indent=4", {"finetune", "sample", "table"}),
        ("fcr_core/statistics/intervals.py", "0.975", "0.995", {"table"}),
        ("fcr_core/finetuning/consistency.py", '"""Return the mean squared', '"""Give the mean squared', set()),
        ("fcr_core/finetuning/consistency.py", "Distance = Callable", "# a comment\nDistance = Callable", set()),
        ("fcr_core/metrics/kid.py", "base * base * base", "base * base", {"table"}),  # which names what was measured
    ],
)
def test_only_what_imports_an_edited_module_changes(tree, file, old, new, expected):
    root, edit = tree
    before = hashes(root)
    edit(file, old, new)
    assert changed(before, hashes(root)) == expected


def test_a_table_counts_for_what_imports_its_package(tree):
    root, edit = tree
    modules = {name: f"fcr_core/data/{name}.py" for name in ("illustrations", "unseen_illustrations", "noto")}

    def hashed() -> dict[str, str]:
        return {name: code_hash(module, root=root) for name, module in modules.items()}

    before = hashed()
    edit("fcr_core/data/icons/names.txt", "phoenix-bird = phoenix", "phoenix-bird = fire-bird")
    assert changed(before, hashed()) == {"illustrations", "unseen_illustrations"}


def test_the_place_of_the_checkout_does_not_matter(tree):
    root, _ = tree
    assert hashes(root) == hashes(ROOT)


def test_a_remembered_hash_is_read_anew_when_a_file_has_changed(tmp_path):
    weights, memory = tmp_path / "unet" / "x.safetensors", tmp_path / "memory.json"
    weights.parent.mkdir()
    weights.write_bytes(b"1")
    assert remembered_hash(str(tmp_path), memory) == content_hash(str(tmp_path))
    memory.write_text(memory.read_text().replace(content_hash(str(tmp_path)), "remembered"))
    assert remembered_hash(str(tmp_path), memory) == "remembered"
    weights.write_bytes(b"22")
    assert remembered_hash(str(tmp_path), memory) == content_hash(str(tmp_path))


def test_weights_count_by_content(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "x.safetensors").write_bytes(b"1")
    before = content_hash(str(tmp_path))
    (tmp_path / "unet" / "x.safetensors").touch()
    assert content_hash(str(tmp_path)) == before
    (tmp_path / "unet" / "x.safetensors").write_bytes(b"2")
    assert content_hash(str(tmp_path)) != before
    assert content_hash("some/hub-id") == "some/hub-id"
