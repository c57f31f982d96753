// What several views share.
import { signalOf } from './signal';
import type { Account, AccountStatus, Config, PoolStatus, State, Upstream } from './types';
import { type Live, useLive } from './live';
import { t } from './prefs';

/** How often live figures are asked for. Each time costs the Worker one request and a Durable Object one. */
const refreshMs = 5_000;

export const useConfig = (): Live<Config> => useLive<Config>('/admin/config');
export const usePool = (): Live<PoolStatus> => useLive<PoolStatus>('/admin/queue/status', refreshMs);

const keyName = 'weir.key';
const testKey = signalOf<string>(sessionStorage.getItem(keyName) ?? '');

/** The client key that the Playground and `/me` use, kept in this tab alone. */
export const clientKey = {
  ...testKey,
  set(key: string): void {
    if (key) sessionStorage.setItem(keyName, key);
    else sessionStorage.removeItem(keyName);
    testKey.set(key);
  },
};

export const stateName = (state: State): string =>
  ({
    ready: t('Ready'),
    busy: t('Busy'),
    limited: t('At its limit'),
    cooling: t('Cooling'),
    trial: t('On trial'),
    parked: t('Parked'),
    needs_login: t('Needs login'),
    disabled: t('Refused'),
    off: t('Off'),
  })[state] ?? state;

export const stateTone = (state: State): 'good' | 'warn' | 'bad' | 'idle' => {
  if (state === 'ready' || state === 'busy') return 'good';
  if (state === 'needs_login' || state === 'disabled') return 'bad';
  return state === 'off' ? 'idle' : 'warn';
};

/** Whether somebody should look at it. */
export const wantsAttention = ({ state }: AccountStatus): boolean => ['cooling', 'parked', 'needs_login', 'disabled', 'trial'].includes(state);

export interface Preset {
  id: string;
  kind: Upstream['kind'];
  base_url: string;
  name: string;
  about: string;
}

/** The upstreams that Weir knows by itself. */
export const presets = (): Preset[] => [
  { id: 'deepseek', kind: 'openai', base_url: 'https://api.deepseek.com', name: t('DeepSeek platform'), about: t('An API key of platform.deepseek.com') },
  { id: 'ark', kind: 'openai', base_url: 'https://ark.cn-beijing.volces.com/api/v3', name: t('Volcengine Ark'), about: t('An API key of the Ark console') },
  { id: 'deepseek-web', kind: 'deepseek-web', base_url: 'https://chat.deepseek.com', name: t('DeepSeek web chat'), about: t('E-mail and password; experimental') },
  { id: 'volcengine-console', kind: 'volcengine-console', base_url: '', name: t('Volcengine console'), about: t('A web id of the console; experimental') },
];

/** How an account is called: its id, and what it logs in with where that is another. */
export const loginOf = (account: Account): string => account.email ?? account.mobile ?? account.web_id ?? '';

/** What a model name with `*` for anything stands for in a list to choose from: nothing. */
export const isExact = (model: string): boolean => !model.includes('*');
