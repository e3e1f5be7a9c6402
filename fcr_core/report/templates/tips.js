// Shows what a number comes from while the pointer or the focus is on it.
const tips = JSON.parse(document.getElementById("tips").textContent), tip = document.getElementById("tip");

function explain(element) {
  const cell = element.closest("[data-tip]");
  if (!cell) return hide();
  tip.textContent = tips[cell.dataset.tip];
  tip.hidden = false;
  cell.setAttribute("aria-describedby", "tip");
  const place = cell.getBoundingClientRect(), below = place.bottom + tip.offsetHeight + 8 < innerHeight;
  tip.style.top = `${Math.max(8, below ? place.bottom + 4 : place.top - tip.offsetHeight - 4)}px`;
  tip.style.left = `${Math.max(8, Math.min(place.left, innerWidth - tip.offsetWidth - 8))}px`;
}

function hide() {
  tip.hidden = true;
  document.querySelectorAll('[aria-describedby="tip"]').forEach(cell => cell.removeAttribute("aria-describedby"));
}

document.addEventListener("pointerover", event => explain(event.target));
document.addEventListener("focusin", event => explain(event.target));
document.addEventListener("keydown", event => event.key === "Escape" && hide());
// Moving the focus scrolls: the explanation goes with the cell.
document.addEventListener("scroll", () => explain(document.activeElement), true);
