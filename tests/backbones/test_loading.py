"""Every kind of backbone from a folder as the hub has it: it loads, fine-tunes a step, samples from the cache, is measured."""

import json
import re
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fcr_core.backbones.loading import load_pipeline, load_scheduler, load_unet
from fcr_core.backbones.location import Location, Repository
from fcr_core.backbones.registry import BACKBONES
from fcr_core.backbones.tasks import conditioning_of
from fcr_core.backbones.weights_hash import content_hash
from fcr_core.data import load
from fcr_core.data.prepared import images_of, prepare
from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import FineTuneLoss, trained_parts
from fcr_core.sampling.samples import initial_noise, latent_shape, sample_latents, sample_to_folder, sampling_inputs
from fcr_core.training.loop import TrainingRun
from fcr_core.training.training_set import EncodedSet, StreamedSet, encode_training_set
from workflow_scripts import encode_data, finetune, measure_cost, measure_variance, sample

from ..random_pipelines import TINY_SDXL_UNET, TINY_UNET, write_lora, write_motion_adapter, write_pipeline
from ..samplers import sampler as a_sampler
from ..tiers import rest_slow

TASKS = ["epsilon", "v_prediction", "inpaint", "depth", "video", "lcm", "sdxl"]
CHANNELS = {"inpaint": 9, "depth": 5}
SCHEDULERS = {"lcm": "lcm"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight emoji in the size of the tiny pipelines."""
    folder = tmp_path_factory.mktemp("data") / "twemoji"
    prepare(load("twemoji", "train")[:8], folder, "twemoji")
    for file in (folder / "images").iterdir():
        Image.open(file).resize((16, 16)).save(file)
    return folder


@pytest.fixture(scope="module")
def locations(tmp_path_factory):
    """What scripts take as `--pipeline`, by task; made when asked for."""
    root, made = tmp_path_factory.mktemp("backbones"), {}

    def location(task: str) -> str:
        if task not in made:
            unet = TINY_SDXL_UNET if task == "sdxl" else TINY_UNET | {"in_channels": CHANNELS.get(task, 4)}
            objective = task if task in ("epsilon", "v_prediction") else "epsilon"
            folder = write_pipeline(root / task, unet, prediction=objective)
            made[task] = str(folder)
            if task == "video":
                made[task] += f"+motion:{write_motion_adapter(root / 'motion')}"
            if task == "lcm":
                made[task] += f"+lora:{write_lora(root / 'lora', folder)}"
        return made[task]

    return location


def draw(pipe, data, sampler, rows: int = 2) -> torch.Tensor:
    ids = pd.read_parquet(data / "prompts.parquet")["prompt_id"].tolist()[:rows]
    noise, inputs = initial_noise(ids, 0, latent_shape(pipe)), sampling_inputs(pipe, ids, 0, images_of(data, ids), rows)
    return sample_latents(pipe, ["a cat"] * rows, noise, sampler, inputs=inputs)


@pytest.mark.parametrize("task", rest_slow(TASKS, 3))
def test_one_step_of_fine_tuning_reaches_every_weight_that_it_should(locations, data, tmp_path, task):
    location = locations(task)
    train_set = encode_training_set(StreamedSet.of(load_pipeline(location), data), tmp_path / "state")
    train_set.save(tmp_path / "set.safetensors")
    unet, scheduler = load_unet(location), load_scheduler(location)
    assert scheduler.config.prediction_type == ("v_prediction" if task == "v_prediction" else "epsilon")
    parts = trained_parts(unet, recipe := Recipe(lam=0.1))
    loss = FineTuneLoss(unet, scheduler, EncodedSet.load(tmp_path / "set.safetensors"), recipe, 2)
    value, logged = loss(0, torch.Generator().manual_seed(0))
    value.backward()
    assert value.isfinite() and logged["consistency"] > 0
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    before = {name: p.detach().clone() for name, p in unet.named_parameters()}
    TrainingRun(parts.learning, tmp_path, lr=1e-3, seed=0, ema_decay=0.0).run(1, loss, 1, "test")
    assert all(not torch.equal(before[name], p) for name, p in unet.named_parameters())
    parts.finished().save_pretrained(tmp_path / "unet")
    tuned, base = load_pipeline(location, unet=tmp_path / "unet"), load_pipeline(location)
    assert type(tuned) is type(base) and type(tuned.unet) is type(base.unet)
    assert all(torch.equal(a, b) for a, b in zip(tuned.unet.parameters(), unet.parameters(), strict=True))


@pytest.mark.parametrize("task", rest_slow(TASKS, 3))
def test_cached_sampling_is_exact_at_stride_1_and_runs_at_stride_10(locations, data, task):
    pipe, scheduler = load_pipeline(locations(task)), SCHEDULERS.get(task, "ddim")
    plain = draw(pipe, data, a_sampler(scheduler, 12))
    every_step_a_key = a_sampler(scheduler, 12, keys=list(range(12)))
    cached = draw(pipe, data, a_sampler(scheduler, 12, stride=10))
    assert torch.equal(draw(pipe, data, every_step_a_key), plain)
    assert plain.isfinite().all() and cached.isfinite().all() and not torch.equal(cached, plain)
    # An image does not depend on what is drawn beside it, or what was drawn before.
    torch.testing.assert_close(draw(pipe, data, a_sampler(scheduler, 12), rows=1), plain[:1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("task", ["inpaint", "depth"])
def test_samples_depend_on_the_picture(locations, data, task):
    pipe, sampler = load_pipeline(locations(task)), a_sampler("ddim", 4, stride=2)
    ids = pd.read_parquet(data / "prompts.parquet")["prompt_id"].tolist()[:2]
    noise, pictures = initial_noise(ids[:1], 0, latent_shape(pipe)), images_of(data, ids)
    drawn = [
        sample_latents(pipe, ["a cat"], noise, sampler, inputs=sampling_inputs(pipe, ids[:1], 0, [picture], 1))
        for picture in (pictures[0], pictures[0], pictures[1])
    ]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    with pytest.raises(ValueError, match="draws from pictures and there are none here"):
        sample_latents(pipe, ["a cat"], noise, sampler)


def test_the_channels_of_training_are_those_that_the_pipeline_builds_itself(locations, data):
    """In-painting: mask and masked latents as in the first call of the UNet; guidance doubles the rows."""
    pipe = load_pipeline(locations("inpaint"))
    ids, seen = pd.read_parquet(data / "prompts.parquet")["prompt_id"].tolist()[:2], []
    pipe.unet.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    draw(pipe, data, a_sampler("ddim", 2))
    channels = conditioning_of(pipe.unet).channels(pipe, images_of(data, ids), ids)
    torch.testing.assert_close(seen[0][2:, 4:], channels, rtol=1e-5, atol=1e-6)


def test_a_clip_is_one_animated_picture_with_all_its_frames(locations, data, tmp_path):
    pipe = load_pipeline(locations("video"))
    prompts = pd.read_parquet(data / "prompts.parquet").head(2)
    sample_to_folder(pipe, prompts, a_sampler("ddim", 2), 0, 1, tmp_path / "partial", tmp_path / "out")
    assert np.load(tmp_path / "out" / "latents.npy").shape == (2, 4, 16, 8, 8)
    for prompt_id in prompts["prompt_id"]:
        clip = Image.open(tmp_path / "out" / "images" / f"{prompt_id}.png")
        assert clip.n_frames == 16 and clip.size == (16, 16)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_cost_and_feature_variance_are_measured(locations, data, tmp_path, task):
    shared = {"pipeline": locations(task), "prompts": data / "prompts.parquet"}
    scheduler = SCHEDULERS.get(task, "ddim")
    plain, cached = samplers = [a_sampler(scheduler, 4), a_sampler(scheduler, 4, stride=4)]
    cost = {"keys": [], "samplers": [s.json for s in samplers], "batches": [1], "repeats": 2, "size": None, "device": "cpu"}
    measure_cost.work(SimpleNamespace(**shared, **cost, out=tmp_path / "cost.parquet"))
    table = pd.read_parquet(tmp_path / "cost.parquet").groupby("sampler").first()
    assert (table["peak_tensor_bytes"] > 0).all() and table.loc[cached.name, "unet_flops"] < table.loc[plain.name, "unet_flops"]
    variance = {
        "unets": [],
        "data": data,
        "count": 3,
        "deltas": [1, 10],
        "seeds": [0],
        "device": "cpu",
        "blocks": tmp_path / "blocks.parquet",
    }
    measure_variance.work(SimpleNamespace(**shared, **variance, out=tmp_path / "variance.parquet"))
    rows = pd.read_parquet(tmp_path / "variance.parquet")
    assert len(rows) == 3 * 2 * 2 and rows["value"].gt(0).all()


@pytest.mark.parametrize("task", rest_slow(["v_prediction", "inpaint", "video", "sdxl"]))
def test_the_scripts_go_from_data_to_samples_of_a_fine_tuned_model(locations, data, tmp_path, task):
    location, train_set, drawn = locations(task), tmp_path / "set.safetensors", tmp_path / "drawn"
    encoding = f"--pipeline {location} --data {data} --images 4 --mirror --out {train_set}"
    encode_data.work(encode_data.make_parser().parse_args(encoding.split()))
    training = f"--pipeline {location} --train-set {train_set} --steps 2 --batch 2 --lr 1e-5 --seed 0 --out {tmp_path / 'tuned'}"
    finetune.work(finetune.make_parser("").parse_args([*training.split(), "--recipe", '{"lam": 0.1}']))
    sampling = f"--pipeline {location} --unets {tmp_path / 'tuned' / 'unet'} --prompts {data / 'prompts.parquet'} --count 3"
    sampling += f" --seeds 0 --out {drawn}" + (f" --data {data}" if task == "inpaint" else "")
    fields = json.dumps(a_sampler("ddim", 10, stride=10).json)
    sample.work(sample.make_parser().parse_args([*sampling.split(), "--sampler", fields]))
    drawn /= "seed0"
    ids = pd.read_parquet(drawn / "manifest.parquet")["prompt_id"].tolist()
    assert ids == pd.read_parquet(data / "prompts.parquet")["prompt_id"].tolist()[:3]
    assert (
        all((drawn / "images" / f"{prompt_id}.png").exists() for prompt_id in ids)
        and np.isfinite(np.load(drawn / "latents.npy")).all()
    )


def test_low_rank_weights_are_folded_in_once(locations):
    """Into the base model's weights; a fine-tuned UNet has them already."""
    location = locations("lcm")
    base, folded = load_pipeline(str(Location.parse(location).base)), load_pipeline(location)
    weight = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    assert base.unet.state_dict().keys() == folded.unet.state_dict().keys()
    assert not torch.equal(base.unet.state_dict()[weight], folded.unet.state_dict()[weight])


def test_half_precision_on_disk_is_single_precision_in_memory(tmp_path):
    location = write_pipeline(tmp_path / "half", half=True)
    assert {p.dtype for p in [*load_pipeline(location).unet.parameters(), *load_unet(location).parameters()]} == {torch.float32}


@pytest.mark.parametrize(
    "location, parts",
    [
        ("a/sd", Location(Repository("a/sd"))),
        ("a/sd@1f2e", Location(Repository("a/sd", "1f2e"))),
        ("a/sd@1f2e+motion:b/m@2d", Location(Repository("a/sd", "1f2e"), "motion", Repository("b/m", "2d"))),
    ],
)
def test_a_location_says_what_it_was_made_of(location, parts):
    assert Location.parse(location) == parts and str(parts) == location


def test_a_folder_may_have_any_name(tmp_path):
    folder = tmp_path / "sd@home"
    folder.mkdir()
    assert Location.parse(folder) == Location(Repository(str(folder)))


def test_every_entry_may_be_a_folder():
    for backbone in BACKBONES.values():
        where = Location.parse(backbone.location("here", adapter="there"))
        assert where.base == Repository("here")
        assert where.adapter == (Repository("there") if backbone.adapter else None)
    assert BACKBONES["animatediff"].location(revision="v") == (
        "stable-diffusion-v1-5/stable-diffusion-v1-5@v"
        "+motion:guoyww/animatediff-motion-adapter-v1-5-2@6167b88ffe39b4441fdf2113e77b99a6f56b7906"
    )


def test_every_repository_is_pinned_to_a_commit():
    from_hub = [backbone for backbone in BACKBONES.values() if backbone.name != "pocket"]
    repositories = [part for backbone in from_hub for part in Location.parse(backbone.location()).repositories]
    assert len(repositories) == 11
    assert all(re.fullmatch("[0-9a-f]{40}", repository.revision) for repository in repositories)


def test_the_weights_of_an_adapter_count(locations):
    location = locations("lcm")
    base, _, adapter = content_hash(location).partition("+")
    assert len(base) == len(adapter) == 12 and base == content_hash(Location.parse(location).base.source)


@pytest.mark.parametrize("by_environment", [True, False])
def test_what_is_not_on_this_machine_is_named_in_one_line(locations, monkeypatch, by_environment):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", by_environment)  # read at import, from HF_HUB_OFFLINE
    missing = {
        "source": "nobody/nothing",
        "adapter": f"{Location.parse(locations('video')).base}+motion:nobody/nothing",
    }
    for key, location in missing.items():
        with pytest.raises(ValueError) as raised:
            load_pipeline(location, local_files_only=not by_environment)
        assert str(raised.value).startswith(
            f"cannot load nobody/nothing: set {key} in its entry of the config section backbones to a folder"
        )
        assert "\n" not in str(raised.value)
