// Sorts a table by a heading, and makes its cells one stop of the Tab key, from which arrow keys go on.
const byOrder = (a, b) => (isNaN(a) || isNaN(b) ? String(a).localeCompare(b) : a - b);

function sortBy(header) {
  const descending = header.getAttribute("aria-sort") === "ascending", body = header.closest("table").tBodies[0];
  for (const other of header.parentElement.cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const order = row => row.cells[header.cellIndex].dataset.order ?? "", missing = row => ["", "nan"].includes(order(row));
  const rows = [...body.rows].sort((a, b) => missing(a) - missing(b) || (descending ? -1 : 1) * byOrder(order(a), order(b)));
  body.append(...rows);
}

const STEPS = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};

function move(event) {
  const cell = event.target.closest("td[data-tip]"), step = STEPS[event.key];
  if (!cell || !step) return;
  event.preventDefault();
  const rows = [...event.currentTarget.rows], row = rows[rows.indexOf(cell.parentElement) + step[0]];
  const next = row?.cells[cell.cellIndex + step[1]];
  if (!next?.matches("[data-tip]")) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => sortBy(button.closest("th")));
for (const table of document.querySelectorAll("table[data-roving]")) {
  table.querySelectorAll("td[data-tip]").forEach((cell, index) => { cell.tabIndex = index ? -1 : 0; });
  table.addEventListener("keydown", move);
}
