// The platform's side of a stream. One call into Wasm per read is the cheapest shape that can meter a stream and
// still notice a caller who leaves.

const READ_BYTES = 64 * 1024;
/** Room before what is read, for what must be written before it: the beginning of its first line, mostly. */
const ROOM_BYTES = 4 * 1024;
/** The platform reads so much to find an HTTP chunk's length, and hands over the chunk's bytes among them by themselves. */
const CHUNK_HEAD_BYTES = 32;
const LINE_BREAK = 10;

/** How long the end of a body is waited for that nobody needs. */
const END_MS = 100;

/** An upstream's body, read up to 64 KiB at a time. The head of a chunk comes with the rest of it, unless it is whole lines. */
export class Source {
  constructor(body) {
    this.reader = body.getReader({ mode: 'byob' });
    this.buffer = new ArrayBuffer(ROOM_BYTES + CHUNK_HEAD_BYTES + READ_BYTES);
    this.held = 0;
  }

  /** The next bytes, good until the next read; undefined at the end. */
  async read() {
    for (;;) {
      const bytes = this.take(await this.next());
      if (bytes !== null) return bytes;
    }
  }

  /** What the platform reads next, for `take`. */
  next() {
    return this.reader.read(new Uint8Array(this.buffer, ROOM_BYTES + this.held));
  }

  /** What there is now; null where it must be read on. */
  take({ done, value }) {
    const length = this.held + (value?.length ?? 0);
    if (value) this.buffer = value.buffer;
    if (done && length === 0) return undefined;
    const bytes = new Uint8Array(this.buffer, ROOM_BYTES, length);
    const isHead = !done && length < CHUNK_HEAD_BYTES && bytes[length - 1] !== LINE_BREAK;
    this.held = isHead ? length : 0;
    return isHead ? null : bytes;
  }

  /** Reads on to the end, if that comes at once: a connection whose answer was read to its end serves the next call too. */
  finish() {
    this.drain(READ_BYTES, END_MS);
  }

  /** Reads on and forgets, so much and for so long at most; what then remains is not wanted. */
  async drain(most_bytes, most_ms) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, most_ms)));
    await Promise.race([this.#skip(most_bytes), late]);
    clearTimeout(timer);
    this.cancel();
  }

  async #skip(most_bytes) {
    try {
      let skipped = 0;
      for (let bytes; skipped <= most_bytes && (bytes = await this.read()); ) skipped += bytes.length;
    } catch {
      // It has broken.
    }
  }

  /** Tells the upstream that no more is wanted. */
  cancel() {
    this.reader.cancel().catch(() => {});
  }
}

/** A caller's body. A write fails once the caller is gone; who takes nothing for `patience_ms` counts as gone. */
export class Sink {
  constructor(departure, patience_ms) {
    this.patience_ms = patience_ms;
    const { readable, writable } = new IdentityTransformStream();
    this.readable = readable;
    this.writer = writable.getWriter();
    // A response that was made for a caller who had just gone is never read and never cancelled: a write would wait for ever.
    departure.whenGone(() => this.writer.abort(new Error('the caller left')).catch(() => {}));
  }

  write(bytes) {
    return this.#inTime(this.writer.write(bytes));
  }

  close() {
    return this.#inTime(this.writer.close());
  }

  async #inTime(taken) {
    const give_up = () => this.writer.abort(new Error('the caller does not read')).catch(() => {});
    const timer = setTimeout(give_up, this.patience_ms);
    try {
      await taken;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Knows when the caller leaves, and does then what was asked for. */
export class Departure {
  constructor(requestSignal) {
    this.gone = false;
    this.actions = [];
    if (requestSignal.aborted) this.leave();
    else requestSignal.addEventListener('abort', () => this.leave(), { once: true });
  }

  leave() {
    if (this.gone) return;
    this.gone = true;
    for (const action of this.actions) action();
  }

  /** Acts when the caller leaves; at once if it is gone. */
  whenGone(action) {
    if (this.gone) action();
    else this.actions.push(action);
  }

  /** Resolves when the caller leaves. */
  wait() {
    return new Promise((resolve) => this.whenGone(resolve));
  }

  /** An AbortController that aborts by itself when the caller leaves. */
  controller() {
    const controller = new AbortController();
    this.whenGone(() => controller.abort());
    return controller;
  }
}

/**
 * Moves `lead` and then `source` into `sink` until one of them ends, and says which: 'ended', 'broken' (the upstream failed), 'left'
 * (the caller is gone), 'stopped' or 'stalled'.
 *
 * `feed(bytes)` answers undefined (write them as they are), null (stop), or what to write instead: new bytes, then a part of these.
 * `watch(idle_ms)`, every `tick_ms`, answers undefined, bytes to write at once, or null: one side has stalled. That is
 * the caller where it has not taken a write for so long: it reads no more, and counts as gone.
 */
export async function pump(source, sink, lead, feed, watch, tick_ms) {
  const { writer } = sink;
  let last = Date.now();
  let writing = false;
  // Why the source was cancelled, if it was.
  let given_up;
  const give_up = (why) => {
    given_up = why;
    source.cancel();
  };
  const timer = setInterval(() => {
    const bytes = watch(Date.now() - last);
    if (bytes === null) {
      give_up(writing ? 'left' : 'stalled');
      if (writing) writer.abort(new Error('the caller does not read')).catch(() => {});
    } else if (bytes && !writing) {
      writer.write(bytes).catch(() => give_up('left'));
    }
  }, tick_ms);
  let [bytes, parts] = [lead, undefined];
  try {
    for (;;) {
      try {
        writing = true;
        if (parts !== undefined) for (const part of joined(...parts)) await writer.write(part);
        else if (bytes.length > 0) await writer.write(bytes);
        writing = false;
      } catch {
        return 'left';
      }
      last = Date.now();
      try {
        do bytes = source.take(await source.next());
        while (bytes === null);
      } catch {
        return given_up ?? 'broken';
      }
      if (given_up) return given_up;
      if (bytes === undefined) return 'ended';
      last = Date.now();
      parts = feed(bytes);
      if (parts === null) return 'stopped';
    }
  } finally {
    clearInterval(timer);
  }
}

/** What there is to write; as one piece where the room before the second is enough: a write costs more than to move a line. */
function joined(lead, rest) {
  const start = rest.byteOffset - lead.length;
  if (start < 0 || rest.length === 0) return [lead, rest].filter((part) => part.length > 0);
  const whole = new Uint8Array(rest.buffer, start, lead.length + rest.length);
  whole.set(lead);
  return [whole];
}
