"use strict";
(() => {
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const one = (selector) => document.querySelector(selector);
  const rows = all(".requirement");
  const chips = all(".chip");
  const search = one("#search");
  const operation = one("#operation");
  if (!search) return;
  const words = new Map();
  const wordsOf = (row) => {
    if (!words.has(row)) words.set(row, row.textContent.toLowerCase());
    return words.get(row);
  };
  const filter = () => {
    const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const pressed = chips.filter((chip) => chip.ariaPressed === "true").map((chip) => chip.dataset.outcome);
    let shown = 0;
    for (const row of rows) {
      const fits = (!pressed.length || pressed.some((name) => name === "contested" ? row.dataset.contested : row.dataset.outcome === name))
        && (!operation.value || row.dataset.operation.split("\n").includes(operation.value))
        && wanted.every((word) => wordsOf(row).includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    one("#shown").textContent = `${shown} of ${rows.length} shown`;
    one("#nothing").hidden = shown > 0;
  };
  const clear = () => {
    search.value = "";
    operation.value = "";
    for (const chip of chips) chip.ariaPressed = "false";
    filter();
  };
  search.addEventListener("input", filter);
  operation.addEventListener("change", filter);
  one(".filter").addEventListener("submit", (event) => event.preventDefault());
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.ariaPressed = String(chip.ariaPressed !== "true");
      filter();
    });
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
    if (event.key === "Escape") clear();
  });
})();
