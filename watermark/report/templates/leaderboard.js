"use strict";
(() => {
  // Filters hide rows; a family leaves its own column beside the balanced mean, and sorts by it.
  const board = document.getElementById("board");
  const chosen = [...document.querySelectorAll("[data-filter]")];
  const least = document.querySelector("[data-least]");
  const family = document.querySelector("[data-family]");
  const apply = () => {
    let shown = 0;
    for (const row of board.tBodies[0].rows) {
      const fits = chosen.every((one) => !one.value || row.dataset[one.dataset.filter] === one.value)
        && (!least.value || parseFloat(row.dataset.psnr) >= parseFloat(least.value));
      row.hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").textContent = `${shown} of ${board.tBodies[0].rows.length} rows`;
  };
  const pick = () => {
    for (const cell of board.querySelectorAll("[data-of]")) cell.hidden = family.value !== "" && cell.dataset.of !== family.value;
    const head = family.value && board.querySelector(`th[data-of="${family.value}"]`);
    if (!head) return;
    head.setAttribute("aria-sort", "ascending");
    head.querySelector("button").click();
  };
  for (const one of [...chosen, least]) one.addEventListener("input", apply);
  family.addEventListener("input", pick);
  document.querySelector("form.filters").addEventListener("submit", (e) => e.preventDefault());
  apply();
})();
