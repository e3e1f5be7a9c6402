import gc
import weakref

import pytest
import torch
from accelerate import Accelerator, cpu_offload

from fcr_core import EncoderCache
from fcr_core.unet.encoder_features import capture, encode, features_of, predict, select_blocks

from ..unets import FAMILIES, built, image_unet, k_unet

X, T, TEXT = torch.randn(2, 4, 8, 8), torch.tensor([500, 500]), torch.randn(2, 3, 8)


@torch.no_grad()
@pytest.mark.parametrize("cut", [0, 1])
def test_encode_gives_the_features_of_a_full_pass_without_what_lies_behind_the_cut(unet, cut):
    ran = []
    unet.up_blocks[cut].register_forward_hook(lambda *_: ran.append(True))
    features = encode(unet, X, T, TEXT, cut=cut)
    assert not ran
    with capture(unet, cut) as outputs:
        unet(X, T, TEXT)
    full = features_of(unet, outputs, cut)
    assert list(features) == list(full)
    for name in features:
        assert all(torch.equal(a, b) for a, b in zip(features[name], full[name], strict=True))


@torch.no_grad()
@pytest.mark.parametrize("cut", [0, 1])
def test_the_features_are_what_the_up_blocks_read(unet, cut):
    """Compared with the arguments that diffusers passes to the up blocks."""
    read = []

    def note(module, args, kwargs):
        read.extend([kwargs["hidden_states"]] if not read else [])
        read.extend(kwargs["res_hidden_states_tuple"])

    for block in unet.up_blocks[cut:]:
        block.register_forward_pre_hook(note, with_kwargs=True)
    unet(X, T, TEXT)
    features = [tensor for tensors in encode(image_like(unet), X, T, TEXT, cut=cut).values() for tensor in tensors]
    key = lambda x: (x.shape, x.sum().item())  # noqa: E731
    assert sorted(map(key, features)) == sorted(map(key, read))


def image_like(unet):
    """The same weights without the hooks."""
    other = image_unet()
    other.load_state_dict(unet.state_dict())
    return other.eval()


def test_each_tensor_that_the_decoder_reads_counts_once(unet):
    # conv_in 1; down.0 a resnet and a downsampler, down.1 a resnet only: its output is that residual; mid 1.
    counts = {name: len(tensors) for name, tensors in encode(unet, X, T, TEXT).items()}
    assert counts == {"conv_in": 1, "down.0": 2, "down.1": 1, "mid": 1}
    assert {name: len(tensors) for name, tensors in encode(unet, X, T, TEXT, cut=1).items()} == {
        "conv_in": 1,
        "down.0": 1,
        "up.0": 1,
    }


def test_blocks_are_chosen_by_name_and_by_depth():
    features = dict.fromkeys(["conv_in", "down.0", "down.1", "down.2", "down.3", "mid"], ())
    assert select_blocks(features) == ["down.0", "down.1", "down.2", "down.3", "mid"]
    assert select_blocks(features, ("early",)) == ["down.0", "down.1"]
    assert select_blocks(features, ("late", "mid")) == ["down.2", "down.3", "mid"]
    assert select_blocks(features, ("conv_in",)) == ["conv_in"]
    with pytest.raises(ValueError, match=r"no blocks \['down.7'\]: here are .*'down.3'.* groups \['early', 'late'\]"):
        select_blocks(features, ("down.7",))
    with pytest.raises(ValueError, match=r"no blocks \['late'\]"):
        select_blocks({"conv_in": (), "down.0": (), "mid": ()}, ("late",))


def what_up_blocks_read(unet, cut: int, **call) -> list[torch.Tensor]:
    """By hooks on the residuals and the hidden state that diffusers hands over; K blocks use the last residual alone."""
    read: list[torch.Tensor] = []

    def note(module, args, kwargs):
        residuals = kwargs["res_hidden_states_tuple"]
        taken = residuals[-1:] if type(module).__name__.startswith("K") else residuals
        read.extend(tensor for tensor in ([kwargs["hidden_states"]] if not read else []) + [*taken] if tensor is not None)

    handles = [block.register_forward_pre_hook(note, with_kwargs=True) for block in unet.up_blocks[cut:]]
    unet(**call)
    for handle in handles:
        handle.remove()
    return list({id(tensor): tensor for tensor in read}.values())


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    """The same tensors in any order."""
    left = list(b)
    for x in a:
        place = next((i for i, y in enumerate(left) if x.shape == y.shape and torch.equal(x, y)), None)
        if place is None:
            return False
        del left[place]
    return not left


def flat(features) -> list[torch.Tensor]:
    return [tensor for tensors in features.values() for tensor in tensors]


SHAPES = {
    "no mid": lambda: image_unet(mid_block_type=None),
    "K": k_unet,
    "simple attention": lambda: image_unet(mid_block_type="UNetMidBlock2DSimpleCrossAttn"),
    "mid without attention": lambda: image_unet(mid_block_type="UNetMidBlock2D"),
}


@torch.no_grad()
@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("shape", SHAPES)
def test_of_any_shape_of_unet_the_features_are_what_the_up_blocks_read(shape, cut):
    torch.manual_seed(0)
    unet = SHAPES[shape]().eval()
    read = what_up_blocks_read(unet, cut, sample=X, timestep=T, encoder_hidden_states=TEXT)
    assert same(flat(encode(unet, X, T, TEXT, cut=cut)), read)


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_of_every_family_the_features_are_what_the_up_blocks_read(family):
    unet, latent = built(family), torch.randn(2, *FAMILIES[family].latent)
    call = FAMILIES[family].call(latent, 1) | {"timestep": T}
    prediction, features = predict(unet, **call)
    assert torch.equal(prediction, unet(**call).sample)
    assert same(flat(features), what_up_blocks_read(unet, 0, **call)) and same(flat(features), flat(encode(unet, **call)))


def test_names_of_a_unet_without_a_mid_block():
    """What the first up block reads is the last down block's; where that is its last residual it counts once."""
    counts = lambda unet: {name: len(tensors) for name, tensors in encode(unet, X, T, TEXT).items()}  # noqa: E731
    assert counts(image_unet(mid_block_type=None)) == {"conv_in": 1, "down.0": 2, "down.1": 1}
    assert counts(k_unet()) == {"down.0": 1, "down.1": 1, "down.2": 1}
    with pytest.raises(ValueError, match=r"no blocks \['mid'\]: here are \['conv_in', 'down.0', 'down.1'\]"):
        select_blocks(encode(image_unet(mid_block_type=None), X, T, TEXT), ("mid",))


def compiled(unet, way: str):
    match way:
        case "wrapped":
            return torch.compile(unet, backend="eager")
        case "in place":
            unet.compile(backend="eager")
        case "forward":
            unet.forward = torch.compile(unet.forward, backend="eager")
        case "blocks in place":
            for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
                block.compile(backend="eager")
        case "blocks wrapped":
            for blocks in (unet.down_blocks, unet.up_blocks):
                for index, block in enumerate(blocks):
                    blocks[index] = torch.compile(block, backend="eager")
            unet.mid_block = torch.compile(unet.mid_block, backend="eager")
    return unet


@torch.no_grad()
@pytest.mark.slow
@pytest.mark.parametrize("called", [False, True], ids=["fresh", "called"])
@pytest.mark.parametrize("way", ["wrapped", "in place", "forward", "blocks in place", "blocks wrapped"])
def test_compiled_unets_have_the_features_of_plain_ones(way, called):
    torch._dynamo.reset()
    expected = encode(built("UNet2DCondition"), X, T, TEXT)
    unet = compiled(built("UNet2DCondition"), way)
    if called:
        unet(X, T, TEXT)
    prediction, features = predict(unet, X, T, TEXT)
    for found in (encode(unet, X, T, TEXT), features):
        assert list(found) == list(expected)
        for a, b in zip(flat(found), flat(expected), strict=True):
            torch.testing.assert_close(a, b)
    torch.testing.assert_close(unet(X, T, TEXT).sample, prediction)


@torch.no_grad()
def test_a_unet_is_as_it_was_afterwards(unet):
    modules = list(unet.modules())
    encode(unet, X, T, TEXT)
    with pytest.raises(RuntimeError):
        encode(unet, X[:, :3], T, TEXT)
    assert [id(module) for module in unet.modules()] == [id(module) for module in modules]


@torch.no_grad()
def test_hooks_of_the_unet_itself_run(unet):
    """Such as those that move an offloaded UNet to its device."""
    seen = []
    unet.register_forward_pre_hook(lambda module, args: seen.append(len(args)))
    encode(unet, X, T, TEXT)
    assert seen == [3]


def test_features_are_freed_with_their_last_reference(unet):
    """Without waiting for Python to look for cycles: on a GPU they are most of a step's memory."""
    gc.disable()
    try:
        features = encode(unet, X, T, TEXT)
        kept = [weakref.ref(tensor) for tensor in flat(features)]
        del features
        assert [ref() for ref in kept] == [None] * len(kept)
    finally:
        gc.enable()


@torch.no_grad()
def test_mixed_precision_of_accelerate_stays(unet):
    """It replaces the forward of the UNet by one under autocast, so that half-precision text meets float32 weights."""
    expected = encode(unet, X, T, TEXT)
    prepared = Accelerator(cpu=True, mixed_precision="bf16").prepare_model(unet)
    found = encode(prepared, X.bfloat16(), T, TEXT.bfloat16())
    assert found["mid"][0].dtype == torch.bfloat16
    torch.testing.assert_close(found["mid"][0].float(), expected["mid"][0], rtol=0.1, atol=0.05)


@torch.no_grad()
def test_offloaded_parts_are_moved_by_their_hooks(unet):
    expected = encode(unet, X, T, TEXT)
    cpu_offload(unet, torch.device("cpu"))
    assert all(torch.equal(a, b) for a, b in zip(flat(encode(unet, X, T, TEXT)), flat(expected), strict=True))


def test_a_cut_that_is_not_there_is_refused(unet):
    for cut in (-1, 2, "0"):
        with pytest.raises(ValueError, match=f"cut {cut!r}: UNet2DConditionModel has the up blocks 0 to 1"):
            encode(unet, X, T, TEXT, cut=cut)


def test_blocks_that_return_no_residuals_are_refused(unet):
    outputs = {"conv_in": X, "down.0": X, "down.1": X, "mid": X}
    with pytest.raises(ValueError, match="the down blocks of UNet2DConditionModel return no residuals"):
        features_of(unet, outputs)


@torch.no_grad()
def test_a_cached_run_is_not_disturbed(pocket_pipe):
    """The pass would count as one of its calls. So it is refused, and the run goes on as if nothing had been asked."""
    refused = []

    def ask(pipe, step, t, values):
        with pytest.raises(ValueError, match=r"the forward .* is replaced: leave the block of EncoderCache") as raised:
            encode(pipe.unet, torch.randn(1, 4, 16, 16), t, torch.randn(1, 4, 384))
        refused.append(str(raised.value))
        return {}

    def drawn(**options):
        generator = torch.Generator().manual_seed(0)
        with EncoderCache(pocket_pipe, stride=3):
            return pocket_pipe(["a"], num_inference_steps=6, output_type="latent", generator=generator, **options).images

    assert torch.equal(drawn(), drawn(callback_on_step_end=ask)) and len(refused) == 6
    encode(pocket_pipe.unet, torch.randn(1, 4, 16, 16), 5, torch.randn(1, 4, 384))
