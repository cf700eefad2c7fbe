// What stands beside and behind the rows of the screen: the numbers of lines, their streams, and which are marked.

export class Rows {
  constructor(gutter, mark) {
    this.gutter = gutter;
    this.mark = mark;
  }

  /**
   * @param {Array<{number: number, isBegin: boolean, stream: string, time: string}>} rows those of the screen
   * @param {[number, number] | null} marked the first and last of the marked lines
   */
  show(rows, marked) {
    const isMarked = (row) => Boolean(row && marked && row.number >= marked[0] && row.number <= marked[1]);
    while (this.gutter.childElementCount < rows.length) this.gutter.append(document.createElement("div"));
    for (const [index, element] of [...this.gutter.children].entries()) showRow(element, rows[index], isMarked(rows[index]));
    this.showMark(rows.flatMap((row, index) => (isMarked(row) ? [index] : [])));
  }

  showMark(indexes) {
    this.mark.hidden = !indexes.length;
    this.mark.style.top = `calc(var(--log-row) * ${indexes[0] ?? 0})`;
    this.mark.style.height = `calc(var(--log-row) * ${indexes.length})`;
  }
}

function showRow(element, row, isMarked) {
  element.textContent = row?.isBegin ? row.number : "";
  element.title = row?.time ?? "";
  element.className = row?.stream ?? "";
  element.classList.toggle("marked", isMarked);
  element.dataset.number = row?.number ?? "";
}
