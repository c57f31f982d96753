// Line icons, 24 by 24.
const paths = {
  home: 'M4 11l8-7 8 7v8a1 1 0 0 1-1 1h-4v-6H9v6H5a1 1 0 0 1-1-1z',
  accounts: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7 9c0-3.3 3.1-6 7-6s7 2.7 7 6M16 3.5a4 4 0 0 1 0 7M18.500 14.300c2.100.900 3.500 3.100 3.500 5.700',
  upstreams: 'M4 5h16v6H4zM4 13h16v6H4zM8 8h.010M8 16h.010',
  keys: 'M14.500 3.500a6 6 0 1 1-5.300 8.800L3 18.500V21h3v-2h2v-2h2l1.700-1.700M16 8h.010',
  playground: 'M4 5h16v11H9l-5 4z',
  logs: 'M5 4h14v16H5zM9 9h6M9 13h6M9 17h3',
  explain: 'M6 3v6m0 6v6M6 9a3 3 0 1 0 .010 0zM18 3v3m0 6v9M18 6a3 3 0 1 0 .010 0zM9 12h3c3 0 3-3 3-3',
  imports: 'M12 3v11m-4-4l4 4 4-4M4 16v4h16v-4',
  settings: 'M4 7h9m5 0h2M4 17h2m5 0h9M15.500 4.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5zM8.500 14.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  trash: 'M5 7h14M10 11v6M14 11v6M6 7l1 13h10l1-13M9 7V4h6v3',
  power: 'M12 3v9M6.500 6.500a8 8 0 1 0 11 0',
  test: 'M4 12h4l2.500-7 4 14L17 12h3',
  reset: 'M4 5v5h5M4.600 15a8 8 0 1 0 1.400-8.300L4 10',
  warn: 'M12 4L2.500 20h19zM12 10v4M12 17h.010',
  info: 'M12 3a9 9 0 1 0 .010 0zM12 11v5M12 8h.010',
  send: 'M5 12h14M13 6l6 6-6 6',
  stop: 'M7 7h10v10H7z',
  logout: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9',
  light: 'M12 8a4 4 0 1 0 .010 0zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600L19 19M5 19l1.400-1.400M17.600 6.400L19 5',
  dark: 'M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z',
  system: 'M3 5h18v11H3zM8 20h8M12 16v4',
  down: 'M6 9l6 6 6-6',
  clear: 'M4 12a8 8 0 1 0 16 0 8 8 0 0 0-16 0zM9 9l6 6M15 9l-6 6',
};

export type IconName = keyof typeof paths;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" fill="currentColor" />
      <g fill="none" stroke="var(--on-accent)" stroke-width="2.6" stroke-linecap="round">
        <path d="M6 11c3.300-2.600 6.700-2.600 10 0s6.700 2.600 10 0" />
        <path d="M6 17c3.300-2.600 6.700-2.600 10 0s6.700 2.600 10 0" opacity=".75" />
        <path d="M6 23c3.300-2.600 6.700-2.600 10 0s6.700 2.600 10 0" opacity=".5" />
      </g>
    </svg>
  );
}
