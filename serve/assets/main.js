// The page: what is drawn or dropped goes to the server, what it says comes back.

import { MOST_BARS, makeBars, showAnswer, showProblem, speak, spokenAnswer } from "/answer.js";
import { Newest, explain, models, predict } from "/client.js";
import { Inside } from "/inside.js";
import { Pad } from "/pad.js";
import { say, sayProblem, switchLanguage, writeWords } from "/words.js";

const element = (id) => document.getElementById(id);

/** A network of so many multiplications is explained layer by layer, a smaller one at once. */
const LARGE = 50e6;

const pad = new Pad(element("pad"));
const inside = new Inside(() => look());
const state = { model: null, models: [], photo: null, number: 0, result: null, roundTrip: 0, problem: null };

const readsDigits = () => state.model?.preprocess.resize.mode === "digit";

// Pictures

/** What is on the paper: its number tells it from those before. */
async function picture() {
  const { number, photo } = state;
  return { number, picture: photo ?? await pad.picture() };
}

const isCurrent = (number) => number === state.number;

const predictions = new Newest(async (number, signal) => {
  const sent = await picture();
  if (!isCurrent(number)) return;
  const start = performance.now();
  try {
    const answers = await predict(sent.picture, { model: state.model.name, topk: MOST_BARS }, signal);
    if (!isCurrentEnough(number)) return;
    [state.result] = answers.results;
    state.roundTrip = performance.now() - start;
    state.problem = null;
    show();
    speak(spokenAnswer(state.result));
  } catch (problem) {
    tell(problem, number, () => predictions.push(number));
  }
});

const explanations = new Newest(async (number, signal) => {
  const sent = await picture();
  if (!isCurrent(number)) return;
  const layer = state.model.multiply_adds > LARGE ? inside.chosen ?? lastLayer() : null;
  try {
    const explanation = await explain(sent.picture, { model: state.model.name, layer }, signal);
    await inside.show(explanation, () => isCurrentEnough(number));
  } catch (problem) {
    // A bad picture is told of once, by the answer.
    if (problem.code === "busy") setTimeout(() => isCurrent(number) && explanations.push(number), 1000 * (problem.retryAfter || 1));
    else if (problem.name === "AbortError") throw problem;
  }
}, 60);

/** While a stroke grows, the answer to a moment ago is better than none; after a clearing it would be wrong. */
let cleared = 0;
const isCurrentEnough = (number) => number > cleared;

const lastLayer = () => state.model.layers.filter(({ kind }) => kind.startsWith("conv")).at(-1)?.name ?? null;

function tell(problem, number, again) {
  if (problem.name === "AbortError") throw problem;
  if (!isCurrent(number)) return;
  state.problem = problem;
  state.result = problem.code === "busy" ? state.result : null;
  show();
  if (problem.code === "busy") setTimeout(() => isCurrent(number) && again(), 1000 * (problem.retryAfter || 1));
}

/** Asks about what is on the paper now. */
function look() {
  state.number += 1;
  if (!state.photo && pad.isEmpty) {
    forget();
    return;
  }
  if (!state.model) return;
  predictions.push(state.number);
  explanations.push(state.number);
}

/** The paper is empty: nothing that is on its way counts any more. */
function forget() {
  cleared = state.number;
  predictions.stop();
  explanations.stop();
  Object.assign(state, { result: null, problem: null });
  inside.clear();
  show();
}

function show() {
  showAnswer(state.result, state.roundTrip);
  showProblem(state.problem && sayProblem(state.problem));
  if (state.problem && !state.result) element("sure").textContent = "";
  element("hint").hidden = !!state.photo || !pad.isEmpty;
  element("undo").disabled = !!state.photo || pad.isEmpty;
  element("clear").disabled = !state.photo && pad.isEmpty;
  showRegion();
}

// Photos

function showPhoto(file) {
  pad.strokes.length && pad.clear();
  removePhoto();
  state.photo = file;
  const photo = element("photo");
  photo.src = URL.createObjectURL(file);
  photo.alt = say("photoAlt", file.name ?? "");
  photo.hidden = false;
  photo.onload = showRegion;
  // The server says what is wrong with it; the browser's sign of a broken picture says less.
  photo.onerror = () => { photo.hidden = true; };
  cleared = state.number;
  state.result = null;
  inside.clear();
  look();
  show();
}

function removePhoto() {
  const photo = element("photo");
  if (photo.src) URL.revokeObjectURL(photo.src);
  photo.removeAttribute("src");
  photo.hidden = true;
  state.photo = null;
}

/** Frames the part of a photo that the network was given. */
function showRegion() {
  const frame = element("region");
  const photo = element("photo");
  const region = state.photo && state.result?.preprocess.found_ink && state.result.preprocess.region;
  frame.hidden = !region || photo.hidden || !photo.naturalWidth;
  if (frame.hidden) return;
  const longer = Math.max(photo.naturalWidth, photo.naturalHeight);
  const place = (start, length, side) => [(start + (longer - side) / 2) / longer, length / longer].map((part) => `${100 * part}%`);
  [frame.style.left, frame.style.width] = place(region.left, region.width, photo.naturalWidth);
  [frame.style.top, frame.style.height] = place(region.top, region.height, photo.naturalHeight);
}

const firstFile = (list) => [...list].find((file) => file instanceof File);

function acceptFiles() {
  const sheet = element("sheet");
  let depth = 0;
  const over = (by) => { depth = Math.max(0, depth + by); sheet.classList.toggle("over", depth > 0); };
  document.addEventListener("dragenter", (event) => { event.preventDefault(); over(1); });
  document.addEventListener("dragleave", () => over(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    over(0);
    const file = firstFile(event.dataTransfer.files);
    if (file) showPhoto(file);
  });
  document.addEventListener("paste", (event) => {
    const file = firstFile(event.clipboardData?.files ?? []);
    if (file) { event.preventDefault(); showPhoto(file); }
  });
  const input = element("file");
  element("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const file = firstFile(input.files);
    input.value = "";
    if (file) showPhoto(file);
  });
}

// Models

function useModel(name) {
  state.model = state.models.find((model) => model.name === name) ?? state.models[0];
  inside.chosen = null;
  makeBars(state.model.classes);
  writeModelWords();
  forget();
  look();
}

function writeModelWords() {
  if (!state.model) return;
  element("tagline").textContent = say("tagline", state.model.architecture);
  const hint = readsDigits() ? "hint" : "hintPhotos";
  element("hint").dataset.word = hint;
  element("hint").textContent = say(hint);
}

async function start() {
  try {
    ({ models: state.models } = await models());
  } catch (problem) {
    state.problem = problem;
    show();
    return;
  }
  const choice = element("model");
  choice.replaceChildren(...state.models.map(({ name }) => new Option(name, name)));
  choice.addEventListener("change", () => useModel(choice.value));
  element("model-choice").hidden = state.models.length < 2;
  useModel(choice.value);
}

// Wiring

pad.addEventListener("draw", () => {
  if (state.photo) { removePhoto(); cleared = state.number; state.result = null; }
  look();
  show();
});
pad.addEventListener("tell", ({ detail }) => speak(say(detail), 0));
pad.addEventListener("pen", () => {
  const pen = element("pen");
  pen.hidden = !pad.canvas.matches(":focus-visible") || element("sheet").classList.contains("by-hand");
  pen.style.left = `${100 * pad.pen.x}%`;
  pen.style.top = `${100 * pad.pen.y}%`;
  pen.classList.toggle("down", pad.pen.down);
});
element("clear").addEventListener("click", () => {
  removePhoto();
  pad.clear();
  speak(say("cleared"), 0);
  pad.canvas.focus({ preventScroll: true });
});
element("undo").addEventListener("click", () => pad.undo());
element("width").addEventListener("input", ({ target }) => { pad.width = Number(target.value); });
element("language").addEventListener("click", () => {
  switchLanguage();
  writeModelWords();
  inside.draw();
  show();
});

acceptFiles();
writeWords();
show();
start();
