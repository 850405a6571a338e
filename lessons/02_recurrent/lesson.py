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
# # 2. Recurrent networks
#
# About 90 minutes. You need: lesson 1, products of vectors and matrices in NumPy (`@`), and what a slope is.
#
# You will write a network that hears a melody note by note and guesses the next one; find out by hand how each of its
# weights has to change for it to guess better; train it until it sings five tunes back; and let it invent. Then you do
# the same in torch, in a few lines, and with Componium.
#
# Run the cells from top to bottom. There are three exercises; the cell below each of them tells you whether your answer
# is right, and if not, what is wrong with it.

# %% [markdown]
# ## The idea
#
# A Markov chain of order 3 remembers three notes and nothing else. To know that a phrase comes for the *second* time,
# it would have to remember the whole first time, and almost every row of its table would have been seen only once. A
# **recurrent network** has no table. It has a **state**: a few dozen numbers in which it keeps what it wants to know of
# everything heard so far. With each note it makes a new state from two things, the note and the old state:
#
# | | |
# |---|---|
# | new state | tanh( what the note says + old state @ memory + bias ) |
# | scores | new state @ output + output bias |
# | probabilities | softmax( scores ) |
#
# The *scores* are one number for each symbol that may come next: the higher, the likelier. *Softmax* makes
# probabilities of them: each score becomes e to its power, and all are divided by their sum. *tanh* keeps every number
# of the state between -1 and 1.
#
# Nobody tells the network what to keep. `memory`, `output` and the others are its **weights**; they begin as random
# numbers. We look at how badly it guesses, work out in which direction each weight makes that better, take a small step
# in that direction, and repeat. The direction is found by going through the melody backwards, because a note may be
# guessed wrongly on account of something that was forgotten ten notes earlier. That is **back-propagation through
# time** (Rumelhart, Hinton and Williams 1986; Werbos 1990).
#
# Jeffrey Elman drew this network in 1990 to find the structure of sentences. Peter Todd let a relative of it compose
# melodies in 1989, Michael Mozer another in 1994.
#
# What it **cannot** do: in principle its memory has no end, in practice it fades, and what happened a page ago is gone.
# Mozer found that his network made good turns of phrase and no form. It also needs far more music than a chain: with a
# handful of tunes it learns them by heart, which is what we want to see here.

# %% [markdown]
# ## With NumPy alone
#
# Five tunes in C major: four folk tunes from before 1850, and the theme from the last movement of Beethoven's Ninth
# Symphony (1824). As in lesson 1, a note is written as its name, its octave and, after a colon, its length in beats
# where that is not 1. This time a note *with* its length is one symbol, so that the network learns the rhythm, too. One
# more symbol, `|`, says where a tune begins and ends.

# %%
import numpy as np

TUNES = {
    "Ode to Joy": """
        E4 E4 F4 G4   G4 F4 E4 D4   C4 C4 D4 E4   E4:1.5 D4:0.5 D4:2
        E4 E4 F4 G4   G4 F4 E4 D4   C4 C4 D4 E4   D4:1.5 C4:0.5 C4:2""",
    "Frère Jacques": """
        C4 D4 E4 C4   C4 D4 E4 C4   E4 F4 G4:2   E4 F4 G4:2   G4:0.5 A4:0.5 G4:0.5 F4:0.5 E4 C4
        G4:0.5 A4:0.5 G4:0.5 F4:0.5 E4 C4   C4 G3 C4:2   C4 G3 C4:2""",
    "Ah! vous dirai-je, maman": """
        C4 C4 G4 G4   A4 A4 G4:2   F4 F4 E4 E4   D4 D4 C4:2   G4 G4 F4 F4   E4 E4 D4:2
        G4 G4 F4 F4   E4 E4 D4:2   C4 C4 G4 G4   A4 A4 G4:2   F4 F4 E4 E4   D4 D4 C4:2""",
    "Au clair de la lune": """
        C4 C4 C4 D4   E4:2 D4:2   C4 E4 D4 D4   C4:4   D4 D4 D4 D4   A3:2 A3:2   D4 C4 B3 A3   G3:4
        C4 C4 C4 D4   E4:2 D4:2   C4 E4 D4 D4   C4:4""",
    "Hänschen klein": """
        G4 E4 E4:2   F4 D4 D4:2   C4 D4 E4 F4   G4 G4 G4:2   G4 E4 E4:2   F4 D4 D4:2   C4 E4 G4 G4   C4:4
        D4 D4 D4 D4   D4 E4 F4:2   E4 E4 E4 E4   E4 F4 G4:2   G4 E4 E4:2   F4 D4 D4:2   C4 E4 G4 G4   C4:4""",
}
words = {name: ["|", *tune.split(), "|"] for name, tune in TUNES.items()}
SYMBOLS = sorted({word for tune in words.values() for word in tune})
songs = {name: np.array([SYMBOLS.index(word) for word in tune]) for name, tune in words.items()}

print(len(SYMBOLS), "symbols:", *SYMBOLS)
print(songs["Frère Jacques"])

# %% [markdown]
# The sine waves of lesson 1 play them.

# %%
from IPython.display import Audio, Image, display

RATE_HZ = 11025
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def notes_of(symbols):
    """Return (MIDI pitch, beats) of each note of a tune; its symbols may be numbers or words."""
    named = [symbol if isinstance(symbol, str) else SYMBOLS[symbol] for symbol in symbols]
    parted = [word.partition(":") for word in named if word != "|"]
    return [(12 * (int(name[1]) + 1) + SEMITONES[name[0]], float(beats or 1)) for name, _, beats in parted]


def sines(notes, tempo_bpm=160):
    """Return the samples of notes, a fading sine wave each."""
    sound = []
    for pitch, beats in notes:
        seconds = np.arange(int(beats * 60 / tempo_bpm * RATE_HZ)) / RATE_HZ
        wave = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * seconds)
        sound.append(0.3 * wave * np.exp(-3 * seconds) * np.minimum(1, np.minimum(seconds, seconds[::-1]) / 0.01))
    return np.concatenate(sound)


Audio(sines(notes_of(songs["Hänschen klein"])), rate=RATE_HZ)

# %% [markdown]
# **The weights** begin as small random numbers. `input` has a row for each symbol: what the note says to the state.
# `memory` carries the old state over, and `output` makes scores of the state.

# %%
HIDDEN = 48  # numbers in the state


def new_weights(symbols, hidden, rng):
    """Return random weights: name -> array."""
    return {
        "input": 0.5 * rng.standard_normal((symbols, hidden)),
        "memory": rng.standard_normal((hidden, hidden)) / np.sqrt(hidden),
        "bias": np.zeros(hidden),
        "output": rng.standard_normal((hidden, symbols)) / np.sqrt(hidden),
        "output_bias": np.zeros(symbols),
    }


weights = new_weights(len(SYMBOLS), HIDDEN, np.random.default_rng(seed=1))
print({name: array.shape for name, array in weights.items()})

# %% [markdown]
# **Five steps** through *Au clair de la lune*. Its first three notes are the same, and yet the state is different after
# each of them: it is the memory of what came before. (Only 6 of its 48 numbers are shown.)

# %%
state = np.zeros(HIDDEN)  # nothing heard yet
for symbol in songs["Au clair de la lune"][:5]:
    state = np.tanh(weights["input"][symbol] + state @ weights["memory"] + weights["bias"])
    print(f"{SYMBOLS[symbol]:3}", state[:6].round(2))

scores = state @ weights["output"] + weights["output_bias"]
probabilities = np.exp(scores) / np.exp(scores).sum()
best = np.argsort(probabilities)[::-1][:3]
print("guesses next:", ", ".join(f"{SYMBOLS[symbol]} ({probabilities[symbol]:.0%})" for symbol in best))

# %% [markdown]
# It has learned nothing yet, so it guesses nonsense. **How bad** a guess is, is told by the probability *p* that the
# network gave to the symbol that really came: -log *p*, which is 0 where it was certain and right, and large where it
# was surprised. The mean over a melody is the **loss**, in nats a symbol.

# %% [markdown]
# ## Exercise 1: hearing a melody
#
# Write `forward(weights, symbols)`, which lets the network hear a whole melody, an array of N symbols. After each
# symbol but the last it guesses the next, so there are N - 1 guesses. Return three things:
#
# - `loss`: the mean of -log *p* over the guesses, where *p* is the probability of the symbol that came **next**;
# - `states`: an array [N, hidden]. Row 0 is the state before anything was heard, zeros; row *t* + 1 is the state after
#   `symbols[t]`;
# - `probabilities`: an array [N - 1, symbols]. Row *t* is the guess after `symbols[t]`.
#
# It also has to work where scores are as high as 1000. What is e to the power of 1000 in NumPy? Probabilities do not
# change if the same number is taken from all scores of a guess: which one makes the highest of them 0?

# %% tags=["exercise-1"]
def forward(weights, symbols):
    """Return loss, states [N, hidden] and probabilities [N - 1, symbols] of a melody."""
    # solution:begin
    states = np.zeros((len(symbols), len(weights["bias"])))
    for t, symbol in enumerate(symbols[:-1]):
        states[t + 1] = np.tanh(weights["input"][symbol] + states[t] @ weights["memory"] + weights["bias"])
    scores = states[1:] @ weights["output"] + weights["output_bias"]
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    came = probabilities[np.arange(len(symbols) - 1), symbols[1:]]
    return -np.log(came).mean(), states, probabilities
    # solution:end


# %% tags=["check-1"]
from componium.lessons import check

verdict_1 = check("02", 1, forward)
verdict_1

# %% [markdown]
# When it is right: a network that knows nothing should be about as surprised as somebody who rolls a die with a side
# for each symbol, or a little more, because its weights are random prejudices.

# %%
if verdict_1.right:
    for name, symbols in songs.items():
        print(f"{forward(weights, symbols)[0]:.2f} nats a symbol: {name}")
    print(f"{np.log(len(SYMBOLS)):.2f} nats a symbol: a die with {len(SYMBOLS)} sides")

# %% [markdown]
# **Which way is down?** One weight at a time, that can be measured: make it a little larger, make it a little smaller,
# and see how much the loss changes. The quotient is the slope. With a slope above 0 the weight has to become smaller.

# %%
def slope(weights, name, place, symbols, step=1e-5):
    """Return how much the loss rises a unit of one weight, measured by trying."""
    higher, lower = ({**weights, name: weights[name].copy()} for _ in range(2))
    higher[name][place] += step
    lower[name][place] -= step
    return (forward(higher, symbols)[0] - forward(lower, symbols)[0]) / (2 * step)


if verdict_1.right:
    for name, place in (("memory", (0, 0)), ("memory", (0, 1)), ("output_bias", SYMBOLS.index("C4"))):
        print(f"{slope(weights, name, place, songs['Frère Jacques']):+.5f}: {name} at {place}")
    print(sum(array.size for array in weights.values()), "weights in all")

# %% [markdown]
# ## Exercise 2: back through time
#
# Measuring costs two runs through the melody for each weight. Back-propagation finds all slopes, the **gradient**, in
# one run, backwards. Write `backward(weights, symbols, states, probabilities)`, which returns a dictionary with the
# names of the weights and arrays of their shapes. All begin as zeros. For each guess *t*, from the last to the first:
#
# 1. The slope at the scores is `probabilities[t]`, but 1 less at the symbol that came next; all of it divided by the
#    number of guesses, because the loss is a mean. (Do not change `probabilities`: work on a copy.)
# 2. The scores were `states[t + 1] @ output + output_bias`. Each weight of `output` gets the slope at its score times
#    the number of the state that it was multiplied with (`np.outer`); `output_bias` gets the slope itself.
# 3. The slope at `states[t + 1]` comes from two sides: from its scores (go back through `output`), and from the step
#    after it, where this state was the old one. The last state has no step after it.
# 4. Back through tanh: the slope of tanh is 1 - tanh², and `states[t + 1]` *is* a tanh.
# 5. What arrives went into a sum of three: the row `input[symbols[t]]`, `states[t] @ memory`, and `bias`.
# 6. What goes on to the step before is the slope at `states[t]`: go back through `memory`.
#
# The same weights are used at every step. Everything that a step says of them is **added** to what the others said.

# %% tags=["exercise-2"]
def backward(weights, symbols, states, probabilities):
    """Return the gradient of the loss: name -> array, as the weights are."""
    # solution:begin
    gradients = {name: np.zeros_like(array) for name, array in weights.items()}
    guesses = len(symbols) - 1
    from_later = np.zeros_like(weights["bias"])
    for t in reversed(range(guesses)):
        at_scores = probabilities[t].copy()
        at_scores[symbols[t + 1]] -= 1
        at_scores /= guesses
        gradients["output"] += np.outer(states[t + 1], at_scores)
        gradients["output_bias"] += at_scores
        at_state = weights["output"] @ at_scores + from_later
        at_sum = at_state * (1 - states[t + 1] ** 2)
        gradients["input"][symbols[t]] += at_sum
        gradients["memory"] += np.outer(states[t], at_sum)
        gradients["bias"] += at_sum
        from_later = weights["memory"] @ at_sum
    return gradients
    # solution:end


# %% tags=["check-2"]
verdict_2 = check("02", 2, backward)
verdict_2

# %% [markdown]
# When it is right, let it be compared with measured slopes, every single weight of a small network. Networks learn a
# little even with a wrong gradient, so nobody should train one before this **gradient check**. With numbers of 64 bits
# the relative error is far below a millionth.

# %%
def gradient_errors(weights, symbols):
    """Return for each array how far the calculated gradient is from the measured one, relative to their sizes."""
    _, states, probabilities = forward(weights, symbols)
    errors = {}
    for name, calculated in backward(weights, symbols, states, probabilities).items():
        measured = np.zeros_like(calculated)
        for place in np.ndindex(measured.shape):
            measured[place] = slope(weights, name, place, symbols)
        sizes = np.linalg.norm(calculated) + np.linalg.norm(measured)
        errors[name] = np.linalg.norm(calculated - measured) / sizes
    return errors


if verdict_1.right and verdict_2.right:
    small = new_weights(len(SYMBOLS), 8, np.random.default_rng(seed=2))
    errors = gradient_errors(small, songs["Frère Jacques"])
    for name, error in errors.items():
        print(f"{error:.0e}: {name}")
    assert max(errors.values()) < 1e-6

# %% [markdown]
# **Training.** Take one tune, find the gradient, and move each weight a little against its slope; then the next tune. A
# gradient through many steps can suddenly become huge, and one huge step would undo everything, so its length is
# limited (*clipping*, Pascanu, Mikolov and Bengio 2013).

# %%
def train(weights, songs, rounds, learning_rate=0.3, longest=1.0):
    """Change the weights until the songs surprise less; return the mean loss of each round."""
    losses = []
    for _ in range(rounds):
        round_losses = []
        for symbols in songs:
            loss, states, probabilities = forward(weights, symbols)
            gradients = backward(weights, symbols, states, probabilities)
            length = np.sqrt(sum(np.sum(gradient ** 2) for gradient in gradients.values()))
            for name, gradient in gradients.items():
                weights[name] -= learning_rate * gradient * min(1, longest / length)
            round_losses.append(loss)
        losses.append(np.mean(round_losses))
    return losses


ready = verdict_1.right and verdict_2.right
if ready:
    losses = train(weights, songs.values(), rounds=200)
    print(f"{losses[0]:.2f} nats a symbol at the beginning, {losses[-1]:.3f} at the end")

# %% [markdown]
# The loss cannot reach 0, however long it is trained: at the beginning of a tune nobody can know which of the five it
# will be. To tell five things apart takes log 5 nats, once a tune. That is the dotted line.

# %%
import matplotlib.pyplot as plt

if ready:
    least = np.mean([np.log(len(songs)) / (len(symbols) - 1) for symbols in songs.values()])
    _, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    axes.plot(losses)
    axes.axhline(least, linestyle=":", color="black")
    axes.set(yscale="log", xlabel="round", ylabel="nats a symbol", title="How surprising five tunes are")
    plt.show()

# %% [markdown]
# **Does it sing?** It hears the first four notes of a tune; then it hears what it has chosen itself, and so on to the
# end. Here it always chooses the likeliest symbol.

# %%
def sing(weights, beginning, choose, *more, longest=80):
    """Return a tune: a beginning, then what `choose(scores, *more)` chooses, until the symbol for the end."""
    symbols, state = list(beginning), np.zeros_like(weights["bias"])
    for place in range(longest):
        state = np.tanh(weights["input"][symbols[place]] + state @ weights["memory"] + weights["bias"])
        if place + 1 == len(symbols):
            symbols.append(int(choose(state @ weights["output"] + weights["output_bias"], *more)))
            if SYMBOLS[symbols[-1]] == "|":
                break
    return symbols


if ready:
    for name, symbols in songs.items():
        sung = sing(weights, symbols[:5], np.argmax)
        print(f"{'to the note' if sung == list(symbols) else 'not quite'}: {name}")
    display(Audio(sines(notes_of(sung)), rate=RATE_HZ))

# %% [markdown]
# **What does it remember?** In *Hänschen klein* the same seven notes come three times. The first time a D follows, the
# other times an E. A chain of order 7 gives the D one chance in three, each time. The network knows which time it is,
# because its state is another one:

# %%
if ready:
    song = songs["Hänschen klein"]
    _, states, probabilities = forward(weights, song)
    turn = song[1:8]
    places = [place for place in range(7, len(song)) if np.array_equal(song[place - 6:place + 1], turn)]
    print("after", *[SYMBOLS[symbol] for symbol in turn])
    for place in places:
        best = np.argsort(probabilities[place])[::-1][:2]
        print(f"  at note {place:2}:", ", ".join(f"{SYMBOLS[each]} {probabilities[place, each]:.1%}" for each in best))

# %% [markdown]
# How alike are the states after any two notes of the tune? Dark fields are alike. A dark line beside the diagonal is a
# passage that comes again: the network has found the form of the tune, although nobody told it of phrases. A line turns
# pale where the two times go on differently: there the state has to know which time it is.

# %%
if ready:
    directions = states[1:] / np.linalg.norm(states[1:], axis=1, keepdims=True)
    _, axes = plt.subplots(figsize=(7, 7), layout="constrained")
    axes.imshow(directions @ directions.T, cmap="Blues", vmin=0, vmax=1)
    named = [SYMBOLS[symbol] for symbol in song[:-1]]
    axes.set_xticks(range(len(named)), named, rotation=90, fontsize=7)
    axes.set_yticks(range(len(named)), named, fontsize=7)
    axes.set_title("How alike the states are in Hänschen klein")
    plt.show()

# %% [markdown]
# ## Exercise 3: temperature, from scores
#
# A network that always takes the likeliest symbol sings what it knows. To let it invent, draw. In lesson 1 the
# temperature *T* was a power of the probabilities; with scores it is simpler: **divide the scores by *T***, then take
# the softmax. (It is the same thing. Why?)
#
# Write `sample_symbol(scores, temperature, rng)`, which draws one symbol and returns its index.
#
# - *T* = 0 means: always the symbol with the highest score.
# - It has to work at temperatures as low as 0.001, where the divided scores are thousands. You have met that before.

# %% tags=["exercise-3"]
def sample_symbol(scores, temperature, rng):
    """Draw from softmax(scores / temperature) with the generator `rng`; return an index."""
    # solution:begin
    if temperature == 0:
        return int(np.argmax(scores))
    powers = np.exp((scores - scores.max()) / temperature)
    return int(rng.choice(len(scores), p=powers / powers.sum()))
    # solution:end


# %% tags=["check-3"]
verdict_3 = check("02", 3, sample_symbol)
verdict_3

# %% [markdown]
# When it is right: the same network at three temperatures. Where five symbols in a row come from one of the tunes, it
# quotes. Listen for the places where it slips from one tune into another: they have a turn of phrase in common.

# %%
def quoted(symbols, songs, length=5):
    """Return, for each run of `length` symbols of a melody, the name of a song that it is from, or ""."""
    sources = {}
    for name, song in songs.items():
        for start in range(len(song) - length + 1):
            sources.setdefault(tuple(song[start:start + length]), name)
    return [sources.get(tuple(symbols[start:start + length]), "") for start in range(len(symbols) - length + 1)]


if ready and verdict_3.right:
    for temperature in (0.5, 1.0, 1.5):
        rng = np.random.default_rng(seed=3)
        sung = sing(weights, songs["Frère Jacques"][:2], sample_symbol, temperature, rng)
        names = quoted(sung, songs)
        print(f"temperature {temperature}: {np.mean([bool(name) for name in names]):.0%} quoted, from",
              " / ".join(dict.fromkeys(filter(None, names))) or "nowhere")
        print("   ", *[SYMBOLS[symbol] for symbol in sung[1:-1]])
        display(Audio(sines(notes_of(sung)), rate=RATE_HZ))

# %% [markdown]
# ## The same in torch
#
# torch does what you did by hand: it remembers every step of a calculation and goes back through it by itself. The
# network becomes a class with two parts; there is no `backward` to write. Symbols go in *one-hot*: a row of zeros with
# a 1 at the symbol, which picks the row of the input weights.
#
# torch comes with `pip install 'componium[neural]'`. Without it, the cells below do nothing.

# %%
from componium.music.errors import MissingExtra, require

try:
    torch = require("torch", extra="neural", purpose="The rest of this lesson")
except MissingExtra as missing:
    torch = None
    print(missing)

if torch:
    class Network(torch.nn.Module):
        """A recurrent layer, and a layer that gives each symbol a score."""

        def __init__(self, symbols, hidden, layer=torch.nn.RNN):
            super().__init__()
            self.recurrent = layer(symbols, hidden)
            self.output = torch.nn.Linear(hidden, symbols)

        def forward(self, melody):
            heard = torch.nn.functional.one_hot(melody[:-1], self.recurrent.input_size)  # [N - 1, symbols]
            states, _ = self.recurrent(heard.to(self.output.weight.dtype))               # [N - 1, hidden]
            return torch.nn.functional.cross_entropy(self.output(states), melody[1:])    # the mean of -log p

# %% [markdown]
# Is it really the same? With your weights put into it (torch keeps its matrices the other way round, hence `.T`) the
# loss has to be the same, and so has every slope that torch finds.

# %%
if torch and ready:
    network = Network(len(SYMBOLS), HIDDEN).double()
    mine = {"recurrent.weight_ih_l0": "input", "recurrent.weight_hh_l0": "memory", "recurrent.bias_ih_l0": "bias",
            "output.weight": "output", "output.bias": "output_bias"}
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for theirs, name in mine.items():
            parameters[theirs].copy_(torch.from_numpy(weights[name].T))
        parameters["recurrent.bias_hh_l0"].zero_()  # torch has two biases where one is enough

    song = songs["Au clair de la lune"]
    torch_loss = network(torch.from_numpy(song))
    torch_loss.backward()
    loss, states, probabilities = forward(weights, song)
    gradients = backward(weights, song, states, probabilities)

    print(f"loss: {loss:.12f} by hand, {torch_loss.item():.12f} in torch")
    assert abs(loss - torch_loss.item()) < 1e-6
    for theirs, name in mine.items():
        difference = np.abs(parameters[theirs].grad.numpy().T - gradients[name]).max()
        print(f"largest difference of the gradients of {name}: {difference:.0e}")
        assert difference < 1e-6

# %% [markdown]
# What is gained? Other networks cost a word. The most important is the **LSTM**, *long short-term memory* (Hochreiter
# and Schmidhuber 1997). Your state is pressed through `memory` and tanh at each step, so the slope is, too, on its way
# back, and after some dozens of steps little of it is left: what lies further back is not learned. An LSTM has a second
# state, the *cell*, to which a step only **adds**. Three *gates*, numbers between 0 and 1 that it computes from the
# note and the state, decide how much of the cell is kept, how much is added, and how much of it is shown.
#
# Both networks learn the five tunes; the optimiser *Adam* gives each weight a step size of its own.

# %%
def torch_train(network, songs, rounds):
    """Let a network learn; return the mean loss of the last round."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(rounds):
        losses = []
        for symbols in songs:
            loss = network(torch.from_numpy(symbols))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return np.mean(losses)


if torch:
    for layer in (torch.nn.RNN, torch.nn.LSTM):
        torch.manual_seed(1)
        network = Network(len(SYMBOLS), HIDDEN, layer)
        told = [f"{torch_train(network, songs.values(), 15):.2f}" for _ in range(4)]
        print(f"{layer.__name__:4}: {', '.join(told)} nats a symbol after 15, 30, 45 and 60 rounds")

# %% [markdown]
# Tunes as short as these do not need the longer memory, and the LSTM with its many weights even takes longer to learn
# them. It pays off on more and longer music.

# %% [markdown]
# ## The same in Componium
#
# Componium has an LSTM for melodies as the model `melody-lstm`. It learns from files, so the tunes are written as MIDI
# into a folder, as your own music would be. It is kept small here, and learns from all five tunes; usually some are
# held out to measure it on.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import componium as cp
from componium.music.picture import piano_roll
from componium.music.score import Note, Track, new_score


def score_of(symbols):
    """Return a tune as a score: notes with a start and a length in beats."""
    score, start_beats = new_score(tempo_bpm=160, key="C major"), 0.0
    score.tracks.append(Track("Melody"))
    for pitch, beats in notes_of(symbols):
        score.tracks[0].notes.append(Note(start_beats, beats, pitch, 80))
        start_beats += beats
    return score


if torch:
    model = cp.create("melody-lstm", hidden=64, head=32)
    with TemporaryDirectory() as folder:
        for number, symbols in enumerate(songs.values(), 1):
            cp.write_score(score_of(symbols), Path(folder) / f"{number}.mid")
        cp.train(model, folder, steps=120, seed=1, settings={"batch": 5, "learning_rate": 0.005, "held_out": 0})

# %% [markdown]
# `generate` composes eight new bars; `continue_` goes on with music that it is given, here the first two bars of
# *Hänschen klein*. `seed` and `temperature` mean the same as in your own network.

# %%
if torch:
    new = model.generate(bars=8, seed=1, key="C major")
    score = model.continue_(score_of(songs["Hänschen klein"][:7]), bars=6, seed=1, temperature=0.8)
    display(Image(piano_roll(new, title="Eight new bars")))
else:
    score = score_of(songs["Hänschen klein"])

Image(piano_roll(score, title="Hänschen klein, and how it goes on"))

# %% [markdown]
# What changed, and why:
#
# | your network | `melody-lstm` | because |
# |---|---|---|
# | a note with its length is a symbol | a grid of 16ths: begin a note, hold it, or rest | any rhythm can be written |
# | tanh | LSTM | it remembers longer |
# | the tunes as they are | all of them in C major or A minor | one tune teaches all keys |
# | has to count beats by itself | is told where it is in the bar | strong beats want other notes than weak ones |
# | keeps everything in its state | also sees what stood where tunes come back to | a phrase it never heard can return |
# | learns by heart | silences numbers at random (*dropout*), holds tunes out | it learns what tunes have in common |
# | draws once | draws four versions side by side, and takes the likeliest | fewer slips |

# %% [markdown]
# ## Listen
#
# A SoundFont holds recorded instruments. Where there is none on your computer, the sine waves play instead.

# %%
try:
    sound = cp.perform(score, cp.create("soundfont", program="flute"))
    player = Audio(sound.samples, rate=sound.sample_rate_hz)
except MissingExtra as missing:
    print(missing)
    player = Audio(sines([(note.pitch, note.duration) for note in score.tracks[0].notes]), rate=RATE_HZ)
player

# %% [markdown]
# ## Going on
#
# - Leave the tanh out of `backward` and train: does it still learn? What does the gradient check say?
# - Make `step` of `slope` 0.1, then 1e-12. Why does the gradient check fail at both ends?
# - How small can `HIDDEN` be for all five tunes to be sung back? How many rounds does it take with 16, with 96?
# - Add a tune of your own to `TUNES`. Does the network still know the others?
# - Let `melody-lstm` learn from a folder of your own melodies; a hundred make a style. Compare temperatures.
#
# Sources: D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning representations by back-propagating errors",
# 1986; P. M. Todd, "A connectionist approach to algorithmic composition", 1989; J. L. Elman, "Finding structure in
# time", 1990; P. J. Werbos, "Backpropagation through time: what it does and how to do it", 1990; M. C. Mozer, "Neural
# network music composition by prediction", 1994; S. Hochreiter and J. Schmidhuber, "Long short-term memory", 1997;
# R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks", 2013. The melodies
# were written down for this lesson from works in the public domain.
