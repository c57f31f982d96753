/** What an upstream answered: its head, and its body; whole where it is a 200 and no event stream. */
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

/** Posts `body`. Redirects are not followed: a credential never goes to another host. */
export async function post(url, credential, accept, userAgent, body, signal) {
  const headers = {
    authorization: `Bearer ${credential}`,
    'content-type': 'application/json',
    accept,
    'user-agent': userAgent,
  };
  const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
  const isStream = /^text\/event-stream/i.test(response.headers.get('content-type'));
  if (isStream || response.status !== 200) return new Reply(response);
  return new Reply(response, new Uint8Array(await response.arrayBuffer()));
}
