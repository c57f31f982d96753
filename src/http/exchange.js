/** What a request says of itself, a line each: method, host, path, query, and the headers that are named. No header holds a line break. */
export function head(request, names) {
  const { hostname, pathname, search } = new URL(request.url);
  const headers = names.split(' ').map((name) => request.headers.get(name) ?? '');
  return [request.method, hostname, pathname, search, ...headers].join('\n');
}

/** A response; `headers` is the JSON of a list of names and values. */
export function respond(status, headers, body) {
  return new Response(body, { status, headers: JSON.parse(headers) });
}
