/** One call of Vercel's API, as JSON text `{"status", "body"}`. Redirects are not followed: the token stays with its host. */
export async function call(method, url, token, body, deadline_ms) {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'user-agent': 'weir' },
    body: body === '' ? undefined : body,
    redirect: 'manual',
    signal: AbortSignal.timeout(deadline_ms),
  });
  return JSON.stringify({ status: response.status, body: await response.text() });
}
