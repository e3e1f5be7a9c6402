"""What an experiment will cost before anything runs: jobs, hours, money, disk, memory, and the chain of jobs that takes longest.

make plan CONFIG=config/paper.yaml
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from fcr_core.backbones.registry import BACKBONES
from fcr_core.experiment.recipe import Recipe
from fcr_core.jobs.files import write_json
from fcr_core.jobs.usage import usage_of_log
from fcr_core.planning.job_costs import cost_of
from fcr_core.planning.network_costs import network_costs, tokens_of
from fcr_core.planning.peak_memory import Networks, PeakMemory, finetune_memory, loading_memory, sampling_memory
from fcr_core.planning.planned_experiment import Experiment, plan_of_row
from fcr_core.planning.totals import PlannedJob, Rates, Totals, critical_path, totals
from fcr_core.sampling.samples import LAUNCH
from workflow_scripts.dag import Dag, build_dag

# By name, the file that stands for the experiment. Jobs that two of them share count in both.
EXPERIMENTS = {
    "exp1": "results/exp1_table.csv",
    "recipes": "results/recipe_table.csv",
    "ablations": "results/ablations.csv",
    "plane": "results/sampler_plane.csv",
}


def networks_of(names: dict[str, Any]) -> Networks:
    return Networks(names["PIPELINE"], BACKBONES[names["BACKBONE"]].networks)


def experiment_of(names: dict[str, Any], networks: Networks) -> Experiment:
    """From the Snakefile's own names."""
    costs = network_costs(networks)
    return Experiment(names["config"], costs, names["SAMPLED"], names["TWINS"], names["TABLES"], names["FINE_TUNES"])


def planned_jobs(dag: Dag, experiment: Experiment, rates: Rates) -> list[PlannedJob]:
    """Every job of the DAG with its cost; one whose command does not name the GPU computes on the CPU, whatever it reserves."""
    planned = []
    for job, needs in zip(dag.jobs, dag.needs, strict=True):
        rule, wildcards = job.rule.name, dict(job.wildcards_dict)
        cost = cost_of(experiment, rule, wildcards)
        on_cuda = any(text in (job.shellcmd or "") for text in ("--device cuda", "--device=cuda"))
        hours = rates.hours(cost, on_cuda, job.threads)
        label = f"{rule} ({', '.join(wildcards.values())})" if wildcards else rule
        planned.append(PlannedJob(rule, label, cost, hours, needs, bool(job.resources.get("gpu")), on_cuda))
    return planned


def rules_table(jobs: list[PlannedJob], dag: Dag) -> pd.DataFrame:
    """Jobs and hours by rule; beside them what the jobs took that have run in this folder, and their planned hours."""
    rows = []
    for planned, job in zip(jobs, dag.jobs, strict=True):
        row = {"rule": planned.rule, "jobs": 1, "GPU" if planned.holds_gpu else "CPU": planned.hours}
        if job.log and (usage := usage_of_log(Path(str(job.log[0])))):
            row |= {"measured": usage.wall / 3600, "planned for those": planned.hours}
        rows.append(row)
    table = pd.DataFrame(rows).groupby("rule").sum(min_count=1)
    table = table.loc[table.filter(regex="PU$").sum(axis=1).sort_values(ascending=False).index]
    hours = table.columns.drop("jobs")
    return (
        table.astype({"jobs": int}).assign(**{kind: table[kind].map(duration, na_action="ignore") for kind in hours}).fillna("")
    )


def duration(hours: float) -> str:
    """
    >>> duration(0.004), duration(0.7), duration(73.64)
    ('14 s', '42 min', '73.6 h')
    """
    if hours < 1:
        return f"{3600 * hours:.0f} s" if hours < 0.05 else f"{60 * hours:.0f} min"
    return f"{hours:,.1f} h"


def idle_gpus(jobs: list[PlannedJob]) -> dict[str, float]:
    """Hours of GPUs that wait while their job computes on a CPU, by rule."""
    hours: dict[str, float] = {}
    for job in jobs:
        if job.holds_gpu and not job.on_cuda:
            hours[job.rule] = hours.get(job.rule, 0) + job.hours
    return hours


def peaks(experiment: Experiment, networks: Networks) -> dict[str, PeakMemory]:
    """Of a fine-tune step of Experiment 1, and of a launch uncached and by its longest stride."""
    config, tokens = experiment.config, tokens_of(networks)
    tune = max(experiment.tunes.values(), key=lambda tune: (tune.label.startswith("FCR("), tune.recipe.get("lam", 0)))
    keys = ("batch", "accumulate", "ema", "precision", "lora_rank", "gradient_checkpointing")
    training = {key: tune.training[key] for key in keys if key in tune.training}
    streamed = not config["data"]["cache_latents"]
    step = finetune_memory(networks, Recipe(**tune.recipe), tokens=tokens, streamed=streamed, **training)
    found = {f"fine-tune {tune.label}, {', '.join(f'{key} {value}' for key, value in training.items())}": step}
    rows = experiment.tables["exp1"].values()
    launch, guided = max(1, LAUNCH // experiment.networks.frames), config["sampling"]["guidance"] > 1
    for row in (min(rows, key=lambda row: row.stride or 0), max(rows, key=lambda row: row.stride or 0)):
        name = f"sampling {row.sampler}, {launch} at a time, fp32"
        found[name] = sampling_memory(networks, plan_of_row(row), row.steps, launch, tokens, guided, config["device"])
    return found


def show(name: str, jobs: list[PlannedJob], dag: Dag, total: Totals, rates: Rates, gpus: int) -> None:
    print(f"\n## {name}: {total.jobs} jobs\n")
    print(rules_table(jobs, dag).to_markdown())
    print(f"\ncost: GPU {duration(total.gpu_hours)}, CPU {duration(total.cpu_hours)}: {money(total.dollars(rates), rates)}")
    kept = ", ".join(f"{kind} {gigabytes(size)}" for kind, size in sorted(total.written.items(), key=lambda item: -item[1]))
    print(f"disk: {gigabytes(sum(total.written.values()))} kept ({kept}); {gigabytes(total.scratch)} more while jobs run")
    path = critical_path(jobs)
    longest = duration(sum(jobs[i].hours for i in path))
    print(f"wall time with {gpus} at once: {duration(total.wall_hours)}, and with any number {longest}, the critical path:")
    print("  " + " -> ".join(f"{jobs[i].label} {duration(jobs[i].hours)}" for i in path))
    for rule, hours in idle_gpus(jobs).items():
        print(f"note: {rule} holds a GPU for {duration(hours)} and computes on the CPU")


def gigabytes(size: float) -> str:
    return f"{size / 1e9:,.{0 if size > 1e10 else 2}f} GB"


def money(dollars: float, rates: Rates) -> str:
    return f"{dollars:,.0f} USD, {dollars * rates.euros_a_dollar:,.0f} EUR"


def show_peaks(found: dict[str, PeakMemory], limit: float | None) -> None:
    print("\n## Peak memory of tensors, predicted\n")
    for name, peak in found.items():
        fits = "" if limit is None else f": {'fits' if peak.total <= limit * 1e9 else 'DOES NOT FIT'} into {limit} GB"
        print(f"{name}: {gigabytes(peak.total)} ({gigabytes(peak.held)} of it weights){fits}")


def work(args: argparse.Namespace) -> None:
    rates = Rates.read(args.rates)
    results: dict[str, Any] = {}
    experiment = networks = None
    missing: set[str] = set()
    asked = {name: {EXPERIMENTS[name]} for name in args.experiments}
    if len(asked) > 1:
        asked["all of them, shared jobs once"] = set().union(*asked.values())
    for name, targets in asked.items():
        dag = build_dag(targets, args.configs)
        if experiment is None:
            networks = networks_of(dag.names)
            experiment = experiment_of(dag.names, networks)
            device = rates.cuda if experiment.config["device"] == "cuda" else rates.cpu
            print(f"{experiment.config['backbone']} on {device['name']} x {args.gpus}, rates of {args.rates}")
        jobs = planned_jobs(dag, experiment, rates)
        total = totals(jobs, args.gpus)
        show(name, jobs, dag, total, rates, args.gpus)
        missing |= set(dag.missing)
        path = [jobs[i].label for i in critical_path(jobs)]
        results[name] = asdict(total) | {"dollars": total.dollars(rates), "critical_path": path, "rules": counts(jobs)}
    assert experiment is not None and networks is not None
    if args.memory:
        found = peaks(experiment, networks)
        show_peaks(found, device["memory_gb"])
        loading = loading_memory(networks)
        print(f"loading a fine-tuned pipeline, in the host's memory: {gigabytes(loading.total)}")
        found["loading"] = loading
        results["memory"] = {name: asdict(peak) | {"total": peak.total} for name, peak in found.items()}
    for file in sorted(missing):
        print(f"missing: {file}: planned as if it were here")
    if args.json:
        write_json(args.json, results)


def counts(jobs: Iterable[PlannedJob]) -> dict[str, int]:
    rules = [job.rule for job in jobs]
    return {rule: rules.count(rule) for rule in sorted(set(rules))}


def at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="*", help="configurations on top of config.yaml")
    parser.add_argument("--experiments", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    parser.add_argument("--gpus", type=at_least_one, default=1, help="jobs at once, each with a GPU if the device is one")
    parser.add_argument("--rates", type=Path, default=Path("config/rates.yaml"), help="speeds and prices")
    parser.add_argument("--no-memory", dest="memory", action="store_false", help="leave out peak memory")
    parser.add_argument("--json", type=Path, help="also write totals here")
    try:
        work(parser.parse_args())
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"plan: error: {error}")
