// Paper to draw on: with a mouse, a pen, a finger, or the keyboard.

/** Side of the picture that is sent, in pixels. */
const SENT = 224;

/** Steps of the keyboard's pen, in parts of the paper. */
const STEP = 0.03;
const SMALL_STEP = 0.01;

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Strokes on a canvas. Positions are of 0 to 1, so the paper may have any size. Tells of what happens by events: `draw` after each
 * change, `pen` when the keyboard's pen is moved.
 */
export class Pad extends EventTarget {
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.strokes = [];
    this.width = 34;
    this.pen = { x: 0.5, y: 0.2, down: false };
    this.drawing = null;
    this.#listen();
    this.#paint();
  }

  get isEmpty() { return this.strokes.length === 0; }

  clear() {
    this.strokes = [];
    this.drawing = null;
    this.pen.down = false;
    this.#changed();
  }

  undo() {
    this.strokes.pop();
    this.pen.down = false;
    this.#changed();
  }

  /** The paper as a PNG: dark on light, whatever the page's colours. */
  async picture() {
    const small = document.createElement("canvas");
    small.width = small.height = SENT;
    const context = small.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(this.canvas, 0, 0, SENT, SENT);
    return new Promise((resolve) => small.toBlob(resolve, "image/png"));
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      event.preventDefault();
      // Who draws by hand needs no sign of where the keyboard's pen is.
      canvas.parentElement.classList.add("by-hand");
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      this.drawing = [this.#point(event)];
      this.strokes.push(this.drawing);
      this.pen.down = false;
      this.#changed();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.drawing || !event.isPrimary) return;
      const between = event.getCoalescedEvents?.() ?? [];
      for (const point of between.length ? between : [event]) this.drawing.push(this.#point(point));
      this.#changed();
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, () => { this.drawing = null; });
    }
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => {
      this.pen.down = false;
      canvas.parentElement.classList.remove("by-hand");
      this.#moved();
    });
    canvas.addEventListener("focus", () => this.#moved());
  }

  /** A position on the paper, with how wide the stroke is there. Only pens know pressure. */
  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const pressure = event.pointerType === "pen" && event.pressure > 0 ? 0.5 + event.pressure : 1;
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, width: this.width * pressure };
  }

  #key(event) {
    this.canvas.parentElement.classList.remove("by-hand");
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key.toLowerCase() === "z" && !event.altKey) { event.preventDefault(); this.undo(); this.#tell("undone"); }
      return;
    }
    const arrow = ARROWS[event.key];
    if (arrow) {
      const step = event.shiftKey ? SMALL_STEP : STEP;
      const inside = (value) => Math.min(0.97, Math.max(0.03, value));
      this.pen.x = inside(this.pen.x + arrow[0] * step);
      this.pen.y = inside(this.pen.y + arrow[1] * step);
      if (this.pen.down) {
        this.strokes.at(-1).push({ x: this.pen.x, y: this.pen.y, width: this.width });
        this.#changed();
      }
      this.#moved();
    } else if (event.key === " " || event.key === "Enter") {
      this.pen.down = !this.pen.down;
      if (this.pen.down) {
        this.strokes.push([{ x: this.pen.x, y: this.pen.y, width: this.width }]);
        this.#changed();
      }
      this.#moved();
      this.#tell(this.pen.down ? "penDown" : "penUp");
    } else if (event.key === "Escape") {
      if (this.pen.down) { this.pen.down = false; this.#moved(); this.#tell("penUp"); }
    } else if (event.key === "Backspace") {
      this.undo();
      this.#tell("undone");
    } else if (event.key === "Delete") {
      this.clear();
      this.#tell("cleared");
    } else {
      return;
    }
    event.preventDefault();
  }

  #tell(word) { this.dispatchEvent(new CustomEvent("tell", { detail: word })); }
  #moved() { this.dispatchEvent(new Event("pen")); }

  #changed() {
    this.#paint();
    this.dispatchEvent(new Event("draw"));
  }

  #paint() {
    const { width: side } = this.canvas;
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    context.strokeStyle = context.fillStyle = "#111";
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) paintStroke(context, stroke, side);
  }
}

/** A stroke through the middles between its points, which rounds its corners. */
function paintStroke(context, stroke, side) {
  const scaled = stroke.map(({ x, y, width }) => ({ x: x * side, y: y * side, width: (width * side) / 560 }));
  let from = scaled[0];
  context.beginPath();
  context.arc(from.x, from.y, from.width / 2, 0, 7);
  context.fill();
  for (let at = 1; at < scaled.length; at += 1) {
    const [before, here] = [scaled[at - 1], scaled[at]];
    const isLast = at === scaled.length - 1;
    const to = isLast ? here : { x: (before.x + here.x) / 2, y: (before.y + here.y) / 2 };
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.quadraticCurveTo(before.x, before.y, to.x, to.y);
    context.lineWidth = (before.width + here.width) / 2;
    context.stroke();
    from = to;
  }
}
