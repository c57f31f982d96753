// The platform knows the time zones and their changes.

const formats = new Map();

/** Milliseconds that clocks of `zone` are ahead of UTC at `time`. */
function offset(zone, time) {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
      hour: 'numeric', minute: 'numeric', second: 'numeric',
    });
    formats.set(zone, format);
  }
  const part = {};
  for (const { type, value } of format.formatToParts(time)) part[type] = Number(value);
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - Math.floor(time / 1000) * 1000;
}

/** The first millisecond of the day of `time` in `zone`, and of the day after. */
export function day(zone, time) {
  const length = 86_400_000;
  const here = offset(zone, time);
  const midnight = Math.floor((time + here) / length) * length;
  // The clocks may have changed between a day's beginning and now.
  const moment = (local) => local - offset(zone, local - here);
  return new Float64Array([moment(midnight), moment(midnight + length)]);
}
