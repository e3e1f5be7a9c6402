import pytest
import torch
from diffusers import UNet2DModel

from fcr_core.unet.call_check import check_conditions, check_samples, check_text, layout, needed, timesteps_of

from ..unets import ADDED, FRAMES, added_conditions, built, image_unet, text

X = torch.randn(2, 4, 8, 8)
NEEDS = {
    "plain": ({}, {}),
    "SDXL": (ADDED, {"added_cond_kwargs": ("text_embeds", "time_ids")}),
    "classes": ({"num_class_embeds": 10}, {"class_labels": ()}),
    "projected class": ({"class_embed_type": "projection", "projection_class_embeddings_input_dim": 6}, {"class_labels": ()}),
    "LCM": ({"time_cond_proj_dim": 6}, {"timestep_cond": ()}),
    "image embeddings": ({"addition_embed_type": "image", "encoder_hid_dim": 8}, {"added_cond_kwargs": ("image_embeds",)}),
}


@pytest.mark.parametrize("name", NEEDS)
def test_what_a_unet_needs_beside_text_is_read_off_its_config(name):
    options, expected = NEEDS[name]
    assert needed(image_unet(**options)) == expected


def test_a_video_unet_needs_what_its_forward_asks_for():
    assert needed(built("UNetSpatioTemporal")) == {"added_time_ids": ()}
    assert needed(built("UNetMotion")) == needed(built("UNet3DCondition")) == {}


def test_what_is_missing_or_unknown_is_named():
    sdxl, classes, plain = image_unet(**ADDED), image_unet(num_class_embeds=10), image_unet()
    check_conditions(sdxl, {"added_cond_kwargs": added_conditions(2)}, 2)
    check_conditions(classes, {"class_labels": torch.tensor([1, 2])}, 2)
    cases = [
        (sdxl, {}, "needs added_cond_kwargs with text_embeds and time_ids, which was not given"),
        (sdxl, {"added_cond_kwargs": {"text_embeds": torch.zeros(2, 8)}}, "needs added_cond_kwargs with time_ids, which"),
        (
            sdxl,
            {"added_cond_kwargs": added_conditions(3)},
            r"added_cond_kwargs\['text_embeds'\] has the shape \(3, 8\): .* 2 samples",
        ),
        (classes, {}, "needs class_labels, which was not given"),
        (classes, {"class_labels": torch.tensor(1)}, r"class_labels has the shape \(\): it must have a row"),
        (plain, {"clas_labels": torch.tensor([1, 2])}, "takes no clas_labels here: it takes added_cond_kwargs, .*class_labels"),
        (plain, {"return_dict": False}, "takes no return_dict"),
        (built("UNetSpatioTemporal"), {"class_labels": torch.zeros(2)}, "takes no class_labels here: it takes added_time_ids"),
    ]
    for unet, given, message in cases:
        with pytest.raises(ValueError, match=message) as raised:
            check_conditions(unet, given, 2)
        assert "\n" not in str(raised.value)


def test_samples_have_the_axes_and_channels_of_the_unet():
    assert layout(image_unet())[1] == "channels" and layout(built("UNetSpatioTemporal"))[1] == "frames"
    check_samples(image_unet(), x_t=X, x_t2=X)
    check_samples(built("UNetMotion"), x_t=torch.zeros(2, 4, FRAMES, 8, 8))
    check_samples(built("UNetSpatioTemporal"), x_t=torch.zeros(2, FRAMES, 8, 8, 8))
    with pytest.raises(ValueError, match=r"x_t has the shape \(2, 3, 8, 8\): .* takes \(batch, 4, height, width\)"):
        check_samples(image_unet(), x_t=X[:, :3], x_t2=X)
    with pytest.raises(ValueError, match=r"x_t has the shape \(4, 8, 8\)"):
        check_samples(image_unet(), x_t=X[0])
    with pytest.raises(ValueError, match=r"x_t2 has the shape \(1, 4, 8, 8\), but x_t has \(2, 4, 8, 8\): give equal shapes"):
        check_samples(image_unet(), x_t=X, x_t2=X[:1])
    with pytest.raises(ValueError, match=r"takes \(batch, 4, frames, height, width\)"):
        check_samples(built("UNet3DCondition"), x_t=X)


def test_texts_fit_the_batch_and_the_unet():
    check_text(image_unet(), text(2), X)
    check_text(built("UNetMotion"), text(2 * FRAMES), torch.zeros(2, 4, FRAMES, 8, 8))
    for given, found in ((text(3), r"has the shape \(3, 3, 8\)"), (text(2)[..., :6], r"\(2, 3, 6\)"), (None, "is not given")):
        with pytest.raises(ValueError, match=rf"encoder_hidden_states .*{found}: UNet2DConditionModel takes \(2, tokens, 8\)"):
            check_text(image_unet(), given, X)
    unconditional = UNet2DModel(
        block_out_channels=(8,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), norm_num_groups=4
    )
    with pytest.raises(ValueError, match="UNet2DModel reads no text or image embedding"):
        check_text(unconditional, text(2), X)


@pytest.mark.parametrize("t", [500, 500.0, torch.tensor(500), torch.tensor([500]), [500, 500], torch.tensor([500, 500])], ids=str)
def test_timesteps_are_one_number_or_one_a_sample(t):
    assert timesteps_of("t", t, X).tolist() == [500, 500]


@pytest.mark.parametrize("t", [None, "500", [1, 2, 3], torch.zeros(2, 1), torch.zeros(0)], ids=str)
def test_other_timesteps_are_refused(t):
    with pytest.raises(ValueError, match=r"t2 .*: give one timestep, or one for each of the 2 samples"):
        timesteps_of("t2", t, X)
