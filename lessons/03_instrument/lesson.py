# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. An instrument of sines and noise
#
# About 90 minutes. You need: NumPy with arrays of two dimensions, what a spectrum is, and for the second half lesson 2.
#
# You will take a note of a saxophone apart into sines and breath, put it together again, write the measure with which a
# computer compares two sounds, and let a small network learn the saxophone by it. Then a sung line is played by the
# saxophone. This is DDSP, *differentiable digital signal processing*.
#
# Run the cells from top to bottom. There are three exercises; the cell below each of them tells you whether your answer
# is right, and if not, what is wrong with it.

# %% [markdown]
# ## The idea
#
# A held note of a wind instrument, a bowed string or a voice repeats itself, a few hundred times a second. Whatever
# repeats itself *f* times a second is a sum of sines with the frequencies *f*, 2*f*, 3*f* and so on: its **partials**.
# Fourier said so in 1807, Helmholtz heard them one by one in 1863, and organs have stops that add them. To make a sound
# of sines is **additive synthesis**. What does not repeat itself, the breath or the bow, is **noise** with a colour of
# its own. Xavier Serra and Julius Smith took sounds apart into these two in 1990.
#
# | | what it says | how often |
# |---|---|---|
# | pitch | the frequency *f* of the first partial | 60 times a second |
# | amplitudes | how loud each partial is | 60 times a second |
# | noise | how loud the noise is in each band of frequencies | 60 times a second |
#
# Such numbers are called **controls**. There are too many of them to be set by hand. In 2020 Jesse Engel and others let
# a network do it: it hears pitch and loudness, which a player decides, and says all the other controls, which the
# instrument decides. Oscillators and filters, which need not be learned, make the sound. The network is told how far
# the sound is from a recording, and from that the slope of each of its weights is calculated, **through** the
# oscillators and filters. That is why they have to be differentiable.
#
# What it **cannot** do: play chords (there is one *f*), bells and drums (their partials are not multiples of one *f*),
# or words. And it knows an instrument only at the pitches and loudnesses that it was taught.

# %% [markdown]
# ## With NumPy alone
#
# First a note. Where `COMPONIUM_BENCH_DATA` names the folder with Componium's benchmark data, it is a recording of a
# real alto saxophone (in the public domain, CC0). Otherwise a SoundFont plays it, and where there is none, a formula.
# All sounds of this lesson have 16,000 samples a second: half the work, and nothing above 8 kHz.

# %%
import os
from pathlib import Path

import numpy as np
from IPython.display import Audio, display

import componium as cp
from componium.music.errors import MissingExtra, require
from componium.music.score import Note, Track, new_score

RATE_HZ = 16000
RECORDINGS = Path(os.environ.get("COMPONIUM_BENCH_DATA", "")) / "audio" / "alto_sax"
NAMES = ["c", "db", "d", "eb", "e", "f", "gb", "g", "ab", "a", "bb", "b"]


def hz_of(pitch):
    """Return the frequency of a MIDI pitch."""
    return 440 * 2 ** ((pitch - 69) / 12)


def saxophone(pitch, loud=True, seconds=2.0):
    """Return a note of an alto saxophone, RATE_HZ samples a second, and what made it."""
    recording = RECORDINGS / f"{NAMES[pitch % 12]}{pitch // 12 - 2}_{'f' if loud else 'p'}_rr1_cnd.flac"
    if recording.is_file():
        sound, source = cp.Audio.read(recording), "a recording"
    else:
        score = new_score(tempo_bpm=60)
        score.tracks.append(Track("Saxophone"))
        score.tracks[0].notes.append(Note(0, seconds, pitch, 110 if loud else 50))
        try:
            sound, source = cp.perform(score, cp.create("soundfont", program="alto sax")), "a SoundFont"
        except MissingExtra:
            return formula(pitch, loud, seconds), "a formula"
    samples = sound.to_mono().resample(RATE_HZ).samples[0].astype(float)
    return samples[:int(seconds * RATE_HZ)], source


def formula(pitch, loud, seconds):
    """Return something like a note of a saxophone."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    number = np.arange(1, int(7500 / hz_of(pitch)) + 1)
    sizes = np.exp(-number * hz_of(pitch) / (1500 if loud else 700)) * (1 + (number == 2)) / 4
    sound = np.sin(2 * np.pi * hz_of(pitch) * time[:, None] * number) @ sizes
    breath = np.random.default_rng(pitch).standard_normal(len(time))
    return (sound + 0.002 * breath) * np.minimum(1, np.minimum(time / 0.05, time[::-1] / 0.05))


PITCH = 57  # A3, 220 Hz
note, source = saxophone(PITCH)
print(f"{len(note)} samples from {source}")
Audio(note, rate=RATE_HZ)

# %% [markdown]
# **Frames and spectra.** A sound changes, so its spectrum is taken again and again, of short pieces that overlap: its
# **frames**. Each is multiplied by a *Hann window*, half a wave that begins and ends at 0, because a piece that begins
# and ends abruptly has frequencies that the sound has not. `rfft` then says how much of each frequency is in it. A sine
# of amplitude 1 comes out with a magnitude of a quarter of the frame's size.

# %%
def magnitudes(sound, size, hop):
    """Return the spectra [frames, size // 2 + 1] of a sound; the middle of frame k is on sample k * hop."""
    padded = np.pad(sound, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return np.abs(np.fft.rfft(frames * window))


HOP, SIZE = 256, 1024  # 16 ms from frame to frame, 64 ms in a frame
spectra = magnitudes(note, SIZE, HOP)
print(spectra.shape[0], "frames with", spectra.shape[1], "frequencies each,", RATE_HZ / SIZE, "Hz apart")

# %% [markdown]
# The same in colours: a **spectrogram**. Each horizontal line is a partial. The picture beside it is one frame.

# %%
import matplotlib.pyplot as plt


def show_spectrograms(sounds, top_khz=8.0):
    """Draw the spectrograms of sounds, title -> samples, side by side."""
    width = 7 if len(sounds) < 3 else 10
    _, axes = plt.subplots(1, len(sounds), figsize=(width, 3), layout="constrained", sharey=True, squeeze=False)
    for place, (title, sound) in zip(axes[0], sounds.items(), strict=True):
        decibels = 20 * np.log10(magnitudes(sound, SIZE, HOP // 2).T * 4 / SIZE + 1e-5)
        place.imshow(decibels, origin="lower", aspect="auto", cmap="magma", vmin=-90, vmax=-10,
                     extent=(0, len(sound) / RATE_HZ, 0, RATE_HZ / 2000))
        place.set(title=title, xlabel="seconds", ylim=(0, top_khz))
    axes[0, 0].set_ylabel("kHz")
    plt.show()


def show_note():
    """Draw the spectrogram of the note, and one of its frames."""
    _, axes = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
    decibels = 20 * np.log10(spectra.T * 4 / SIZE + 1e-5)
    axes[0].imshow(decibels, origin="lower", aspect="auto", cmap="magma", vmin=-90, vmax=-10,
                   extent=(0, len(note) / RATE_HZ, 0, RATE_HZ / 2000))
    axes[0].set(title="The note", xlabel="seconds", ylabel="kHz")
    axes[1].plot(np.arange(SIZE // 2 + 1) * RATE_HZ / SIZE / 1000, decibels[:, len(spectra) // 2], linewidth=1)
    axes[1].set(title="One frame in its middle", xlabel="kHz", ylabel="dB", xlim=(0, 8), ylim=(-95, -5))
    plt.show()


show_note()

# %% [markdown]
# **Measuring.** Around each multiple of 220 Hz we look for the highest point. The frequencies of the spectrum are 15.6
# Hz apart, which is a semitone down there; a parabola through the logarithms of the highest point and its neighbours
# tells more exactly where the peak is, and how high. (The first frame, around sample 0, is left out: frame *k* then
# tells of the moment at which the *k*-th block of 256 samples ends. Componium counts in the same way.)

# %%
def peaks(spectra, low, high):
    """Return where the peak of each frame is between two columns, in columns, and how high it is."""
    rows, column = np.arange(len(spectra)), low + spectra[:, low:high].argmax(axis=1)
    left, top, right = (np.log(spectra[rows, column + step] + 1e-9) for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * top + right, -1e-9)
    shift = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    return column + shift, np.exp(top - 0.25 * (left - right) * shift)


def measured(sound, near_hz):
    """Return the pitch in Hz [F] and the amplitudes of the partials [F, K] of a note of about `near_hz`."""
    spectra = magnitudes(sound, SIZE, HOP)[1:] * 4 / SIZE
    step, count = near_hz * SIZE / RATE_HZ, int(0.48 * RATE_HZ / near_hz)  # columns from partial to partial; partials
    places, sizes = zip(*(peaks(spectra, round((k - 0.3) * step), round((k + 0.3) * step))
                          for k in range(1, count + 1)), strict=True)
    places, sizes = np.transpose(places), np.transpose(sizes)
    loud = sizes[:, :6] ** 2 + 1e-12  # the first six tell the pitch, the louder the more
    f0_hz = (places[:, :6] / np.arange(1, 7) * loud).sum(axis=1) / loud.sum(axis=1) * RATE_HZ / SIZE
    return f0_hz, sizes


f0_hz, amplitudes = measured(note, hz_of(PITCH))
middle, PARTIALS = len(f0_hz) // 2, amplitudes.shape[1]
print(f"{f0_hz[middle]:.1f} Hz in the middle of the note; the first partials:", amplitudes[middle, :6].round(3))

# %% [markdown]
# **A sum of sines.** The mean of these amplitudes, and nothing else, is an organ pipe rather than a saxophone: the note
# has the right colour and no life. `phases` says where in its cycle each sine begins; we need that later.

# %%
def steady(hz, amplitudes, phases=0.0, seconds=1.0):
    """Return a sound whose partials do not change."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    number = np.arange(1, len(amplitudes) + 1)
    return np.sin(2 * np.pi * hz * time[:, None] * number + phases) @ amplitudes


colour = amplitudes[middle - 20:middle + 20].mean(axis=0)
pipe = steady(hz_of(PITCH), colour)
Audio(pipe, rate=RATE_HZ)

# %% [markdown]
# **Phase has to be accumulated.** A sine of a constant frequency *f* is sin(2π *f t*). It is tempting to write the same
# where *f* moves. Here a sine glides from 400 to 800 Hz in a second, and stays there. Listen to both, and look where
# the first of them goes.
#
# *f t* is the number of cycles since the beginning, **if** *f* was always what it is now. Where it moved, the cycles of
# all samples so far have to be added up: each sample adds *f* / rate cycles. `np.cumsum` does that.

# %%
ramp_hz = np.concatenate([np.linspace(400, 800, RATE_HZ), np.full(RATE_HZ // 2, 800.0)])
time = np.arange(len(ramp_hz)) / RATE_HZ
tempting = 0.3 * np.sin(2 * np.pi * ramp_hz * time)
accumulated = 0.3 * np.sin(2 * np.pi * np.cumsum(ramp_hz / RATE_HZ))

show_spectrograms({"sin(2π f t)": tempting, "the cycles added up": accumulated}, top_khz=2)
display(Audio(tempting, rate=RATE_HZ), Audio(accumulated, rate=RATE_HZ))

# %% [markdown]
# It climbs to 1200 Hz and falls back: the derivative of *f t* is *f* + *t f'*. Where *f* jumps, it is worse: *f t*
# jumps, too, and that is a click. Added up, the wave changes its speed and nothing else.

# %%
jump_hz = np.where(np.arange(400) < 200, 440.0, 554.4)
late = 2.92 + np.arange(400) / RATE_HZ  # almost three seconds after the beginning
waves = {"sin(2π f t)": np.sin(2 * np.pi * jump_hz * late),
         "the cycles added up": np.sin(2 * np.pi * (440 * 2.92 + np.cumsum(jump_hz / RATE_HZ)))}
_, axes = plt.subplots(1, 2, figsize=(10, 2.2), layout="constrained", sharey=True)
for place, (title, wave) in zip(axes, waves.items(), strict=True):
    place.plot(np.arange(400) / RATE_HZ * 1000, wave, linewidth=1)
    place.axvline(200 / RATE_HZ * 1000, linestyle=":", color="black")
    place.set(title=title, xlabel="milliseconds")
plt.show()

# %% [markdown]
# **From frames to samples.** The controls come every 256 samples. If a control stays the same for so long and then
# jumps, the sound has a corner 62 times a second, which is a buzz. So it moves in a straight line from the value of the
# frame before to its own. Here a sine fades in 0.3 seconds, in steps and in lines.

# %%
def upsampled(values, hop=HOP):
    """Return frames [F] or [F, K] as samples: in each frame a line from the value of the frame before to its own."""
    earlier = np.concatenate([values[:1], values[:-1]])
    line = (np.arange(1, hop + 1) / hop).reshape(-1, *[1] * (values.ndim - 1))
    return (earlier[:, None] * (1 - line) + values[:, None] * line).reshape(-1, *values.shape[1:])


fade = np.linspace(0.3, 0, 20) ** 2 / 0.3
tone = np.sin(2 * np.pi * 440 * np.arange(20 * HOP) / RATE_HZ)
steps, lines = tone * np.repeat(fade, HOP), tone * upsampled(fade)
_, axes = plt.subplots(1, 2, figsize=(10, 2.2), layout="constrained", sharey=True)
for place, title, sound in ((axes[0], "in steps", steps), (axes[1], "in lines", lines)):
    place.plot(np.arange(len(sound)) / RATE_HZ * 1000, sound, linewidth=0.7)
    place.set(title=title, xlabel="milliseconds")
plt.show()
display(Audio(steps, rate=RATE_HZ), Audio(lines, rate=RATE_HZ))

# %% [markdown]
# **Half the sample rate is the end.** With 16,000 samples a second, a sine of 9 kHz gives the same samples as one of 7
# kHz: it is *aliased*. So a partial that climbs above 8 kHz, the **Nyquist frequency**, comes down again where nobody
# wants it. Here ten partials glide upwards.

# %%
glide_hz = np.geomspace(400, 1600, 2 * RATE_HZ)
cycles = np.cumsum(glide_hz / RATE_HZ)
aliased = sum(np.sin(2 * np.pi * k * cycles) for k in range(1, 11)) / 20
show_spectrograms({"ten partials, aliased": aliased})
Audio(aliased, rate=RATE_HZ)

# %% [markdown]
# ## Exercise 1: the oscillator
#
# Write `harmonic_sound(f0_hz, amplitudes, rate_hz)`, the sum of the partials of a note that moves.
#
# - `f0_hz` [N] is the frequency of the first partial at each *sample*, `amplitudes` [N, K] how loud each of the
#   partials 1 to K is; both have been upsampled already. Return the samples, [N].
# - Partial *k* is the sine of *k* times the phase of the first one, which is accumulated.
# - Where a partial is at `rate_hz / 2` or above, it is silent. It may come back: decide sample by sample.

# %% tags=["exercise-1"]
def harmonic_sound(f0_hz, amplitudes, rate_hz):
    """Return the sound [N] of a harmonic series: f0_hz [N], amplitudes [N, K]."""
    # solution:begin
    number = np.arange(1, amplitudes.shape[1] + 1)
    phase = 2 * np.pi * np.cumsum(f0_hz / rate_hz)
    audible = f0_hz[:, None] * number < rate_hz / 2
    return (amplitudes * audible * np.sin(phase[:, None] * number)).sum(axis=1)
    # solution:end


# %% tags=["check-1"]
from componium.lessons import check

verdict_1 = check("03", 1, harmonic_sound)
verdict_1

# %% [markdown]
# When it is right: the glide without aliases, and the saxophone from the controls that were measured. It speaks now,
# because its partials do not all begin together.

# %%
if verdict_1.right:
    clean = harmonic_sound(glide_hz, np.full((len(glide_hz), 10), 0.05), RATE_HZ)
    sines = harmonic_sound(upsampled(f0_hz), upsampled(amplitudes), RATE_HZ)
    show_spectrograms({"ten partials": clean, "the note": note[:len(sines)], "the note from sines": sines})
    display(Audio(clean, rate=RATE_HZ), Audio(sines, rate=RATE_HZ))

# %% [markdown]
# **What is missing** lies between the lines. Half-way between two partials there is nothing of either, so what is found
# there is noise. White noise, even between -1 and 1, has a magnitude of about the root of size / 8 in a frame; what is
# measured, divided by that, is how strongly white noise has to be let through at that frequency. 33 numbers, evenly
# from 0 to 8 kHz, are enough for each frame.

# %%
BANDS = 33


def measured_noise(sound, near_hz):
    """Return how strongly white noise has to be let through, [F, BANDS], measured between the partials."""
    spectra = magnitudes(sound, SIZE, HOP)[1:] / np.sqrt(SIZE / 8)
    between_hz = near_hz * np.arange(0.5, RATE_HZ / 2 / near_hz)
    columns = np.round(between_hz * SIZE / RATE_HZ).astype(int)[:, None] + [-2, -1, 0, 1, 2]
    found = spectra[:, columns.clip(0, SIZE // 2)].mean(axis=2)
    bands_hz = np.linspace(0, RATE_HZ / 2, BANDS)
    return np.array([np.interp(bands_hz, between_hz, frame) for frame in found])


noise_magnitudes = measured_noise(note, hz_of(PITCH))
_, axes = plt.subplots(figsize=(7, 3), layout="constrained")
khz = np.arange(SIZE // 2 + 1) * RATE_HZ / SIZE / 1000
axes.plot(khz, 20 * np.log10(spectra[middle + 1] + 1e-5), linewidth=1, label="one frame")
axes.plot(np.linspace(0, 8, BANDS), 20 * np.log10(noise_magnitudes[middle] * np.sqrt(SIZE / 8) + 1e-5), "o-",
          markersize=3, label="noise")
axes.set(xlabel="kHz", ylabel="dB", xlim=(0, 8), title="Partials, and what lies between them")
axes.legend()
plt.show()

# %% [markdown]
# ## Exercise 2: the breath
#
# A filter is known by its **impulse response**: what it makes of a single click. Noise is nothing but clicks, one a
# sample, so its response to noise is the sum of all those (`np.convolve`). Write `impulse_response(magnitudes)`, which
# finds the response whose spectrum has the `magnitudes` [M], evenly from 0 to half the sample rate. This is *frequency
# sampling*:
#
# 1. `np.fft.irfft` goes from a spectrum to a sound; from M numbers it makes 2 (M - 1). This response lies around sample
#    0: what comes before 0 is found at the end, because a Fourier transform is a circle.
# 2. `np.roll` it by M - 1 samples, so that its middle is in the middle, and it is of one piece.
# 3. It ends abruptly there, and you know what helps: a Hann window, the same as in `magnitudes`.

# %% tags=["exercise-2"]
def impulse_response(magnitudes):
    """Return the impulse response [2 (M - 1)] of a filter with so large magnitudes [M]."""
    # solution:begin
    size = 2 * (len(magnitudes) - 1)
    response = np.roll(np.fft.irfft(magnitudes), size // 2)
    return response * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))
    # solution:end


# %% tags=["check-2"]
verdict_2 = check("03", 2, impulse_response)
verdict_2

# %% [markdown]
# When it is right: the breath alone, made louder; then sines and breath together; then the recording. Each block of
# white noise goes through the filter of its frame, and what still sounds after the block is added to the next.

# %%
def filtered_noise(magnitudes, noise, hop=HOP):
    """Return noise [F * hop] through a filter that changes from frame to frame: magnitudes [F, M]."""
    half = magnitudes.shape[1] - 1
    sound = np.zeros(len(noise) + 2 * half)
    for frame, row in enumerate(magnitudes):
        part = np.convolve(noise[frame * hop:(frame + 1) * hop], impulse_response(row))
        sound[frame * hop:frame * hop + len(part)] += part
    return sound[half:half + len(noise)]  # the responses have their middle half a length later


if verdict_1.right and verdict_2.right:
    white = np.random.default_rng(seed=1).uniform(-1, 1, len(noise_magnitudes) * HOP)
    breath = filtered_noise(noise_magnitudes, white)
    rebuilt = sines + breath
    show_spectrograms({"the note": note[:len(rebuilt)], "sines": sines, "sines and breath": rebuilt})
    display(Audio(breath, rate=RATE_HZ), Audio(rebuilt, rate=RATE_HZ), Audio(note, rate=RATE_HZ))

# %% [markdown]
# **How far is that from the recording?** The obvious measure is the mean difference of the samples. It is useless. The
# two waves below have the same partials with the same amplitudes; only the phases, where each sine begins, are others.
# The ear hardly hears phases in a steady sound (Helmholtz's rule). The samples have nothing in common.

# %%
rng = np.random.default_rng(seed=2)
other = steady(hz_of(PITCH), colour, phases=rng.uniform(0, 2 * np.pi, PARTIALS))
_, axes = plt.subplots(1, 2, figsize=(10, 2.2), layout="constrained", sharey=True)
for place, title, sound in ((axes[0], "all sines begin at 0", pipe), (axes[1], "each begins somewhere", other)):
    place.plot(np.arange(300) / RATE_HZ * 1000, sound[1000:1300])
    place.set(title=title, xlabel="milliseconds")
plt.show()
print(f"mean difference of the samples: {np.abs(pipe - other).mean():.3f}; of the wave from silence: "
      f"{np.abs(pipe).mean():.3f}")
display(Audio(pipe, rate=RATE_HZ), Audio(other, rate=RATE_HZ))

# %% [markdown]
# Magnitudes of spectra forget the phases, as the ear does. But which size of frame? A long frame tells frequencies
# apart and blurs time; a short one does the opposite. So several sizes are taken, from 2048 samples (128 ms) to 64
# (4 ms), and all of them have to agree: the **multi-scale spectral loss**. And because the ear hears ratios, the
# *logarithms* of the magnitudes are compared, too: without them, all that is soft would count for nothing.

# %% [markdown]
# ## Exercise 3: how far apart two sounds are
#
# Write `spectral_loss(x, y, sizes)`. For each size of frame, with frames a quarter of their size apart:
#
# - take the `magnitudes` of both sounds, X and Y;
# - the mean of |X - Y|, over all frames and frequencies;
# - the mean of |log(X + 10⁻⁵) - log(Y + 10⁻⁵)|, with natural logarithms. The 10⁻⁵ is for silence.
#
# Return the sum of all of these.

# %% tags=["exercise-3"]
def spectral_loss(x, y, sizes=(2048, 1024, 512, 256, 128, 64)):
    """Return how far the spectra of two sounds of one length are apart."""
    # solution:begin
    loss = 0.0
    for size in sizes:
        first, second = magnitudes(x, size, size // 4), magnitudes(y, size, size // 4)
        loss += np.abs(first - second).mean()
        loss += np.abs(np.log(first + 1e-5) - np.log(second + 1e-5)).mean()
    return loss
    # solution:end


# %% tags=["check-3"]
verdict_3 = check("03", 3, spectral_loss)
verdict_3

# %% [markdown]
# When it is right, compare the two measures. To the ear a wave upside down is the same, other phases hardly another
# sound, and 1 dB a shade; what comes after that is another note or another instrument. Which measure agrees with you?

# %%
if verdict_3.right:
    changed = {
        "the same": pipe,
        "turned upside down": -pipe,
        "other phases": other,
        "1 dB softer": pipe * 10 ** (-1 / 20),
        "a quarter tone higher": steady(hz_of(PITCH + 0.5), colour),
        "a semitone higher": steady(hz_of(PITCH + 1), colour),
        "a major third higher": steady(hz_of(PITCH + 4), colour),
        "every other partial only": steady(hz_of(PITCH), np.where(np.arange(PARTIALS) % 2, 0, colour)),
    }
    print("samples  spectra")
    for name, sound in changed.items():
        print(f"{np.abs(pipe - sound).mean():7.3f}  {spectral_loss(pipe, sound):7.2f}  {name}")
    if verdict_1.right and verdict_2.right:
        for name, sound in (("sines alone", sines), ("sines and breath", rebuilt)):
            there = note[:len(sound)]
            print(f"{np.abs(there - sound).mean():7.3f}  {spectral_loss(there, sound):7.2f}  the note from {name}")

# %% [markdown]
# It is not quite deaf to phases: in the short frames two partials come together, and whether they help or cancel each
# other there depends on their phases. And it is a poor judge of pitch: once the partials no longer meet, a shift that
# is eight times as wide costs about a third more, so its slope does not lead back to the right note. That is why DDSP
# is *told* the pitch, and learns the rest.

# %% [markdown]
# ## The same in torch
#
# From here on the controls are to be *found*. For that the slope of the loss at each of them is needed: how much does
# it rise if partial 3 gets a little louder? All steps of the way, sines, sums, spectra, have slopes, so torch can go
# back through them. The oscillator is the same line by line; the spectral loss comes from Componium, and is yours.
#
# torch comes with `pip install 'componium[neural]'`. Without it, the cells below do nothing.

# %%
try:
    torch = require("torch", extra="neural", purpose="The rest of this lesson")
except MissingExtra as missing:
    torch = None
    print(missing)

if torch:
    from componium.dsp import noise as dsp_noise
    from componium.dsp import oscillators, shaping
    from componium.dsp import spectra as dsp_spectra

    def torch_harmonic_sound(f0_hz, amplitudes, rate_hz):
        """Return the sound [N] of a harmonic series, with slopes."""
        number = torch.arange(1, amplitudes.shape[1] + 1)
        phase = 2 * torch.pi * torch.cumsum(f0_hz / rate_hz, 0)
        audible = f0_hz[:, None] * number < rate_hz / 2
        return (amplitudes * audible * torch.sin(phase[:, None] * number)).sum(1)

    def theirs_of(x, y):
        """Return Componium's spectral loss of two NumPy sounds."""
        return dsp_spectra.spectral_loss(torch.tensor(x)[None], torch.tensor(y)[None]).item()

    if verdict_1.right:
        moving, loud = upsampled(f0_hz)[:RATE_HZ], upsampled(amplitudes)[:RATE_HZ]
        mine, theirs = sines[:RATE_HZ], torch_harmonic_sound(torch.tensor(moving), torch.tensor(loud), RATE_HZ).numpy()
        print(f"oscillator: largest difference {np.abs(mine - theirs).max():.0e}")
        assert np.abs(mine - theirs).max() < 1e-6
    if verdict_2.right:
        mine = impulse_response(noise_magnitudes[middle])
        theirs = dsp_noise.impulse_responses(torch.tensor(noise_magnitudes[middle])).numpy()
        print(f"filter: largest difference {np.abs(mine - theirs).max() / np.abs(theirs).max():.0e} of its peak")
        assert np.allclose(mine, theirs, atol=0.01 * np.abs(theirs).max())
    if verdict_3.right:
        mine, theirs = spectral_loss(pipe, other), theirs_of(pipe, other)
        print(f"loss: {mine:.9f} by hand, {theirs:.9f} in Componium")
        assert abs(mine / theirs - 1) < 1e-4

# %% [markdown]
# **The gradient check**, as in lesson 2. A quarter of a second with eight partials that are all alike is compared with
# one of the saxophone's colour; there is a little noise in both. For each amplitude, torch calculates the slope; and it
# is measured by trying, with your own oscillator and your own loss.

# %%
if torch:
    count, level = 8, np.full(8, 0.05)
    still_hz, hiss = np.full(RATE_HZ // 4, hz_of(PITCH)), 0.003 * rng.standard_normal((2, RATE_HZ // 4))
    goal = steady(hz_of(PITCH), colour[:count], seconds=0.25) + hiss[0]

    def apart(amplitudes):
        """Return the loss of a sound with these amplitudes."""
        still = harmonic_sound(still_hz, np.tile(amplitudes, (len(still_hz), 1)), RATE_HZ)
        return spectral_loss(still + hiss[1], goal)

    asked = torch.tensor(level, requires_grad=True)
    sound = torch_harmonic_sound(torch.tensor(still_hz), asked.expand(len(still_hz), -1), RATE_HZ)
    sound = sound + torch.tensor(hiss[1])
    dsp_spectra.spectral_loss(sound[None], torch.tensor(goal)[None]).backward()
    calculated = asked.grad.numpy()
    if verdict_1.right and verdict_3.right:
        steps = 1e-6 * np.eye(count)
        tried = np.array([(apart(level + step) - apart(level - step)) / 2e-6 for step in steps])
        print("calculated", calculated.round(3), "\nmeasured  ", tried.round(3))
        error = np.linalg.norm(calculated - tried) / np.linalg.norm(tried)
        print(f"relative error {error:.0e}")
        assert error < 1e-3

# %% [markdown]
# **Fitting one note.** A slope above 0 says: softer. Step by step that finds the amplitudes of a note, without anybody
# looking for peaks. One thing more: an amplitude cannot be below 0, and the ear hears it in decibels. So the steps are
# taken on another scale, and `exponentiated_sigmoid` makes amplitudes of it, 2 sigmoid(*x*)^log 10 + 10⁻⁷: whatever *x*
# is, they lie between 0 and 2, and equal steps of *x* below 0 are equal steps in decibels. The network will speak on
# this scale, too.

# %%
if torch:
    start, length = middle * HOP, RATE_HZ // 2  # half a second from the middle of the note
    played = torch.tensor(note[start:start + length], dtype=torch.float32)[None]
    cycles = np.cumsum(upsampled(f0_hz)[start:start + length] / RATE_HZ)
    waves = np.sin(2 * np.pi * np.arange(1, PARTIALS + 1)[:, None] * cycles)  # the pitch stays: made once, [K, samples]
    waves = torch.tensor(waves, dtype=torch.float32)
    knobs = torch.full((PARTIALS,), -3.0, requires_grad=True)
    optimizer, losses = torch.optim.Adam([knobs], lr=0.1), []
    for _ in range(70):
        sound = shaping.exponentiated_sigmoid(knobs) @ waves
        loss = dsp_spectra.spectral_loss(sound[None], played)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    found = shaping.exponentiated_sigmoid(knobs).detach().numpy()
    peak = amplitudes[middle:middle + length // HOP].mean(axis=0)
    _, axes = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
    axes[0].plot(losses)
    axes[0].set(title="Learning one note", xlabel="step", ylabel="spectral loss", ylim=(0, None))
    axes[1].plot(range(1, PARTIALS + 1), 20 * np.log10(peak + 1e-7), "o", markersize=8, alpha=0.4, label="peaks")
    axes[1].plot(range(1, PARTIALS + 1), 20 * np.log10(found), "k.", label="found by its slope")
    axes[1].set(title="Amplitudes", xlabel="partial", ylabel="dB")
    axes[1].legend()
    plt.show()
    display(Audio(found @ waves.numpy(), rate=RATE_HZ), Audio(played[0].numpy(), rate=RATE_HZ))

# %% [markdown]
# Strong partials come out within a decibel or so of their peaks. The weakest become too loud: they try to stand in for
# the breath, which sines cannot make. It is also what stays of the loss.

# %% [markdown]
# ## The same in Componium
#
# The model `ddsp` is all of this in one. For each frame a small network (the *decoder*) hears pitch and loudness and
# says K + 1 numbers for the partials and M for the noise; then come your oscillator, your filter and your loss. Here it
# learns from sixteen notes, in a small size, for some seconds. That is far too little for a good saxophone and enough
# to hear what it is about.

# %%
from tempfile import TemporaryDirectory

PITCHES = (53, 55, 57, 58, 60, 62, 65, 67)

if torch:
    model = cp.create("ddsp", sample_rate_hz=RATE_HZ, hop_samples=HOP, harmonics=40, noise_bands=BANDS, hidden=64,
                      width=64, crop_seconds=0.5)
    with TemporaryDirectory() as folder:
        for pitch in PITCHES:
            for loud in (True, False):
                sound, _ = saxophone(pitch, loud, seconds=1.5)
                sound = np.pad(sound, (1600, 1600)) / max(1, np.abs(sound).max())
                cp.Audio(sound.astype(np.float32), RATE_HZ).write(Path(folder) / f"{pitch}{'f' if loud else 'p'}.wav")
        cp.train(model, folder, steps=90, seed=1, device="cpu", voice=False,
                 settings={"batch": 4, "learning_rate": 0.01, "warmup_steps": 5, "held_out": 0, "weight_decay": 0})
    print(sum(weights.numel() for weights in model.network.parameters()), "weights")

# %% [markdown]
# Its controls can be looked at, because they have a meaning. It hears the pitch and the loudness of a loud C4, and says
# how loud each partial is. Beside that, the peaks as you measured them: those it has never been shown. The strongest
# partials are about right already; the others need more than 90 steps.

# %%
if torch:
    heard, _ = saxophone(60, seconds=1.5)
    curves = model.hear(cp.Audio(heard.astype(np.float32), RATE_HZ))
    f0, loudness = torch.from_numpy(curves.f0_hz)[None], torch.from_numpy(curves.loudness_db)[None]
    with torch.no_grad():
        says, _, _ = model.network.eval().decoder(f0, loudness, torch.zeros(1, len(curves), 0), torch.zeros(1, 64))
    said, peak = says[0, 40:80].mean(0).numpy(), measured(heard, hz_of(60))[1][40:80].mean(axis=0)
    _, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    for values, mark, size, label in ((peak, "C0o", 8, "peaks"), (said, "k.", 6, "the network")):
        axes.plot(range(1, len(peak) + 1), 20 * np.log10(values[:len(peak)] + 1e-4), mark, markersize=size,
                  alpha=0.4 if size > 6 else 1.0, label=label)
    axes.set(title="Amplitudes of C4", xlabel="partial", ylabel="dB")
    axes.legend()
    plt.show()
    display(Audio(model.transfer(cp.Audio(heard.astype(np.float32), RATE_HZ)).samples[0], rate=RATE_HZ))

# %% [markdown]
# What changed, and why:
#
# | your instrument | `ddsp` | because |
# |---|---|---|
# | phases in floating point | phases in whole numbers, 2³² to a cycle | nothing drifts, however long a note sounds |
# | amplitudes one by one | one loudness, times shares that sum to 1 | loudness and colour are learned apart |
# | amplitudes in straight lines | half a cosine from frame to frame | smoother still |
# | each block of noise has one filter | noise fades from filter to filter | no corners at the borders of blocks |
# | pitch measured near a known note | a tracker follows any pitch, and says how sure it is | nobody knows what comes |
# | the whole sound at once | slices, with a state | it can be played live |
# | dry | a room that can be learned (`reverb_seconds`) | most recordings have one |

# %% [markdown]
# ## Listen
#
# Now something that is no saxophone: a line in the manner of a voice, on *ah*, with vibrato, gliding from note to note.
# Its pitch and its loudness are followed, and the network plays the saxophone to them. The vowel is lost; what the
# singer *did* stays.

# %%
voice_pitch = np.interp(np.arange(0, 3.6, HOP / RATE_HZ), [0, 0.9, 1.1, 1.9, 2.1, 2.5, 3.0, 3.6],
                        [57, 57, 62, 62, 65, 65, 60, 60])
seconds = np.arange(len(voice_pitch)) * HOP / RATE_HZ
voice_hz = hz_of(voice_pitch + 0.25 * np.sin(2 * np.pi * 5.5 * seconds) * np.minimum(1, seconds / 0.8))
swell = 0.12 * (1.2 + np.sin(2 * np.pi * seconds / 1.8)) * np.minimum(1, np.minimum(seconds, seconds[::-1]) / 0.1)
partial_hz = voice_hz[:, None] * np.arange(1, 31)
vowel = sum(gain / (1 + ((partial_hz - centre) / width) ** 2)
            for gain, centre, width in ((1, 700, 130), (0.6, 1150, 150), (0.15, 2600, 250)))

if torch:
    frames = torch.tensor(voice_hz, dtype=torch.float32)[None], torch.tensor(vowel * swell[:, None])[None].float()
    frames = frames[0], frames[1] * oscillators.audible(frames[0], 30, RATE_HZ)
    voice, _ = oscillators.harmonic_sound(frames[0], frames[1], frames[0][:, :1], 0 * frames[1][:, :1],
                                          torch.zeros(1, 1, dtype=torch.int64), HOP, RATE_HZ, "hann")
    voice = voice[0].numpy()
    transferred = model.transfer(cp.Audio(voice, RATE_HZ)).samples[0]
    show_spectrograms({"the line as it is sung": voice, "as the network plays it": transferred}, top_khz=5)
    display(Audio(voice, rate=RATE_HZ))
    player = Audio(transferred, rate=RATE_HZ)
elif verdict_1.right:
    shape = colour[:30] * swell[:, None] / swell.max()  # without a network: the colour of one note, everywhere
    player = Audio(harmonic_sound(upsampled(voice_hz), upsampled(shape), RATE_HZ), rate=RATE_HZ)
else:
    player = Audio(note, rate=RATE_HZ)
player

# %% [markdown]
# ## Going on
#
# - Change the controls before they sound: play the note with `f0_hz` an octave lower and the same amplitudes; with the
#   even partials away; with the noise ten times louder. What is it now?
# - Take only one size of frame in `spectral_loss`, 2048 or 64, and fit the note again.
# - Start the knobs of the fit at a pitch 3 Hz too high. Does the loss find the way? Why not?
# - Train with 100 and with 1000 steps. Where do you hear it first, in the attack or in the held note?
# - Record ten minutes of an instrument, one note at a time, or let a SoundFont play some, and train in full size:
#
# ```sh
# componium train ddsp my_recordings/ --recipe small --budget 20m --out my.instrument
# componium transfer my.instrument humming.wav --out played.wav
# componium perform melody.mid --with my.instrument --out melody.wav
# ```
#
# `docs/12-instruments.md` tells the rest, and how to take the controls of a sound out, edit them, and put them back.
#
# Sources: H. von Helmholtz, *Die Lehre von den Tonempfindungen*, 1863; X. Serra and J. Smith, "Spectral modeling
# synthesis", 1990; J. Engel, L. Hantrakul, C. Gu and A. Roberts, "DDSP: Differentiable Digital Signal Processing",
# 2020; X. Wang, S. Takaki and J. Yamagishi, "Neural source-filter waveform models for statistical parametric speech
# synthesis", 2019, for the loss at several sizes of frame.
