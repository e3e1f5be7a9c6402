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


def test_the_cost_counts_cores(tmp_path):
    run = TrainingRun(built("UNet2DCondition"), tmp_path, lr=1e-3, seed=7)
    run.step, run.history = 100, [{"seconds": seconds} for seconds in (36.0, 36.0, 3600.0)]
    assert run.cost() == {"steps": 100, "hours": 1.0, "cpu_core_hours": torch.get_num_threads()}
    for row in run.history[:2]:
        row["validation_seconds"] = 1800.0
    assert run.cost()["hours"] == 2.0


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


def test_the_learning_rate_warms_up_and_cools_down(tmp_path):
    run = TrainingRun(built("UNet2DCondition"), tmp_path, lr=1.0, seed=0, warmup=9, cooldown=0.2)
    factors = []
    for run.step in range(100):
        factors.append(run._lr_factor(100))
    assert factors[0] == 0.1 and factors[9] == factors[80] == 1.0
    assert factors[90] == pytest.approx(0.5) and factors[99] == pytest.approx(0.05)
