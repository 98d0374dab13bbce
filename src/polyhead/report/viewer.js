// an enlarged sample: arrows go to the next one, or to its other picture; Esc closes
(() => {
  "use strict";
  const viewer = document.getElementById("viewer");
  const stage = viewer.querySelector(".stage");
  let card, number;

  const pictures = () => [...card.querySelectorAll(".shot")];
  const draw = () => {
    const shots = pictures();
    number = Math.max(0, Math.min(number, shots.length - 1));
    stage.replaceChildren(shots[number].cloneNode(true));
    stage.querySelector(".pic").removeAttribute("tabindex");
    const beside = [...card.children].filter((part) => !part.matches(".pictures"));
    viewer.querySelector(".beside").replaceChildren(...beside.map((part) => {
      const copy = part.cloneNode(true);
      copy.removeAttribute("id");
      return copy;
    }));
  };
  const go = (step) => {
    const shown = [...document.querySelectorAll(".card")].filter((one) => !one.hidden && one.querySelector(".shot"));
    card = shown[(shown.indexOf(card) + step + shown.length) % shown.length];
    draw();
  };
  const open = (picture) => {
    card = picture.closest(".card");
    number = pictures().indexOf(picture.closest(".shot"));
    draw();
    viewer.showModal();
  };

  document.querySelectorAll(".card .pic").forEach((picture) => {
    picture.tabIndex = 0;
    picture.setAttribute("role", "button");
    picture.setAttribute("aria-label", `Enlarge ${picture.closest(".card").querySelector("h3").textContent}`);
    picture.addEventListener("click", () => open(picture));
    picture.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        open(picture);
      }
    });
  });
  viewer.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const other = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step) go(step);
    if (other && pictures().length > 1) {
      number = (number + other + pictures().length) % pictures().length;
      draw();
    }
    if (step || other) event.preventDefault();
  });
  viewer.addEventListener("click", (event) => {
    const step = event.target.dataset.go;
    if (step === "0" || event.target === viewer) viewer.close();
    else if (step) go(Number(step));
  });
  viewer.addEventListener("close", () => {
    const picture = card.hidden ? null : pictures()[number].querySelector(".pic");
    if (picture) picture.focus();
  });
})();
