import logging
import sys

import pytest
import torch

from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import FineTuneLoss
from fcr_core.training.denoising import denoising_loss
from fcr_core.training.early_stopping import EarlyStopping
from fcr_core.training.loop import TrainingRun
from fcr_core.training.optimizers import OPTIMIZERS
from fcr_core.training.training_set import EncodedSet

from ..unets import built


@pytest.fixture
def data() -> EncodedSet:
    generator = torch.Generator().manual_seed(0)
    latents, texts = torch.randn(6, 4, 8, 8, generator=generator), torch.randn(6, 3, 8, generator=generator)
    return EncodedSet(latents, texts, torch.zeros(1, 3, 8), ["cat", "dog", "dog", "dog", "dog", "dog"])


def trained(
    scheduler, data, folder, stops: list[int], lam: float = 0.1, recipe=None, checkpointing=False, **options
) -> tuple[dict, list]:
    """Weights and log of a run that is stopped and started anew at each of `stops`."""
    for steps in stops:
        unet = built("UNet2DCondition")
        if checkpointing:
            unet.enable_gradient_checkpointing()
        early = EarlyStopping(lambda unet=unet: unet.conv_in.weight.abs().mean().item(), every=2, patience=1000)
        run = TrainingRun(unet, folder, lr=1e-3, seed=7, ema_decay=0.9, warmup=2, **options, early=early)
        loss = FineTuneLoss(unet, scheduler, data, recipe or Recipe(lam=lam), 4)
        run.run(steps, loss, checkpoint_every=2, name="test")
    return unet.state_dict(), [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in run.history]


OPTIONS = [{}, {"accumulate": 2}, {"precision": "bf16"}, {"algorithm": "adamw8bit"}, {"checkpointing": True}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_resumed_run_ends_bit_identical_to_an_uninterrupted_one(scheduler, data, tmp_path, options):
    recipe = Recipe(lam=0.1, preserve=1.0, min_snr=5.0)
    whole, log = trained(scheduler, data, tmp_path / "whole", [6], recipe=recipe, **options)
    resumed, resumed_log = trained(scheduler, data, tmp_path / "resumed", [2, 4, 6], recipe=recipe, **options)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert log == resumed_log and len(log) == 6


def test_8_bit_adam_keeps_bytes_and_trains_as_adam_does(scheduler, data, tmp_path):
    runs = {}
    for name in OPTIMIZERS:
        runs[name] = TrainingRun(built("UNet2DCondition"), tmp_path / name, lr=1e-3, seed=7, ema_decay=0.0, algorithm=name)
        runs[name].run(3, FineTuneLoss(runs[name].model, scheduler, data, Recipe(), 4), 3, "test")
    moments = [state["state1"] for state in runs["adamw8bit"].optimizer.state.values()]
    assert {m.dtype for m in moments if m.numel() >= 4096} == {torch.uint8}
    before, adamw, eight = (
        torch.cat([p.detach().flatten() for p in model.parameters()])
        for model in (built("UNet2DCondition"), runs["adamw"].model, runs["adamw8bit"].model)
    )
    assert (adamw - eight).norm() < 0.1 * (adamw - before).norm()


def test_accumulated_losses_make_the_gradient_of_their_mean(scheduler, data, tmp_path):
    """Two micro-batches with one gradient each, against one step on the mean of both losses."""
    unets = [built("UNet2DCondition") for _ in range(2)]
    losses = [FineTuneLoss(unet, scheduler, data, Recipe(), 4) for unet in unets]

    def both(step, generator):
        parts = [losses[1](index, torch.Generator().manual_seed(7 * 1_000_003 + index))[0] for index in (0, 1)]
        return sum(parts) / 2, {}

    for unet, loss, accumulate in zip(unets, (losses[0], both), (2, 1), strict=True):
        TrainingRun(unet, tmp_path / str(accumulate), lr=1e-3, seed=7, ema_decay=0.0, accumulate=accumulate).run(
            1, loss, 1, "test"
        )
    for a, b in zip(unets[0].parameters(), unets[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("broken", ["denoise", "norm/mid"])
def test_a_run_that_breaks_says_so_and_keeps_the_last_good_checkpoint(scheduler, data, tmp_path, broken):
    unet = built("UNet2DCondition")
    sound = FineTuneLoss(unet, scheduler, data, Recipe(), 4)

    def breaks(step, generator):
        loss, logged = sound(step, generator)
        return loss, logged | ({broken: float("nan") if broken == "denoise" else 1e6} if step == 4 else {})

    run = TrainingRun(unet, tmp_path, lr=1e-3, seed=7)
    with pytest.raises(FloatingPointError, match=rf"{broken} is .* at step 5 .*: lower the learning rate .* kept in"):
        run.run(10, breaks, checkpoint_every=2, name="test")
    again = TrainingRun(built("UNet2DCondition"), tmp_path, lr=1e-3, seed=7)
    again.resume()
    assert again.step == 4 and all(p.isfinite().all() for p in again.model.parameters())


def test_training_stops_early_with_the_best_weights(scheduler, data, tmp_path):
    unet = built("UNet2DCondition")
    distances = iter([3.0, 1.0, 2.0, 6.0, 9.0, 9.0, 9.0, 9.0])
    seen = []

    def measure():
        seen.append(unet.conv_in.weight.detach().clone())
        return next(distances)

    early = EarlyStopping(measure, every=1, window=2, patience=2)
    run = TrainingRun(unet, tmp_path, lr=1e-3, seed=7, ema_decay=0.0, early=early)
    run.run(8, FineTuneLoss(unet, scheduler, data, Recipe(), 4), checkpoint_every=1, name="test")
    # Means of two: 3, 2, 1.5, 4, 7.5: best at the third, two without a fall at the fifth.
    assert run.step == 5 and early.averages == [3.0, 2.0, 1.5, 4.0, 7.5]
    assert torch.equal(unet.conv_in.weight, seen[2])


def test_tensorboard_gets_every_logged_number(scheduler, data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    unet = built("UNet2DCondition")
    run = TrainingRun(unet, tmp_path, lr=1e-3, seed=7, events=tmp_path / "events")
    run.run(3, FineTuneLoss(unet, scheduler, data, Recipe(lam=0.1), 4), checkpoint_every=3, name="test")
    events = EventAccumulator(str(tmp_path / "events")).Reload()
    logged = {"loss", "denoise", "consistency", "consistency/mid", "norm/mid", "seconds"}
    assert logged <= set(events.Tags()["scalars"])
    assert [event.value for event in events.Scalars("denoise")] == pytest.approx([row["denoise"] for row in run.history])


def test_the_control_sees_the_same_data_and_logs_the_term_it_does_not_train(scheduler, data, tmp_path):
    control, log0 = trained(scheduler, data, tmp_path / "0", [1], lam=0.0)
    fcr, log1 = trained(scheduler, data, tmp_path / "1", [1], lam=5.0)
    assert log0[0]["denoise"] == log1[0]["denoise"] and log0[0]["consistency"] == log1[0]["consistency"]
    assert log0[0]["loss"] == log0[0]["denoise"]
    assert log1[0]["loss"] == pytest.approx(log1[0]["denoise"] + 5 * log1[0]["consistency"])
    assert not all(torch.equal(control[key], fcr[key]) for key in control)


def test_training_lowers_both_terms(scheduler, data, tmp_path):
    _, log = trained(scheduler, data, tmp_path, [60], lam=1.0)
    for term in ("denoise", "consistency"):
        first, last = (sum(row[term] for row in rows) for rows in (log[:15], log[-15:]))
        assert last < first


def test_v_prediction_has_its_own_target(unet, data):
    from diffusers import DDIMScheduler

    generator = [torch.Generator().manual_seed(0) for _ in range(2)]
    losses = [
        denoising_loss(unet, DDIMScheduler(prediction_type=kind), data, 4)(0, g)[0].item()
        for kind, g in zip(("epsilon", "v_prediction"), generator, strict=True)
    ]
    assert losses[0] != losses[1]


class Toy:
    """A small network, its run, and a loss that breaks in one of the ways of `BREAKS` at the chosen losses (from 0)."""

    def __init__(self, folder, **options) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Linear(4, 4)
        self.run = TrainingRun(self.model, folder, lr=1e-2, seed=0, **options)

    def train(self, steps: int = 10, how: str = "", at: tuple[int, ...] = (), every: int = 4) -> None:
        def step_loss(index, generator):
            loss = self.model(torch.randn(8, 4, generator=generator)).float().square().mean()
            return (BREAKS[how](loss, self.model) if index in at else loss), {"plain": loss.item()}

        self.run.run(steps, step_loss, every, "toy")

    def saved(self) -> dict:
        return torch.load(self.run.checkpoint, weights_only=True)


def spoil_weight(loss, model):
    """A parameter that this loss does not read any more."""
    with torch.no_grad():
        model.bias[0] = float("nan")
    return loss


BREAKS = {
    "loss nan": lambda loss, model: loss * float("nan"),
    "loss inf": lambda loss, model: loss + float("inf"),
    "gradient nan": lambda loss, model: loss + (model.weight.sum() * 0).sqrt(),  # value 0, gradient inf * 0
    "one gradient": lambda loss, model: loss + (model.bias[1] * 0).sqrt(),
    "parameter": spoil_weight,
}
NAMED = {
    "loss": "loss is",
    "gradient": "the norm of the gradients is",
    "one": "the norm of the gradients is",
    "parameter": "the largest of the parameters is",
}


def finite(state) -> bool:
    return all(value.isfinite().all() for value in state.values())


@pytest.mark.parametrize("at", [0, 3, 5, 9], ids=["first", "checkpoint", "between", "last"])
@pytest.mark.parametrize("how", BREAKS)
def test_a_step_that_would_spoil_the_weights_is_not_taken(tmp_path, how, at):
    toy = Toy(tmp_path)
    with pytest.raises(FloatingPointError) as raised:
        toy.train(how=how, at=(at,))
    message = str(raised.value)
    assert message.startswith(NAMED[how.split()[0]]) and f"at step {at + 1}" in message and "\n" not in message
    if how == "parameter":
        assert ("there is no sound checkpoint" in message) == (at < 4)
    else:
        assert finite(toy.model.state_dict()) and finite(toy.saved()["model"])
        assert f"the last sound checkpoint, of step {toy.saved()['step']}, is kept in {toy.run.checkpoint}" in message
        assert toy.saved()["step"] == (at if at < 4 else at // 4 * 4)


def test_a_broken_gradient_of_one_of_several_losses_is_noticed(tmp_path):
    toy = Toy(tmp_path, accumulate=3)
    with pytest.raises(FloatingPointError, match="the norm of the gradients is nan at step 3"):
        toy.train(how="gradient nan", at=(7,))  # the second of the third step


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_precision_but_fp16_skips_a_step(tmp_path, precision):
    with pytest.raises(FloatingPointError, match="the norm of the gradients is nan at step 2"):
        Toy(tmp_path, precision=precision).train(how="gradient nan", at=(1,))


def test_the_average_of_the_weights_stays_sound(tmp_path):
    toy = Toy(tmp_path, ema_decay=0.9)
    with pytest.raises(FloatingPointError):
        toy.train(how="gradient nan", at=(9,))
    assert all(p.isfinite().all() for p in toy.run.ema.shadow_params)
    assert finite(dict(enumerate(toy.saved()["ema"]["shadow_params"])))


def test_a_step_that_breaks_parameters_itself_leaves_no_checkpoint(tmp_path):
    """The gradient is finite; the step is not."""
    toy = Toy(tmp_path)

    def step_loss(index, generator):
        if index == 3:
            toy.run.optimizer.param_groups[0]["weight_decay"] = float("inf")
        return toy.model(torch.randn(8, 4, generator=generator)).square().mean(), {}

    with pytest.raises(FloatingPointError, match=r"the largest of the parameters is .* after step 4: .* of step 2, is kept in"):
        toy.run.run(10, step_loss, 2, "toy")
    assert toy.saved()["step"] == 2 and finite(toy.saved()["model"])


def test_a_validation_that_is_not_finite_stops_the_run(tmp_path):
    distances = iter([1.0, float("nan"), 1.0])
    toy = Toy(tmp_path, early=EarlyStopping(lambda: next(distances), every=2, window=1))
    with pytest.raises(FloatingPointError, match=r"the validation is nan after step 4: .* of step 2, is kept in"):
        toy.train(every=2)
    assert toy.saved()["early"]["values"] == [1.0]


@pytest.mark.parametrize("part", ["model", "optimizer", "ema"])
def test_a_checkpoint_that_holds_nan_is_not_resumed(tmp_path, part):
    Toy(tmp_path).train(steps=4)
    file = tmp_path / "checkpoint.pt"
    state = torch.load(file, weights_only=True)
    held = {
        "model": state["model"]["weight"],
        "optimizer": state["optimizer"]["state"][0]["exp_avg"],
        "ema": state["ema"]["shadow_params"][0],
    }
    held[part][0] = float("nan")
    torch.save(state, file)
    with pytest.raises(ValueError) as raised:
        Toy(tmp_path).train(steps=8)
    assert str(raised.value) == f"cannot resume from {file}: delete it to begin again (at step 4 these were not finite: {part})"


def test_a_checkpoint_that_cannot_be_read_is_named(tmp_path):
    Toy(tmp_path).train(steps=4)
    file = tmp_path / "checkpoint.pt"
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not a checkpoint"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot resume from .*checkpoint.pt: delete it to begin again") as raised:
            Toy(tmp_path).train(steps=8)
        assert "\n" not in str(raised.value)
    file.write_bytes(whole)
    with pytest.raises(ValueError, match=r"cannot resume from .*size mismatch"):
        TrainingRun(torch.nn.Linear(4, 5), tmp_path, lr=1e-2, seed=0).run(8, lambda *_: None, 4, "other")


def test_fp16_skips_steps_that_overflow_and_says_how_many(tmp_path, caplog):
    toy = Toy(tmp_path, precision="fp16", ema_decay=0.0)
    caplog.set_level(logging.INFO)
    toy.train(how="gradient nan", at=(2, 5))
    skipped = [row["skipped"] for row in toy.run.history]
    assert [step for step, skip in enumerate(skipped) if skip] == [2, 5] and finite(toy.model.state_dict())
    assert "fp16: 2 of 10 steps were skipped, because their gradients overflowed" in caplog.text


def test_a_skipped_step_changes_no_weight(tmp_path):
    toy = Toy(tmp_path, precision="fp16", ema_decay=0.5)
    before = [p.clone() for p in toy.model.parameters()]
    toy.train(steps=1, how="gradient nan", at=(0,))
    assert all(torch.equal(a, b) for a, b in zip(before, toy.model.parameters(), strict=True))


def test_fp16_that_always_overflows_stops(tmp_path):
    toy = Toy(tmp_path, precision="fp16")
    with pytest.raises(FloatingPointError, match=r"at step 23, with the loss scaled by 1 \(bf16 needs no scale\): .* of step 20"):
        toy.train(steps=100, how="gradient nan", at=tuple(range(6, 100)))
    assert finite(toy.model.state_dict())


def test_a_step_waits_for_the_device_once(tmp_path, monkeypatch):
    """One list of numbers, whatever the number of losses in a step and of terms that they log."""
    waits = []

    def noting(name: str):
        original = getattr(torch.Tensor, name)

        def read(self):
            # The optimizer counts its steps on the CPU, and reads the number there.
            if "torch/optim" not in sys._getframe(1).f_code.co_filename:
                waits.append(name)
            return original(self)

        return read

    for name in ("item", "tolist", "__float__"):
        monkeypatch.setattr(torch.Tensor, name, noting(name))
    toy = Toy(tmp_path, accumulate=2, ema_decay=0.0)
    toy.run._one_step(lambda index, generator: (loss := toy.model(torch.ones(2, 4)).square().mean(), {"term": loss.detach()}), 10)
    assert waits == ["tolist"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_step_waits_for_a_gpu_once(tmp_path):
    toy = Toy(tmp_path, ema_decay=0.9)
    model = toy.model.cuda()
    run = TrainingRun(model, tmp_path, lr=1e-2, seed=0)
    x = torch.ones(8, 4, device="cuda")
    run._one_step(lambda index, generator: (model(x).square().mean(), {}), 10)  # makes the optimizer's state
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with pytest.warns(UserWarning, match="synchronizing") as waits:
            run._one_step(lambda index, generator: (model(x).square().mean(), {}), 10)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len([w for w in waits if "synchronizing" in str(w.message)]) == 1
