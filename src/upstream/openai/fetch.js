/** What an upstream answered: its head, and its body; whole where it is a 200 and not the stream that was asked for. */
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

const EVENTS = 'text/event-stream';

/** Posts `body`. Redirects are not followed: a credential never goes to another host. */
export async function post(url, credential, stream, userAgent, body, signal) {
  const headers = {
    authorization: `Bearer ${credential}`,
    'content-type': 'application/json',
    accept: stream ? EVENTS : 'application/json',
    'user-agent': userAgent,
  };
  const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
  const isStream = stream && response.headers.get('content-type')?.toLowerCase().startsWith(EVENTS);
  if (isStream || response.status !== 200) return new Reply(response);
  return new Reply(response, new Uint8Array(await response.arrayBuffer()));
}
