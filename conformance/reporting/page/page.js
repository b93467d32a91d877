"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const one = (selector, root = document) => root.querySelector(selector);
  const requirements = all(".requirement");
  const groups = all(".group");
  const chips = all(".chip");
  const search = one("#search");
  const operation = one("#operation");
  const words = new Map();
  const unfolded = new Map(groups.map((group) => [group, group.open]));

  const wordsOf = (row) => {
    if (!words.has(row)) words.set(row, row.textContent.toLowerCase());
    return words.get(row);
  };

  const filter = () => {
    const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const outcomes = new Set(chips.filter((chip) => chip.ariaPressed === "true").map((chip) => chip.dataset.outcome));
    let shown = 0;
    for (const row of requirements) {
      const fits = (!outcomes.size || outcomes.has(row.dataset.outcome))
        && (!operation.value || row.dataset.operation === operation.value)
        && wanted.every((word) => wordsOf(row).includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    const narrowed = wanted.length || outcomes.size || operation.value;
    for (const group of groups) {
      const left = all(".requirement:not([hidden])", group).length;
      const count = one(".count", group);
      group.hidden = !left;
      count.textContent = narrowed ? `${left} of ${count.dataset.all}` : count.dataset.all;
      group.open = narrowed ? true : unfolded.get(group);
    }
    one("#shown").textContent = `${shown} of ${requirements.length} shown`;
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
  one("#expand").addEventListener("click", () => {
    for (const group of groups) group.open = true;
    for (const row of requirements) row.open = !row.hidden || row.open;
  });
  one("#collapse").addEventListener("click", () => requirements.forEach((row) => { row.open = false; }));

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
    if (event.key === "Escape") clear();
  });

  const reveal = () => {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!row || !row.matches(".requirement")) return;
    if (row.hidden) clear();
    row.closest(".group").open = true;
    row.open = true;
    row.scrollIntoView();
    one("summary", row).focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  };

  const select = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };

  let made = 0;
  const tabbed = (snippet) => {
    const panels = all(".panel", snippet);
    if (!panels.length || one(".tabs", snippet)) return;
    const bar = document.createElement("div");
    bar.className = "tabs";
    const list = document.createElement("span");
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", "Ways to send it again");
    const tabs = panels.map((panel) => {
      const tab = document.createElement("button");
      panel.id = `panel-${++made}`;
      tab.id = `tab-${made}`;
      tab.type = "button";
      tab.textContent = panel.dataset.label;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      list.append(tab);
      return tab;
    });
    const choose = (chosen) => panels.forEach((panel, index) => {
      panel.hidden = index !== chosen;
      tabs[index].setAttribute("aria-selected", String(index === chosen));
      tabs[index].tabIndex = index === chosen ? 0 : -1;
    });
    tabs.forEach((tab, index) => {
      tab.addEventListener("click", () => choose(index));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = (index + step + tabs.length) % tabs.length;
        choose(next);
        tabs[next].focus();
      });
    });
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const shown = one("pre", panels.find((panel) => !panel.hidden));
      const done = await copy(shown.textContent);
      if (!done) select(shown);
      button.textContent = done ? "Copied" : "Selected";
      one("#said").textContent = done ? "Copied" : "Selected: press Ctrl+C to copy";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    bar.append(list, button);
    snippet.prepend(bar);
    choose(0);
  };
  const prepare = (row) => all(".snippet", row).forEach(tabbed);
  for (const row of requirements) {
    if (row.open) prepare(row);
    row.addEventListener("toggle", () => row.open && prepare(row));
  }

  const rows = all(".matrix tbody tr").map((row) => all(".cell", row)).filter((row) => row.length);
  const cells = rows.flat();
  cells.forEach((cell, index) => { cell.tabIndex = index ? -1 : 0; });
  const nearest = (row, x) => row.reduce((best, cell) => {
    const distance = Math.abs(cell.getBoundingClientRect().x - x);
    return distance < best.distance ? { cell, distance } : best;
  }, { cell: row[0], distance: Infinity }).cell;
  one("#matrix")?.addEventListener("keydown", (event) => {
    const y = rows.findIndex((row) => row.includes(event.target));
    if (y < 0) return;
    const x = rows[y].indexOf(event.target);
    const next = {
      ArrowRight: () => rows[y][x + 1],
      ArrowLeft: () => rows[y][x - 1],
      ArrowDown: () => rows[y + 1] && nearest(rows[y + 1], event.target.getBoundingClientRect().x),
      ArrowUp: () => rows[y - 1] && nearest(rows[y - 1], event.target.getBoundingClientRect().x),
      Home: () => rows[y][0],
      End: () => rows[y].at(-1),
    }[event.key]?.();
    if (!next) return;
    event.preventDefault();
    cells.forEach((cell) => { cell.tabIndex = -1; });
    next.tabIndex = 0;
    next.focus();
  });

  const links = new Map(all(".sections a").map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-15% 0px -80% 0px" });
  all("main > section").forEach((section) => watcher.observe(section));
  if (location.hash) reveal();
})();
