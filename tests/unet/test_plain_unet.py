import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from peft import LoraConfig, get_peft_model
from torch import nn

from fcr_core.unet.plain_unet import REFUSED, plain_unet

from ..unets import built, image_unet

ADAPTER = LoraConfig(r=2, target_modules=["to_q"])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda unet: unet,
        lambda unet: torch.compile(unet, backend="eager"),
        lambda unet: get_peft_model(unet, ADAPTER),
        lambda unet: get_peft_model(unet, ADAPTER).base_model,
        lambda unet: torch.compile(get_peft_model(unet, ADAPTER), backend="eager"),
    ],
    ids=["plain", "compiled", "peft", "tuner", "compiled peft"],
)
def test_the_unet_is_found_inside_what_is_around_it(wrap):
    unet = image_unet()
    assert plain_unet(wrap(unet)) is unet


def test_wrappers_with_a_pass_of_their_own_are_refused_by_name():
    for wrapped in (nn.DataParallel(image_unet()), torch.compile(nn.DataParallel(image_unet()), backend="eager")):
        with pytest.raises(ValueError, match=r"wrapped in DataParallel: .* give its .module, and use torchrun"):
            plain_unet(wrapped)
    for name in REFUSED:
        with pytest.raises(ValueError, match=f"wrapped in {name}: ") as raised:
            plain_unet(type(name, (nn.Module,), {})())
        assert "\n" not in str(raised.value)


def test_what_is_no_unet_is_refused_by_its_class(unet):
    pipe = StableDiffusionPipeline(
        vae=None, text_encoder=None, tokenizer=None, unet=unet, scheduler=DDIMScheduler(), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    for given in (pipe, nn.Linear(2, 2), None):
        with pytest.raises(ValueError, match=f"{type(given).__name__} is no UNet .*such as pipe.unet"):
            plain_unet(given)
    assert plain_unet(built("UNetMotion")).down_blocks
