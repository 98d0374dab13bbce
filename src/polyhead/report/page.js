(() => {
  "use strict";
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const form = document.getElementById("tools");
  const cards = [...document.querySelectorAll(".card")];
  const fields = [...form.querySelectorAll("[name]")];

  // does head number `place` of a sample fit the value of its field?
  const fits = (head, field, value) => {
    if (field.endsWith("min")) return head.state === "labeled" && head.number >= Number(value);
    if (field.endsWith("max")) return head.state === "labeled" && head.number <= Number(value);
    if (value.startsWith("s:")) return head.state === value.slice(2);
    return head.classes.includes(Number(value.slice(2)));
  };

  const show = () => {
    const wanted = fields.filter((field) => field.value !== "").map((field) => [field.name, field.value]);
    let count = 0;
    cards.forEach((card, i) => {
      const shown = wanted.every(([name, value]) =>
        name === "row"
          ? value.split(/[\s,;]+/).filter(Boolean).includes(String(facts[i].row))
          : fits(facts[i].heads[parseInt(name.slice(1), 10)], name, value));
      card.hidden = !shown;
      count += shown;
    });
    document.getElementById("count").textContent = `${count} of ${cards.length} samples`;
    document.getElementById("none").hidden = count > 0;
    const address = new URLSearchParams(wanted).toString();
    try {
      history.replaceState(null, "", address ? `#${address}` : "#");
    } catch {
      // a page inside a notebook has no address of its own
    }
  };

  const layers = () => {
    form.querySelectorAll("[data-toggle]").forEach((box) => {
      document.querySelectorAll(`[data-layer="${box.dataset.toggle}"]`).forEach((mark) => {
        mark.hidden = !box.checked;
      });
    });
  };

  const fromAddress = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    fields.forEach((field) => {
      field.value = given.get(field.name) ?? "";
    });
    show();
  };

  form.addEventListener("input", (event) => {
    if (event.target.id === "size") {
      document.documentElement.style.setProperty("--card", `${event.target.value}px`);
    } else if (event.target.dataset.toggle) {
      layers();
    } else {
      show();
    }
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    document.documentElement.style.removeProperty("--card");
    layers();
    show();
  }));
  addEventListener("hashchange", fromAddress);
  form.hidden = false;
  fromAddress();
  layers();
})();
