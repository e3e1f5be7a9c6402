"""The docs as they stand: every "Add a ..." recipe is followed word by word, and every link, path and name leads somewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import yaml
from diffusers import DDIMScheduler

import fcr_core.backbones.registry as backbones
import fcr_core.data
import fcr_core.data.registry as datasets
import fcr_core.experiment.schema as schema
import fcr_core.sampling.scenarios as scenarios
from fcr_core.experiment.drawings import Drawing, drawings_of
from fcr_core.experiment.experiment import Experiment, experiments_of
from fcr_core.experiment.sampler import SOLVERS, Sampler
from fcr_core.experiment.scenario import Scenario
from fcr_core.sampling.samples import scheduler_of
from fcr_core.training.embedded import SCHEDULER_CONFIG

from .test_architecture import PACKAGES, arrows
from .workspace import ROOT, merged, readme_blocks

SHIPPED = yaml.safe_load((ROOT / "config.yaml").read_text())
# One experiment is enough to see what a recipe adds, and quick.
CONFIG = merged(SHIPPED, {"experiments": {name: None for name in SHIPPED["experiments"] if name != "exp1"}})
PAGES = ["README.md", *(f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md")))]
# What `Add a ...` may take of a reader: lines beside code.
LINES = 10


def read(page: str) -> str:
    return (ROOT / page).read_text()


def sections(page: str) -> dict[str, str]:
    """The sections of a page by their title."""
    return {part.split("\n")[0]: part.split("\n", 1)[1] for part in re.split(r"^## ", read(page), flags=re.MULTILINE)[1:]}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def prose(text: str) -> str:
    """The text without its blocks of code."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def recipe(page: str, title: str, language: str) -> list[str]:
    return blocks(sections(page)[title], language)


RECIPES = [(page, title) for page in PAGES for title in sections(page) if title.startswith("Add a")]


def planned(change: dict) -> tuple[dict[str, Experiment], dict[str, Drawing]]:
    """Experiments and drawings of the configuration with a recipe's lines on top, once it has been accepted."""
    config = merged(CONFIG, change)
    schema.check(config)
    experiments = experiments_of(config)
    return experiments, drawings_of(
        experiments.values(), {name: set_.get("prompts") for name, set_ in config["datasets"].items()}
    )


def test_there_is_a_recipe_for_everything_that_can_be_added():
    added = {title for _, title in RECIPES}
    things = ("a backbone", "a data set", "a metric", "an extractor", "a scenario", "an experiment")
    assert added == {f"Add {thing}" for thing in things}


@pytest.mark.parametrize("page, title", RECIPES)
def test_a_recipe_is_short(page, title):
    assert len([line for line in prose(sections(page)[title]).splitlines() if line.strip()]) <= LINES


def test_add_a_backbone():
    [entry], [lines] = (recipe("docs/backbones.md", "Add a backbone", kind) for kind in ("python", "yaml"))
    added = eval(entry, vars(backbones))
    change = yaml.safe_load(lines)
    with pytest.raises(schema.ConfigError, match=f"config key backbones.{added.name} "):
        planned(change)
    with patch.dict(backbones.BACKBONES, {added.name: added}):
        experiments, drawings = planned(change)
        before = planned({})[1]
    rows = experiments["exp1"].of_backbone(added.name)
    assert len(rows) == len(experiments["exp1"].rows) / 2 and {row.cell.sampler.guidance for row in rows} == {7.5}
    new = drawings.keys() - before.keys()
    assert new and all(path.startswith(f"{added.name}/") for path in new) and before.items() <= drawings.items()


def test_the_settings_of_backbones_are_accepted_and_all_explained():
    page = sections("docs/backbones.md")["Settings"]
    [lines] = blocks(page, "yaml")
    planned(yaml.safe_load(lines))
    properties = yaml.safe_load(schema.SCHEMA.read_text())["properties"]["backbones"]["additionalProperties"]["properties"]
    assert properties.keys() == set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE))


def test_add_a_data_set(tmp_path, monkeypatch):
    [module, entry], [lines] = (recipe("docs/data.md", "Add a data set", kind) for kind in ("python", "yaml"))
    added = eval(entry, {"DataSet": datasets.DataSet})
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / f"{added.name}.py").write_text(module)
    monkeypatch.setattr(fcr_core.data, "__path__", [*fcr_core.data.__path__, str(tmp_path / "code")])
    monkeypatch.delitem(sys.modules, added.module, raising=False)
    pictures = datasets.load("twemoji", "test")[:3]
    for record in pictures:
        record.image(64).save(tmp_path / f"{record.prompt.replace(' ', '_')}.png")
    change = yaml.safe_load(lines)
    with patch.dict(datasets.DATASETS, {added.name: added}):
        records = datasets.load(added.name, source=tmp_path)
        experiments, drawings = planned(change)
    assert {record.prompt for record in records} == {record.prompt.lower() for record in pictures}
    assert {setting.dataset for setting in experiments["exp1"].settings} == {"twemoji", added.name}
    new = drawings.keys() - planned({})[1].keys()
    assert new and all(path.split("/")[3] == added.name and drawings[path].prompts <= 100 for path in new)
    with pytest.raises(schema.ConfigError, match=f"config key datasets.{added.name} "):
        planned(change)


def test_add_a_scenario(tmp_path, monkeypatch):
    [code], [key, lines] = (recipe("docs/scenarios.md", "Add a scenario", kind) for kind in ("python", "yaml"))
    [(option, function)] = re.findall(r'`OPTIONS` there: `"(\w+)": (\w+)`', sections("docs/scenarios.md")["Add a scenario"])
    exec(code, names := dict(vars(scenarios)))
    change = yaml.safe_load(lines)
    with pytest.raises(schema.ConfigError, match=rf"scenarios\.noisy_schedule\.{option} = 1.2: unknown key; allowed here: size"):
        planned(change)
    allowed = yaml.safe_load(schema.SCHEMA.read_text())
    allowed["properties"]["scenarios"]["additionalProperties"]["properties"] |= yaml.safe_load(key)
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(allowed))
    monkeypatch.setattr(schema, "SCHEMA", tmp_path / "schema.yaml")
    drawings = planned(change)[1]
    assert "pocket/base/FD-5/twemoji/noisy_schedule" in drawings

    monkeypatch.setitem(scenarios.OPTIONS, option, names[function])
    pipe = SimpleNamespace(scheduler=DDIMScheduler(**SCHEDULER_CONFIG))
    before = pipe.scheduler.betas
    scenarios.under(pipe, Scenario.from_config(change, "noisy_schedule").options)
    for solver in SOLVERS:
        made = scheduler_of(Sampler("", solver, 10, 1.0), pipe.scheduler.config)
        assert made.betas.numpy() == pytest.approx(1.2 * before.numpy(), rel=1e-6), solver


def test_the_scenarios_of_the_page_are_accepted_and_all_explained():
    page = read("docs/scenarios.md").split("## ")[0]
    [lines] = blocks(page, "yaml")
    assert "pocket/base/FD-5/twemoji/large" in planned(yaml.safe_load(lines))[1]
    assert set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) == scenarios.OPTIONS.keys()


def test_add_an_experiment():
    [lines] = recipe("docs/experiments.md", "Add an experiment", "yaml")
    experiments, drawings = planned(yaml.safe_load(lines))
    [name] = experiments.keys() - SHIPPED["experiments"].keys()
    names = [row.name for row in experiments[name].rows]
    assert names[:5] == [f"{row} on twemoji" for row in ("uncached-50", "FD-5", "DPM++10", "DPM++20", "DPM++20-FD-2")]
    assert len(names) == 10 and "pocket/base/DPM++20-FD-2/noto/clean" in drawings
    files = set(re.findall(rf"results/(?:figures/)?{name}_(\w+)\.", sections("docs/experiments.md")["Add an experiment"]))
    assert files == {"table", "criteria", *experiments[name].figures}


def test_every_key_of_an_experiment_and_of_a_row_is_explained():
    page, known = sections("docs/experiments.md"), yaml.safe_load(schema.SCHEMA.read_text())

    def explained(title: str) -> set[str]:
        first = re.findall(r"^\| (`.*?`) \|", page[title], flags=re.MULTILINE)
        return set(re.findall(r"`(\w+)", " ".join(first)))

    assert explained("Keys of an experiment") == known["properties"]["experiments"]["additionalProperties"]["properties"].keys()
    row = known["$defs"]["row"]["properties"].keys() | known["$defs"]["plan"]["properties"].keys()
    assert explained("Keys of a row") == row | {"sampler"}
    assert set(re.findall(r"`([\w+]+)`", re.findall(r"\| `scheduler` \|(.*)\|", page["Keys of a row"])[0])) == SOLVERS.keys()


ROW_CHANGES = re.findall(r"\| `(\{.*\})`", sections("README.md")["Changing the experiment"])


@pytest.mark.parametrize("line", ROW_CHANGES)
def test_a_row_of_the_readme_is_accepted(line):
    rows = [*CONFIG["experiments"]["exp1"]["rows"], yaml.safe_load(line)]
    experiments, _ = planned({"experiments": {"exp1": {"rows": rows}}})
    assert len(experiments["exp1"].rows) > len(experiments_of(CONFIG)["exp1"].rows)


def test_an_entry_of_the_readme_is_accepted():
    entries = re.findall(r"`(\w+: \{.*?\})` in `(\w+)`, and its name", sections("README.md")["Changing the experiment"])
    assert [section for _, section in entries] == ["backbones", "datasets", "scenarios"]
    for entry, section in entries:
        change = yaml.safe_load(entry.replace("my/folder", "models/pocket"))
        experiment = {section: [*CONFIG["experiments"]["exp1"][section], *change]}
        experiments, _ = planned({section: change, "experiments": {"exp1": experiment}})
        assert len(experiments["exp1"].rows) == 2 * len(experiments_of(CONFIG)["exp1"].rows)


def test_the_commands_of_the_readme_begin_with_the_main_one():
    commands = readme_blocks()
    assert [block.strip() for block in commands[:2]] == ["make exp1", "make test"]
    assert "snakemake --cores 1 --resources gpu=1 results/exp1_table.csv" in "".join(commands)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_title(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(read(page))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        titles = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.MULTILINE) if anchor else []
        assert not anchor or anchor in [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles], target


# Places of the repository; what runs write, and what a reader has, is elsewhere.
TOP = sorted(
    path.name
    for path in ROOT.iterdir()
    if path.is_dir() and not path.name.startswith(".") and path.name not in ("logs", "results")
)


@pytest.mark.parametrize("page", PAGES)
def test_every_path_of_the_repository_exists(page):
    found = re.findall(rf"(?<![\w/.{{}}-])((?:{'|'.join(TOP)})/[\w./{{}}*-]*\w)", read(page))
    own = [path for path in found if "{" not in path and not path.startswith("data/")]
    assert [path for path in own if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_is_named_exists(page):
    for name in re.findall(r"\bfcr_core(?:\.\w+)+", read(page)):
        parts = name.split(".")
        for count in range(len(parts), 0, -1):
            place = Path(ROOT, *parts[:count])
            file = next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()), None)
            if file:
                break
        assert file and all(re.search(rf"\b{part}\b", file.read_text()) for part in parts[count:]), name


@pytest.mark.parametrize("page", PAGES)
def test_every_target_is_one_that_the_makefile_has(page):
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][\w-]*)(?=[`\n ]*`| [A-Z]+=)", read(page))) <= targets


def test_the_packages_are_drawn_as_they_import():
    """Every arrow is an import, direct or by way of others, and no package is left out."""
    direct: dict[str, set[str]] = {package: set() for package in PACKAGES}
    for name, package in arrows():
        direct[name.split("/")[0]].add(package)

    def reached(package: str) -> set[str]:
        return direct[package].union(*map(reached, direct[package]))

    [drawn] = [block for block in blocks(read("docs/architecture.md"), "mermaid") if block.startswith("flowchart TD")]
    pairs = re.findall(r"(\w+) --> (\w+)", drawn)
    assert {package for pair in pairs for package in pair} == PACKAGES
    assert [pair for pair in pairs if pair[1] not in reached(pair[0])] == []


OLD = (
    "recipe_table", "finetune.lambdas", "sampling.strides", "fcr_strides", "backbone_source", "backbone_revision",
    "backbone_adapter", "results/report.html", "recipe_report", "results/criteria.csv", "sampler_plane.csv", "data.sources",
    "data.eval", "efficiency.sizes",
)  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_no_name_of_the_old_configuration_is_left(page):
    assert [name for name in OLD if name in read(page)] == []


def test_every_row_of_what_the_cache_takes_and_refuses_is_a_test():
    rows = [
        line for line in sections("docs/encoder_cache.md")["What works and what is refused"].splitlines() if line.startswith("|")
    ]
    tests = "\n".join(file.read_text() for file in sorted((ROOT / "tests" / "caching").glob("test_*.py")))
    for row in rows[2:]:
        named = re.findall(r"`(test_\w+)`", row.rsplit("|", 2)[1])
        assert named, row
        assert all(f"def {name}(" in tests for name in named), row
