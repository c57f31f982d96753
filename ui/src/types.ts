// What the admin API answers (see its routes in README.md).

export interface Limits {
  concurrency?: number;
  rpm?: number;
  rpd?: number;
  tpm?: number;
  min_gap_ms?: number;
  max_uses?: number;
}

export type Kind = 'openai' | 'deepseek-web' | 'volcengine-console';

export interface Account {
  id: string;
  upstream: string;
  email?: string;
  mobile?: string;
  web_id?: string;
  password?: string;
  token?: string;
  api_key?: string;
  authorization?: string;
  limits: Limits;
  weight: number;
  priority: number;
  enabled: boolean;
}

export interface Upstream {
  id: string;
  kind: Kind;
  base_url: string;
  direct: boolean;
  models: string[];
  model_mapping: Record<string, string>;
  default_model?: string;
  timeout_s: number;
  reasoning?: 'thinking' | 'effort';
  max_tokens?: number;
  images: boolean;
  enabled: boolean;
}

export interface ClientKey {
  id: string;
  name: string;
  key?: string;
  models?: string[];
  limits: Limits;
  expires_at?: string;
  enabled: boolean;
}

export type Settings = { [name: string]: SettingValue };
export type SettingValue = string | number | boolean | null | SettingValue[] | Settings;

export interface Config {
  keys: ClientKey[];
  upstreams: Upstream[];
  accounts: Account[];
  aliases: Record<string, string>;
  settings: Settings;
}

export interface Usage {
  rpm: number;
  rpd: number;
  tpm: number;
  uses: number;
}

export type State = 'ready' | 'busy' | 'limited' | 'cooling' | 'trial' | 'parked' | 'needs_login' | 'disabled' | 'off';

export interface AccountStatus {
  id: string;
  upstream: string;
  email: string;
  enabled: boolean;
  available: boolean;
  state: State;
  /** Why: as a code, and in plain words. */
  code: string | null;
  reason: string | null;
  until_ms: number | null;
  in_flight: number;
  limits: Limits;
  usage: Usage;
  last_used_ms: number | null;
  error_count: number;
}

export interface KeyStatus {
  id: string;
  in_flight: number;
  limits: Limits;
  usage: Usage;
}

export interface PoolStatus {
  total_accounts: number;
  healthy_accounts: number;
  queue_size: number;
  accounts: AccountStatus[];
  keys: KeyStatus[];
}

export interface Considered {
  id: string;
  upstream: string;
  eligible: boolean;
  /** Why not: as a code, and in plain words. */
  code: string | null;
  passed_over: string | null;
  until_ms: number | null;
}

export interface Explained {
  model: string;
  allowed: boolean;
  tokens: number;
  route: { upstream: string; model: string }[];
  explanation: { serves: string | null; wait_ms: number | null; obstacle: string | null; considered: Considered[] };
}

export interface Times {
  count: number;
  mean: number | null;
  p50: number | null;
  p95: number | null;
}

export interface Tokens {
  prompt: number;
  completion: number;
  reasoning: number;
  cached: number;
}

export interface Figures {
  requests: number;
  succeeded: number;
  failed: number;
  cancelled: number;
  /** Null where nothing has ended. */
  success_rate: number | null;
  latency_ms: Times;
  ttft_ms: Times;
  tokens: Tokens;
}

export interface Stats extends Figures {
  models: (Figures & { name: string })[];
  accounts: (Figures & { name: string })[];
  keys: (Figures & { name: string; display_name?: string })[];
  /** Requests that were refused without a good key; not among the others. */
  strangers: number;
  /** Records that could not be stored. */
  lost: number;
  from: number;
  until: number;
  step_ms: number;
  series: (Figures & { time: number })[];
}

export interface PlanMeter {
  name: string;
  today: number;
  month: number;
  free: { per_day: number; share: number };
  paid: { per_month: number; share: number };
}

export interface LogEntry {
  id: string;
  seq: number;
  time: number;
  key: string;
  key_name: string;
  /** Refused without a good key: from where, and no call. */
  stranger?: true;
  address?: string | null;
  dialect: string;
  endpoint: string;
  stream: boolean;
  model: string;
  served_model: string;
  account: string | null;
  upstream: string | null;
  attempts: number;
  wait_ms: number;
  ttft_ms: number | null;
  total_ms: number;
  tokens: Tokens | null;
  status: number;
  error: { code: string | null; message: string } | null;
  receipt: {
    /** Accounts that it could be served by, those passed over first; `code` and `reason` say why. */
    candidates: { account: string; code: string | null; reason: string | null; until_ms: number | null }[];
    more_candidates: number;
    tries: { account: string; upstream: string; wait_ms: number; ms: number; outcome: string; cause: string | null }[];
  };
  request?: string;
  answer?: string;
}

export interface AuditEntry {
  seq: number;
  time: number;
  address: string;
  session: string | null;
  method: string;
  path: string;
  /** The names of the body's fields; no value of them. */
  fields: string[];
  id: string | null;
  version: number | null;
  /** Of a login that was refused: why, and how many before it were not written down. */
  outcome?: 'ok' | 'wrong_password' | 'throttled';
  unnoted?: number;
}

export interface ImportReport {
  success: boolean;
  format: string;
  counts: { added: number; changed: number; duplicate: number; failed: number };
  results: { from: string; list: string; status: 'added' | 'changed' | 'duplicate' | 'failed'; id?: string; error?: { message: string; param?: string | null } }[];
  ignored: string[];
  notes: string[];
  dry_run: boolean;
  version: number;
  /** The version that undoes it. */
  backup: number | null;
}

export interface Backup {
  version: number;
  at: number;
  actor: string;
  change: string;
}

export interface BackupDiff {
  version: number;
  against: number;
  changes: { path: string[]; from?: unknown; to?: unknown }[];
}

/** `GET /v1/me`. */
export interface Mine {
  id: string;
  name: string;
  expires_at: string | null;
  models: string[];
  limits: Limits;
  usage: Usage;
  in_flight: number;
  today: Partial<Figures>;
  day_ends_at: string;
  timezone: string;
}

export interface VercelState {
  has_token: boolean;
  project_id: string | null;
  team_id: string | null;
  has_synced_before: boolean;
  last_sync_time: number | null;
  synced: boolean;
}
