import torch

from fcr_core import EncoderCache
from fcr_core.backbones.loading import load_reuse_decoder
from fcr_core.unet.reuse_decoder import decoder_module, decoder_parts, own_decoder

from ..unets import built


def test_a_decoder_owns_what_lies_behind_the_cut_and_shares_the_rest(unet):
    decoder = own_decoder(unet, 1)
    assert decoder_parts(unet, 1) == ["up_blocks.1", "conv_norm_out", "conv_out"]
    mine, theirs = dict(decoder.named_parameters()), dict(unet.named_parameters())
    assert mine.keys() == theirs.keys()
    owned = {name for name in mine if mine[name] is not theirs[name]}
    assert owned == {name for name in mine if name.startswith(("up_blocks.1.", "conv_norm_out.", "conv_out."))}
    assert all(torch.equal(mine[name], theirs[name]) for name in owned)
    assert sum(p.numel() for p in decoder_module(decoder, 1).parameters()) == sum(mine[name].numel() for name in owned)


def test_a_trained_decoder_comes_from_a_saved_unet(unet, tmp_path):
    other = built("UNet2DCondition", seed=1)
    own_decoder(unet, 1, other).save_pretrained(tmp_path)
    again = own_decoder(unet, 1, type(unet).from_pretrained(tmp_path))
    assert torch.equal(again.up_blocks[1].resnets[0].conv1.weight, other.up_blocks[1].resnets[0].conv1.weight)
    assert again.down_blocks[0].resnets[0].conv1.weight is unet.down_blocks[0].resnets[0].conv1.weight


def drawn(pipe, **options):
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    with EncoderCache(pipe, cut=2, **options):
        return pipe("a cat", latents=noise, num_inference_steps=6, guidance_scale=3.0, output_type="latent").images


@torch.no_grad()
def test_only_steps_between_key_steps_read_the_decoder(pocket_pipe):
    """Equal weights change nothing; other weights change cached samples and leave uncached ones bit for bit as they were."""
    same, other = own_decoder(pocket_pipe.unet, 2), own_decoder(pocket_pipe.unet, 2)
    other.conv_out.weight.mul_(1.1)
    assert torch.equal(drawn(pocket_pipe, stride=3), drawn(pocket_pipe, stride=3, decoder=same))
    assert not torch.equal(drawn(pocket_pipe, stride=3), drawn(pocket_pipe, stride=3, decoder=other))
    assert torch.equal(drawn(pocket_pipe, stride=1), drawn(pocket_pipe, stride=1, decoder=other))


@torch.no_grad()
def test_a_saved_decoder_draws_the_same_samples(pocket_pipe, tmp_path):
    decoder = own_decoder(pocket_pipe.unet, 2)
    decoder.conv_out.weight.mul_(1.1)
    decoder.save_pretrained(tmp_path)
    again = load_reuse_decoder(pocket_pipe, 2, tmp_path)
    assert torch.equal(drawn(pocket_pipe, stride=3, decoder=again), drawn(pocket_pipe, stride=3, decoder=decoder))
    assert again.conv_in.weight is pocket_pipe.unet.conv_in.weight
