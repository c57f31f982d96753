// Calls to the Worker. The operator's session is kept in this tab alone, and no secret is ever put in a URL.

const sessionName = 'weir.session';

/** An answer that is no success, in the server's own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null = null,
    readonly param: string | null = null,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }

  /** Whether this Worker has no such route. */
  get isMissing(): boolean {
    return this.status === 404 && (this.code === 'unknown_url' || this.code === null);
  }
}

export const session = {
  get: (): string | null => sessionStorage.getItem(sessionName),
  set: (token: string): void => sessionStorage.setItem(sessionName, token),
  end: (): void => sessionStorage.removeItem(sessionName),
  /** Told when the Worker no longer takes the session. */
  onEnd: (): void => undefined,
};

export interface CallOptions {
  body?: unknown;
  /** A text that is sent as it is. */
  raw?: string;
  /** A client key; the operator's session where absent, nothing where null. */
  key?: string | null;
  signal?: AbortSignal;
}

/** The response as it begins; an ApiError for everything but a success. */
export async function open(method: string, path: string, { body, raw, key, signal }: CallOptions = {}): Promise<Response> {
  const credential = key === undefined ? session.get() : key;
  const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      signal,
      cache: 'no-store',
      credentials: 'omit',
      headers: {
        accept: 'application/json',
        ...(payload !== undefined && { 'content-type': raw === undefined ? 'application/json' : 'text/plain' }),
        ...(credential && { authorization: `Bearer ${credential}` }),
      },
      body: payload,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, error instanceof Error ? error.message : String(error), 'unreachable');
  }
  if (response.ok) return response;
  const failure = await failureOf(response);
  if (failure.status === 401 && key === undefined && session.get()) {
    session.end();
    session.onEnd();
  }
  throw failure;
}

/** The answer as JSON. */
export async function call<Answer>(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const response = await open(method, path, options);
  return (await response.json()) as Answer;
}

async function failureOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  const retryAfter = Number(response.headers.get('retry-after')) || null;
  try {
    const { error } = JSON.parse(text) as { error: { message: string; code?: string | null; param?: string | null } };
    return new ApiError(response.status, error.message, error.code ?? null, error.param ?? null, retryAfter);
  } catch {
    return new ApiError(response.status, text.slice(0, 300) || response.statusText, null, null, retryAfter);
  }
}

/** Below a list of the admin API. */
export const pathOf = (list: 'accounts' | 'keys' | 'upstreams', id: string): string => `/admin/${list}/${encodeURIComponent(id)}`;
