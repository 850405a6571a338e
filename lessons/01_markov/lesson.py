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
# # 1. Markov chains
#
# About 45 minutes. You need: lists, loops and functions in Python, and a little NumPy.
#
# You will count which note follows which in a melody, compose by drawing from the counts, give the chain a longer
# memory and a temperature, and hear what each of them does. Then you do the same with Componium.
#
# Run the cells from top to bottom. There are two exercises; the cell below each of them tells you whether your answer
# is right, and if not, what is wrong with it.

# %% [markdown]
# ## The idea
#
# Hum a tune that you know and stop in the middle. You have a feeling of what comes next: not one certain note, but
# some that are likely and many that are not. A **Markov chain** is the simplest machine with such a feeling. It looks
# at the note that sounds *now*, and knows from experience how often each other note came after it:
#
# | now | C next | D next | E next |
# |---|---|---|---|
# | **C** | 0.2 | 0.8 | 0 |
# | **D** | 0.5 | 0 | 0.5 |
# | **E** | 0 | 0.7 | 0.3 |
#
# Each row sums to 1. To compose, begin somewhere, read the row of the note where you are, roll a die that is loaded
# with its numbers, go to the note that comes up, and repeat. The notes are called *states*, the table is the
# *transition matrix*.
#
# The **order** of a chain is how many past notes it looks at. With order 0 it draws notes from a bag and forgets them.
# With order 1 it knows which steps and leaps are usual. With order 2 or 3 it knows turns of phrase. With order 8 it has
# seen nearly every context only once, so it can only recite.
#
# Andrei Markov introduced such chains in 1906, and in 1913 counted 20,000 letters of Pushkin's *Eugene Onegin* by hand
# to show that vowels and consonants follow each other like that. In 1957 Lejaren Hiller and Leonard Isaacson used
# chains on the ILLIAC computer for the fourth movement of their *Illiac Suite* for string quartet.
#
# What a chain **cannot** do: it has no plan. It does not know that a phrase is a question and the next one its answer,
# that eight bars have passed, or that it is time to end. A motif comes back by accident only. All that it knows fits
# into the table.

# %% [markdown]
# ## With NumPy alone
#
# First a melody: the theme from the last movement of Beethoven's Ninth Symphony (1824), in C major. A note is written
# as its name, its octave and, after a colon, its length in beats where that is not 1.

# %%
from itertools import pairwise

import numpy as np

TUNE = """
E4 E4 F4 G4   G4 F4 E4 D4   C4 C4 D4 E4   E4:1.5 D4:0.5 D4:2
E4 E4 F4 G4   G4 F4 E4 D4   C4 C4 D4 E4   D4:1.5 C4:0.5 C4:2
D4 D4 E4 C4   D4 E4:0.5 F4:0.5 E4 C4   D4 E4:0.5 F4:0.5 E4 D4   C4 D4 G3:2
E4 E4 F4 G4   G4 F4 E4 D4   C4 C4 D4 E4   D4:1.5 C4:0.5 C4:2
"""
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

pitches, beats = [], []
for word in TUNE.split():
    name, _, length = word.partition(":")
    pitches.append(12 * (int(name[1]) + 1) + SEMITONES[name[0]])  # as in MIDI: C4 is 60
    beats.append(float(length or 1))

print(len(pitches), "notes,", sum(beats) / 4, "bars")
print(pitches[:15])

# %% [markdown]
# To hear it, a sine wave for each note is enough. The frequency of MIDI pitch 69 is 440 Hz, and each semitone
# multiplies it by the twelfth root of two.

# %%
from IPython.display import Audio, Image, display

RATE_HZ = 11025


def sines(pitches, beats, tempo_bpm=120):
    """Return the samples of a melody, a fading sine wave a note."""
    sound = []
    for pitch, length in zip(pitches, beats, strict=True):
        seconds = np.arange(int(length * 60 / tempo_bpm * RATE_HZ)) / RATE_HZ
        wave = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * seconds)
        attack = np.minimum(1, seconds / 0.01)  # no click at the start
        sound.append(0.3 * wave * attack * np.exp(-3 * seconds) * np.minimum(1, seconds[::-1] / 0.01))
    return np.concatenate(sound)


Audio(sines(pitches, beats), rate=RATE_HZ)

# %% [markdown]
# **Counting.** The states are the different pitches. For each pair of neighbours in the melody, add one in the row of
# the first and the column of the second.

# %%
notes = sorted(set(pitches))
counts = np.zeros((len(notes), len(notes)))
for now, following in pairwise(pitches):
    counts[notes.index(now), notes.index(following)] += 1

print(notes)
print(counts)

# %% [markdown]
# **Normalising.** Counts become probabilities when each row is divided by its sum. (`axis=1` sums along the rows, and
# `keepdims=True` keeps the sums as a column, so that each row is divided by its own.)

# %%
matrix = counts / counts.sum(axis=1, keepdims=True)
print(matrix.round(2))

# %% [markdown]
# The same as a picture. Dark fields are likely. Look at the diagonal (notes that are repeated) and at the fields beside
# it (steps). Where does the melody leap?

# %%
import matplotlib.pyplot as plt

NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def show_matrix(matrix, rows, columns, title):
    """Draw a transition matrix; rows and columns are named by their pitches."""
    def name(pitch):
        return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"

    _, axes = plt.subplots(figsize=(1.5 + 0.55 * len(columns), 1.2 + 0.4 * len(rows)), layout="constrained")
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), [name(pitch) for pitch in columns])
    axes.set_yticks(range(len(rows)), [" ".join(name(pitch) for pitch in row) for row in rows])
    for row, column in np.argwhere(matrix > 0):
        value = matrix[row, column]
        colour = "white" if value > 0.6 else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
    axes.set_xlabel("next note")
    axes.set_ylabel("now")
    axes.set_title(title)
    plt.show()


show_matrix(matrix, [(note,) for note in notes], notes, "Order 1")

# %% [markdown]
# **Sampling.** Begin with the first note of the melody, and draw each next one with the probabilities of the row of the
# last. All randomness comes from one generator with a seed: the same seed gives the same music.
#
# The chain knows nothing of rhythm, so the new notes borrow the rhythm of the melody.

# %%
EIGHT_BARS = 30  # notes
rng = np.random.default_rng(seed=1)
melody = [pitches[0]]
while len(melody) < EIGHT_BARS:
    row = matrix[notes.index(melody[-1])]
    melody.append(int(rng.choice(notes, p=row)))

print(melody)
Audio(sines(melody, beats[:EIGHT_BARS]), rate=RATE_HZ)

# %% [markdown]
# Every step in it is a step of Beethoven's, and yet it wanders: bar by bar it could stop anywhere. Try other seeds.

# %% [markdown]
# ## Exercise 1: a memory of any length
#
# Write `transition_matrix(pitches, order)` for any order. Now a row belongs to a *context*: a run of `order` notes.
#
# - The rows are `contexts_of(pitches, order)`, which is written for you; the columns are `sorted(set(pitches))`.
# - Count, for each context in the melody, the note that follows it; then divide each row by its sum.
# - Beware of **dead ends**: the very last notes of a melody are a context too, and if they come nowhere else, nothing
#   ever follows them. Such a row should be the share that each note has in the whole melody. A chain that forgets its
#   context where it knows nothing of it is said to *back off*.

# %%
def contexts_of(pitches, order):
    """Return every run of `order` notes of a melody, each once, sorted: a list of tuples."""
    return sorted({tuple(pitches[start:start + order]) for start in range(len(pitches) - order + 1)})


print(contexts_of([60, 62, 64, 60, 62, 60], 2))

# %% tags=["exercise-1"]
def transition_matrix(pitches, order):
    """Return how likely each note is after each context: an array [contexts, notes]."""
    # solution:begin
    contexts, notes = contexts_of(pitches, order), sorted(set(pitches))
    counts = np.zeros((len(contexts), len(notes)))
    for start in range(len(pitches) - order):
        context, following = tuple(pitches[start:start + order]), pitches[start + order]
        counts[contexts.index(context), notes.index(following)] += 1
    for row in counts:
        if row.sum() == 0:
            row[:] = [pitches.count(note) for note in notes]
    return counts / counts.sum(axis=1, keepdims=True)
    # solution:end


# %% tags=["check-1"]
from componium.lessons import check

verdict_1 = check("01", 1, transition_matrix)
verdict_1

# %% [markdown]
# When it is right, look at order 2, and hear what a longer memory does. The number tells how many notes in a row are
# the same as somewhere in the melody: a chain with a long memory quotes.

# %%
def compose(pitches, order, length, rng):
    """Return a melody drawn from a chain; it begins as the melody does."""
    contexts, notes = contexts_of(pitches, order), sorted(set(pitches))
    matrix = transition_matrix(pitches, order)
    melody = list(pitches[:order])
    while len(melody) < length:
        context = tuple(melody[-order:])
        if context in contexts:
            melody.append(int(rng.choice(notes, p=matrix[contexts.index(context)])))
        else:  # a dead end has led to something new: take any note of the melody
            melody.append(int(rng.choice(pitches)))
    return melody


def longest_quote(melody, original):
    """Return the length of the longest run of notes that both melodies have."""
    longest = 0
    for start in range(len(melody)):
        for place in range(len(original)):
            length = 0
            while melody[start:start + length + 1] == original[place:place + length + 1]:
                length += 1
                if max(start + length - len(melody), place + length - len(original)) >= 0:
                    break
            longest = max(longest, length)
    return longest


if verdict_1.right:
    show_matrix(transition_matrix(pitches, 2), contexts_of(pitches, 2), notes, "Order 2")
    for order in (1, 2, 3, 6):
        melody = compose(pitches, order, EIGHT_BARS, np.random.default_rng(seed=1))
        print(f"order {order}: {longest_quote(melody, pitches)} notes in a row are from the melody")
        display(Audio(sines(melody, beats[:EIGHT_BARS]), rate=RATE_HZ))

# %% [markdown]
# ## Exercise 2: temperature
#
# One number can make the chain timid or wild without counting anything anew: the **temperature** *T*. Each probability
# *p* of a row becomes *p* to the power of 1/*T*, and the row is divided by its sum again.
#
# - *T* = 1 changes nothing. Below 1 the likely notes become likelier; above 1 all notes move closer together.
# - *T* = 0 (where 1/*T* does not exist) means: always the most likely note.
# - What has probability 0 keeps it at every temperature.
#
# Write `sample_next(row, temperature, rng)`, which draws **one** note from a row and returns its **index** in the row.
# It also has to work at temperatures as low as 0.001: what is 0.4 to the power of 1000, and what can you divide the row
# by first?

# %% tags=["exercise-2"]
def sample_next(row, temperature, rng):
    """Draw from the probabilities `row` with the generator `rng`; return an index."""
    # solution:begin
    if temperature == 0:
        return int(np.argmax(row))
    weights = (row / row.max()) ** (1 / temperature)
    return int(rng.choice(len(row), p=weights / weights.sum()))
    # solution:end


# %% tags=["check-2"]
verdict_2 = check("01", 2, sample_next)
verdict_2

# %% [markdown]
# When it is right: the same chain at three temperatures. Which one would you keep?

# %%
if verdict_2.right:
    for temperature in (0.2, 1.0, 3.0):
        rng, melody = np.random.default_rng(seed=2), [pitches[0]]
        while len(melody) < EIGHT_BARS:
            melody.append(notes[sample_next(matrix[notes.index(melody[-1])], temperature, rng)])
        print(f"temperature {temperature}: {melody[:16]} ...")
        display(Audio(sines(melody, beats[:EIGHT_BARS]), rate=RATE_HZ))

# %% [markdown]
# ## The same in Componium
#
# Componium has this chain as the model `markov`. A model learns from scores, so the melody becomes one: notes with a
# start and a length in beats, a tempo, a meter and a key. It is written as a MIDI file into a folder, as your own music
# would be: `cp.train(model, "my_midi/")` learns from all that is in there.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import componium as cp
from componium.music.picture import piano_roll
from componium.music.score import Note, Track, new_score

ode = new_score(tempo_bpm=120, key="C major")
ode.tracks.append(Track("Melody"))
start_beats = 0.0
for pitch, length in zip(pitches, beats, strict=True):
    ode.tracks[0].notes.append(Note(start_beats, length, pitch, 80))
    start_beats += length

model = cp.create("markov", order=3)
with TemporaryDirectory() as folder:
    cp.write_score(ode, Path(folder) / "ode.mid")
    cp.train(model, folder)

score = model.generate(bars=8, seed=1)
print(len(score.tracks[0].notes), "notes")

# %% [markdown]
# What changed, and why:
#
# | your chain | `markov` | because |
# |---|---|---|
# | pitches | distances from the last note, and the place in the key | one melody teaches all keys |
# | notes only, borrowed rhythm | a grid of 16ths: begin a note, hold it, or rest | rhythm is learned, too |
# | one order | orders 0 to 3 mixed (Witten and Bell 1991) | no dead ends: a shorter context takes over |
# | one table | several: melody, key, rhythm (Conklin and Witten 1995) | no single table can know all this |
# | forgets what it composed | also counts the new piece while it grows | motifs come back |
# | wanders | phrases of four bars with a cadence at the end of each | a chain cannot plan, so rules do |
#
# `seed` and `temperature` mean the same as in your own chain. The bars and phrases show in the piano roll:

# %%
Image(piano_roll(score, title="markov, order 3, learned from one melody"))

# %% [markdown]
# ## Listen
#
# A SoundFont holds recorded instruments. Where there is none on your computer, the sine waves play instead.

# %%
from componium.music.errors import MissingExtra

try:
    sound = cp.perform(score, cp.create("soundfont", program="flute"))
    player = Audio(sound.samples, rate=sound.sample_rate_hz)
except MissingExtra as missing:
    print(missing)
    composed = [(note.pitch, note.duration) for note in score.tracks[0].notes]
    player = Audio(sines(*zip(*composed, strict=True)), rate=RATE_HZ)
player

# %% [markdown]
# ## Going on
#
# - Change `order`, `seed` and `temperature` of `model.generate` and `cp.create`, and hear what happens.
# - Let it learn from your own melodies: a folder of MIDI, ABC or MusicXML files. A dozen give a flavour.
# - Let the states of your own chain be pairs of pitch and length, so that it learns the rhythm, too. How many contexts
#   have been seen only once now?
# - Read `componium/composers/markov`: it is the same idea, with all that the table above names.
#
# Sources: A. A. Markov, "Extension of the law of large numbers to quantities that depend on each other", 1906 (in
# Russian); L. A. Hiller and L. M. Isaacson, *Experimental Music*, 1959; I. H. Witten and T. C. Bell, "The
# zero-frequency problem", 1991; D. Conklin and I. H. Witten, "Multiple viewpoint systems for music prediction", 1995.
# The melody was written down for this lesson from a work in the public domain.
