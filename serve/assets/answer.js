// The answer: its name, how sure it is, and a bar for each class.

import { percent, say } from "/words.js";

/** A network with more classes than these shows the likeliest. */
export const MOST_BARS = 10;

/** Below this probability an answer is shown as doubtful. */
const DOUBTFUL = 0.5;

const element = (id) => document.getElementById(id);

/** Makes a bar for each class, or for each place if there are many classes. */
export function makeBars(classes) {
  const bars = element("bars");
  const all = classes.length <= MOST_BARS;
  bars.replaceChildren(...Array.from({ length: Math.min(classes.length, MOST_BARS) }, (_, at) => {
    const row = document.createElement("li");
    for (const kind of ["name", "track", "share"]) {
      const part = document.createElement("span");
      part.className = kind;
      row.append(part);
    }
    const bar = document.createElement("div");
    bar.className = "bar";
    row.children[1].append(bar);
    row.children[1].setAttribute("aria-hidden", "true");
    row.children[0].textContent = all ? classes[at] : "";
    return row;
  }));
  bars.classList.toggle("words", classes.some((name) => name.length > 3));
  bars.dataset.all = String(all);
}

/** Shows what the network says, or that there is nothing to say. */
export function showAnswer(result, roundTrip) {
  const bars = element("bars");
  const best = element("best");
  const blank = result && !result.preprocess.found_ink;
  const predictions = result && !blank ? result.predictions : [];
  const rows = [...bars.children];
  for (const row of rows) fill(row, null, 0, false);
  predictions.slice(0, rows.length).forEach(({ class: index, name, confidence }, place) => {
    const row = bars.dataset.all === "true" ? rows[index] : rows[place];
    fill(row, name, confidence, place === 0);
  });
  const [first] = predictions;
  best.textContent = first ? first.name : "–";
  best.classList.toggle("long", (first?.name.length ?? 0) > 3);
  best.classList.toggle("doubtful", !first || first.confidence < DOUBTFUL);
  element("sure").textContent = first ? say("sure", percent(first.confidence)) : say(blank ? "blank" : "nothing");
  const ms = (value) => value.toFixed(1);
  element("times").textContent = result
    ? say("times", ms(result.ms.decode), ms(result.ms.preprocess), ms(result.ms.forward), Math.round(roundTrip))
    : "";
}

function fill(row, name, share, isFirst) {
  if (name !== null) row.children[0].textContent = name;
  row.children[0].title = row.children[0].textContent;
  row.children[1].firstChild.style.transform = `scaleX(${share})`;
  row.children[2].textContent = name === null ? "" : percent(share);
  row.classList.toggle("first", isFirst);
}

/** The answer as a sentence. */
export function spokenAnswer(result) {
  if (!result.preprocess.found_ink) return say("spokenBlank");
  const [{ name, confidence }] = result.predictions;
  return say("spoken", name, percent(confidence));
}

let timer = 0;

/** Says something to those who listen, once nothing newer comes for a moment. */
export function speak(text, wait = 700) {
  clearTimeout(timer);
  timer = setTimeout(() => { element("spoken").textContent = text; }, wait);
}

/** Shows a problem, or none. */
export function showProblem(text) {
  const place = element("problem");
  if (place.textContent !== (text ?? "")) place.textContent = text ?? "";
  place.hidden = !text;
}
