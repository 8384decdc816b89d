"""Build models from component folders (see :mod:`omnireel.registry`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from omnireel.errors import IntegrityError
from omnireel.generate.settings import ModelLimits, SamplingDefaults
from omnireel.model.keeper import Keeper, KeeperConfig
from omnireel.model.positions import RotaryConfig
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.model.vae import VAEConfig, VideoVAE
from omnireel.registry import LoadedComponent, load_component
from omnireel.sampling.guidance import Guidance
from omnireel.sampling.length_shift import LengthShift
from omnireel.upscale.enlarger import Enlarger, EnlargerConfig
from omnireel.upscale.fusion import FusionConfig, ReferenceFusion

ENLARGER, FUSION = PIXEL_PARTS = ("enlarger", "fusion")
"""Parts of a super-resolver that work on pixels, as its ``upscale`` and tensors name them."""
KEEPER = "keeper"
"""The same of an autoencoder, as its configuration and tensors name it."""
_BESIDE = tuple(f"{part}." for part in (*PIXEL_PARTS, KEEPER))


def load_vae(folder: Path, device: str | torch.device = "cpu") -> VideoVAE:
    """The autoencoder in ``folder``, ready to encode and decode."""
    component = load_component(folder, kind="vae", device=device)
    with component.building():
        vae, state = VideoVAE(vae_config(component)), _main_weights(component)
    _load_state(vae, state, folder)
    return vae.to(device).eval().requires_grad_(False)


def vae_config(component: LoadedComponent) -> VAEConfig:
    """The configuration of an autoencoder alone, without what compares its clips."""
    return VAEConfig(**{k: v for k, v in component.config.items() if k != KEEPER})


def load_keeper(folder: Path, device: str | torch.device = "cpu") -> Keeper | None:
    """What shows given pixels in the clips of the autoencoder in ``folder``; None where none
    are."""
    component = load_component(folder, kind="vae", device=device)
    data = component.config.get(KEEPER)
    if data is None:
        return None
    with component.building():
        keeper = Keeper(KeeperConfig(**data))
    _load_state(keeper, part_weights(component.state_dict, KEEPER), folder)
    return keeper.to(device).eval().requires_grad_(False)


def tokenizer_of(config: TransformerConfig) -> Tokenizer:
    """The tokenizer whose vocabulary the configuration carries."""
    return Tokenizer(config.vocabulary, config.max_text_tokens)


def transformer_config(data: dict[str, Any]) -> TransformerConfig:
    """A configuration from its JSON form (the inverse of ``dataclasses.asdict``)."""
    fields = {**data, "rotary": RotaryConfig(**data["rotary"])}
    return TransformerConfig(**{**fields, "vocabulary": tuple(data["vocabulary"])})


def load_transformer(
    folder: Path, kind: str, device: str | torch.device = "cpu"
) -> tuple[OmniTransformer, LoadedComponent]:
    """The transformer of a generator or upscaler folder, and the component it came from."""
    component = load_component(folder, kind=kind, device=device)
    with component.building() as config:
        model = OmniTransformer(transformer_config(config["transformer"]))
        state = _main_weights(component)
    _load_state(model, state, folder)
    return model.to(device).eval().requires_grad_(False), component


def load_enlarger(
    component: LoadedComponent, folder: Path, device: str | torch.device = "cpu"
) -> Enlarger | None:
    """The learned enlargement of the super-resolver in ``folder``; None where it interpolates."""
    with component.building() as config:
        data = config["upscale"].get(ENLARGER)
        if data is None:
            return None
        enlarger = Enlarger(EnlargerConfig(**data), int(config["upscale"]["factor"]))
    _load_state(enlarger, part_weights(component.state_dict, ENLARGER), folder)
    return enlarger.to(device).eval().requires_grad_(False)


def load_fusion(
    component: LoadedComponent, folder: Path, device: str | torch.device = "cpu"
) -> ReferenceFusion | None:
    """What shows given pixels in the super-resolver's clips; None where none are."""
    with component.building() as config:
        upscale = config["upscale"]
        data = upscale.get(FUSION)
        if data is None:
            return None
        features = EnlargerConfig(**upscale[ENLARGER]).channels
        fusion = ReferenceFusion(FusionConfig(**data), int(upscale["factor"]), features)
    _load_state(fusion, part_weights(component.state_dict, FUSION), folder)
    return fusion.to(device).eval().requires_grad_(False)


def part_weights(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Those of a component's tensors that are this part's, by their names in it."""
    prefix = f"{part}."
    return {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}


def with_part(
    state: Mapping[str, Tensor], part: str, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors of a component that has this part as well."""
    return {**state, **{f"{part}.{n}": t for n, t in weights.items()}}


def pixel_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of a component's tensors that work on pixels, beside its main network."""
    return {n: t for n, t in state.items() if n.startswith(_BESIDE)}


def own_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The others: those of its transformer or autoencoder."""
    return {n: t for n, t in state.items() if not n.startswith(_BESIDE)}


def _main_weights(component: LoadedComponent) -> dict[str, Tensor]:
    """The same, with those of parts that the configuration does not name: they fit nothing."""
    named = {**component.config, **component.config.get("upscale", {})}
    beside = tuple(f"{part}." for part in (*PIXEL_PARTS, KEEPER) if named.get(part) is not None)
    return {n: t for n, t in component.state_dict.items() if not n.startswith(beside)}


def generator_component_config(
    transformer: TransformerConfig,
    sampling: SamplingDefaults,
    limits: ModelLimits,
    latent_space: str,
) -> dict[str, Any]:
    """What ``config.json`` of a generator or upscaler holds."""
    return {
        "transformer": asdict(transformer),
        "sampling": asdict(sampling),
        "limits": asdict(limits),
        "latent_space": latent_space,
    }


def sampling_defaults(component: LoadedComponent) -> SamplingDefaults:
    """Sampling defaults recorded with a model."""
    with component.building() as config:
        data = config["sampling"]
        guidance = Guidance(**data["guidance"])
        # Components of earlier releases have no length of their shift.
        shift_by = LengthShift(**data.get("shift_by", {}))
        return SamplingDefaults(**{**data, "guidance": guidance, "shift_by": shift_by})


def model_limits(component: LoadedComponent) -> ModelLimits:
    """Limits recorded with a model."""
    with component.building() as config:
        data = config["limits"]
        sizes = tuple((int(w), int(h)) for w, h in data["sizes"])
        return ModelLimits(**{**data, "sizes": sizes, "capabilities": tuple(data["capabilities"])})


def weights_sha256(component: LoadedComponent) -> str:
    """The recorded hash of a component's weights: its version (of all its files, if several)."""
    hashes = [h for name, h in sorted(component.card["sha256"].items()) if name.endswith("tensors")]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def latent_space_sha256(vae_folder: Path) -> str:
    """Hash of what decides an autoencoder's latents: its encoder and their statistics.

    A better decoder for the same latents leaves it as it is, and with it every data set and model
    that was made for them.
    """
    state = load_component(vae_folder, kind="vae").state_dict
    return _sha256_of({n: t for n, t in state.items() if n.startswith(("encoder.", "latent_"))})


def autoencoder_sha256(vae_folder: Path) -> str:
    """Hash of what decides how an autoencoder shows clips: all of it but its keeper."""
    return _sha256_of(own_weights(load_component(vae_folder, kind="vae").state_dict))


def _sha256_of(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode() + b"\0" + state[name].float().numpy().tobytes())
    return digest.hexdigest()


def check_latent_space(component: LoadedComponent, vae_folder: Path) -> None:
    """Refuse to join a model to an autoencoder whose latents it does not know."""
    with component.building() as config:
        known = config["latent_space"]
    if known != latent_space_sha256(vae_folder):
        raise IntegrityError(
            f"the {component.kind} was trained on the latents of another autoencoder than the one "
            f"in {vae_folder}; install the two from the same release"
        )


def _load_state(model: torch.nn.Module, state: Mapping[str, Tensor], folder: Path) -> None:
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise IntegrityError(
            f"the weights in {folder} do not fit their configuration: {error}"
        ) from error
