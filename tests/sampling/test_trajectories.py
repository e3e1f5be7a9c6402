import pytest
import torch
from diffusers import DDIMScheduler

from fcr_core.sampling.trajectories import DDIMSteps, Trajectories

from ..finetuning.test_cache_aware_term import GUIDANCE, STEPS, trajectories_of


@torch.no_grad()
def test_a_trajectory_is_the_pipelines_own_run(pocket_pipe):
    made = trajectories_of(pocket_pipe)
    assert made.latents.shape == (2, STEPS + 1, 4, 16, 16)
    images = pocket_pipe(
        ["a cat", "a red car"],
        latents=made.latents[:, 0],
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        output_type="latent",
    ).images
    torch.testing.assert_close(made.latents[:, -1], images)


@torch.no_grad()
def test_neighbouring_latents_give_the_guided_prediction_between_them(pocket_pipe):
    made, ddim = trajectories_of(pocket_pipe), DDIMSteps.of(pocket_pipe.scheduler, STEPS)
    for step in range(STEPS):
        x = made.latents[:, step]
        text = torch.cat([made.null_text.expand_as(made.texts), made.texts])
        uncond, cond = pocket_pipe.unet(torch.cat([x, x]), ddim.timesteps[step], text).sample.chunk(2)
        guided = uncond + GUIDANCE * (cond - uncond)
        found = ddim.prediction(x, made.latents[:, step + 1], torch.full((2,), step))
        torch.testing.assert_close(found, guided, rtol=1e-3, atol=1e-3)


def test_the_coefficients_are_the_schedulers_steps(scheduler):
    ddim = DDIMSteps.of(scheduler, 10)
    x, noise = torch.randn(2, 1, 4, 8, 8)
    for i, t in enumerate(scheduler.timesteps):
        expected = scheduler.step(noise, t, x).prev_sample
        torch.testing.assert_close(ddim.a[i] * x + ddim.b[i] * noise, expected, rtol=1e-4, atol=1e-5)


def test_schedulers_whose_step_is_not_linear_are_refused():
    with pytest.raises(ValueError, match="prediction_type epsilon that clips nothing"):
        DDIMSteps.of(DDIMScheduler(clip_sample=True), 10)


def test_trajectories_survive_a_file(pocket_pipe, tmp_path):
    made = trajectories_of(pocket_pipe)
    made.save(tmp_path / "trajectories.safetensors")
    again = Trajectories.load(tmp_path / "trajectories.safetensors")
    assert torch.equal(again.latents, made.latents) and (again.guidance, again.steps) == (GUIDANCE, STEPS)
    assert torch.equal(again.texts, made.texts) and torch.equal(again.null_text, made.null_text)
