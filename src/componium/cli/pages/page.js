"use strict";
// Players: one sound element for the page, so that only one take sounds; drawings are unpacked when they come into view.
const player = (() => {
  const audio = new Audio();
  audio.preload = "none";
  const takes = new Map();
  for (const card of document.querySelectorAll(".take"))
    takes.set(card.id, { card, at: 0, seconds: +card.dataset.seconds, notes: [], on: new Set(), drawn: null });
  let current = null;

  // Drawings
  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }
  function draw(take) {
    take.drawn ??= unpack(take.card.querySelector(".drawings").textContent).then(([sheet, roll]) => {
      const place = take.card.querySelector(".sheet");
      if (place) place.innerHTML = sheet;
      take.card.querySelector(".stage .inner").innerHTML = roll;
      take.notes = [...take.card.querySelectorAll("[data-s]")]
        .map(element => ({ element, start: +element.dataset.s, end: +element.dataset.e }))
        .sort((a, b) => a.start - b.start);
      show(take);
    }).catch(() => trouble(take, "This browser cannot draw the score; a newer one can."));
    return take.drawn;
  }
  const watcher = new IntersectionObserver(entries => {
    for (const entry of entries) if (entry.isIntersecting) {
      watcher.unobserve(entry.target);
      draw(takes.get(entry.target.id));
    }
  }, { rootMargin: "900px" });
  for (const take of takes.values()) watcher.observe(take.card);
  async function drawAll() { for (const take of takes.values()) await draw(take); }
  if (takes.size < 20) addEventListener("load", () => (window.requestIdleCallback || setTimeout)(drawAll));

  // Sound
  const clock = (seconds, whole) => whole < 10 ? "0:0" + (Math.floor(10 * seconds) / 10).toFixed(1)
    : Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");
  function trouble(take, text) {
    let place = take.card.querySelector(".trouble.now");
    if (!place) {
      place = document.createElement("p");
      place.className = "trouble now";
      place.setAttribute("role", "status");
      take.card.querySelector(".heading").after(place);
    }
    place.textContent = text;
  }
  async function source(take) {
    const address = take.card.dataset.sound;
    if (address.startsWith("data:") || !location.protocol.startsWith("http")) return address;
    const answer = await fetch(address);  // a server that sends no parts of files would not let us seek
    if (!answer.ok) throw new Error(answer.statusText);
    return take.blob ??= URL.createObjectURL(await answer.blob());
  }
  function seek(take, seconds) {
    take.at = Math.max(0, Math.min(seconds, take.seconds - 0.01));
    if (take === current) audio.currentTime = take.at;
    show(take);
  }
  async function play(take) {
    if (!take.card.dataset.sound) return;
    if (take !== current) {
      pause();
      current = take;
      draw(take);
      try {
        const address = take.blob || await source(take);
        if (take !== current) return;
        audio.src = address;
      } catch {
        trouble(take, "The sound is not beside this page: " + decodeURI(take.card.dataset.sound));
        current = null;
        return;
      }
      audio.currentTime = take.at;
    }
    if (take.at > take.seconds - 0.1) seek(take, 0);
    marks(take);
    take.started = true;  // what sounds already comes into view, too
    try {
      await audio.play();
      document.dispatchEvent(new CustomEvent("take:play", { detail: { anchor: take.card.id } }));
    } catch (error) {
      if (error.name !== "AbortError" && take === current)
        trouble(take, "This sound cannot be played here; is its file still beside the page?");
    }
  }
  function pause() {
    audio.pause();
    if (current) {
      current.at = audio.readyState ? audio.currentTime : current.at;
      show(current);
    }
  }
  function marks(take) {
    for (const element of document.querySelectorAll(".current")) element.classList.remove("current");
    take.card.classList.add("current");
    document.querySelector(`tr[data-take="${take.card.id}"]`)?.classList.add("current");
  }

  // Following
  function show(take) {
    const now = take === current && audio.readyState ? audio.currentTime : take.at;
    const moving = take === current && !audio.paused;
    const share = 100 * Math.min(1, now / take.seconds) + "%";
    for (const head of take.card.querySelectorAll(".playhead")) head.style.left = share;
    const slider = take.card.querySelector(".seek");
    if (slider) {
      if (!slider.matches(":active")) slider.value = now;
      slider.setAttribute("aria-valuetext", clock(now, take.seconds));
      take.card.querySelector(".now:not(.trouble)").textContent = clock(now, take.seconds);
    }
    const sounding = new Set();
    if (moving || now > 0) for (const note of take.notes) {
      if (note.start > now) break;
      if (now < note.end) sounding.add(note.element);
    }
    for (const element of take.on) if (!sounding.has(element)) element.classList.remove("on");
    let first = null;
    for (const element of sounding) if (take.started && moving || !take.on.has(element)) {
      element.classList.add("on");
      first ??= element.closest(".sheet") && element;
    }
    take.on = sounding;
    if (moving) {
      follow(take, first, share);
      take.started = false;
    }
  }
  function follow(take, element, share) {
    const sheet = take.card.querySelector(".sheet");
    if (element && sheet) {
      const box = sheet.getBoundingClientRect(), system = (element.closest(".system") || element).getBoundingClientRect();
      const note = element.getBoundingClientRect();
      const tall = Math.min(system.height, box.height);
      if (system.top < box.top - 2 || system.top + tall > box.bottom + 2)
        sheet.scrollTop += system.top - box.top - Math.max(0, (box.height - tall) / 4);
      if (note.left < box.left || note.right > box.right) sheet.scrollLeft += note.left - box.left - box.width / 5;
    }
    const stage = take.card.querySelector(".stage");
    if (stage.scrollWidth > stage.clientWidth + 1) {
      const x = parseFloat(share) / 100 * stage.scrollWidth;
      if (x < stage.scrollLeft || x > stage.scrollLeft + stage.clientWidth * 0.9)
        stage.scrollLeft = x - stage.clientWidth * 0.15;
    }
  }
  function frame() {
    if (current) show(current);
    if (!audio.paused) requestAnimationFrame(frame);
  }
  function buttons() {
    for (const button of document.querySelectorAll("[data-play]")) {
      const playing = current?.card.id === button.dataset.play && !audio.paused;
      button.classList.toggle("playing", playing);
      const name = button.getAttribute("aria-label").replace(/^\S+ /, "");
      button.setAttribute("aria-label", (playing ? "Pause " : "Play ") + name);
    }
  }
  audio.addEventListener("play", () => { buttons(); frame(); });
  audio.addEventListener("pause", buttons);
  audio.addEventListener("ended", () => { if (current) { current.at = 0; audio.currentTime = 0; show(current); } });
  audio.addEventListener("seeked", () => current && show(current));

  document.addEventListener("click", event => {
    const button = event.target.closest("[data-play]");
    if (button) {
      const take = takes.get(button.dataset.play);
      if (take === current && !audio.paused) pause(); else play(take);
      return;
    }
    const card = event.target.closest(".take");
    if (!card) return;
    const take = takes.get(card.id), plot = event.target.closest(".plot"), note = event.target.closest(".sheet [data-s]");
    if (note) seek(take, +note.dataset.s);
    else if (plot) {
      const box = plot.getBoundingClientRect();
      seek(take, take.seconds * (event.clientX - box.left) / box.width);
    } else return;
    play(take);
  });
  document.addEventListener("input", event => {
    if (event.target.matches(".seek")) seek(takes.get(event.target.closest(".take").id), +event.target.value);
  });
  document.querySelector(".draw-all")?.addEventListener("click", async event => {
    event.target.disabled = true;
    await drawAll();
    event.target.textContent = "Everything is drawn";
  });
  return { audio, takes, play, pause, seek, draw, drawAll, get current() { return current; } };
})();

// Tables: sort and filter
(() => {
  const empty = value => value === "" || value === "\u2013";
  function compare(a, b) {
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    return typeof a === "number" && typeof b === "number" ? a - b
      : String(a).localeCompare(String(b), undefined, { numeric: true });
  }
  function value(cell) {
    return !cell ? "" : "v" in cell.dataset ? +cell.dataset.v : cell.textContent.trim();
  }
  function reorder(table) {  // the cards come in the order of the rows
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      const card = row.dataset.take && document.getElementById(row.dataset.take);
      if (card) card.parentNode.append(card);
    }
  }
  for (const button of document.querySelectorAll("button.sort")) button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table"), place = head.cellIndex;
    const rising = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map(row => [value(row.cells[place]), row]);
    rows.sort(([a], [b]) => empty(a) || empty(b) ? compare(a, b) : (rising ? 1 : -1) * compare(a, b));
    table.tBodies[0].append(...rows.map(([, row]) => row));
    reorder(table);
  });
  for (const field of document.querySelectorAll(".filter")) {
    const box = field.closest(".overview"), rows = [...box.querySelectorAll("tbody tr")];
    const count = box.querySelector(".count"), all = count.textContent;
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase(), fits = words.every(word => text.includes(word));
        row.hidden = !fits;
        left += fits;
        const card = row.dataset.take && document.getElementById(row.dataset.take);
        if (card) card.hidden = !fits;
      }
      count.textContent = words.length ? `${left.toLocaleString("en")} of ${all}` : all;
    });
  }
})();
