// What the server says, in the reader's language. What has a code is said in the page's words; an upstream's own words, and
// those of what has no code, stay as they are.
import { prefs, t } from './prefs';

/** Past its first colon, a reason is the upstream's. */
const detailOf = (text: string): string => /: (.*)$/su.exec(text)?.[1] ?? '';

/** Why an account cannot serve. */
export function reason(code: string | null, text: string | null): string {
  const said = reasonName(code ?? '');
  const detail = detailOf(text ?? '');
  if (!said) return text ?? '';
  return detail ? t('{what}: {detail}', { what: said, detail }) : said;
}

function reasonName(code: string): string | undefined {
  if (code.startsWith('limit_')) return limitName(code.slice('limit_'.length));
  const names: Record<string, string> = {
    off: t('switched off'),
    cooling: t('cooling'),
    parked: t('parked'),
    needs_login: t('needs a login'),
    disabled: t('disabled'),
    trial: t('on trial'),
    busy: t('at its concurrency'),
    tried: t('was tried'),
  };
  return names[code];
}

function limitName(limit: string): string {
  if (limit === '0') return t('a limit of 0 lets nothing through');
  const names: Record<string, string> = {
    concurrency: t('at once'),
    rpm: t('per minute'),
    rpd: t('per day'),
    tpm: t('tokens per minute'),
    min_gap_ms: t('the pause between calls'),
    max_uses: t('uses in all'),
  };
  return t('at its limit: {limit}', { limit: names[limit] ?? limit });
}

/** What a version of the configuration changed: a verb, and what it was done to. */
export function change(text: string): string {
  const [, verb, rest] = /^(merge|replace|add(?: \d+)? to|change|delete|import|restore|nothing was stored yet)\b ?(.*)$/su.exec(text) ?? [];
  if (verb === undefined || prefs.get().language === 'en') return text;
  const names: Record<string, string> = {
    merge: t('change'),
    replace: t('replace all'),
    change: t('change'),
    delete: t('delete'),
    import: t('import'),
    restore: t('restore'),
    'nothing was stored yet': t('nothing was stored yet'),
  };
  return [names[verb] ?? t('add to'), rest].filter(Boolean).join(' ');
}

/** How a try ended. */
export function outcome(code: string): string {
  const names: Record<string, string> = {
    success: t('success'),
    caller_error: t('the caller’s error'),
    cancelled: t('cancelled'),
    unused: t('unused'),
    rate_limited: t('rate limited'),
    failure: t('failure'),
    invalid_credential: t('credential refused'),
    needs_login: t('needs a login'),
    parked: t('parked'),
  };
  return names[code] ?? code;
}

/** An error. Its own words say more than its code: in English they are enough. */
export function trouble({ code, param, message }: { code?: string | null; param?: string | null; message: string }): string {
  if (prefs.get().language === 'en') return message;
  const names: Record<string, string> = {
    request_too_large: t('The request is too large'),
    invalid_api_key: t('The credential is not valid'),
    model_not_allowed: t('The key may not use this model'),
    model_not_found: t('There is no such model'),
    unknown_url: t('There is no such address'),
    not_found: t('There is no such thing'),
    method_not_allowed: t('Not by this method'),
    conflict: t('Another thing stands in the way'),
    queue_full: t('Every account is busy'),
    daily_limit: t('Every account has used up its day'),
    rate_limited: t('Too fast: please wait'),
    key_limit: t('The key is at its own limit'),
    upstream_error: t('The upstream failed'),
    no_account: t('No account can serve'),
    not_configured: t('Something is not set up'),
    upstream_timeout: t('The upstream was silent too long'),
    internal_error: t('Something went wrong inside the gateway'),
  };
  const said = names[code ?? ''] ?? (param ? t('{field} is not right', { field: param }) : undefined);
  return said ? t('{what} ({message})', { what: said, message }) : message;
}
