"""Choose the key steps of a cached sampler on prompts that are not evaluated. A killed run resumes."""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from fcr_core.backbones.loading import load_pipeline
from fcr_core.backbones.weights_hash import content_hash
from fcr_core.caching.key_search import Keys, evenly_spread, search_key_steps
from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.jobs.files import write_json
from fcr_core.jobs.job import partial_work, sha256_of
from fcr_core.sampling.cached_distance import cached_distance
from fcr_core.sampling.trajectories import Trajectories
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    settings = {key: getattr(args, key) for key in ("plan", "code")}
    settings["inputs"] = [content_hash(args.pipeline), sha256_of(args.trajectories)]
    plan = Plan.from_config(args.plan)
    if plan is None or plan.keys.count is None:
        raise ValueError(f"--plan {args.plan}: says no number of key steps to choose")
    count = plan.keys.count
    pipe, trajectories = load_pipeline(args.pipeline).to(args.device), Trajectories.load(args.trajectories)
    # The measured distances are the whole state. A repeated search takes the same way through them.
    state = partial_work(args.out, settings)
    measured: dict[str, float] = json.loads(file.read_text()) if (file := state / "measured.json").exists() else {}

    with tqdm(desc=f"{count} key steps", unit="plan") as bar:

        def distance(keys: Keys) -> float:
            name = " ".join(map(str, keys))
            if name not in measured:
                measured[name] = cached_distance(pipe, trajectories, replace(plan, keys=KeySteps.explicit(keys)))
                write_json(file, measured)
            bar.set_postfix(latent_mse=f"{min(measured.values()):.3g}", refresh=False)
            bar.update()
            return measured[name]

        keys = search_key_steps(distance, trajectories.steps, count)
        even = evenly_spread(trajectories.steps, count)
        result = {"keys": keys, "latent_mse": distance(keys), "latent_mse_evenly_spread": distance(even)}
    write_json(args.out, result | {"n_trajectories": len(trajectories.latents), "n_plans": len(measured)})
    shutil.rmtree(state)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--trajectories", type=Path, required=True, help="written by sample_trajectories")
    parser.add_argument(
        "--plan",
        type=json.loads,
        required=True,
        help="options of fcr_core.caching.plan.Plan as JSON; `keys` says how many to choose",
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    cli.run(parser, work)
