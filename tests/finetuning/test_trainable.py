import pytest
import torch
from peft import LoraConfig, get_peft_model

from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.trainable import check_inputs, trainable_unet
from fcr_core.finetuning.weighted_loss import FineTuneLoss, trained_parts
from fcr_core.training.loop import TrainingRun
from fcr_core.training.training_set import EncodedSet

from ..unets import ADDED, built, image_unet, k_unet

ADAPTER = LoraConfig(r=2, target_modules=["to_q"])


@pytest.fixture
def data() -> EncodedSet:
    generator = torch.Generator().manual_seed(0)
    latents, texts = torch.randn(6, 4, 8, 8, generator=generator), torch.randn(6, 3, 8, generator=generator)
    return EncodedSet(latents, texts, torch.zeros(1, 3, 8), list("abcdef"))


def tuned(unet, scheduler, data, folder, recipe=Recipe(lam=0.1, preserve=1.0)):  # noqa: B008
    """The UNet that a fine-tune of two steps saves, loaded again."""
    parts = trained_parts(unet, recipe, lora_rank=2)
    loss = FineTuneLoss(unet, scheduler, data, recipe, 3)
    TrainingRun(parts.learning, folder, lr=1e-3, seed=0, ema_decay=0.0).run(2, loss, 2, "test")
    parts.save(folder)
    return type(parts.unet).from_pretrained(folder / "unet")


@pytest.mark.slow
@pytest.mark.parametrize("trains", ["unet", "lora"])
@pytest.mark.parametrize("way", ["whole", "in place", "blocks"])
def test_a_compiled_unet_is_fine_tuned_as_a_plain_one(scheduler, data, tmp_path, way, trains):
    torch._dynamo.reset()
    unet = built("UNet2DCondition")
    if way == "in place":
        unet.compile(backend="eager")
    elif way == "blocks":
        for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
            block.compile(backend="eager")
    given = torch.compile(unet, backend="eager") if way == "whole" else unet
    recipe = Recipe(lam=0.1, trains=trains)
    other = built("UNet2DCondition")
    torch.manual_seed(1)  # for the adapters
    plain = tuned(other, scheduler, data, tmp_path / "plain", recipe)
    torch.manual_seed(1)
    found = tuned(given, scheduler, data, tmp_path / "compiled", recipe)
    for a, b in zip(found.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", [lambda: image_unet(mid_block_type=None), k_unet], ids=["no mid", "K"])
def test_unets_without_a_mid_block_are_fine_tuned(scheduler, data, tmp_path, build):
    before = build()
    found = tuned(before, scheduler, data, tmp_path)
    assert found.mid_block is None and all(p.isfinite().all() for p in found.parameters())


def test_a_unet_whose_weights_would_be_saved_under_other_names_is_refused():
    with_adapter = image_unet()
    with_adapter.add_adapter(ADAPTER)
    for unet in (with_adapter, get_peft_model(image_unet(), ADAPTER)):
        with pytest.raises(ValueError, match="the UNet2DConditionModel has adapters: fold them in first"):
            trained_parts(unet, Recipe())
    unet = image_unet()
    unet.down_blocks[1] = torch.compile(unet.down_blocks[1], backend="eager")
    with pytest.raises(ValueError, match=r"down_blocks.1 of the .* lies inside torch.compile: use down_blocks.1.compile"):
        trainable_unet(unet)
    with pytest.raises(ValueError, match="wrapped in DataParallel"):
        trained_parts(torch.nn.DataParallel(image_unet()), Recipe())


def test_a_unet_that_needs_what_training_sets_lack_is_refused(scheduler, data):
    check_inputs(image_unet(**ADDED))
    for options, name in (({"num_class_embeds": 3}, "class_labels"), ({"time_cond_proj_dim": 4}, "timestep_cond")):
        with pytest.raises(ValueError, match=f"needs {name}, which training sets do not hold: write a training loop of your own"):
            FineTuneLoss(image_unet(**options), scheduler, data, Recipe(), 3)
    with pytest.raises(ValueError, match="needs added_time_ids"):
        check_inputs(built("UNetSpatioTemporal"))
