import time

import pytest
import torch

from fcr_core.cost.clock import measure_latency, peak_tensor_bytes, process_bytes


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


def test_a_cpu_has_no_device_clock():
    assert measure_latency({"a": lambda: None}, repeats=2)["device_seconds"].isna().all()


def test_process_memory_grows_with_what_is_held():
    before = process_bytes()
    held = torch.ones(50_000_000)
    assert process_bytes() - before == pytest.approx(held.nbytes, rel=0.1)


def test_weights_are_not_memory_of_a_run():
    layer = torch.nn.Linear(1000, 1000)
    with torch.no_grad():
        assert peak_tensor_bytes(lambda: layer(torch.ones(1, 1000))) == 2 * 4000
