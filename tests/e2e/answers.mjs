// Random answers of a model, each the same for the same seed, with what a service may put into them and how it cuts them.
import { createHash } from 'node:crypto';

/** Random choices that a seed decides. */
export class Dice {
  #state;

  constructor(seed) {
    this.#state = createHash('sha256').update(String(seed)).digest().readUInt32LE();
  }

  /** 0 to 1, without 1 (mulberry32). */
  roll() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number of `least` to `most`. */
  between(least, most) {
    return least + Math.floor(this.roll() * (most - least + 1));
  }

  chance(part) {
    return this.roll() < part;
  }

  pick(list) {
    return list[this.between(0, list.length - 1)];
  }

  list(least, most, make) {
    return Array.from({ length: this.between(least, most) }, (_, at) => make(at));
  }
}

/** What breaks those who cut, escape or frame text carelessly. No code fence, in which a call would be an example. */
const MORSELS = [
  'a', 'word', ' two words', ' ', '  ', '\n', '\n\n', '\t', '\r\n', '\r', '"', '""', '\\', '\\n', '\\"', '\\u0041', "'", '{', '}', '{"a":1}', '[', ']', '[]', ',', ':',
  'é', 'ß', '你好', 'ﷺ', '👍🏽', '👩‍👩‍👧‍👦', '𝒳', '𠮷', 'e\u0301', '\u2028', '\u2029', '\u0085', '\u00a0', '\ufeff', '\ufffd', '\u0000', '\u0001', '\u001b[0m', '\u007f', '\u{10ffff}',
  'data: {"choices":[]}\n\n', 'data: [DONE]\n\n', '\n\ndata: {"error":{"message":"no"}}\n\n', 'event: message_stop\n', ': keep-alive\n\n', 'id: 7\nretry: 1\n', 'event: error\ndata: {"type":"error"}\n\n',
  '"finish_reason":"stop"', '"usage":null', '"error":{}', 'null', 'undefined', '-0', '1e999',
  '<', '>', '</', '<b>', '</b>', '&lt;', '&amp;', '<tool', '<tool_', '<｜User｜>', '<|im_end|>', ']]>', '<!--', '[citation:1]', '[citation:', '[reference:0]', '$&', '$1', '%s', '%20',
];

/** Text of some morsels. */
const textOf = (dice, most) => dice.list(1, most, () => dice.pick(MORSELS)).join('');

/** A text in pieces, none of which ends within a character; some are empty. */
export function cut(dice, text) {
  const letters = [...text];
  const longest = dice.pick([1, 3, 12, 12, 400, 400]);
  const pieces = [];
  while (letters.length > 0) pieces.push(dice.chance(0.1) ? '' : letters.splice(0, dice.between(1, longest)).join(''));
  return pieces;
}

const valueOf = (dice, depth) => dice.pick(depth > 0 ? [...leaves, list, object] : leaves)(dice, depth);
const number = (dice) => dice.pick([0, -1, 42, 0.1, -2.5e-7, 1e21, 2 ** 53 - 1, dice.between(-1e6, 1e6)]);
const leaves = [
  (dice) => textOf(dice, 6),
  (dice) => dice.pick(['', ' ', '5', 'true', 'null', '1.10', '{}', '[1]', ' padded ', '\n']),
  number,
  (dice) => dice.chance(0.5),
  () => null,
];
const list = (dice, depth) => dice.list(0, 3, () => valueOf(dice, depth - 1));
const object = (dice, depth) => Object.fromEntries(dice.list(0, 3, (at) => [`${textOf(dice, 2)}${at}`, valueOf(dice, depth - 1)]));

/** Arguments, whose names are such as tools have. */
const argumentsOf = (dice) => Object.fromEntries(dice.list(0, 4, (at) => [`${dice.pick(['path', 'file_path', 'x', 'Limit', 'a-b'])}_${at}`, valueOf(dice, 3)]));

/** The JSON of a value as services write it: tight, indented, or in ASCII alone. */
function jsonOf(dice, value) {
  const json = JSON.stringify(value, null, dice.pick([0, 0, 0, 1, '\t']));
  if (dice.chance(0.7)) return json;
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt().toString(16).padStart(4, '0')}`);
}

export const TOOLS = ['get_weather', 'Read', 'mcp__files__write-file'];

/**
 * An answer: `thoughts`, `text` and the `json` of each of the `calls` as pieces, `input` of the calls as values, and why
 * it `finish`es. Where `silent`, it may not say or call anything; where `bare`, a call without arguments may have no JSON at all.
 */
export function answerOf(dice, { silent, bare }) {
  const thoughts = dice.chance(0.5) ? textOf(dice, 20) : '';
  const calls = dice.list(0, dice.chance(0.5) ? 4 : 0, () => {
    const input = argumentsOf(dice);
    const json = bare && Object.keys(input).length === 0 && dice.chance(0.5) ? '' : jsonOf(dice, input);
    return { name: dice.pick(TOOLS), input, json: cut(dice, json) };
  });
  const says = calls.length === 0 && !silent ? true : dice.chance(calls.length > 0 ? 0.5 : 0.95);
  const text = says ? (silent ? '' : 'So: ') + textOf(dice, dice.pick([1, 8, 40])) : '';
  const finish = dice.pick(calls.length > 0 ? ['tool_calls', 'tool_calls', 'tool_calls', 'stop', 'length', 'content_filter'] : ['stop', 'stop', 'length', 'content_filter']);
  return { thoughts: cut(dice, thoughts), text: cut(dice, text), calls, finish };
}

/** A fetch whose answers arrive cut at random bytes, one by one at times. */
export function cuttingFetch(dice) {
  return async (url, init) => {
    const response = await fetch(url, init);
    const bytes = new Uint8Array(await response.arrayBuffer());
    // A long answer comes in not many more pieces than a short one, which comes byte by byte at times.
    const longest = dice.pick([1, 7, 60, 1_000, 20_000]) * Math.ceil(bytes.length / 8_000);
    let at = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (at === bytes.length) return controller.close();
        const until = Math.min(bytes.length, at + dice.between(1, longest));
        controller.enqueue(bytes.subarray(at, until));
        at = until;
      },
    });
    return new Response(body, { status: response.status, headers: response.headers });
  };
}
