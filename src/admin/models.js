/** The models that a service lists for a key, as JSON: `{"models": […]}`, or `{"message"}` where it does not. */
export async function list(url, key, deadlineMs) {
  let status, text;
  try {
    // Redirects are not followed: a credential never goes to another host.
    const signal = AbortSignal.timeout(deadlineMs);
    const response = await fetch(url, { headers: { authorization: `Bearer ${key}`, 'user-agent': 'weir' }, redirect: 'manual', signal });
    [status, text] = [response.status, await response.text()];
  } catch {
    return JSON.stringify({ message: 'The service did not answer.' });
  }
  try {
    if (status === 200) return JSON.stringify({ models: JSON.parse(text).data.map(({ id }) => id).filter((id) => typeof id === 'string' && id) });
  } catch {
    // It lists nothing in this form.
  }
  return JSON.stringify({ message: `The service does not list its models: it answered ${status}.` });
}
