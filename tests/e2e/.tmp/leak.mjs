import { startSimulator } from '../../simulators/openai.mjs';
import { Raw } from '../client.mjs';
import { CLIENT_KEY, pools, start, eventually, secretOf } from '../harness.mjs';
import { writeFileSync } from 'node:fs';
const sim = await startSimulator();
const ways = {};
for (const kind of ['idle2', 'silent', 'flow', 'idle1', 'rand']) for (const how of ['fin', 'rst']) ways[`${kind}-${how}`] = {accounts: 1, limits: { concurrency: Number(process.env.CONC ?? 20) }};
const weir = await start({ config: pools(sim, ways, { settings: { ping_ms: 300, hold_headers_ms: 500, queue: { max_waiting: 1000, max_wait_ms: 5000 } } }) });
const b = { idle2: [{ is: 'stall', after: 2 }, /data: /], silent: ['silent', null], flow: [{ is: 'ok', text: Array(50).fill('word ') }, /data: /], idle1: [{ is: 'stall', after: 1 }, /200 OK/], rand: [{is:'stall', after:2}, 'rand'] };
for (const w of Object.keys(ways)) sim.onModel(w, b[w.split('-')[0]][0]);
const headers = { authorization: `Bearer ${CLIENT_KEY}` };
const N = Number(process.env.N ?? 10);
for (let i = 0; i < N; i++) {
  await Promise.all(Array.from({ length: Number(process.env.PAR ?? 50) }, async () => {
    const keys = Object.keys(ways); const w = keys[Math.floor(Math.random() * keys.length)];
    const [kind, how] = w.split('-'); const when = b[kind][1];
    const raw = new Raw(weir.url, { path: '/v1/chat/completions', headers, body: { model: w, stream: true, messages: [{ role: 'user', content: 'hi' }] } });
    if (when === 'rand') await new Promise(d => setTimeout(d, Math.random() * 600));
    else if (when) await Promise.race([raw.until(when).catch(() => {}), new Promise(d => setTimeout(d, Math.random()*800))]);
    raw[how]();
  }));
}
try { await eventually(async () => { const s = await weir.status(); const bad = s.accounts.filter(a => a.in_flight); if (bad.length || s.queue_size) throw new Error(JSON.stringify({q: s.queue_size, bad: bad.map(a => [a.id, a.in_flight]), keys: s.keys?.map(k=>k.in_flight)})); }, { within: 8000 }); console.log('clean', sim.requests.length, 'open', sim.open); }
catch (e) { console.log('LEAK', e.message, 'sim open', sim.open, sim.requests.filter(r=>!r.closed).map(r=>r.body.model)); }
writeFileSync('/tmp/leak.log', weir.log);
try { await weir.stop(); } catch (e) { console.log(e.message.slice(0, 800)); }
await sim.close();
