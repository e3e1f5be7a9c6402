"""The rows of the Exp-1 table: which weights and which sampler stand behind each name. No torch here: Snakemake reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Variation:
    """One row: `recipe` is None for the base model; `sampler` names the way of sampling, shared by rows of equal cost.

    Key steps are every `stride`-th (1 = uncached) or, without a stride, `keys` chosen ones (`fcr_core.caching.key_search`).
    """

    name: str
    recipe: str | None
    sampler: str
    scheduler: str
    steps: int
    stride: int | None
    cut: int = 0
    reuse: str = "hold"
    nodes: int | None = None
    keys: int | None = None


@dataclass(frozen=True)
class FineTune:
    """One fine-tune: its name in tables, the fields of `Recipe`, and how long and how fast it trains."""

    label: str
    recipe: dict[str, Any]
    training: dict[str, Any]

    @property
    def validated(self) -> bool:
        """Whether a mini-validation may stop it early."""
        return 0 < self.training.get("validate_every", 0) <= self.training["steps"]

    @property
    def arguments(self) -> list[str]:
        """Of its training all that the result depends on, for the command line: `--lr=1e-05 --lora-rank=8 ...`."""
        left_out = {"checkpoint_every", *(() if self.validated else VALIDATION)}
        return [argument(key.replace("_", "-"), value) for key, value in self.training.items() if key not in left_out]


def argument(name: str, value: Any) -> str:
    """
    >>> argument("steps", 40), argument("gradient-checkpointing", False)
    ('--steps=40', '--no-gradient-checkpointing')
    """
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name}={value}"


# What a recipe in the config may say of its training; `finetune` says what it does not.
VALIDATION = ("validate_every", "patience")
TRAINING = (
    "steps", "batch", "accumulate", "lr", "cooldown", "ema", "precision", "optimizer", "gradient_checkpointing", "lora_rank",
    "checkpoint_every", *VALIDATION,
)  # fmt: skip


def fine_tunes_of(config: dict[str, Any]) -> dict[str, FineTune]:
    """All fine-tunes by name: one a λ of Experiment 1, and the section `recipes`."""
    section = config["finetune"]
    shared = {key: section[key] for key in TRAINING if key in section}
    plan = {"max_delta": max_delta_in_train_steps(config), "distance": section["distance"]}
    names = {lam: lambda_name(lam) for lam in section["lambdas"]}
    tunes = {f"lambda{name}": FineTune(f"FCR({name})", {"lam": lam, **plan}, shared) for lam, name in names.items()}
    for name, recipe in config["recipes"].items():
        training = {key: value for key, value in recipe.items() if key in TRAINING}
        fields = {key: value for key, value in recipe.items() if key not in TRAINING}
        tunes[name] = FineTune(name, fields, shared | training)
    return tunes


def sampler_name(stride: int | None, cut: int = 0, reuse: str = "hold", nodes: int | None = None, keys: int | None = None) -> str:
    """`FD-10`, `FD-5-cut2-nodes2-linear`, `FD-10keys`: what differs from Faster Diffusion is named."""
    parts = [f"cut{cut}"] * (cut > 0) + [f"nodes{nodes}"] * (nodes is not None) + [reuse] * (reuse != "hold")
    return "-".join([f"FD-{keys}keys" if keys else f"FD-{stride}", *parts])


def lambda_name(lam: float) -> str:
    """0 -> "0", 0.1 -> "0.10", 0.125 -> "0.125": as the literature writes it, one name a value."""
    if lam == 0:
        return "0"
    return f"{lam:.2f}" if round(lam, 2) == lam else f"{lam:g}"


def uncached_name(config: dict[str, Any]) -> str:
    """`uncached-50`: every step a key step; the twin that cached rows are compared with."""
    return f"uncached-{config['sampling']['steps']}"


def quality_goal(config: dict[str, Any]) -> str:
    """`FD-5`: the row whose quality the others should keep."""
    return f"FD-{config['sampling']['strides'][0]}"


def variations_of(config: dict[str, Any]) -> dict[str, Variation]:
    """All rows of the table in its order, by name."""
    sampling = config["sampling"]
    rows = [Variation(uncached_name(config), None, uncached_name(config), "ddim", sampling["steps"], 1)]
    rows += [Variation(name, None, name, b["scheduler"], b["steps"], 1) for name, b in config["baselines"].items() if b]
    rows += [Variation(f"FD-{s}", None, f"FD-{s}", "ddim", sampling["steps"], s) for s in sampling["strides"]]
    for lam in map(lambda_name, config["finetune"]["lambdas"]):
        for s in sampling["fcr_strides"]:
            rows.append(Variation(f"FCR({lam})-FD-{s}", f"lambda{lam}", f"FD-{s}", "ddim", sampling["steps"], s))
    return {row.name: row for row in rows}


def max_delta_in_train_steps(config: dict[str, Any], num_train_timesteps: int = 1000) -> int:
    """Δ_max in training timesteps, whatever the unit in the config."""
    finetune = config["finetune"]
    if finetune["delta_unit"] == "sampling_steps":
        return finetune["max_delta"] * num_train_timesteps // config["sampling"]["steps"]
    return finetune["max_delta"]


def recipe_rows_of(config: dict[str, Any], tunes: dict[str, FineTune]) -> dict[str, Variation]:
    """The rows of the recipe table by name: the base model uncached, plain solvers, then the rows of the config."""
    section, steps = config["recipe_table"], config["sampling"]["steps"]
    rows = [Variation(uncached_name(config), None, uncached_name(config), "ddim", steps, 1)]
    for scheduler, form in (("ddim", "DDIM-{}"), ("dpm++", "DPM++{}")):
        names = [(form.format(count), count) for count in section[scheduler]]
        rows += [Variation(name, None, name, scheduler, count, 1) for name, count in names]
    for row in section["rows"]:
        plan = plan_of(row)
        sampler, recipe = sampler_name(**plan), row.get("recipe")
        name = f"{tunes[recipe].label}-{sampler}" if recipe else sampler
        rows.append(Variation(name, recipe, sampler, "ddim", steps, **plan))
    return {row.name: row for row in rows}


PLAN: dict[str, Any] = {"stride": 10, "cut": 0, "reuse": "hold", "nodes": None}


def plan_of(row: dict[str, Any]) -> dict[str, Any]:
    """The cached sampler of a row of the config, whole; with `keys` it has no stride."""
    given = {key: row[key] for key in (*PLAN, "keys") if key in row}
    return PLAN | ({"stride": None} if "keys" in row else {}) | given


def cell_plans(config: dict[str, Any], recipe: str | None = None) -> dict[str, dict[str, Any]]:
    """The cached samplers of one cell of the ablation grid, by name: the grid's, and the one that the recipe is made for.

    A reuse decoder reads the features of its own sampler alone.
    """
    fields = config["recipes"][recipe] if recipe else {}
    grid = [plan_of(plan) for plan in config["ablations"]["plans"]]
    own = [plan_of(fields)] if fields.get("decoding") else []
    plans = own if fields.get("trains") == "decoder" else [*grid, *own]
    return {sampler_name(**plan): plan for plan in plans}


# The recipe of the ablation grid with which the others are compared: the same fine-tune by the denoising loss alone.
CONTROL = "control"


def ablated_recipes(config: dict[str, Any]) -> list[str]:
    """The recipes of the ablation grid."""
    named = config["ablations"]["recipes"]
    return list(config["recipes"]) if named == "all" else named


def ablation_goal(config: dict[str, Any]) -> str:
    """`FD-10`: the sampler at which the recipes of the grid are compared, the second of its plans."""
    return list(cell_plans(config))[1]


def plans_json(config: dict[str, Any], recipe: str | None = None) -> str:
    return json.dumps(cell_plans(config, recipe))


def deltas_of(config: dict[str, Any], num_train_timesteps: int = 1000) -> list[int]:
    """The Δ, in training timesteps, at which σ²_Δ is measured: 1..10 and the span of each stride, unless it is the whole run.

    >>> deltas_of({"sampling": {"steps": 10, "strides": [5, 10], "fcr_strides": [10]}})[-2:]
    [10, 500]
    """
    sampling = config["sampling"]
    strides = {*sampling["strides"], *sampling["fcr_strides"]}
    spans = {num_train_timesteps // sampling["steps"] * stride for stride in strides}
    return sorted({*range(1, 11), *(span for span in spans if span < num_train_timesteps)})


def sampler_json(variation: Variation) -> str:
    """How a row is sampled, for the command line: fields of `sampling.samples.Sampler`, without guidance scale and keys."""
    return json.dumps(sampler_fields(variation))


def sampler_fields(variation: Variation) -> dict[str, Any]:
    return {key: getattr(variation, key) for key in ("scheduler", "steps", "stride", "cut", "reuse", "nodes")}


def reuse_json(variation: Variation) -> str:
    """What the steps between key steps compute, for the command line: fields of `fcr_core.caching.plan.Plan`."""
    return json.dumps({key: getattr(variation, key) for key in ("cut", "reuse", "nodes")})


def samplers_json(variations: Iterable[Variation]) -> str:
    """The distinct ways of sampling by name, for the command line: rows that differ in weights alone cost the same."""
    return json.dumps({variation.sampler: sampler_fields(variation) for variation in variations})


def rows_json(variations: Iterable[Variation], measurements: dict[str, list[str]], **more: dict[str, list[str]]) -> str:
    """The rows of the table with their files of measurements, and `more` files of each by kind, for the command line."""
    kinds = {"files": measurements, **more}
    return json.dumps([{"variation": asdict(v)} | {kind: files[v.name] for kind, files in kinds.items()} for v in variations])
