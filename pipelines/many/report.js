const body = document.querySelector("tbody");
const lines = [...body.rows];
for (const head of document.querySelectorAll("th button")) {
  head.addEventListener("click", () => {
    const cell = head.parentElement, name = head.textContent, number = head.dataset.kind === "number";
    const up = cell.getAttribute("aria-sort") !== "ascending";
    for (const other of document.querySelectorAll("th")) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (line) => line.querySelector(`[data-name="${name}"]`).dataset.value;
    const compare = number ? (a, b) => value(a) - value(b) : (a, b) => value(a).localeCompare(value(b));
    lines.sort((a, b) => (up ? compare(a, b) : compare(b, a)));
    body.append(...lines);
  });
}
document.querySelector("input[type=search]").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const line of lines)
    line.hidden = !line.textContent.toLowerCase().includes(wanted);
});
