// The page: where a browser asks for `/` or `/me`, it gets the static file, with the headers that keep it safe. Programs that
// ask for `/` get what they always got. The page's other files never come here: Cloudflare serves them by itself, uncounted.
const paths = ['/', '/me'];

const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  vary: 'accept',
};

/** Whether a request is a browser's for the page. */
export function asksForPage(request, env) {
  if (!env.ASSETS || !['GET', 'HEAD'].includes(request.method)) return false;
  return paths.includes(new URL(request.url).pathname) && /\btext\/html\b/.test(request.headers.get('accept') ?? '');
}

/** The page. */
export async function page(request, env) {
  const file = await env.ASSETS.fetch(new Request(new URL('/page/index.html', request.url), { method: request.method }));
  const answer = new Response(file.body, file);
  for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
  return answer;
}
