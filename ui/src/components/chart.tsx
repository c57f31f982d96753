// Requests and errors over time.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { number } from '../format';
import { locale, prefs, t } from '../prefs';
import { useSignal } from '../signal';
import type { Stats } from '../types';

const height = 220;

export function Chart({ stats }: { stats: Stats }) {
  const element = useRef<HTMLDivElement>(null);
  const { theme, language } = useSignal(prefs);
  const [times, requests, errors] = points(stats);
  const data = JSON.stringify([times, requests, errors]);

  useEffect(() => {
    const host = element.current;
    if (!host) return;
    let plot: uPlot | undefined;
    const draw = (): void => {
      plot?.destroy();
      plot = new uPlot(options(host.clientWidth, stats.step_ms), JSON.parse(data) as uPlot.AlignedData, host);
    };
    draw();
    const resized = new ResizeObserver(([entry]) => {
      const width = entry?.contentRect.width ?? 0;
      if (plot && width > 0 && Math.abs(width - plot.width) > 1) plot.setSize({ width, height });
    });
    resized.observe(host);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      scheme.removeEventListener('change', draw);
      resized.disconnect();
      plot?.destroy();
    };
  }, [data, stats.step_ms, theme, language]);

  return (
    <figure class="chart" role="img" aria-label={t('{n} requests, {failed} errors in this period', { n: number(stats.requests), failed: number(stats.failed) })}>
      <div ref={element} />
    </figure>
  );
}

/** One point for each step, those without a request too. */
function points({ from, until, step_ms, series }: Stats): [number[], number[], number[]] {
  const found = new Map(series.map((point) => [point.time, point]));
  const [times, requests, errors]: [number[], number[], number[]] = [[], [], []];
  for (let at = from - (from % step_ms); at <= until; at += step_ms) {
    times.push(at / 1000);
    requests.push(found.get(at)?.requests ?? 0);
    errors.push(found.get(at)?.failed ?? 0);
  }
  return [times, requests, errors];
}

function options(width: number, step: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: colour('muted'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false }, font: `12px ${style.fontFamily}` };
  const isDays = step >= 86_400_000;
  const told = new Intl.DateTimeFormat(locale(), isDays ? { month: 'short', day: 'numeric' } : { weekday: undefined, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const dayTold = new Intl.DateTimeFormat(locale(), { month: 'short', day: 'numeric' });
  const bars = uPlot.paths.bars!({ size: [0.7, 40], radius: 0.25 });
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { range: (_, least, most) => [least - step / 2000, most + step / 2000] }, y: { range: (_, __, most) => [0, Math.max(4, Math.ceil(most * 1.1))] } },
    axes: [
      { ...axis, grid: { show: false }, size: 30, space: 70, values: (_, at) => at.map((each) => (each % 86_400 === 0 && !isDays ? dayTold : told).format(each * 1000)) },
      { ...axis, size: 48, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6], values: (_, at) => at.map((each) => number(each)) },
    ],
    series: [
      {},
      { label: t('Requests'), fill: colour('accent'), stroke: colour('accent'), width: 0, paths: bars, points: { show: false } },
      { label: t('Errors'), fill: colour('danger'), stroke: colour('danger'), width: 0, paths: bars, points: { show: false } },
    ],
  };
}
