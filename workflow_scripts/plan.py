"""Plan the cost of an experiment: jobs, hours, money, disk, memory, and the chain of jobs that takes longest.

make plan CONFIG=config/paper.yaml
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.experiment.experiment import Experiment, distinct
from fcr_core.experiment.schema import check
from fcr_core.jobs.files import write_json
from fcr_core.jobs.usage import usage_of_log
from fcr_core.planning.counted_networks import count_networks
from fcr_core.planning.job_costs import JobCost, cost_of
from fcr_core.planning.network_costs import NetworkCosts
from fcr_core.planning.peak_memory import PeakMemory, loading_memory
from fcr_core.planning.peaks import networks_of, peaks_of
from fcr_core.planning.planned_run import PlannedRun
from fcr_core.planning.rates import Rates
from fcr_core.planning.totals import PlannedJob, Totals, critical_path, totals
from workflow_scripts import cli
from workflow_scripts.dag import Dag, build_dag, configuration


@cache
def counted(backbone: BackboneSettings, side: int) -> NetworkCosts:
    """Count the networks of a backbone at a side of images in pixels."""
    return count_networks(networks_of(backbone), side)


def planned_jobs(dag: Dag, run: PlannedRun, rates: Rates) -> list[PlannedJob]:
    """Cost every job of the DAG; one whose command does not name the GPU computes on the CPU, whatever it reserves."""
    planned = []
    for job, needs in zip(dag.jobs, dag.needs, strict=True):
        rule, wildcards = job.rule.name, dict(job.wildcards_dict)
        # A rule without an output is a target.
        cost = cost_of(run, rule, wildcards) if job.output else JobCost()
        on_cuda = any(text in (job.shellcmd or "") for text in ("--device cuda", "--device=cuda"))
        hours = rates.hours(cost, on_cuda, job.threads) if job.output else 0.0
        label = f"{rule} ({', '.join(filter(None, wildcards.values()))})" if wildcards else rule
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


def used_by(experiments: Sequence[Experiment]) -> dict[str, list[str]]:
    """Names of the backbones, data sets and scenarios that experiments use."""
    settings = distinct(setting for experiment in experiments for setting in experiment.settings)
    return {
        "backbones": distinct(name for experiment in experiments for name in experiment.backbones),
        "datasets": distinct(setting.dataset for setting in settings),
        "scenarios": distinct(setting.scenario for setting in settings),
    }


def show(name: str, used: dict[str, list[str]], jobs: list[PlannedJob], dag: Dag, total: Totals, rates: Rates, gpus: int) -> None:
    print(f"\n## {name}: {total.jobs} jobs\n")
    backbones, datasets, scenarios = (", ".join(names) for names in used.values())
    print(f"backbones: {backbones}; data sets: {datasets}; scenarios: {scenarios}\n")
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


def memory_of(run: PlannedRun, experiments: Sequence[Experiment], limit: float | None) -> dict[str, PeakMemory]:
    """Predict and print the peaks of every backbone in use."""
    print("\n## Peak memory of tensors, predicted\n")
    found: dict[str, PeakMemory] = {}
    for backbone in used_by(experiments)["backbones"]:
        for name, peak in peaks_of(run, experiments, backbone).items():
            fits = "" if limit is None else f": {'fits' if peak.total <= limit * 1e9 else 'DOES NOT FIT'} into {limit} GB"
            print(f"{name}: {gigabytes(peak.total)} ({gigabytes(peak.held)} of it weights){fits}", flush=True)
            found[name] = peak
        loading = loading_memory(networks_of(run.backbones[backbone]))
        print(f"{backbone}: loading a fine-tuned pipeline, in the host's memory: {gigabytes(loading.total)}")
        found[f"{backbone}: loading"] = loading
    return found


def chosen(run: PlannedRun, names: list[str] | None) -> dict[str, list[Experiment]]:
    """The experiments that are asked for, each by itself and then all together. Raises `ValueError` for an unknown name."""
    names = names or list(run.experiments)
    for name in names:
        if name not in run.experiments:
            raise ValueError(f"--experiments {name}: must be one of {', '.join(run.experiments)}")
    asked = {name: [run.experiments[name]] for name in names}
    if len(asked) > 1:
        asked["all of them, shared jobs once"] = [run.experiments[name] for name in names]
    return asked


def work(args: argparse.Namespace) -> None:
    rates, config = Rates.read(args.rates), configuration(args.configs)
    check(config)
    run = PlannedRun.from_config(config, counted)
    device = rates.cuda if config["device"] == "cuda" else rates.cpu
    print(f"{device['name']} x {args.gpus}, rates of {args.rates}")
    asked = chosen(run, args.experiments)
    results: dict[str, Any] = {}
    missing: set[str] = set()
    for name, experiments in asked.items():
        dag = build_dag({experiment.name for experiment in experiments}, args.configs)
        jobs = planned_jobs(dag, run, rates)
        total, used = totals(jobs, args.gpus), used_by(experiments)
        show(name, used, jobs, dag, total, rates, args.gpus)
        missing |= set(dag.missing)
        path = [jobs[i].label for i in critical_path(jobs)]
        rest = {"dollars": total.dollars(rates), "critical_path": path, "rules": counts(jobs)}
        results[name] = asdict(total) | used | rest
    if args.memory:
        found = memory_of(run, distinct(experiment for each in asked.values() for experiment in each), device["memory_gb"])
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
    parser.add_argument("--experiments", nargs="+", help="names from the section experiments; default: all")
    parser.add_argument("--gpus", type=at_least_one, default=1, help="jobs at once, each with a GPU if the device is one")
    parser.add_argument("--rates", type=Path, default=Path("config/rates.yaml"), help="speeds and prices")
    parser.add_argument("--no-memory", dest="memory", action="store_false", help="leave out peak memory")
    parser.add_argument("--json", type=Path, help="also write totals here")
    with cli.errors_in_one_line("plan"):
        work(parser.parse_args())
