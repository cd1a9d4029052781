
// Tables of the class "sortable": a click on a head sorts by its column, a second one the other way, and a third
// one restores the order. Numbers begin with the largest, and missing values ("–") are last in either order.
function sortable(table) {
  const NUMBER = /^[<>±+−-]?(?:\d[\d,]*\.?\d*|\.\d+)(?=$|[\s%*†])/;
  const heads = [...table.tHead.rows[0].cells];
  const bodies = [...table.tBodies].map((body) => [body, [...body.rows]]);
  const keeps = (row) => row.matches(".group, .trivial, .fixed"); // its place
  const missing = (text) => text === "" || text === "–";
  const number = (text) => Number(text.match(NUMBER)[0].replace(/[<>±,]/g, "").replace("−", "-"));
  const cell = (row, place) => row.cells[place].textContent.trim();

  const isNumeric = (place) =>
    bodies.every(([, rows]) =>
      rows.every((row) => keeps(row) || missing(cell(row, place)) || NUMBER.test(cell(row, place))),
    );

  const sort = (place, way) => {
    const numeric = isNumeric(place);
    const order = (a, b) => (numeric ? number(a) - number(b) : a.localeCompare(b, "en", { numeric: true }));
    for (const [body, rows] of bodies) {
      const free = rows.filter((row) => !keeps(row));
      if (way) {
        free.sort((one, other) => {
          const [a, b] = [cell(one, place), cell(other, place)];
          return missing(a) || missing(b) ? missing(a) - missing(b) : way * order(a, b);
        });
      }
      const next = free.values();
      body.append(...rows.map((row) => (keeps(row) ? row : next.next().value)));
    }
  };

  heads.forEach((head, place) => {
    if (head.tagName !== "TH" || head.matches(".wide")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    const ways = isNumeric(place) ? ["descending", "ascending"] : ["ascending", "descending"];
    button.addEventListener("click", () => {
      const next = ways[ways.indexOf(head.getAttribute("aria-sort")) + 1];
      for (const other of heads) other.removeAttribute("aria-sort");
      if (next) head.setAttribute("aria-sort", next);
      sort(place, { ascending: 1, descending: -1 }[next] ?? 0);
    });
  });
}
document.querySelectorAll("table.sortable").forEach(sortable);
