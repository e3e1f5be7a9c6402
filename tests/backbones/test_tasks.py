"""What tasks give a UNet beside noise and text."""

import pytest
import torch
import torch.nn.functional as F

from fcr_core.backbones.tasks import Clips, Depth, Inpainting, TextAlone, conditioning_of, masks

from ..unets import built, image_unet


def test_the_task_is_read_off_the_unet():
    unets = [image_unet(), image_unet(5), image_unet(9), built("UNetMotion")]
    assert [type(conditioning_of(unet)) for unet in unets] == [TextAlone, Depth, Inpainting, Clips]
    with pytest.raises(ValueError, match="7 input channels"):
        conditioning_of(image_unet(7))


def test_a_mask_is_a_quarter_of_the_picture_and_depends_on_the_prompt_alone():
    ids = [f"p{i}" for i in range(100)]
    made = masks(ids, 64)
    assert torch.equal(made, masks(ids[::-1], 64).flip(0))
    assert torch.equal(made.sum((1, 2, 3)), torch.full((100,), 32.0 * 32))
    assert len(torch.unique(made, dim=0)) > 20
    # At the 8 x 8 latents of a 64 x 64 picture, and at any size above, no cell is half masked.
    assert torch.equal(F.interpolate(F.interpolate(made, size=8), size=64), made)
    assert torch.equal(F.interpolate(masks(ids, 512), size=64), made)


def test_clips_repeat_a_picture_and_its_text_for_each_frame():
    x, text = torch.randn(2, 4, 8, 8), torch.randn(2, 3, 8)
    clips, channels, texts = Clips().training_inputs(built("UNetMotion"), x, text)
    assert channels.shape[1] == 0
    assert clips.shape == (2, 4, 16, 8, 8) and torch.equal(clips[:, :, 7], x)
    assert texts.shape == (32, 3, 8) and torch.equal(texts[16:], text[1:].repeat(16, 1, 1))
