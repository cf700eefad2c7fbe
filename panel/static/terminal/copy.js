// Copying lines of a log, without their numbers.

import { plainText } from "./text.js";
import { showToast } from "../toasts.js";

const MOST = 10_000;
const PAGE = 1000;

/** Copy what is selected in a view, else the marked lines, else what is seen. */
export async function copyFrom(view) {
  const selected = view.screen.selection;
  const [from, to] = view.marked ?? [view.shown?.[0]?.number ?? 0, view.shown?.at(-1)?.number ?? 0];
  const end = Math.min(to, from + MOST - 1);
  try {
    await navigator.clipboard.writeText(selected || (await readText(view.source, from, end)));
    showToast(selected ? "Copied the selection." : `Copied ${describeLines(from, end)}.`);
  } catch {
    showToast("The browser doesn't allow copying here: select the text and press Ctrl+C.", "bad");
  }
}

async function readText(source, from, to) {
  const lines = [];
  for (let after = from - 1; after < to; ) {
    const page = await source.fetchPage({ after, before: to + 1, limit: PAGE });
    if (!page.lines.length) break;
    lines.push(...page.lines.map((line) => `${plainText(line[3])}\n`));
    after = page.lines.at(-1)[0];
  }
  return lines.join("");
}

function describeLines(from, to) {
  if (from === to) return `line ${from.toLocaleString("en")}`;
  return `lines ${from.toLocaleString("en")} to ${to.toLocaleString("en")}`;
}
