import time

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fcr_core.efficiency import count_unet_flops, measure_latency, passes, peak_tensor_bytes, sampling_flops
from fcr_core.encoder import encode


@torch.no_grad()
def test_flops_without_weights_equal_those_of_real_passes(unet):
    sample, t, text = torch.randn(1, 4, 8, 8), torch.tensor(10), torch.randn(1, 5, 8)
    flops = count_unet_flops(unet, tokens=5)
    for run, expected in ((unet, flops.full), (lambda *args: encode(unet, *args), flops.encoder)):
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            run(sample, t, text)
        time_embedding = 2 * (8 * 32 + 32 * 32)
        assert counter.get_total_flops() == expected + (time_embedding if run is not unet else 0)


def test_a_convolution_counts_as_by_hand():
    conv = torch.nn.Conv2d(3, 5, 3, padding=1)
    with FlopCounterMode(display=False) as counter:
        conv(torch.randn(2, 3, 8, 8))
    assert counter.get_total_flops() == 2 * 2 * 5 * 3 * 9 * 64


def test_the_pocket_decoder_has_sds_share_of_the_flops(pocket_pipe):
    flops = count_unet_flops(pocket_pipe.unet, tokens=24)
    assert flops.decoder / flops.full == pytest.approx(0.674, abs=0.02)


def test_flops_of_a_run_follow_its_passes(unet):
    flops = count_unet_flops(unet, tokens=5)
    assert passes(50, 15) == (4, 50)
    assert sampling_flops(flops, 50, 10) == 2 * (5 * flops.encoder + 50 * flops.decoder)
    assert sampling_flops(flops, 50, 1, guided=False) == 50 * flops.full


def test_latency_is_measured_in_turns():
    order = []
    table = measure_latency({"a": lambda: order.append("a"), "b": lambda: (order.append("b"), time.sleep(0.01))}, repeats=3)
    assert order == ["a", "b"] * 4
    assert table.groupby("sampler").size().to_dict() == {"a": 3, "b": 3}
    assert table[table["sampler"] == "b"]["seconds"].min() >= 0.01


def test_peak_memory_is_the_most_that_lived_at_once():
    def run():
        a = torch.zeros(1000)
        b = a + 1
        del a
        c = b.view(10, 100) * 2  # the view shares storage
        return c

    assert peak_tensor_bytes(run) == 8000
