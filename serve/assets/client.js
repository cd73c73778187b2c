// Asks the server.

/** Why there is no answer: `code` is the server's, or `offline`. */
export class Problem extends Error {
  constructor(code, message, retryAfter = 0) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("offline", String(error));
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  const { code = "internal", message = response.statusText } = body?.error ?? {};
  throw new Problem(code, message, Number(response.headers.get("Retry-After")) || 0);
}

/** What is served. */
export function models() {
  return ask("/v1/model");
}

/** What the network says about a picture. */
export function predict(picture, { model, topk }, signal) {
  const query = new URLSearchParams({ model, topk });
  return ask(`/v1/predict?${query}`, { method: "POST", body: picture, signal });
}

/** What goes on inside the network, in one of its layers or in all. */
export function explain(picture, { model, layer }, signal) {
  const query = new URLSearchParams({ model });
  if (layer) query.set("layer", layer);
  return ask(`/v1/explain?${query}`, { method: "POST", body: picture, signal });
}

/**
 * Work on the newest of many things: while one is worked on only the newest of those that come is kept, so that answers follow the
 * hand and never pile up.
 */
export class Newest {
  #work;
  #pause;
  #waiting = null;
  #running = null;

  constructor(work, pause = 0) {
    this.#work = work;
    this.#pause = pause;
  }

  /** Works on this next. */
  push(thing) {
    this.#waiting = { thing };
    if (!this.#running) this.#run();
  }

  /** Forgets what waits, and gives up what runs. */
  stop() {
    this.#waiting = null;
    this.#running?.abort();
  }

  async #run() {
    while (this.#waiting) {
      const { thing } = this.#waiting;
      this.#waiting = null;
      this.#running = new AbortController();
      try {
        await this.#work(thing, this.#running.signal);
      } catch (error) {
        if (error.name !== "AbortError") console.error(error);
      }
      if (this.#pause) await new Promise((resolve) => setTimeout(resolve, this.#pause));
    }
    this.#running = null;
  }
}
