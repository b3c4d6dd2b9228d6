"use strict";
// The slider: a range input lies over two pictures, so that mouse, finger and arrow keys all work by themselves.
for (const compare of document.querySelectorAll(".compare")) {
  const slider = compare.querySelector("input");
  const split = () => compare.style.setProperty("--split", slider.value + "%");
  slider.addEventListener("input", split);
  split();

  const kept = new Map([...compare.querySelectorAll("img")].map((image) => [image.id, image.src]));
  for (const select of compare.querySelectorAll("select")) {
    const side = compare.querySelector("." + select.dataset.side);
    const [image, caption] = [side.querySelector("img"), side.querySelector("figcaption")];
    const show = () => {
      image.src = kept.get(select.value);
      caption.textContent = image.alt = select.selectedOptions[0].textContent;
    };
    select.addEventListener("change", show);
    show(); // browsers remember choices over a reload
  }
}

const frames = [...document.querySelectorAll(".compare")];
const views = [...document.querySelectorAll("[data-view]")];
const look = (view) => {
  for (const frame of frames) frame.classList.toggle("away", frame.dataset.frame !== view);
  for (const button of views) button.setAttribute("aria-pressed", String(button.dataset.view === view));
};
for (const button of views) button.addEventListener("click", () => look(button.dataset.view));
if (views.length) look("whole");
