// Calls the ledger's Durable Object in a loop, so that nothing but the object is measured.
//
//   POST /configure?accounts=N     a ledger of N accounts
//   POST /calls?accounts=N&count=M admits and settles M calls on it, `parallel` at a time
export { Ledger, Registry, Session } from '../src/entry.js';

const limits = { concurrency: 64, rpm: 10_000_000, rpd: 100_000_000 };

/** An answer's last line: what its object counted for the plan meter may stand before it. */
const read = (answer) => JSON.parse(answer.slice(answer.lastIndexOf('\n') + 1));

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const number = (name) => Number(searchParams.get(name));
    const ledger = env.LEDGER.getByName(`accounts-${number('accounts')}`);
    if (pathname === '/configure') {
      const account = (_, index) => ({ id: `account-${index}`, upstream: 'pool', limits, sealed: 'sealed' });
      const accounts = Array.from({ length: number('accounts') }, account);
      return Response.json(read(await ledger.configure(JSON.stringify({ version: 1, accounts, keys: [{ id: 'key' }] }))));
    }
    let left = number('count');
    const caller = async () => {
      while (left-- > 0) {
        const asked = { version: 1, ticket: crypto.randomUUID(), key: 'key', upstreams: ['pool'] };
        const reply = read(await ledger.admit(JSON.stringify([asked, []])));
        if (!reply.granted) throw new Error(`not granted: ${JSON.stringify(reply)}`);
        const outcome = { success: { usage: { prompt: 10, completion: 20 } } };
        await ledger.settle(JSON.stringify([{ lease: reply.granted[0].lease, outcome }]));
      }
    };
    const began = Date.now();
    await Promise.all(Array.from({ length: number('parallel') }, caller));
    return Response.json({ count: number('count'), ms: Date.now() - began });
  },
};
