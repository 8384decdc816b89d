"""The autoencoder: shapes, strict causality, the codec that it starts from."""

from __future__ import annotations

import pytest
import torch

from omnireel.model.convolution import fold, unfold
from omnireel.model.vae import VAEConfig, VideoVAE, cosine_basis


@pytest.fixture
def vae() -> VideoVAE:
    torch.manual_seed(0)
    model = VideoVAE(VAEConfig(stem_channels=8, encoder_channels=16, decoder_channels=16))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model.eval()


def smooth_video(frames: int = 9, size: int = 32) -> torch.Tensor:
    y = torch.linspace(-1, 1, size)[None, :, None]
    x = torch.linspace(-1, 1, size)[None, None, :]
    t = torch.linspace(0, 0.5, frames)[:, None, None]
    channels = [torch.sin(2 * x + t + c) * torch.cos(y - c) for c in range(3)]
    return torch.stack(channels)[None] * 0.9


@pytest.mark.parametrize(("frames", "latent"), [(1, 1), (5, 2), (17, 5)])
def test_four_frames_make_one_latent_frame_and_an_image_makes_one(vae, frames, latent):
    video = torch.rand(2, 3, frames, 24, 16) * 2 - 1
    z = vae.encode(video)
    assert z.shape == (2, 48, latent, 3, 2)
    assert vae.decode(z).shape == video.shape


def test_latents_never_depend_on_later_frames(vae):
    video = torch.rand(1, 3, 13, 16, 16) * 2 - 1
    changed = video.clone()
    changed[:, :, 5:] = 0.3
    before, after = vae.encode(video), vae.encode(changed)
    assert torch.equal(before[:, :, :2], after[:, :, :2])
    assert not torch.allclose(before[:, :, 2:], after[:, :, 2:])


def test_decoded_frames_never_depend_on_later_latents(vae):
    z = torch.randn(1, 48, 4, 2, 2)
    changed = z.clone()
    changed[:, :, 2:] = 0.0
    before, after = vae.decode(z), vae.decode(changed)
    assert torch.equal(before[:, :, :5], after[:, :, :5])
    assert not torch.allclose(before[:, :, 5:], after[:, :, 5:])


def test_an_image_encodes_like_the_first_frame_of_a_video(vae):
    video = torch.rand(1, 3, 5, 16, 16) * 2 - 1
    torch.testing.assert_close(vae.encode(video)[:, :, :1], vae.encode(video[:, :, :1]))


def test_an_untrained_autoencoder_is_already_a_codec():
    video = smooth_video()
    vae = VideoVAE(VAEConfig())
    error = (vae.decode(vae.encode(video)) - video).square().mean() / 4
    assert -10 * error.log10() > 28


def test_the_cosine_basis_is_orthonormal():
    basis = cosine_basis(48)
    torch.testing.assert_close(basis @ basis.T, torch.eye(48), atol=1e-5, rtol=0)


def test_unfold_inverts_fold():
    x = torch.randn(2, 3, 8, 16, 24)
    assert torch.equal(unfold(fold(x, 4, 8), 4, 8), x)


def test_statistics_are_divided_out(vae):
    video = torch.rand(1, 3, 5, 16, 16)
    raw = vae.encode(video)
    vae.set_statistics(torch.full((48,), 0.5), torch.full((48,), 2.0))
    torch.testing.assert_close(vae.encode(video), (raw - 0.5) / 2.0)


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match="T=4, H=16, W=20"):
        VideoVAE(VAEConfig()).posterior(torch.zeros(1, 3, 4, 16, 20))
