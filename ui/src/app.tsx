// The frame around the views: who may see them, navigation, language and theme.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { session } from './api';
import { useModal } from './components/dialog';
import { Icon, type IconName, Mark } from './components/icon';
import { Button, Segmented } from './components/parts';
import { choose, prefs, t } from './prefs';
import { type View, useView } from './route';
import { useSignal } from './signal';
import { Toasts } from './toasts';
import { Accounts } from './views/accounts';
import { Explain } from './views/explain';
import { Home } from './views/home';
import { Imports } from './views/imports';
import { Keys } from './views/keys';
import { Login } from './views/login';
import { Logs } from './views/logs';
import { Me } from './views/me';
import { Playground } from './views/playground';
import { Settings } from './views/settings';
import { Upstreams } from './views/upstreams';

const shown: Record<View, () => ComponentChildren> = {
  home: () => <Home />,
  accounts: () => <Accounts />,
  upstreams: () => <Upstreams />,
  keys: () => <Keys />,
  playground: () => <Playground />,
  logs: () => <Logs />,
  explain: () => <Explain />,
  imports: () => <Imports />,
  settings: () => <Settings />,
};

export function App() {
  useSignal(prefs); // every text is told anew in another language
  const [isIn, setIn] = useState(session.get() !== null);
  useEffect(() => {
    session.onEnd = () => setIn(false);
  }, []);
  const inside = location.pathname === '/me' ? <Me /> : isIn ? <Shell onLeave={() => setIn(false)} /> : <Login onEnter={() => setIn(true)} />;
  return (
    <>
      {inside}
      <Toasts />
    </>
  );
}

function Shell({ onLeave }: { onLeave: () => void }) {
  const view = useView();
  const [drawer, setDrawer] = useState(false);
  const title = names()[view][0];
  useEffect(() => {
    document.title = `${title} · Weir`;
    setDrawer(false);
  }, [title]);
  const leave = (): void => {
    session.end();
    onLeave();
  };
  return (
    <div class="shell">
      <a class="skip" href={`#/${view}`} onClick={(event) => (event.preventDefault(), document.querySelector<HTMLElement>('main h1')?.focus())}>
        {t('Skip to the content')}
      </a>
      <header class="topbar">
        <Brand />
        <Button kind="plain" icon="menu" label={t('Menu')} onClick={() => setDrawer(true)} />
      </header>
      <Sidebar view={view} onLeave={leave} />
      {drawer && (
        <Drawer onClose={() => setDrawer(false)}>
          <Sidebar view={view} onLeave={leave} onChoose={() => setDrawer(false)} />
        </Drawer>
      )}
      <main class="content">
        <div class="content-inner">{shown[view]()}</div>
      </main>
    </div>
  );
}

const names = (): Record<View, [string, IconName]> => ({
  home: [t('Home'), 'home'],
  accounts: [t('Accounts'), 'accounts'],
  upstreams: [t('Upstreams'), 'upstreams'],
  keys: [t('Keys'), 'keys'],
  playground: [t('Playground'), 'playground'],
  logs: [t('Logs'), 'logs'],
  explain: [t('Explain'), 'explain'],
  imports: [t('Import and backups'), 'imports'],
  settings: [t('Settings'), 'settings'],
});

function Sidebar({ view, onLeave, onChoose }: { view: View; onLeave: () => void; onChoose?: () => void }) {
  return (
    <div class="sidebar">
      <Brand />
      <nav class="nav" aria-label={t('Views')}>
        {Object.entries(names()).map(([name, [text, icon]]) => (
          <a key={name} href={`#/${name}`} aria-current={name === view ? 'page' : undefined} onClick={onChoose}>
            <Icon name={icon} size={20} />
            {text}
          </a>
        ))}
      </nav>
      <div class="sidebar-foot">
        <Prefs />
        <Button kind="plain" icon="logout" wide onClick={onLeave}>
          {t('Log out')}
        </Button>
      </div>
    </div>
  );
}

function Drawer({ children, onClose }: { children: ComponentChildren; onClose: () => void }) {
  const element = useRef<HTMLDialogElement>(null);
  useModal(element);
  return (
    <dialog ref={element} class="drawer" aria-label={t('Menu')} onCancel={onClose} onClick={(event) => event.target === element.current && onClose()}>
      {children}
    </dialog>
  );
}

export function Brand() {
  return (
    <a class="brand" href="/">
      <Mark />
      Weir
    </a>
  );
}

export function Prefs() {
  const { language, theme } = useSignal(prefs);
  return (
    <div class="prefs">
      <Segmented
        label={t('Language')}
        value={language}
        options={[
          { value: 'en', shown: 'English' },
          { value: 'zh', shown: '中文' },
        ]}
        onChange={(chosen) => choose({ language: chosen })}
      />
      <Segmented
        label={t('Theme')}
        value={theme}
        options={[
          { value: 'system', shown: <Icon name="system" />, label: t('As the system') },
          { value: 'light', shown: <Icon name="light" />, label: t('Light') },
          { value: 'dark', shown: <Icon name="dark" />, label: t('Dark') },
        ]}
        onChange={(chosen) => choose({ theme: chosen })}
      />
    </div>
  );
}
