"""Write a trained embedded backbone with its model card: scores on training concepts beside real images, and a sample grid."""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fcr_core.backbones.loading import load_pipeline
from fcr_core.cards import embedded as card
from fcr_core.cost.flops import count_unet_flops
from fcr_core.data.pixels import slices
from fcr_core.data.prepared import images_of, one_a_concept, prompts_of
from fcr_core.experiment.sampler import Sampler
from fcr_core.features import effnet, feature_files
from fcr_core.features.extractor import extract
from fcr_core.figures.sample_grid import sample_grid
from fcr_core.jobs.files import replacing, write_json
from fcr_core.sampling.samples import decode_latents, initial_noise, latent_shape, sample_latents
from fcr_core.training.embedded import EMBEDDED
from workflow_scripts import cli

CONCEPTS, SHOWN, SEED, BATCH = 200, 12, 0, 50
SAMPLER = Sampler("uncached-50", "ddim", 50, 3.0)


def work(args: argparse.Namespace) -> None:
    pipe = load_pipeline(args.pipeline)
    chosen = one_a_concept(prompts_of(args.data, "train")).head(CONCEPTS)
    ids, prompts = chosen["prompt_id"].tolist(), chosen["prompt"].tolist()
    images = []
    for part in tqdm(slices(CONCEPTS, BATCH), desc="sampling", unit="batch"):
        noise = initial_noise(ids[part], SEED, latent_shape(pipe))
        images += decode_latents(pipe, sample_latents(pipe, prompts[part], noise, SAMPLER))

    reference, lit = feature_files.read(args.reference), dict(np.load(args.lit))
    rows = {prompt_id: row for row, prompt_id in enumerate(reference.prompt_ids)}
    text_rows = {prompt_id: row for row, prompt_id in enumerate(lit["prompt_id"])}
    pool = reference["pool"]
    scores = card.scores(
        extract(effnet.load(), images)["pool"],
        pool[[rows[i] for i in ids]],
        pool,
        lit["text_features"][[text_rows[i] for i in ids]],
        lit,
    )
    flops = count_unet_flops(pipe.unet, pipe.tokenizer.model_max_length)
    fields = (
        scores
        | card.training_names(EMBEDDED[args.name])
        | {
            "n": CONCEPTS,
            "seed": SEED,
            "guidance": SAMPLER.guidance,
            "vae_parameters": pipe.vae.num_parameters() / 1e6,
            "unet_parameters": pipe.unet.num_parameters() / 1e6,
            "decoder_share": flops.decoder / flops.full,
        }
    )
    for network in ("vae", "unet"):
        fields |= card.training_row(network, json.loads((args.pipeline / network / "run.json").read_text()))
    shown = {"real": images_of(args.data, ids[:SHOWN]), "sampled": images[:SHOWN]}
    with replacing(args.out) as draft:
        shutil.copytree(args.pipeline, draft)
        sample_grid(shown, prompts[:SHOWN]).savefig(draft / "samples.png", dpi=120)
        write_json(draft / "scores.json", {key: fields[key] for key in [*scores, "n", "seed", "guidance"]})
        (draft / "README.md").write_text(card.CARD.format(**fields))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--name", choices=EMBEDDED, required=True)
    parser.add_argument("--pipeline", type=Path, required=True, help="trained pipeline folder")
    parser.add_argument("--data", type=Path, required=True, help="prepared data set that it was trained on")
    parser.add_argument("--reference", type=Path, required=True, help="real features of the training split")
    parser.add_argument("--lit", type=Path, required=True, help="written by train_lit")
    cli.run(parser, work)
