// Puts the images into the page, each stored once, and wipes between samples and their uncached twins.
const images = JSON.parse(document.getElementById("images").textContent);
for (const picture of document.querySelectorAll("img[data-image]")) picture.src = images[picture.dataset.image];

const wipe = document.getElementById("wipe");
wipe.addEventListener("input", () => {
  document.getElementById("samples").style.setProperty("--wipe", `${wipe.value}%`);
  const told = {0: "the row's own images", 100: "the uncached twins"}[wipe.value] ?? `left ${wipe.value} %: the uncached twins`;
  document.querySelector('output[for="wipe"]').textContent = told;
});
