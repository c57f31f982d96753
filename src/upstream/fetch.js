const JSON_TYPE = /[/+]json\s*(;|$)/i;

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
 */
export async function post(url, headers, body, stream, signal) {
  const { response } = await open(url, headers, body, signal);
  const isStream = stream && !JSON_TYPE.test(response.headers.get('content-type'));
  if (isStream || response.status !== 200) return new Reply(response);
  return new Reply(response, new Uint8Array(await response.arrayBuffer()));
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
