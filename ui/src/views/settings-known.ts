// What the settings are called, what they do, and their defaults.
import { t } from '../prefs';
import type { SettingValue } from '../types';

export interface Known {
  path: string;
  name: string;
  effect: string;
  fallback?: SettingValue;
  /** Edited as JSON, all of it. */
  isJson?: boolean;
  options?: string[];
}

export const knownSettings = (): { title: string; settings: Known[] }[] => [
  {
    title: t('Limits and queue'),
    settings: [
      { path: 'timezone', name: t('Time zone'), effect: t('Whose calendar days the daily limits count.'), fallback: 'UTC' },
      { path: 'queue.max_waiting', name: t('Places in the queue'), effect: t('More callers than this are refused with 429 at once.'), fallback: 100 },
      { path: 'queue.max_wait_ms', name: t('Longest wait, ms'), effect: t('Who would wait longer is told at once when to come back.'), fallback: 30_000 },
      { path: 'max_attempts', name: t('Tries'), effect: t('How many accounts one call may try before it fails.'), fallback: 3 },
      { path: 'sticky_s', name: t('Faithful conversations, s'), effect: t('How long a conversation prefers its account, so that caches are hit. 0: never.'), fallback: 1800 },
      { path: 'ledger_shards', name: t('Parts of the ledger'), effect: t('Durable Objects that admission is split into, 1 to 16. Only past 1,000 calls a second.'), fallback: 1 },
    ],
  },
  {
    title: t('Accounts that cool'),
    settings: [
      { path: 'cooling.failures', name: t('Failures in a row'), effect: t('After so many an account cools.'), fallback: 3 },
      { path: 'cooling.min_ms', name: t('First cool-down, ms'), effect: t('After failures; it doubles each time. Then one call is the trial.'), fallback: 10_000 },
      { path: 'cooling.max_ms', name: t('Longest cool-down, ms'), effect: t('After failures.'), fallback: 600_000 },
      { path: 'cooling.backoff_min_ms', name: t('First pause, ms'), effect: t('After a 429 that names no time; it doubles each time.'), fallback: 1_000 },
      { path: 'cooling.backoff_max_ms', name: t('Longest pause, ms'), effect: t('After a 429 that names no time.'), fallback: 60_000 },
      { path: 'cooling.retry_after_max_ms', name: t('Longest Retry-After, ms'), effect: t('A longer one is not believed.'), fallback: 86_400_000 },
    ],
  },
  {
    title: t('Requests and streams'),
    settings: [
      { path: 'max_body_bytes', name: t('Largest request, bytes'), effect: t('Larger ones are refused with 413.'), fallback: 33_554_432 },
      { path: 'max_answer_bytes', name: t('Longest answer, bytes'), effect: t('Of an upstream, where it is plain or translated. A longer one is an error.'), fallback: 16_777_216 },
      { path: 'deadlines.connect_ms', name: t('Until a stream’s headers, ms'), effect: t('Then another account is tried.'), fallback: 60_000 },
      { path: 'deadlines.first_token_ms', name: t('Until the first event, ms'), effect: t('DeepSeek queues up to ten minutes.'), fallback: 600_000 },
      { path: 'deadlines.stall_ms', name: t('Between two reads, ms'), effect: t('A stream that is silent for longer ends with an error.'), fallback: 120_000 },
      { path: 'hold_headers_ms', name: t('Headers wait, ms'), effect: t('How long a stream’s headers wait for its first event, so that a failure is still an HTTP status.'), fallback: 10_000 },
      { path: 'ping_ms', name: t('Longest silence, ms'), effect: t('Then a keep-alive comment is sent to the caller.'), fallback: 15_000 },
      { path: 'backups', name: t('Backups kept'), effect: t('Earlier versions of the configuration.'), fallback: 50 },
      { path: 'vercel_url', name: t('Vercel’s API'), effect: t('Where the sync with Vercel goes, and nowhere else.'), fallback: 'https://api.vercel.com' },
      { path: 'cors_origin', name: t('Pages that may call'), effect: t('The origin whose pages may call the API; * is any.'), fallback: '*' },
    ],
  },
  {
    title: t('Memory'),
    settings: [
      { path: 'memory.responses_s', name: t('Stored responses, s'), effect: t('How long a response can be asked for again and continued.'), fallback: 86_400 },
      { path: 'memory.reasoning', name: t('Put thoughts back'), effect: t('DeepSeek refuses a turn with tools without the thoughts behind them, and most clients drop those.'), fallback: true },
      { path: 'memory.reasoning_s', name: t('Thoughts are kept, s'), effect: t('How long.'), fallback: 21_600 },
      { path: 'memory.max_bytes', name: t('Most for one key, bytes'), effect: t('Sealed; the oldest goes first.'), fallback: 8_388_608 },
    ],
  },
  {
    title: t('Statistics and logs'),
    settings: [
      { path: 'log_bodies', name: t('Log what is said'), effect: t('Requests and answers then stand in the log, in plain text. Think of those who use your keys.'), fallback: false },
      { path: 'stats.enabled', name: t('Keep statistics'), effect: t('Off: nothing is recorded.'), fallback: true },
      { path: 'stats.log_max', name: t('Calls in the log'), effect: t('The newest ones, at most 10,000.'), fallback: 1_000 },
      { path: 'stats.log_days', name: t('Days in the log'), effect: t('Older calls are forgotten.'), fallback: 7 },
      { path: 'stats.hours', name: t('Hours of figures'), effect: t('How long the figures of each hour are kept.'), fallback: 192 },
      { path: 'stats.days', name: t('Days of figures'), effect: t('How long the figures of each day are kept.'), fallback: 92 },
      { path: 'stats.names_max', name: t('Names told apart'), effect: t('Models, accounts and keys in one hour, of each; the rest is counted together.'), fallback: 200 },
      { path: 'stats.candidates_max', name: t('Accounts in a receipt'), effect: t('How many of the accounts that were considered a receipt names; those passed over come first.'), fallback: 8 },
      { path: 'stats.batch_ms', name: t('Records wait, ms'), effect: t('So that one write stores several.'), fallback: 1_000 },
      { path: 'stats.batch_max', name: t('Records together'), effect: t('So many are stored without waiting for more.'), fallback: 50 },
      { path: 'stats.audit_max', name: t('Changes in the log'), effect: t('The newest admin writes that are kept.'), fallback: 500 },
      { path: 'stats.refused_max', name: t('Strangers in the logs'), effect: t('Of requests without a good key, and of refused logins, the newest that are kept. They push nothing else out.'), fallback: 100 },
      { path: 'stats.body_bytes', name: t('Bytes of a body'), effect: t('The most of a request or answer that the log keeps, where it keeps them.'), fallback: 8_192 },
    ],
  },
  {
    title: t('DeepSeek web chat'),
    settings: [
      { path: 'deepseek_web.client_version', name: t('Version it names'), effect: t('What the chat is told of its client.'), fallback: '2.5.1' },
      { path: 'deepseek_web.platform', name: t('Platform it names'), effect: t('What the chat is told of its client.'), fallback: 'android' },
      { path: 'deepseek_web.locale', name: t('Locale it names'), effect: t('What the chat is told of its client.'), fallback: 'zh_CN' },
      { path: 'deepseek_web.user_agent', name: t('User agent'), effect: t('What the chat is told of its client.'), fallback: 'DeepSeek/2.5.1 Android/35' },
      { path: 'deepseek_web.device_id', name: t('Device id'), effect: t('Sent at login. Where DeepSeek wants one of its own making, use your browser’s, or paste a token.'), fallback: 'weir' },
      { path: 'deepseek_web.prompt', name: t('Marks between turns'), effect: t('How a conversation becomes the one text that the chat takes.'), fallback: 'native', options: ['native', 'full', 'plain'] },
      { path: 'deepseek_web.citations', name: t('Citations'), effect: t('As Markdown links, or left out.'), fallback: 'links', options: ['links', 'dropped'] },
      { path: 'deepseek_web.delete_sessions', name: t('Delete conversations'), effect: t('After their answer, one every three seconds.'), fallback: true },
      { path: 'deepseek_web.context_tokens', name: t('Longest conversation, tokens'), effect: t('Told to agents whose own is too long.'), fallback: 131_072 },
      { path: 'deepseek_web.continue_max', name: t('Continuations'), effect: t('How often an answer that reached the chat’s bound is continued.'), fallback: 4 },
      { path: 'deepseek_web.warm_s', name: t('Prepared conversation, s'), effect: t('How long it waits for the next call. 0: none is prepared.'), fallback: 120 },
    ],
  },
  {
    title: t('Volcengine console'),
    settings: [
      {
        path: 'volcengine_console.headers',
        name: t('Headers'),
        effect: t('All that is sent beside content-type, x-web-id and authorization.'),
        fallback: { accept: 'application/json, text/plain, */*', 'accept-language': 'zh-CN,zh;q=0.9', origin: 'https://exp.volcengine.com', referer: 'https://exp.volcengine.com/' },
        isJson: true,
      },
      { path: 'volcengine_console.body', name: t('Form of the body'), effect: t('openai, pascal, or an object in which "{model}", "{messages}" and others stand for what is asked.'), fallback: 'openai', isJson: true },
      { path: 'volcengine_console.message', name: t('Form of a message'), effect: t('Where the body is an object. Empty: role and content.'), fallback: null, isJson: true },
      { path: 'volcengine_console.exhausted_on', name: t('Used up'), effect: t('Signs that an id is used up: an error’s code, message or status.'), fallback: ['QuotaExceeded*', 'AccessDenied', '403'], isJson: true },
      { path: 'volcengine_console.rest_s', name: t('Rest, s'), effect: t('How long such an id rests. 0: until it is reset.'), fallback: 86_400 },
      { path: 'volcengine_console.limited_on', name: t('Too fast'), effect: t('Signs that an id came too fast: it cools as after any 429.'), fallback: ['*RateLimit*', 'FlowLimitExceeded', '429'], isJson: true },
      { path: 'volcengine_console.max_uses', name: t('Uses of an id'), effect: t('Where it names none of its own. Empty: no limit.'), fallback: null },
    ],
  },
];
