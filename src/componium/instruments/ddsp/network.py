"""The network of `ddsp`: pitch and loudness to harmonics and noise, and these to sound, from small to large."""

from typing import Any

import torch
from torch import Tensor, nn

from componium.dsp.noise import filtered_noise, uniform_noise
from componium.dsp.oscillators import audible, harmonic_sound
from componium.dsp.reverb import convolve_step, convolved, partitioned
from componium.dsp.shaping import exponentiated_sigmoid

NOISE_BIAS = -5.0
"""Added to what becomes a magnitude of noise, so that training begins with little of it."""
REVERB_SPREAD = 1e-6
Z_PACE = 0.02
"""How fast the mean of z follows what is heard in training."""


class Stack(nn.Module):
    """Layers of a linear map, normalisation over features and a leaky rectifier: [B, F, inputs] to [B, F, width]."""

    def __init__(self, inputs: int, width: int, layers: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for number in range(layers):
            parts += [nn.Linear(width if number else inputs, width), nn.LayerNorm(width), nn.LeakyReLU(0.01)]
        self.layers = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, F, width]."""
        y: Tensor = self.layers(x)
        return y


class Timbre(nn.Module):
    """Listens for what is neither pitch nor loudness: MFCCs [B, F, C] to z [B, F, Z], frame by frame."""

    def __init__(self, coefficients: int, hidden: int, size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(coefficients, hidden, batch_first=True)
        self.out = nn.Linear(hidden, size)

    def forward(self, mfcc: Tensor) -> Tensor:
        """Return [B, F, Z]; each coefficient is normalised over time."""
        mean, spread = mfcc.mean(1, keepdim=True), mfcc.std(1, keepdim=True, unbiased=False)
        y: Tensor = self.out(self.gru((mfcc - mean) / (spread + 1e-3))[0])
        return y


class Decoder(nn.Module):
    """Tells from pitch, loudness and z how loud each partial and each band of noise is (Engel et al. 2020, B.2).

    Args:
        hidden: width of the recurrent layer.
        width: of the other layers.
        layers: in each stack.
        harmonics: K, partials.
        noise_bands: M, magnitudes from 0 to half the sample rate.
        z_size: Z; 0 for none.
        sample_rate_hz: partials above half of it are silent.
    """

    def __init__(self, *, hidden: int, width: int, layers: int, harmonics: int, noise_bands: int, z_size: int,
                 sample_rate_hz: int) -> None:
        super().__init__()
        self.hidden, self.harmonics, self.noise_bands = hidden, harmonics, noise_bands
        self.z_size, self.sample_rate_hz, self.noise_bias = z_size, sample_rate_hz, NOISE_BIAS
        self.pitch, self.loudness = Stack(1, width, layers), Stack(1, width, layers)
        self.z = Stack(max(z_size, 1), width, layers if z_size else 0)
        told = width * (3 if z_size else 2)
        self.gru = nn.GRU(told, hidden, batch_first=True)
        self.out = Stack(hidden + told, width, layers)
        self.head = nn.Linear(width, 1 + harmonics + noise_bands)

    def forward(self, f0_hz: Tensor, loudness_db: Tensor, z: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return amplitudes of the partials [B, F, K], magnitudes of the noise [B, F, M], and the memory [B, hidden].

        Args:
            f0_hz: [B, F].
            loudness_db: [B, F].
            z: [B, F, Z].
            hidden: [B, hidden]; zeros to begin.
        """
        note = 69.0 + 12.0 * torch.log2(f0_hz / 440.0)  # told as 0 to 1 for MIDI's 0 to 127; loudness from -80 dB
        told = [self.pitch(note[..., None] / 127.0), self.loudness(loudness_db[..., None] / 80.0 + 1.0)]
        if self.z_size:
            told.append(self.z(z))
        heard = torch.cat(told, -1)
        remembered, after = self.gru(heard, hidden.unsqueeze(0))
        said = self.head(self.out(torch.cat([remembered, heard], -1)))
        # -80 dB is silence, which recordings that are cut to their notes do not teach
        sounding = ((loudness_db[..., None] + 80.0) / 12.0).clamp(0.0, 1.0)
        loud = exponentiated_sigmoid(said[..., :1]) * sounding
        shares = exponentiated_sigmoid(said[..., 1:1 + self.harmonics])
        shares = shares * audible(f0_hz, self.harmonics, self.sample_rate_hz)
        shares = shares / shares.sum(-1, keepdim=True).clamp(min=1e-7)
        noise = exponentiated_sigmoid(said[..., 1 + self.harmonics:] + self.noise_bias) * sounding
        return loud * shares, noise, after[0]


class DDSPNetwork(nn.Module):
    """Decoder, oscillators, noise and room in one; whole sounds in training, slices in playing.

    Args:
        config: settings of the model, `DDSPConfig`.
        coefficients: MFCCs that the encoder hears, where there is z.
    """

    z_mean: Tensor

    def __init__(self, config: Any, coefficients: int) -> None:
        super().__init__()
        self.hop, self.envelope, self.sample_rate_hz = config.hop_samples, config.envelope, config.sample_rate_hz
        self.z_size = config.z_size
        self.decoder = Decoder(hidden=config.hidden, width=config.width, layers=config.layers,
                               harmonics=config.harmonics, noise_bands=config.noise_bands, z_size=config.z_size,
                               sample_rate_hz=config.sample_rate_hz)
        self.timbre = Timbre(coefficients, config.hidden, config.z_size) if config.z_size else None
        self.register_buffer("z_mean", torch.zeros(config.z_size), persistent=config.z_size > 0)
        length = round(config.reverb_seconds * config.sample_rate_hz)
        self.reverb = nn.Parameter(REVERB_SPREAD * torch.randn(length)) if length else None

    # learning

    def colour(self, mfcc: Tensor) -> Tensor:
        """Return z [B, F, Z] of MFCCs [B, F, C]; in training its mean is remembered, for scores, which have none."""
        assert self.timbre is not None
        z: Tensor = self.timbre(mfcc)
        if self.training:
            with torch.no_grad():
                self.z_mean += Z_PACE * (z.float().mean((0, 1)) - self.z_mean)
        return z

    def forward(self, f0_hz: Tensor, loudness_db: Tensor, z: Tensor, noise: Tensor) -> Tensor:
        """Return the sound of frames: [B, F * hop].

        Args:
            f0_hz: [B, 1 + F]; the first frame only tells from where the others begin.
            loudness_db: [B, 1 + F].
            z: [B, 1 + F, Z].
            noise: [B, F * hop], even between -1 and 1.
        """
        hidden = f0_hz.new_zeros(len(f0_hz), self.decoder.hidden)
        amplitudes, magnitudes, _ = self.decoder(f0_hz, loudness_db, z, hidden)
        phase = torch.zeros(len(f0_hz), 1, dtype=torch.int64, device=f0_hz.device)
        with torch.autocast(f0_hz.device.type, enabled=False):  # sound in 16 bits would hiss
            amplitudes, magnitudes = amplitudes.float(), magnitudes.float()
            sound, _ = harmonic_sound(f0_hz[:, 1:], amplitudes[:, 1:], f0_hz[:, :1], amplitudes[:, :1], phase,
                                      self.hop, self.sample_rate_hz, self.envelope)
            tail = magnitudes.new_zeros(len(f0_hz), 2 * (magnitudes.shape[-1] - 1))
            breath, _ = filtered_noise(magnitudes[:, 1:], magnitudes[:, :1], tail, noise, self.hop)
            return self.in_room(sound + breath)

    def response(self) -> Tensor:
        """Return what the room adds to a click, after it: [N]."""
        assert self.reverb is not None
        return torch.cat([torch.zeros_like(self.reverb[:1]), self.reverb[1:]])

    def in_room(self, sound: Tensor) -> Tensor:
        """Return a sound [B, T] and its reverberation."""
        return sound if self.reverb is None else sound + convolved(sound, self.response())

    # playing, in slices

    def start(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first frame."""
        decoder = self.decoder
        zeros = decoder.head.weight.new_zeros
        counter = torch.zeros(batch, 1, dtype=torch.int64, device=decoder.head.weight.device)
        return {"hidden": zeros(batch, decoder.hidden), "before_hz": zeros(batch, 1),
                "amplitudes": zeros(batch, 1, decoder.harmonics), "magnitudes": zeros(batch, 1, decoder.noise_bands),
                "tail": zeros(batch, 2 * (decoder.noise_bands - 1)), "phase": counter, "position": counter.clone()}

    def controls(self, f0_hz: Tensor, loudness_db: Tensor, z: Tensor, state: dict[str, Tensor]) -> tuple[
            Tensor, Tensor, dict[str, Tensor]]:
        """Return amplitudes [B, F, K], magnitudes [B, F, M] and the state: what can be edited before it sounds."""
        amplitudes, magnitudes, hidden = self.decoder(f0_hz, loudness_db, z, state["hidden"])
        after = state.copy()
        after["hidden"] = hidden
        return amplitudes, magnitudes, after

    def synthesise(self, f0_hz: Tensor, amplitudes: Tensor, magnitudes: Tensor, seed: Tensor,
                   state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the dry sound of frames, and the state; see `synthesised`."""
        return synthesised(f0_hz, amplitudes, magnitudes, seed, state, self.hop, self.sample_rate_hz, self.envelope)


def synthesised(f0_hz: Tensor, amplitudes: Tensor, magnitudes: Tensor, seed: Tensor, state: dict[str, Tensor],
                hop: int, sample_rate_hz: int, envelope: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the dry sound [B, F * hop] of frames, and the state.

    Args:
        f0_hz: [B, F].
        amplitudes: [B, F, K].
        magnitudes: [B, F, M].
        seed: int64 [B, 1] of the noise.
        state: as `DDSPNetwork.start` gives it.
        hop: samples a frame.
        sample_rate_hz: of the sound.
        envelope: how amplitudes move between frames.
    """
    before_hz = torch.where(state["before_hz"] > 0, state["before_hz"], f0_hz[:, :1])
    amplitudes = amplitudes * audible(f0_hz, amplitudes.shape[2], sample_rate_hz)
    sound, phase = harmonic_sound(f0_hz, amplitudes, before_hz, state["amplitudes"], state["phase"], hop,
                                  sample_rate_hz, envelope)
    count = f0_hz.shape[1] * hop
    numbers = state["position"] + torch.arange(count, device=f0_hz.device)
    breath, tail = filtered_noise(magnitudes, state["magnitudes"], state["tail"], uniform_noise(numbers, seed), hop)
    after = state.copy()
    after["before_hz"], after["amplitudes"] = f0_hz[:, -1:], amplitudes[:, -1:]
    after["magnitudes"], after["tail"] = magnitudes[:, -1:], tail
    after["phase"], after["position"] = phase, state["position"] + count
    return sound + breath, after


class Room(nn.Module):
    """The room of a network as a stream of its own, so that it can be left out or put at the end of a mix.

    Args:
        response: [N] what it adds.
        block: samples; slices are multiples of it.
    """

    spectra: Tensor

    def __init__(self, response: Tensor, block: int) -> None:
        super().__init__()
        self.block = block
        self.register_buffer("spectra", torch.view_as_real(partitioned(response.detach(), block)))

    def start(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first sample."""
        count, bins = self.spectra.shape[0], self.spectra.shape[1]
        return {"past": self.spectra.new_zeros(batch, count, bins, 2), "last": self.spectra.new_zeros(batch,
                                                                                                     self.block)}

    def forward(self, x: Tensor, wet: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return a slice [B, n * block] with ``wet`` times its reverberation, and the state."""
        y, past, last = convolve_step(x, torch.view_as_complex(self.spectra), state["past"], state["last"])
        return x + wet * y, {"past": past, "last": last}
