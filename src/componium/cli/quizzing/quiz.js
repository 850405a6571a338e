// The quiz: one question after the other, kept in this browser, counted at the end.
const quiz = (() => {
  const data = JSON.parse(document.getElementById("quiz-data").textContent);
  const place = { start: document.getElementById("start"), ask: document.getElementById("ask"),
    result: document.getElementById("result") };
  const fields = ["told", "prefers", "writing"];
  const human = data.composer === "Bach" ? "Bach" : "the human";

  // The key
  function clear(text, word) {
    let state = 2166136261;
    for (const letter of new TextEncoder().encode(word)) state = Math.imul(state ^ letter, 16777619) >>> 0;
    const bytes = Uint8Array.from(atob(text), letter => {
      state = (state ^ state << 13) >>> 0;
      state = (state ^ state >>> 17) >>> 0;
      state = (state ^ state << 5) >>> 0;
      return letter.charCodeAt(0) ^ state & 255;
    });
    return JSON.parse(new TextDecoder().decode(bytes));
  }
  const key = clear(data.key, data.id);

  // What is kept
  const shelf = "componium quiz " + data.id;
  const empty = () => ({ answers: data.questions.map(() => ({ heard: [0, 0], seconds: 0 })), at: -1, done: false,
    sitting: [...crypto.getRandomValues(new Uint8Array(8))].map(n => n.toString(16).padStart(2, "0")).join(""),
    training: "" });
  let state = empty(), keeps = true;
  try {
    const kept = JSON.parse(localStorage.getItem(shelf) || "null");
    if (kept && Array.isArray(kept.answers) && kept.answers.length === data.questions.length) state = kept;
  } catch { keeps = false; }
  function keep() {
    try { localStorage.setItem(shelf, JSON.stringify(state)); keeps = true; } catch { keeps = false; }
    document.querySelector(".kept").textContent = keeps
      ? "Answers are kept in this browser: you can close the page and go on later."
      : "This browser keeps nothing: do not close or reload the page before you have saved your answers.";
  }
  addEventListener("beforeunload", event => { if (!keeps && state.at >= 0) event.preventDefault(); });

  // Sound: one for the page, so that only one sample sounds
  const audio = new Audio(), addresses = new Map();
  let sounding = null;
  function address(number) {
    if (!addresses.has(number)) {
      const [head, text] = data.sounds[number].split(",");
      const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
      addresses.set(number, URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] })));
    }
    return addresses.get(number);
  }
  const clock = seconds => Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");
  const icon = '<svg viewBox="0 0 20 20" aria-hidden="true"><path class="go" d="M5 3v14l12-7z"/>'
    + '<path class="halt" d="M4 3h4v14H4zM12 3h4v14h-4z"/></svg>';
  function player(number, seconds, name, heard = () => {}) {
    const element = document.createElement("div");
    element.className = "player";
    element.innerHTML = `<button type="button" class="play" aria-label="Play ${name}">${icon}</button>`
      + `<input type="range" class="seek" min="0" max="${seconds}" step="0.1" value="0" aria-label="Position in ${name}">`
      + `<span class="time"></span>`;
    const [button, slider, time] = element.children;
    const it = { element, at: 0, show() {
      const playing = sounding === it && !audio.paused;
      button.classList.toggle("playing", playing);
      button.setAttribute("aria-label", (playing ? "Pause " : "Play ") + name);
      element.parentElement?.classList.toggle("sounding", playing);
      if (!slider.matches(":active")) slider.value = it.at;
      slider.setAttribute("aria-valuetext", clock(it.at));
      time.textContent = clock(it.at) + " / " + clock(seconds);
    }, toggle() {
      if (sounding === it && !audio.paused) return audio.pause();
      if (sounding !== it) {
        halt();
        sounding = it;
        audio.src = address(number);
      }
      if (it.at > seconds - 0.2) it.at = 0;
      if (it.at < 0.5) heard();
      audio.currentTime = it.at;
      audio.play().catch(error => { if (error.name !== "AbortError") time.textContent = "cannot be played here"; });
    } };
    button.addEventListener("click", () => it.toggle());
    slider.addEventListener("input", () => {
      it.at = +slider.value;
      if (sounding === it) audio.currentTime = it.at;
      it.show();
    });
    it.show();
    return it;
  }
  function halt() {
    audio.pause();
    const last = sounding;
    sounding = null;
    last?.show();
  }
  for (const event of ["timeupdate", "play", "pause", "ended"]) audio.addEventListener(event, () => {
    if (!sounding) return;
    sounding.at = event === "ended" ? 0 : audio.currentTime;
    sounding.show();
  });

  // The screens
  let samples = [], since = 0;
  function show(focus = true) {
    halt();
    const name = state.done ? "result" : state.at < 0 ? "start" : "ask";
    for (const [each, section] of Object.entries(place)) section.hidden = each !== name;
    document.body.classList.toggle("asking", name === "ask");
    ({ start() {}, ask, result })[name]();
    keep();
    if (focus) { place[name].querySelector("h2").focus({ preventScroll: true }); scrollTo(0, name === "start" ? 0
      : place[name].offsetTop - 16); }
  }
  function ask() {
    const answer = state.answers[state.at], count = data.questions.length;
    place.ask.querySelector("h2").textContent = `Pair ${state.at + 1} of ${count}`;
    Object.assign(place.ask.querySelector("progress"), { max: count, value: state.at });
    place.ask.querySelector(".back").disabled = state.at === 0;
    place.ask.querySelector("button.main").textContent = state.at + 1 < count ? "Next" : "See the result";
    place.ask.querySelector(".missing").textContent = "";
    const box = place.ask.querySelector(".samples");
    box.textContent = "";
    samples = data.questions[state.at].map((number, side) => {
      const card = document.createElement("div"), name = "sound " + "AB"[side];
      card.className = "sample";
      card.innerHTML = `<h3>Sound ${"AB"[side]} <span class="heard"></span></h3>`;
      const told = () => card.querySelector(".heard").textContent = answer.heard[side]
        ? "heard " + (answer.heard[side] === 1 ? "once" : answer.heard[side] + " times") : "not heard yet";
      const it = player(number, data.seconds[state.at], name, () => { answer.heard[side]++; told(); keep(); });
      card.append(it.element);
      box.append(card);
      told();
      return it;
    });
    for (const group of place.ask.querySelectorAll(".sides")) {
      group.innerHTML = ["A", "B"].map(side => `<label><input type="radio" name="${group.dataset.name}" value="${side}"`
        + `${answer[group.dataset.name] === side ? " checked" : ""}> Sound ${side}</label>`).join("");
    }
    since = performance.now();
  }
  function clocked() {
    state.answers[state.at].seconds += Math.round((performance.now() - since) / 100) / 10;
    since = performance.now();
  }
  function missing(answer) {
    const silent = [0, 1].filter(side => !answer.heard[side]).map(side => "AB"[side]);
    if (silent.length) return `Listen to sound ${silent.join(" and sound ")} first.`;
    const open = fields.filter(field => !answer[field]).length;
    return open ? `${open === 1 ? "One question is" : open === 2 ? "Two questions are" : "Three questions are"} open.` : "";
  }
  place.start.querySelector("form").addEventListener("submit", event => {
    event.preventDefault();
    const chosen = place.start.querySelector(":checked");
    place.start.querySelector(".missing").textContent = chosen ? "" : "Choose one of the four.";
    if (!chosen) return;
    Object.assign(state, { training: chosen.value, at: 0 });
    show();
  });
  place.ask.querySelector("form").addEventListener("change", event => {
    state.answers[state.at][event.target.name] = event.target.value;
    clocked();
    keep();
  });
  place.ask.querySelector("form").addEventListener("submit", event => {
    event.preventDefault();
    const told = missing(state.answers[state.at]);
    place.ask.querySelector(".missing").textContent = told;
    if (told) return;
    clocked();
    state.at++;
    state.done = state.at === data.questions.length;
    show();
  });
  place.ask.querySelector(".back").addEventListener("click", () => { clocked(); state.at--; show(); });
  place.ask.querySelector(".stop").addEventListener("click", () => {
    if (!confirm("The result shows which was which, so you cannot go on afterwards. Stop here?")) return;
    clocked();
    state.done = true;
    show();
  });
  place.result.querySelector(".again").addEventListener("click", () => {
    if (!confirm("Your answers are forgotten. Start again?")) return;
    state = empty();
    show();
  });
  addEventListener("keydown", event => {
    const side = "ab".indexOf(event.key.toLowerCase());
    if (place.ask.hidden || side < 0 || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    event.preventDefault();
    samples[side].toggle();
  });

  // The result
  const answered = () => state.answers.map((answer, n) => ({ ...answer, ...key.answers[n], number: n }))
    .filter(answer => !missing(answer));
  const percent = share => Math.round(100 * share) + " %";
  function counts(answers) {
    const first = answers.filter(answer => !answer.repeat);
    return [[`Told ${human} from the program`, first.filter(a => a.told === a.human).length],
      [`Preferred the program to ${human}`, first.filter(a => a.prefers !== a.human).length],
      [document.querySelectorAll("#ask legend")[2].textContent.includes("melody")
        ? "Found the program's melody better" : "Found the program's part-writing better",
      first.filter(a => a.writing !== a.human).length]].map(([name, hits]) => ({ name, hits, of: first.length }));
  }
  function rows(answers) {
    return counts(answers).map(({ name, hits, of }) => {
      const [low, high] = binomial.interval(hits, of);
      return `<tr><th scope="row">${name}</th><td class="figure">${hits} of ${of}</td>`
        + `<td class="figure">${of ? percent(hits / of) : ""}</td>`
        + `<td class="figure">${percent(low)} to ${percent(high)}</td>`
        + `<td class="figure">${binomial.answersNeeded(hits, of)}</td></tr>`;
    }).join("");
  }
  const head = '<thead><tr><th scope="col"></th><th scope="col" class="figure">Answers</th><th scope="col" '
    + 'class="figure">Share</th><th scope="col" class="figure">95 % interval</th><th scope="col" class="figure">'
    + "Answers still needed for \u00b15 points</th></tr></thead>";
  function verdict(hits, of) {
    const [low, high] = binomial.interval(hits, of);
    if (!of) return "";
    const range = `Guessing gives 50 %; with ${of} ${of === 1 ? "answer" : "answers"} the true share lies between `
      + `${percent(low)} and ${percent(high)} (95 % interval)`;
    const told = low > 0.5 ? `you tell ${human} from the program` : high < 0.5 ? `you took the program for ${human}`
      : "this is not to be told from guessing";
    const more = binomial.answersNeeded(hits, of);
    return `${range}: ${told}. ` + (more ? `If the share stays so, ${more} more answers make it known to five points either way.`
      : "It is known to five points either way.");
  }
  function consistency(answers) {
    const pairs = answers.filter(answer => answer.repeat)
      .map(again => [answers.find(first => !first.repeat && first.pair === again.pair), again]).filter(([first]) => first);
    if (!pairs.length) return "No repeated pair was answered.";
    const same = field => pairs.filter(([a, b]) => (a[field] === a.human) === (b[field] === b.human)).length;
    return `Consistency: of ${pairs.length} repeated ${pairs.length === 1 ? "pair" : "pairs"} you named the same piece `
      + `as ${human}'s in ${same("told")}, preferred the same one in ${same("prefers")}, and judged the third question `
      + `alike in ${same("writing")}. Repetitions are not counted above.`;
  }
  function result() {
    const answers = answered(), [first] = counts(answers);
    const kinds = Object.keys(data.kinds).filter(kind => answers.some(answer => answer.kind === kind));
    const tables = kinds.length > 1 ? kinds.map(kind => `<tbody><tr><th scope="rowgroup" colspan="5"><b>Only pairs `
      + `${data.kinds[kind]}</b></th></tr>${rows(answers.filter(answer => answer.kind === kind))}</tbody>`).join("") : "";
    place.result.querySelector(".told").innerHTML = first.of
      ? `<p class="score">You told ${human} from the program in <b>${first.hits} of ${first.of}</b> pairs.</p>`
        + `<p>${verdict(first.hits, first.of)}</p><div class="wide" tabindex="0"><table class="figures">${head}`
        + `<tbody>${rows(answers)}</tbody>${tables}</table></div><p>${consistency(answers)}</p>`
      : "<p>No pair was answered.</p>";
    const body = place.result.querySelector(".pairs tbody");
    body.textContent = "";
    for (const answer of key.answers.map((each, n) => ({ ...each, ...state.answers[n], number: n }))) reveal(body, answer);
  }
  function reveal(body, answer) {
    const line = body.insertRow(), names = key.names[answer.pair - 1];
    line.innerHTML = `<th scope="row">${answer.number + 1}${answer.repeat ? " (again)" : ""}</th>`;
    data.questions[answer.number].forEach((number, side) => {
      const cell = line.insertCell(), mine = "AB"[side] === answer.human;
      const it = player(number, data.seconds[answer.number], `sound ${"AB"[side]} of pair ${answer.number + 1}`);
      it.element.querySelector(".play").classList.add("small");
      cell.append(it.element.querySelector(".play"), document.createTextNode(
        mine ? `${human === "Bach" ? "Bach" : "human"}: ${names[0]}` : `program: ${names[1]}`));
    });
    const right = answer.told === answer.human;
    line.insertCell().innerHTML = answer.told
      ? `<span class="${right ? "right" : "wrong"}">${answer.told}, ${right ? "right" : "wrong"}</span>` : "not answered";
  }

  // Saving
  function record() {
    return { format: "componium quiz answers", version: 1, quiz: data.id, sitting: state.sitting, model: data.model,
      checkpoint: data.checkpoint, composer: data.composer, training: state.training,
      complete: answered().length === data.questions.length,
      answers: answered().map(({ number, pair, kind, repeat, human, told, prefers, writing, heard, seconds }) =>
        ({ question: number + 1, pair, kind, repeat, human, told, prefers, writing, heard_a: heard[0], heard_b: heard[1],
          seconds: Math.round(10 * seconds) / 10 })) };
  }
  function text(as) {
    const whole = record();
    if (as === "json") return JSON.stringify(whole, null, 1) + "\n";
    const { answers, ...common } = whole;
    const names = [...Object.keys(common), "question", "pair", "kind", "repeat", "human", ...fields, "heard_a", "heard_b",
      "seconds"];
    const cell = value => /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
    return [names, ...answers.map(answer => names.map(name => ({ ...common, ...answer })[name]))]
      .map(line => line.map(cell).join(",") + "\r\n").join("");
  }
  for (const button of place.result.querySelectorAll(".save")) button.addEventListener("click", () => {
    const as = button.dataset.as, link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text(as)], { type: as === "json" ? "application/json" : "text/csv" }));
    link.download = `quiz-${data.id}-${state.sitting.slice(0, 6)}.${as}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });

  show(false);
  return { record, key, get state() { return state; } };
})();
