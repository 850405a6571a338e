// Marks: which items are to be left out, and why; kept here, and saved as the file that every command reads.
(() => {
  const data = JSON.parse(document.getElementById("marking").textContent);
  const find = (selector, root = document) => root.querySelector(selector);
  const panel = find(".marks"), list = find(".marks ol"), told = find(".marks .told"), text = find(".marks pre");
  const marked = new Map();   // number of the item, or "o0" for a mark that meets no item -> reason
  const entry = key => key.startsWith("o") ? data.others[+key.slice(1)] : data.items[+key];
  const oneLine = value => value.replace(/[\s\u0000-\u001f\u0085]+/g, " ").trim();
  const boxes = new Map(), fields = new Map();
  for (const element of document.querySelectorAll("input[data-mark]")) {
    const kind = element.type === "checkbox" ? boxes : fields, key = element.dataset.mark;
    if (!kind.has(key)) kind.set(key, []);
    kind.get(key).push(element);
  }
  let saved = "";

  function file() {
    const lines = [...marked].map(([key, reason]) => {
      const [name, hash] = entry(key), why = oneLine(reason);
      return `${name || "-"}\t${hash || "-"}${why ? "\t# " + why : ""}`;
    });
    return [data.first, ...new Set(lines)].join("\n") + "\n";
  }
  function show() {
    const count = marked.size;
    told.textContent = count === 1 ? "1 item marked" : count.toLocaleString("en") + " items marked";
    text.textContent = file();
    panel.classList.toggle("unsaved", file() !== saved);
  }
  function line(key) {
    const item = document.createElement("li"), name = document.createElement("span");
    item.dataset.key = key;
    name.textContent = entry(key)[3];
    const field = document.createElement("input");
    Object.assign(field, { type: "text", value: marked.get(key), placeholder: "reason" });
    field.setAttribute("aria-label", "Reason for leaving out " + entry(key)[3]);
    field.addEventListener("input", () => reason(key, field.value, field));
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: "Keep it" });
    button.setAttribute("aria-label", "Keep " + entry(key)[3]);
    button.addEventListener("click", () => mark(key, false));
    item.append(name, field, button);
    return item;
  }
  function reason(key, value, from) {
    marked.set(key, value);
    for (const field of fields.get(key) || []) if (field !== from) field.value = value;
    const field = find(`li[data-key="${key}"] input`, list);
    if (field && field !== from) field.value = value;
    show();
  }
  function tick(key, on) {
    for (const box of boxes.get(key) || []) {
      box.checked = on;
      const state = box.parentNode.querySelector(".state");   // so that the filter finds the word
      if (state) state.textContent = on ? " marked" : "";
    }
    for (const field of fields.get(key) || []) { field.hidden = !on; if (on) field.value = marked.get(key); }
  }
  function mark(key, on, why) {
    if (on) marked.set(key, why ?? (entry(key)[2] || ""));
    else marked.delete(key);
    tick(key, on);
    find(`li[data-key="${key}"]`, list)?.remove();
    if (on) list.append(line(key));
    show();
  }

  for (const [key, same] of boxes) for (const box of same) box.checked = false;   // browsers bring old ticks back
  for (const [key, why] of data.marked) mark(key, true, why);
  saved = file();
  show();
  document.addEventListener("change", event => {
    const box = event.target.closest("input[type=checkbox][data-mark]");
    if (box) mark(box.dataset.mark, box.checked);
  });
  document.addEventListener("input", event => {
    const field = event.target.closest("input[type=text][data-mark]");
    if (field) reason(field.dataset.mark, field.value, field);
  });
  find(".marks .save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file()], { type: "text/plain;charset=utf-8" }));
    link.download = data.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    saved = file();
    show();
    say("saved as " + data.file + " in the folder of your downloads");
  });
  find(".marks .copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(file());
    } catch {
      find(".marks details").open = true;
      getSelection().selectAllChildren(text);
      if (!document.execCommand("copy")) { say("the text is selected: copy it with Ctrl+C"); return; }
    }
    say("the text of " + data.file + " is copied");
  });
  function say(words) { find(".marks .said").textContent = words; }
  function boxed() {   // a group that has no card left is not shown
    for (const box of document.querySelectorAll(".family")) box.hidden = !find(".take:not([hidden])", box);
  }
  for (const button of document.querySelectorAll("button[data-only]")) button.addEventListener("click", () => {
    for (const field of document.querySelectorAll(".filter")) {
      field.value = button.dataset.only;
      field.dispatchEvent(new Event("input"));
    }
    boxed();
  });
  for (const field of document.querySelectorAll(".filter")) field.addEventListener("input", boxed);
  addEventListener("beforeunload", event => { if (file() !== saved) event.preventDefault(); });
})();
