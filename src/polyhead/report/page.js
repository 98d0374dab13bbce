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

  // one rule for each head and class that is hidden, which holds for the enlarged sample, too
  const hidden = document.head.appendChild(document.createElement("style")).sheet;
  const layers = () => {
    while (hidden.cssRules.length) hidden.deleteRule(0);
    form.querySelectorAll("[data-head], [data-part]").forEach((box) => {
      const [key, value] = box.dataset.head ? ["h", box.dataset.head] : ["p", box.dataset.part];
      if (!box.checked) hidden.insertRule(`.pic [data-${key}="${value}"] { display: none !important; }`);
    });
    form.querySelectorAll("[data-root]").forEach((field) => {
      document.body.dataset[field.dataset.root] = field.value;
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
    } else if (event.target.matches("[data-head], [data-part], [data-root]")) {
      layers();
    } else {
      show();
    }
  });
  form.addEventListener("click", (event) => {
    const { every, to } = event.target.dataset;
    if (every === undefined) return;
    form.querySelectorAll(`[data-part^="${every}."]`).forEach((box) => { box.checked = Boolean(to); });
    layers();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    document.documentElement.style.removeProperty("--card");
    layers();
    show();
  }));
  addEventListener("hashchange", fromAddress);
  form.querySelectorAll("[data-root]").forEach((field) => {
    const given = document.body.dataset[field.dataset.root] ?? "";
    [...field.options].forEach((option) => { option.defaultSelected = option.value === given; });
  });

  // the classes of a chart by count, name or id
  document.querySelectorAll(".sort").forEach((sort) => {
    sort.hidden = false;
    const body = sort.parentElement.querySelector("tbody");
    const name = (row) => row.querySelector("th").textContent;
    const ways = {
      count: (a, b) => b.dataset.count - a.dataset.count,
      name: (a, b) => name(a).localeCompare(name(b)),
      id: (a, b) => a.dataset.id - b.dataset.id,
    };
    sort.addEventListener("click", (event) => {
      const way = ways[event.target.dataset.sort];
      if (way) body.append(...[...body.rows].sort(way));
    });
  });
  form.hidden = false;
  fromAddress();
  layers();
})();
