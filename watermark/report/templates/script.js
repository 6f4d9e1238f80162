"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // One tooltip for everything that has data-tip; works with mouse, finger and keyboard.
  const tip = document.getElementById("tip");
  const show = (target, x, y) => {
    tip.textContent = target.dataset.tip;
    tip.classList.add("on");
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(6, Math.min(x + 14, innerWidth - box.width - 6)) + "px";
    tip.style.top = (y - box.height - 12 < 4 ? y + 18 : y - box.height - 12) + "px";
  };
  const hide = () => tip.classList.remove("on");
  for (const event of ["pointerover", "pointerdown"]) {
    document.addEventListener(event, (e) => {
      const target = e.target.closest && e.target.closest("[data-tip]");
      if (target) show(target, e.clientX, e.clientY); else hide();
    });
  }
  document.addEventListener("scroll", hide, { passive: true });
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") hide(); });

  // Segmented controls set an attribute of the body; the style sheet shows what fits it.
  all(".seg").forEach((seg) => {
    seg.addEventListener("click", (e) => {
      const button = e.target.closest("button");
      if (!button) return;
      document.body.dataset[seg.dataset.sets] = button.value;
      all(`.seg[data-sets=${seg.dataset.sets}] button`).forEach((b) => b.setAttribute("aria-pressed", b.value === button.value));
    });
  });

  // Scheme chips and the attack filter hide everything that names what was switched off.
  const off = new Set();
  all(".chip").forEach((chip) => {
    chip.addEventListener("click", () => {
      const name = chip.dataset.toggle;
      if (off.has(name)) off.delete(name); else off.add(name);
      all(".chip").filter((c) => c.dataset.toggle === name).forEach((c) => c.setAttribute("aria-pressed", !off.has(name)));
      all("[data-scheme]").filter((n) => n.dataset.scheme === name).forEach((n) => n.classList.toggle("off", off.has(name)));
    });
  });
  const search = document.getElementById("filter");
  if (search) {
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().trim().split(/\s+/).filter(Boolean);
      all("[data-attack]").forEach((node) => {
        const text = (node.dataset.attack + " " + (node.dataset.about || "")).toLowerCase();
        node.toggleAttribute("hidden", words.length > 0 && !words.some((w) => text.includes(w)));
      });
    });
  }

  // Sortable tables: numbers by value (data-v where the text is rounded), words by alphabet, empty last.
  const value = (cell) => {
    const raw = cell ? (cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim()) : "";
    const number = raw === "inf" ? Infinity : raw === "-inf" ? -Infinity : parseFloat(raw.replace(/[\s\u202f]/g, ""));
    return raw === "" || raw === "–" ? null : Number.isNaN(number) ? raw.toLowerCase() : number;
  };
  const compare = (a, b) => (a === null) - (b === null) || (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
  all("table.sortable").forEach((table) => {
    all("thead th", table).forEach((th, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...th.childNodes);
      th.append(button);
      button.addEventListener("click", () => {
        const up = th.getAttribute("aria-sort") !== "ascending";
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [value(row.cells[column]), row]);
        rows.sort((a, b) => (a[0] === null || b[0] === null ? compare(a[0], b[0]) : (up ? 1 : -1) * compare(a[0], b[0])));
        body.append(...rows.map((pair) => pair[1]));
      });
    });
  });

  // Press or hover a marked picture to see the original in its place.
  all("[data-flip]").forEach((figure) => {
    const image = figure.querySelector("img");
    const marked = image.src;
    const flip = (original) => { image.src = original ? figure.dataset.flip : marked; };
    figure.addEventListener("pointerenter", () => flip(true));
    figure.addEventListener("pointerleave", () => flip(false));
    figure.addEventListener("pointercancel", () => flip(false));
  });

  // False alarms per day for a platform's volume.
  const volume = document.getElementById("volume");
  if (volume) {
    const rate = document.getElementById("rate");
    const words = (n) => (n >= 100 ? Math.round(n).toLocaleString("en").replace(/,/g, "\u202f") : n >= 0.1 ? n.toPrecision(2) : n === 0 ? "0" : n.toExponential(1));
    const count = () => {
      const perDay = Math.max(0, Number(volume.value) || 0) * Number(rate.value);
      document.getElementById("per-day").textContent = words(perDay);
      document.getElementById("per-year").textContent = words(perDay * 365);
      document.getElementById("between").textContent = perDay > 0 ? (perDay >= 1 ? "less than a day" : words(1 / perDay) + " days") : "never";
      const issued = document.getElementById("issued"), named = document.getElementById("named");
      if (issued) named.textContent = words(perDay * Math.min(1, Math.max(0, Number(issued.value) || 0) / 2 ** Number(named.dataset.bits)));
      all("[data-bound]").forEach((cell) => { cell.textContent = words(Math.max(0, Number(volume.value) || 0) * Number(cell.dataset.bound)); });
    };
    volume.addEventListener("input", count);
    rate.addEventListener("input", count);
    document.getElementById("issued")?.addEventListener("input", count);
    count();
  }
})();
