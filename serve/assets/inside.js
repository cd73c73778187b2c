// Inside the network: what it saw, the feature maps of a layer, and where it looked.

import { say } from "/words.js";

/** Colours of a kiln as it heats up, from cold to hottest. */
const HEAT = [[18, 13, 10], [92, 30, 16], [190, 74, 26], [244, 170, 82], [255, 247, 224]];

const element = (id) => document.getElementById(id);

/** The colour of a number of 0 to 255. */
function heat(value) {
  const at = (value / 255) * (HEAT.length - 1);
  const low = Math.min(Math.floor(at), HEAT.length - 2);
  return HEAT[low].map((part, channel) => part + (HEAT[low + 1][channel] - part) * (at - low));
}

const RAMP = Array.from({ length: 256 }, (_, value) => heat(value));

/** Most numbers of feature maps are small: these colours show them too. */
const SHEET_RAMP = Array.from({ length: 256 }, (_, value) => heat(255 * (value / 255) ** 0.6));

/** The pixels of a PNG that came as base64. */
async function pixels(png) {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), { colorSpaceConversion: "none" });
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

function paint(canvas, image) {
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** The explanation of a picture on the page. `chosen` is the layer that is shown. */
export class Inside {
  constructor(choose) {
    this.choose = choose;
    this.chosen = null;
    this.layers = [];
    this.explanation = null;
    element("layers").addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows nothing. */
  clear() {
    this.explanation = null;
    element("inside").hidden = true;
    const saw = element("saw");
    saw.getContext("2d").clearRect(0, 0, saw.width, saw.height);
  }

  /** Shows an explanation; `isCurrent` says whether the picture is still the same. */
  async show(explanation, isCurrent) {
    const saw = await pixels(explanation.saw.png);
    const layers = await Promise.all(explanation.layers.map(async (layer) => ({
      ...layer,
      sheet: layer.maps && await pixels(layer.maps.png),
      heat: layer.cam && await pixels(layer.cam.png),
    })));
    if (!isCurrent()) return;
    this.explanation = explanation;
    this.saw = saw;
    this.layers = layers;
    if (!layers.some(({ name }) => name === this.chosen)) {
      this.chosen = (layers.find(({ sheet }) => sheet) ?? layers[0])?.name ?? null;
    }
    paint(element("saw"), saw);
    element("inside").hidden = layers.length === 0;
    this.#tabs();
    this.draw();
  }

  /** Draws the chosen layer; its words are in the page's language. */
  draw() {
    const layer = this.layers.find(({ name }) => name === this.chosen);
    if (!this.explanation || !layer) return;
    const [count, height, width] = layer.shape;
    const answer = this.explanation.class.name;
    if (layer.sheet) {
      drawMaps(element("maps"), layer.sheet, layer.maps);
      element("maps").setAttribute("aria-label", say("mapsLabel", count, layer.name, height, width));
      element("maps-text").textContent = say("mapsText", layer.maps.shown, count, height, width);
    }
    if (layer.heat) {
      paint(element("cam"), over(this.saw, layer.heat, 4));
      element("cam").setAttribute("aria-label", say("camLabel", layer.name, answer));
      element("cam-text").textContent = layer.cam.empty ? say("camNone") : say("camText", layer.name, answer);
    }
  }

  #tabs() {
    const list = element("layers");
    const names = this.layers.map(({ name }) => name).join("\n");
    if (list.dataset.names !== names) {
      list.dataset.names = names;
      list.replaceChildren(...this.layers.map((layer, at) => this.#tab(layer, at)));
    }
    [...list.children].forEach((tab, at) => {
      const isChosen = this.layers[at].name === this.chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      const { heat: warm } = this.layers[at];
      tab.firstChild.hidden = !warm;
      if (warm) paint(tab.firstChild, over(this.saw, warm, 1));
      if (isChosen) element("views").setAttribute("aria-labelledby", tab.id);
    });
  }

  #tab({ name, kind, shape }, at) {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `layer-${at}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", "views");
    const picture = document.createElement("canvas");
    picture.setAttribute("aria-hidden", "true");
    const [title, text] = [document.createElement("span"), document.createElement("span")];
    // Long names break behind their dots.
    name.split(/(?<=[./])/).forEach((part) => title.append(part, document.createElement("wbr")));
    text.textContent = shape.join("×");
    tab.title = `${name}, ${kind}`;
    text.className = "kind";
    tab.append(picture, title, text);
    tab.addEventListener("click", () => this.#select(at));
    return tab;
  }

  #select(at) {
    this.chosen = this.layers[at].name;
    this.#tabs();
    this.draw();
    if (!this.layers[at].sheet) this.choose();
  }

  #key(event) {
    const at = this.layers.findIndex(({ name }) => name === this.chosen);
    const last = this.layers.length - 1;
    const to = { ArrowRight: Math.min(at + 1, last), ArrowLeft: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#select(to);
    element("layers").children[to].focus();
  }
}

/** The sheet's maps, with gaps between, in the kiln's colours. */
function drawMaps(canvas, sheet, { columns, shown, height, width }) {
  const scale = Math.max(1, Math.round(28 / width));
  const gap = 2;
  const across = Math.min(shown, sheet.width * scale > 900 ? columns : Math.max(columns, Math.ceil(Math.sqrt(shown * 2))));
  const down = Math.ceil(shown / across);
  const [tall, wide] = [height * scale + gap, width * scale + gap];
  const image = new ImageData(across * wide + gap, down * tall + gap);
  image.data.fill(0);
  for (let map = 0; map < shown; map += 1) {
    const [top, left] = [Math.floor(map / columns) * height, (map % columns) * width];
    const [toTop, toLeft] = [Math.floor(map / across) * tall + gap, (map % across) * wide + gap];
    for (let y = 0; y < height * scale; y += 1) {
      for (let x = 0; x < width * scale; x += 1) {
        const from = ((top + Math.floor(y / scale)) * sheet.width + left + Math.floor(x / scale)) * 4;
        const to = ((toTop + y) * image.width + toLeft + x) * 4;
        image.data.set(SHEET_RAMP[sheet.data[from]], to);
        image.data[to + 3] = 255;
      }
    }
  }
  paint(canvas, image);
}

/** The picture in grey with the heat over it; the heat is stretched over the picture smoothly. */
function over(saw, warm, scale) {
  const image = new ImageData(saw.width * scale, saw.height * scale);
  const sample = (x, y) => {
    const [fx, fy] = [Math.max(0, Math.min(warm.width - 1, x)), Math.max(0, Math.min(warm.height - 1, y))];
    const [left, top] = [Math.floor(fx), Math.floor(fy)];
    const [right, low] = [Math.min(left + 1, warm.width - 1), Math.min(top + 1, warm.height - 1)];
    const at = (cx, cy) => warm.data[(cy * warm.width + cx) * 4];
    const upper = at(left, top) + (at(right, top) - at(left, top)) * (fx - left);
    const lower = at(left, low) + (at(right, low) - at(left, low)) * (fx - left);
    return upper + (lower - upper) * (fy - top);
  };
  for (let y = 0; y < image.height; y += 1) {
    for (let x = 0; x < image.width; x += 1) {
      const value = sample(((x + 0.5) / image.width) * warm.width - 0.5, ((y + 0.5) / image.height) * warm.height - 0.5);
      const from = (Math.floor(y / scale) * saw.width + Math.floor(x / scale)) * 4;
      const grey = (saw.data[from] + saw.data[from + 1] + saw.data[from + 2]) / 3;
      const to = (y * image.width + x) * 4;
      const share = (value / 255) * 0.75;
      const colour = RAMP[Math.round(value)];
      for (let channel = 0; channel < 3; channel += 1) image.data[to + channel] = grey * 0.8 * (1 - share) + colour[channel] * share;
      image.data[to + 3] = 255;
    }
  }
  return image;
}
