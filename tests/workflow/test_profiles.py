"""The profiles name rules that there are: Snakemake takes any other name without a word."""

import re

import pytest
import yaml

from ..workspace import ROOT

PROFILES = {file.parent.name: yaml.safe_load(file.read_text()) for file in (ROOT / "profiles").glob("*/profile.yaml")}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_names_rules_that_there_are(name):
    text = "\n".join(file.read_text() for file in (ROOT / "rules").glob("*.smk"))
    rules = set(re.findall(r"^\s*(?:rule|checkpoint|use rule \w+ as) (\w+)", text, flags=re.MULTILINE))
    named = {rule for key in ("set-resources", "groups") for rule in PROFILES[name].get(key, {})}
    assert named <= rules and len(rules) > 25


def test_behind_another_profile_the_papers_takes_no_setting_away():
    """A key replaces that of an earlier profile as a whole."""
    papers = PROFILES["paper"].get("set-resources")
    for rule, settings in PROFILES["slurm"]["set-resources"].items():
        assert papers is None or settings.items() <= papers[rule].items()
