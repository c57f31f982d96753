// What was found, as one table.

export const median = (values) => {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

export const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Three digits that matter, and the unit. */
export function figure(value, unit = '') {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const text = value.toFixed(digits).replace(/\B(?=(\d{3})+$)/g, digits === 0 ? ',' : '');
  return unit ? `${text} ${unit}` : text;
}

/** A row: what was measured, both sides, the value that counts, and `target` as `{ most }` or `{ least }`. */
export function row(what, { weir = '', other = '', value, unit = '×', target, note = '' }) {
  const met = target && ('most' in target ? value <= target.most : value >= target.least);
  const wanted = !target ? '' : 'most' in target ? `≤ ${figure(target.most, unit)}` : `≥ ${figure(target.least, unit)}`;
  return [what, weir, other, figure(value, unit), wanted, !target ? 'for information' : met ? 'met' : 'MISSED', note];
}

export const skipped = (what, why) => [what, '', '', '', '', 'skipped', why];

export function print(rows) {
  const table = [['', 'Weir', 'compared with', 'result', 'target', '', 'note'], ...rows];
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => [...cells[column]].length)));
  const line = (cells) => cells.map((cell, column) => cell + ' '.repeat(widths[column] - [...cell].length)).join('  ').trimEnd();
  const [head, ...body] = table.map(line);
  console.log([head, widths.map((width) => '─'.repeat(width)).join('  '), ...body].join('\n'));
}
