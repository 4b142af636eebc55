// Highlights, counters and keys of the prompt fields. The server reads the prompts; see live.py.
(() => {
  "use strict";
  const NAMES = ["cp-prompt", "cp-negative"];
  const language = location.pathname.startsWith("/zh") ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  let reading = { dialect: "a1111", tower: "", skip: 0 };
  let timer = 0;
  let asked = 0;

  const area = (name) => document.querySelector(`#${name} textarea`);
  const post = async (path, body) => {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.json();
  };

  // ---- what is under and behind a field

  function dress(name) {
    const text = area(name);
    if (!text || text.dataset.dressed) return;
    text.dataset.dressed = "yes";
    const layer = document.createElement("div");
    layer.className = "cp-layer";
    layer.setAttribute("aria-hidden", "true");
    text.parentElement.classList.add("cp-stack");
    text.parentElement.insertBefore(layer, text);
    const below = document.createElement("div");
    below.className = "cp-below";
    below.innerHTML =
      `<div class="cp-notes" id="${name}-notes" aria-live="polite"></div>` +
      `<span class="cp-count" id="${name}-count"></span>`;
    document.getElementById(name).appendChild(below);
    text.setAttribute("aria-describedby", `${name}-count ${name}-notes`);
    text.addEventListener("input", () => typed(name));
    text.addEventListener("scroll", () => { layer.scrollTop = text.scrollTop; });
    new ResizeObserver(() => place(name)).observe(text);
    text.addEventListener("keydown", keys);
    place(name);
  }

  // The layer has the field's own place, size and letters, so that each mark is behind its words.
  function place(name) {
    const text = area(name);
    const layer = text && text.parentElement.querySelector(".cp-layer");
    if (!layer) return;
    const style = getComputedStyle(text);
    for (const each of ["font", "letterSpacing", "lineHeight", "padding", "textIndent"]) {
      layer.style[each] = style[each];
    }
    layer.style.left = `${text.offsetLeft + text.clientLeft}px`;
    layer.style.top = `${text.offsetTop + text.clientTop}px`;
    layer.style.width = `${text.clientWidth}px`;
    layer.style.height = `${text.clientHeight}px`;
    layer.scrollTop = text.scrollTop;
  }

  function paint(name, spans) {
    const text = area(name);
    const layer = text && text.parentElement.querySelector(".cp-layer");
    if (!layer) return;
    const value = text.value;
    layer.textContent = "";
    let at = 0;
    for (const span of [...spans].sort((a, b) => a.start - b.start)) {
      if (span.start < at || span.stop > value.length) continue;
      layer.append(value.slice(at, span.start));
      const mark = document.createElement("mark");
      mark.className = `cp-${span.kind}`;
      if (span.kind === "weight") {
        const strength = Math.min(Math.abs(span.weight - 1) / 0.5, 1) * 0.5 + 0.12;
        mark.classList.add(span.weight > 1 ? "cp-more" : "cp-less");
        mark.style.setProperty("--strength", strength.toFixed(2));
      }
      mark.textContent = value.slice(span.start, span.stop);
      layer.append(mark);
      at = span.stop;
    }
    layer.append(value.slice(at) + "\n");
    layer.scrollTop = text.scrollTop;
    text.painted = { value, spans };
  }

  // While the server is asked, the marks move with the letters that are typed.
  function typed(name) {
    const text = area(name);
    const before = text.painted;
    if (before && before.value !== text.value) {
      const longer = text.value.length - before.value.length;
      const { end } = difference(before.value, text.value);
      const shift = (place) => (place > end ? place + longer : Math.min(place, text.value.length));
      paint(name, before.spans
        .map((span) => ({ ...span, start: shift(span.start), stop: shift(span.stop) }))
        .filter((span) => span.stop > span.start));
    }
    refresh();
  }

  function show(name, view) {
    const count = document.getElementById(`${name}-count`);
    const notes = document.getElementById(`${name}-notes`);
    if (!count || !notes) return;
    count.textContent = view.count;
    count.classList.toggle("cp-full", view.full);
    notes.className = `cp-notes ${view.is_error ? "cp-error" : "cp-note"}`;
    notes.innerHTML = view.notes; // all of it is escaped: see html.py
    paint(name, view.spans);
  }

  function refresh() {
    clearTimeout(timer);
    timer = setTimeout(ask, 150);
  }

  async function ask() {
    const mine = ++asked;
    const texts = NAMES.map((name) => (area(name) ? area(name).value : ""));
    try {
      const views = await post(`/live/${language}/read`, { texts, ...reading });
      if (mine !== asked) return; // more was typed meanwhile
      views.forEach((view, i) => { if (NAMES[i]) show(NAMES[i], view); });
    } catch (error) {
      console.warn(String(error));
    }
  }

  // ---- keys

  let weighing = Promise.resolve();
  function keys(event) {
    if (!(event.ctrlKey || event.metaKey)) return;
    if (event.key === "Enter") {
      event.preventDefault();
      document.querySelector("#cp-draw").click();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      event.preventDefault();
      const step = (event.shiftKey ? 0.05 : 0.1) * (event.key === "ArrowUp" ? 1 : -1);
      const { value, selectionStart, selectionEnd } = event.target;
      const press = { value, start: selectionStart, stop: selectionEnd, step };
      weighing = weighing.then(() => weigh(event.target, press)).catch(console.warn);
    }
  }

  // What one text has in place of another's letters from `head` to `end`.
  function difference(old, now) {
    let head = 0;
    while (head < old.length && head < now.length && old[head] === now[head]) head++;
    let tail = 0;
    while (tail < Math.min(old.length, now.length) - head &&
           old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
    const end = old.length - tail;
    return { head, end, added: now.slice(head, now.length - tail) };
  }

  // Where a place of the old text is in the new one.
  function moved(place, { head, end, added }) {
    if (place <= head && !(place === head && end === head)) return place;
    return place >= end ? place + added.length - (end - head) : Math.min(place, head + added.length);
  }

  // A press means the selection of its time; the answer meets what has been typed meanwhile.
  async function weigh(text, press) {
    const before = text.value;
    const since = difference(press.value, before);
    const [start, stop] = [press.start, press.stop].map((place) => moved(place, since));
    const selected = [text.selectionStart, text.selectionEnd];
    const points = (place) => [...before.slice(0, place)].length; // the server counts characters
    const found = await post("/live/weight", {
      text: before,
      start: points(start),
      stop: points(stop),
      change: press.step,
      dialect: reading.dialect,
    });
    if (found.text === before) return;
    const own = difference(before, text.value);
    const { head, end, added } = difference(before, found.text);
    const isTyped = text.value !== before;
    if (isTyped && own.head < end && own.end > head) return; // in the words that change
    const isMoved = isTyped || text.selectionStart !== selected[0] || text.selectionEnd !== selected[1];
    const shift = own.head >= end ? 0 : text.value.length - before.length;
    const at = { head: head + shift, end: end + shift, added };
    const kept = [text.selectionStart, text.selectionEnd].map((place) => moved(place, at));
    write(text, text.value.slice(0, at.head) + added + text.value.slice(at.end));
    const letters = [...found.text];
    const units = (place) => letters.slice(0, place).join("").length;
    text.setSelectionRange(...(isMoved ? kept : [units(found.start), units(found.stop)]));
  }

  // Change a field as if it were typed, so that the browser's undo knows of it.
  function write(text, now) {
    const { head, end, added } = difference(text.value, now);
    text.focus();
    text.setSelectionRange(head, end);
    if (!document.execCommand(added ? "insertText" : "delete", false, added)) {
      text.setRangeText(added);
      text.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  document.addEventListener("click", (event) => {
    const chip = event.target.closest && event.target.closest(".cp-chip");
    const text = chip && area("cp-prompt");
    if (!text) return;
    const value = text.value;
    const gap = !value || /\s$/.test(value) ? "" : " ";
    write(text, value + gap + chip.dataset.insert);
  });

  document.addEventListener("keydown", (event) => {
    const inField = event.target.matches && event.target.matches("textarea");
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && !inField) {
      event.preventDefault();
      document.querySelector("#cp-draw").click();
    }
  });

  // What screen readers and keyboards need, and gradio's own parts lack.
  function mend() {
    for (const empty of document.querySelectorAll(".empty[aria-label]:not([role])")) {
      empty.setAttribute("role", "img");
    }
    for (const button of document.querySelectorAll("button.upload-container[aria-label]")) {
      button.removeAttribute("aria-label"); // its text says it
    }
    for (const text of document.querySelectorAll(".block textarea:not([aria-label])")) {
      const label = text.closest(".block").querySelector("[data-testid=block-info]");
      if (!text.labels.length && label) text.setAttribute("aria-label", label.textContent.trim());
    }
    for (const block of document.querySelectorAll(".cp-notes pre")) {
      const scrolls = block.scrollWidth > block.clientWidth;
      if (scrolls !== block.hasAttribute("tabindex")) block.toggleAttribute("tabindex", scrolls);
      if (scrolls) block.tabIndex = 0;
    }
  }

  let mending = 0;
  const watcher = new MutationObserver(() => {
    NAMES.forEach(dress);
    clearTimeout(mending);
    mending = setTimeout(mend, 100);
  });
  watcher.observe(document.documentElement, { childList: true, subtree: true });

  window.clipcond = {
    refresh,
    read_as: (dialect, tower, skip) => {
      reading = { dialect, tower: tower || "", skip: Number(skip) || 0 };
      refresh();
    },
    start: (...given) => {
      NAMES.forEach(dress);
      window.clipcond.read_as(...given);
    },
  };
})();
