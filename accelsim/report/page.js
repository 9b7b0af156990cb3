"use strict";

const collator = new Intl.Collator("en", { numeric: true });
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

/* Order of two cells; those without a number come last, whichever way the others are sorted. */
function compare(one, other, numeric, sign) {
  if (!numeric) return sign * collator.compare(one.textContent, other.textContent);
  const [a, b] = [one, other].map((cell) => cell.dataset.key);
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  return sign * (Number(a) - Number(b));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort")];
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", order);
      const rows = [...original];
      if (order !== "none") {
        const sign = order === "ascending" ? 1 : -1;
        const numeric = head.classList.contains("number");
        rows.sort((a, b) => compare(a.cells[column], b.cells[column], numeric, sign));
      }
      body.append(...rows);
    });
  });
}

/* Whoever prints sees what is folded, too. */
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const one of closed) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of closed) one.open = false;
});

/* A link into a folded section opens it. */
function unfold() {
  const target = document.getElementById(location.hash.slice(1));
  for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  if (target) target.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", unfold);
if (location.hash) unfold();
