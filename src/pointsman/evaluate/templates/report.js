// Sorts a table by the column whose heading is pressed: high to low, low to high, then as it was.
// Without it the page is complete; the tables just stay in their own order.
for (const table of document.querySelectorAll("table")) {
  const bodies = [...table.tBodies];
  const whole = bodies.map((body) => [...body.rows]);
  const rows = whole.flat().filter((row) => !row.classList.contains("group"));
  const heads = [...table.tHead.rows[0].cells];
  const restore = () => bodies.forEach((body, at) => body.replaceChildren(...whole[at]));
  const figure = (row, column) => parseFloat(row.cells[column].dataset.value);
  const sortBy = (column, direction) => {
    const ordered = [...rows].sort((one, other) => {
      const [a, b] = [figure(one, column), figure(other, column)];
      if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b);
      return direction * (a - b);
    });
    bodies.forEach((body) => body.replaceChildren());
    bodies[0].replaceChildren(...ordered);
  };
  heads.forEach((head, column) => {
    if (!rows.some((row) => row.cells[column] && row.cells[column].dataset.value)) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const next = { descending: "ascending", ascending: null }[head.getAttribute("aria-sort")];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (next === null) return restore();
      head.setAttribute("aria-sort", next ?? "descending");
      sortBy(column, next === "ascending" ? 1 : -1);
    });
  });
}
