"""`ddsp` in slices: curves in, sound out (`decode`), and sound in, sound out (`transfer`).

A stream gives the same as the whole, later by its declared delay. Its state is a dictionary of tensors of fixed shapes,
its step a pure function of them, which can be scripted and exported.
"""

from typing import Any

import torch
from torch import Tensor, nn

from componium.dsp.pitch_causal import CausalPitch
from componium.dsp.spectra import hann, loudness_weights
from componium.instruments.ddsp.network import DDSPNetwork, Room, synthesised
from componium.instruments.ddsp.transferring import HIGHEST_NOTE, kept_a_frame
from componium.music.control import Control
from componium.music.errors import BadInput

LIVE_TRACKER = "causal"
KNOBS = (
    Control("octave_shift", "octaves", -4, 4, 0, help="how much higher the instrument plays than what it hears"),
    Control("confidence_threshold", "", 0, 1, 0.5, help="less sure frames belong to no note"),
    Control("loudness_shift_db", "dB", -40, 40, 0, help="how much louder the instrument plays than what it hears"),
    Control("quiet_db", "dB", 0, 60, 20, help="how much softer what belongs to no note is"),
)


REVERB = Control("reverb", "", 0, 2, 1, help="how much of the learned room is added")


def lead_frames(config: Any) -> int:
    """Return how many frames a stream of sound is late: those before the sound begins are heard first.

    A whole sound is begun as early, so that both are the same.
    """
    if config.tracker != LIVE_TRACKER:
        return 0
    half: int = max(int(config.sample_rate_hz / config.lowest_hz), (config.loudness_window + 1) // 2)
    hop: int = config.hop_samples
    return -(-half // hop)


class PlayCurves(nn.Module):
    """Frames of pitch (Hz) and loudness (dB) [B, 2, F] to sound [B, 1, F * hop].

    Args:
        network: what plays; what is neither pitch nor loudness is the mean of its recordings all the time.
        seed: of the noise.
    """

    name = "decode"
    inputs = ("f0_hz", "loudness_db")
    outputs = ("sound",)
    z: Tensor
    seed: Tensor

    def __init__(self, network: DDSPNetwork, seed: int = 0) -> None:
        super().__init__()
        self.decoder, self.hop, self.sample_rate_hz = network.decoder, int(network.hop), int(network.sample_rate_hz)
        self.envelope = network.envelope
        self.first = network.start(1)
        self.room = None if network.reverb is None else Room(network.response(), self.hop)
        self.controls = () if self.room is None else (REVERB,)
        self.register_buffer("z", network.z_mean.reshape(1, 1, -1).clone())
        self.register_buffer("seed", torch.tensor([[seed % (2**31 - 1)]]))

    @property
    def in_ratio(self) -> int:
        """Samples of sound that a value of the input stands for."""
        return self.hop

    @property
    def out_ratio(self) -> int:
        """Samples of sound that a value of the output stands for."""
        return 1

    @property
    def block_multiple(self) -> int:
        """Slices last a multiple of so many samples."""
        return self.hop

    @property
    def delay_samples(self) -> int:
        """How much later than the whole it sounds."""
        return 0

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def start(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first slice."""
        first = {name: value.expand(batch, *value.shape[1:]).clone() for name, value in self.first.items()}
        return first if self.room is None else first | self.room.start(batch)

    def forward(self, x: Tensor, controls: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the next slice, and the state after it; ``controls`` [0 or 1]: the reverb, where there is a room."""
        return self.play(x[:, 0], x[:, 1], controls, state)

    def play(self, f0_hz: Tensor, loudness_db: Tensor, controls: Tensor, state: dict[str, Tensor]) -> tuple[
            Tensor, dict[str, Tensor]]:
        """Return the sound [B, 1, F * hop] of frames [B, F], and the state; what is no number is silence."""
        f0_hz = torch.nan_to_num(f0_hz, 1.0, 1.0, 1.0).clamp(1.0, 0.5 * self.sample_rate_hz)
        loudness_db = torch.nan_to_num(loudness_db, -80.0, 0.0, -80.0).clamp(-80.0, 0.0)
        z = self.z.expand(f0_hz.shape[0], f0_hz.shape[1], self.z.shape[2])
        amplitudes, magnitudes, hidden = self.decoder(f0_hz, loudness_db, z, state["hidden"])
        sound, after = synthesised(f0_hz, amplitudes, magnitudes, self.seed, state, self.hop, self.sample_rate_hz,
                                   self.envelope)
        after["hidden"] = hidden
        if self.room is not None:
            sound, wet = self.room(sound, controls[0], state)
            after["past"], after["last"] = wet["past"], wet["last"]
        return sound.unsqueeze(1), after


class TakeOver(nn.Module):
    """Sound [B, 1, T] to sound with the timbre of the instrument [B, 1, T], by the model's own tracker.

    Raises:
        BadInput: the tracker of the model cannot follow a sound while it is played, or it has z, which has to hear all.
    """

    name = "transfer"
    inputs = ("sound",)
    outputs = ("sound",)
    shape: Tensor
    weights: Tensor

    def __init__(self, network: DDSPNetwork, config: Any, seed: int = 0) -> None:
        super().__init__()
        if config.tracker != LIVE_TRACKER:
            raise BadInput(f"this model follows pitch with {config.tracker}, which has to hear what comes: for live "
                           f"use train with tracker={LIVE_TRACKER}")
        if config.z_size:
            raise BadInput(f"this model hears z (z_size={config.z_size}) in a sound as a whole: for live use train "
                           "with z_size=0")
        self.player = PlayCurves(network, seed)
        self.controls = (*KNOBS, *self.player.controls)
        self.pitch = CausalPitch(config.sample_rate_hz, config.hop_samples, lowest_hz=config.lowest_hz,
                                 highest_hz=config.highest_hz)
        self.hop, self.window = int(config.hop_samples), int(config.loudness_window)
        self.frames = lead_frames(config)
        self.keep = self.frames * self.hop - self.hop + self.window // 2
        self.wait_pitch = self.frames - self.pitch.delay_frames
        self.fall, self.highest_hz = kept_a_frame(config.sample_rate_hz / config.hop_samples), 440.0 * 2.0 ** (
            (HIGHEST_NOTE - 69.0) / 12.0)
        self.register_buffer("shape", hann(self.window, torch.device("cpu"), torch.float32).clone())
        self.register_buffer("weights", loudness_weights(self.window, config.sample_rate_hz).clone())

    @property
    def in_ratio(self) -> int:
        """Samples of sound that a value of the input stands for."""
        return 1

    @property
    def out_ratio(self) -> int:
        """Samples of sound that a value of the output stands for."""
        return 1

    @property
    def block_multiple(self) -> int:
        """Slices last a multiple of so many samples."""
        return self.hop

    @property
    def delay_samples(self) -> int:
        """How much later than the whole it sounds: pitch and loudness are known when their windows have been heard."""
        return self.frames * self.hop

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def start(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first slice."""
        zeros = self.shape.new_zeros
        heard = {f"pitch_{name}": value for name, value in self.pitch.start(batch).items()}
        return {**self.player.start(batch), **heard, "sound": zeros(batch, self.keep), "sure": zeros(batch),
                "late_hz": heard["pitch_f0_hz"][:, None].repeat(1, self.wait_pitch),
                "late_sure": zeros(batch, self.wait_pitch)}

    def forward(self, x: Tensor, controls: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the next slice, and the state after it; ``controls`` [4 or 5] are `KNOBS` and the reverb of a room."""
        f0_hz, sure, loudness_db, after = self.hear(x[:, 0], state)
        level = after["sure"]
        levels: list[Tensor] = []
        for frame in range(sure.shape[1]):
            level = torch.maximum(sure[:, frame], level * self.fall)
            levels.append(level)
        notes = (torch.stack(levels, 1) / controls[1].clamp(min=1e-6)).clamp(0.0, 1.0)
        f0_hz = (f0_hz * torch.exp2(controls[0])).clamp(max=self.highest_hz)
        loudness_db = (loudness_db - controls[3] * (1.0 - notes) + controls[2]).clamp(-80.0, 0.0)
        y, after = self.player.play(f0_hz, loudness_db, controls[4:], after)
        after["sure"] = level
        return y, after

    def hear(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Return pitch, confidence and loudness [B, F] of a slice [B, F * hop], and the state."""
        x = torch.nan_to_num(x, 0.0, 0.0, 0.0)  # what is played live must not stop
        after = state.copy()
        known = {"heard": state["pitch_heard"], "f0_hz": state["pitch_f0_hz"], "steady": state["pitch_steady"]}
        f0_hz, sure, known = self.pitch.step(x, known)
        after["pitch_heard"], after["pitch_f0_hz"], after["pitch_steady"] = (known["heard"], known["f0_hz"],
                                                                            known["steady"])
        f0_hz, sure = torch.cat([state["late_hz"], f0_hz], 1), torch.cat([state["late_sure"], sure], 1)
        count = x.shape[1] // self.hop
        after["late_hz"], after["late_sure"] = f0_hz[:, count:], sure[:, count:]
        sound = torch.cat([state["sound"], x], 1)
        after["sound"] = sound[:, sound.shape[1] - self.keep:].clone()
        frames = sound.unfold(1, self.window, self.hop)[:, :count]
        spectrum = torch.view_as_real(torch.fft.rfft(frames * self.shape))
        power = spectrum.square().sum(-1) @ self.weights
        return f0_hz[:, :count], sure[:, :count], 10.0 * torch.log10(power.clamp(min=1e-8)), after
