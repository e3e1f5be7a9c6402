"""Products in a configuration: a row whose values are lists stands for every combination of them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from fcr_core.caching.plan import Plan
from fcr_core.experiment.recipe import DEFAULT_PLAN


@dataclass(frozen=True)
class RowOfConfig:
    """One row with every list multiplied out.

    Args:
        fields: its keys and values.
        path: its place in the configuration, `experiments.exp1.rows[3]`.
        places: for a key that was a list, the index that was taken.
    """

    fields: dict[str, Any]
    path: str
    places: dict[str, int]

    def key(self, field: str) -> str:
        """The place of one of its values: `experiments.exp1.rows[3].stride[1]`."""
        return f"{self.path}.{field}" + (f"[{self.places[field]}]" if field in self.places else "")


def expanded(row: Mapping[str, Any], path: str, config: Mapping[str, Any]) -> list[RowOfConfig]:
    """Every combination of the row's lists, the last key fastest.

    >>> [r.fields for r in expanded({"cut": 2, "stride": [5, 10]}, "rows[0]", {})]
    [{'cut': 2, 'stride': 5}, {'cut': 2, 'stride': 10}]

    `recipe: all` stands for the recipes of the configuration: for those that train no decoder of their own or, with
    `sampler: own`, for those that are made for a sampler, sampled by it. Without a recipe, its own sampler is the default one.
    """
    rows = multiplied(row, path)
    return [replace(given, fields=chosen) for given in rows for chosen in of_recipes(given.fields, config)]


def multiplied(row: Mapping[str, Any], path: str) -> list[RowOfConfig]:
    """Every combination of the row's lists, as it is written: `all` and `own` still stand for others."""
    lists = {key: value for key, value in row.items() if isinstance(value, list)}
    rows = []
    for places in product(*(range(len(values)) for values in lists.values())):
        taken = dict(zip(lists, places, strict=True))
        fields = {key: lists[key][taken[key]] if key in taken else value for key, value in row.items()}
        rows.append(RowOfConfig(fields, path, taken))
    return rows


def of_recipes(fields: dict[str, Any], config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The row itself, or one for each recipe that `all` stands for."""
    own = fields.get("sampler") == "own"
    fields = {key: value for key, value in fields.items() if not (own and key == "sampler")}
    recipes = config.get("recipes", {})
    if fields.get("recipe") != "all":
        return [fields | sampler_of(recipes.get(fields.get("recipe"), {}))] if own else [fields]
    if own:
        made_for = [name for name, recipe in recipes.items() if recipe.get("decoding")]
        return [fields | {"recipe": name} | sampler_of(recipes[name]) for name in made_for]
    return [fields | {"recipe": name} for name, recipe in recipes.items() if recipe.get("trains") != "decoder"]


def sampler_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a row that sample by the recipe's own plan."""
    return DEFAULT_PLAN.fields | {key: recipe[key] for key in recipe if key in Plan.options()}
