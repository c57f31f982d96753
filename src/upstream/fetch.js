const JSON_TYPE = /[/+]json\s*(;|$)/i;
/** How much of an answer is read at once whose length nobody knows: all of most. */
const PIECE_BYTES = 64 * 1024;

/** What a service answered: its head, and its body; whole where it is a 200, and JSON or no stream was asked for. */
class Reply {
  constructor(response, whole) {
    this.response = response;
    this.status = response.status;
    this.whole = whole;
  }

  get stream() {
    return this.whole ? undefined : (this.response.body ?? undefined);
  }

  header(name) {
    return this.response.headers.get(name) ?? undefined;
  }
}

/**
 * Posts `body`; `headers` is a JSON object. Redirects are not followed: a credential never goes to another host.
 *
 * A stream that was asked for is one unless it says that it is JSON: some services label it as plain text, or not at all.
 * Throws a RangeError where the body is no stream and has more than `max_bytes`.
 */
export async function post(url, headers, body, stream, max_bytes, signal) {
  const { response } = await open(url, headers, body, signal);
  const said = response.headers;
  const isStream = stream && !JSON_TYPE.test(said.get('content-type'));
  if (isStream || response.status !== 200) return new Reply(response);
  // What comes compressed is longer than it says.
  const length = said.has('content-encoding') ? NaN : Number(said.get('content-length') ?? NaN);
  if (length <= max_bytes || response.body === null) return new Reply(response, new Uint8Array(await response.arrayBuffer()));
  if (length > max_bytes) throw tooLong(response.body);
  return new Reply(response, await whole(response.body, max_bytes));
}

/** All of a body whose length nobody knows. */
async function whole(body, max_bytes) {
  const reader = body.getReader({ mode: 'byob' });
  const pieces = [];
  for (let length = 0; ; ) {
    const { value } = await reader.read(new Uint8Array(PIECE_BYTES), { min: PIECE_BYTES });
    pieces.push(value);
    length += value.length;
    if (length > max_bytes) throw tooLong(reader);
    if (value.length < PIECE_BYTES) return pieces.length === 1 ? value : new Uint8Array(await new Blob(pieces).arrayBuffer());
  }
}

function tooLong(body) {
  body.cancel().catch(() => {});
  return new RangeError('the answer is too long');
}

/** Resolves when `signal` aborts. */
export function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** As `post`, for a service that says nothing reliable of what it answers: the body is a stream, whatever it is. */
export async function open(url, headers, body, signal) {
  return new Reply(await fetch(url, { method: 'POST', headers: JSON.parse(headers), body, redirect: 'manual', signal }));
}
