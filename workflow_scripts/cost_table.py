"""The cost of an experiment's samplers at another size of images, a row a backbone and sampler: FLOPs, time and memory."""

import argparse

import pandas as pd

from fcr_core.experiment.experiment import Experiment
from fcr_core.jobs.files import replacing
from fcr_core.tables.cost import Cost, cost_statistics
from workflow_scripts import cli
from workflow_scripts.experiment_arguments import add_experiment


def work(args: argparse.Namespace) -> None:
    parts = []
    for backbone in args.experiment.backbones:
        cost = Cost(pd.read_parquet(args.results.cost(backbone, args.experiment.name, args.size)))
        parts.append(costs_of(args.experiment, backbone, cost))
    with replacing(args.out) as draft:
        pd.concat(parts).to_csv(draft, index=False)


def costs_of(experiment: Experiment, backbone: str, cost: Cost) -> pd.DataFrame:
    """One line a sampler that was measured, in the order of the experiment's rows."""
    lines = {}
    for row in experiment.of_backbone(backbone):
        sampler = row.cell.sampler.name
        goal = experiment.by_name[row.goal].cell.sampler.name if row.goal else None
        found = cost_statistics(cost, sampler, goal, row.base.sampler.name)
        columns = {name if end == "value" else f"{name}_{end}": value for (name, end), value in found.items()}
        rounds = cost.by_sampler[sampler]["repeat"].nunique()
        lines[sampler] = {"backbone": backbone, "sampler": sampler} | columns | {"rounds": rounds, "machine": cost.machine}
    return pd.DataFrame(lines.values())


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    add_experiment(parser)
    parser.add_argument("--size", type=int, required=True, help="side of the images in pixels at which cost was measured")
    cli.run(parser, work)
