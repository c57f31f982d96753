// The operator's page in a real browser, against the built Worker.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { root } from '../../scripts/run.mjs';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { checkAccess, enter, openBrowser, picture, settled, skip, visit } from './browser.mjs';
import { ADMIN_KEY, CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

describe('the page in a browser', { skip }, () => {
  let [weir, sim, thinker, browser] = [];
  before(async () => {
    [sim, thinker] = [await startSimulator(), await startSimulator({ profile: 'deepseek' })];
    const cases = { alpha: { accounts: 3, limits: { concurrency: 2, rpm: 60 } }, beta: {}, thinks: { at: thinker, upstream: { reasoning: 'thinking' } } };
    const config = pools(sim, cases, { aliases: { gpt: 'alpha' } });
    [weir, browser] = await Promise.all([start({ config }), openBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await weir?.stop();
    await Promise.all([sim?.close(), thinker?.close()]);
  });

  test('first run: from nothing to a streamed answer, by clicks alone', async () => {
    const empty = await start();
    const page = await browser.page(empty);
    const upstreamKey = secretOf('first-run');
    sim.addKeys(upstreamKey);
    sim.addModels('tiny');
    try {
      await page.goto('/');
      await page.getByLabel('Password').fill('not the password');
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByText('This password is wrong.').waitFor();
      await picture(page, 'login');
      await page.getByLabel('Password').fill(ADMIN_KEY);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByText('1 of 4 done').waitFor();
      await picture(page, 'first-steps');

      await page.locator('.step').getByRole('button', { name: 'Add an account' }).click();
      await page.getByLabel('Another service').check();
      await page.getByLabel('Name of the service').fill('mine');
      await page.getByLabel('URL').fill(sim.url);
      await page.getByLabel('API key', { exact: true }).fill('sk-mistyped');
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await page.getByRole('dialog').getByText('it answered 401').waitFor();
      await page.getByLabel('API key', { exact: true }).fill(upstreamKey);
      await picture(page, 'add-account', { fullPage: false });
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await page.locator('tbody').getByText('Ready').waitFor();
      assert.deepEqual((await empty.manage('GET', '/admin/accounts')).accounts.map(({ id }) => id), ['mine-1'], 'the second try mends the first');

      await page.getByText('Next: a key').waitFor();
      await visit(page, 'home');
      await page.getByText('2 of 4 done').waitFor();
      await page.locator('.step').getByRole('button', { name: 'Create a key' }).click();
      await page.getByLabel('Name').fill('laptop');
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      const made = await page.locator('dialog pre').innerText();
      assert.match(made, /^sk-weir-\w{40}$/);
      await picture(page, 'key-made', { fullPage: false });

      const gate = new Gate();
      sim.next(upstreamKey, { gate, text: ['Hello ', 'from ', 'the simulator.'] });
      await page.getByRole('button', { name: 'Try it in the Playground' }).click();
      await page.getByLabel('Message').fill('Hello?');
      await page.getByRole('button', { name: 'Send' }).click();
      const answer = page.locator('.turn[aria-busy]');
      // Held back in the middle: what has come is there to read.
      for (const words of ['Hello ', 'Hello from ']) {
        await eventually(async () => {
          if ((await answer.locator('.text').textContent()).startsWith(words)) return;
          gate.open();
          throw new Error(`not yet: ${words}`);
        });
        assert.equal(await answer.getAttribute('aria-busy'), 'true');
      }
      gate.open(50);
      await answer.getByText('Hello from the simulator.').waitFor();
      await answer.getByText(/in all/).waitFor();
      await picture(page, 'first-answer');

      await visit(page, 'home');
      await page.getByText('can take a call now').waitFor();
      assert.equal(await page.getByText('First steps').count(), 0, 'all done: the list is gone');
      const kept = await page.evaluate(() => JSON.stringify({ ...localStorage }) + document.cookie);
      for (const secret of [ADMIN_KEY, made, upstreamKey]) {
        assert.ok(page.addresses.every((address) => !address.includes(secret)), 'a secret is in an address');
        assert.ok(!kept.includes(secret), 'a secret outlives the tab');
      }
      assert.ok(page.addresses.every((address) => address.startsWith(empty.url)), 'something came from elsewhere');
    } finally {
      await page.context().close();
      await empty.stop();
    }
  });

  test('accounts: search, switch off and on, several at once, delete', async () => {
    const page = await browser.page(weir);
    await enter(page, '/#/accounts');
    const row = (name) => page.getByRole('row').filter({ hasText: name });
    await row('alpha-1').getByText('Ready').waitFor();
    await page.getByRole('button', { name: 'Switch off alpha-1' }).click();
    await row('alpha-1').getByText('Off', { exact: true }).waitFor();
    assert.equal((await weir.account('alpha-1')).state, 'off');

    await page.getByLabel('Search').fill('alpha');
    assert.equal(await row('beta-1').count(), 0);
    await page.getByLabel('Choose all').check();
    await page.getByRole('group', { name: '3 chosen' }).getByRole('button', { name: 'Switch off' }).click();
    await eventually(async () => assert.equal(await page.locator('tbody').getByText('Off', { exact: true }).count(), 3));
    await picture(page, 'accounts-off');
    await page.getByLabel('Choose all').check();
    await page.getByRole('group', { name: '3 chosen' }).getByRole('button', { name: 'Switch on' }).click();
    await eventually(async () => assert.equal(await page.locator('tbody').getByText('Ready').count(), 3));

    await page.getByRole('button', { name: 'Edit alpha-2' }).click();
    await page.getByLabel('Per minute', { exact: true }).fill('7');
    await page.getByLabel('At once').fill('');
    await page.getByRole('button', { name: 'Save' }).click();
    await row('alpha-2').getByText('0 / 7').waitFor();
    assert.deepEqual((await weir.account('alpha-2')).limits, { rpm: 7 });
    assert.equal((await weir.chat({ model: 'alpha' }, { key: CLIENT_KEY })).status, 200, 'the credential is kept');

    await page.getByRole('button', { name: 'Delete alpha-3' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await row('alpha-3').waitFor({ state: 'detached' });
    assert.equal((await weir.status()).accounts.some(({ id }) => id === 'alpha-3'), false);
    await page.context().close();
  });

  test('figures change by themselves', async () => {
    const page = await browser.page(weir);
    await enter(page);
    const card = page.locator('.figure').filter({ hasText: 'In flight' });
    await card.getByText('0', { exact: true }).waitFor();
    const gate = new Gate();
    sim.next(secretOf('beta-1'), { gate });
    const call = weir.chat({ model: 'beta', stream: true }, { key: CLIENT_KEY });
    await card.getByText('1', { exact: true }).waitFor();
    gate.open(100);
    await call;
    await card.getByText('0', { exact: true }).waitFor();
    await page.context().close();
  });

  test('keys: limits and models of a new one hold, and switching it off ends it', async () => {
    const page = await browser.page(weir);
    await enter(page, '/#/keys');
    await page.getByRole('button', { name: 'Create a key' }).first().click();
    await page.getByLabel('Name').fill('narrow');
    await page.getByText('Limits, models and end').click();
    await page.getByLabel('Models').fill('beta');
    await page.getByLabel('Per minute', { exact: true }).fill('30');
    await page.keyboard.press('Enter');
    const key = await page.locator('dialog pre').innerText();
    await page.getByRole('button', { name: 'I have copied it' }).click();
    const row = page.getByRole('row').filter({ hasText: 'narrow' });
    await row.getByText('0 / 30').waitFor();
    assert.equal((await weir.chat({ model: 'beta' }, { key })).status, 200);
    assert.equal((await weir.chat({ model: 'alpha' }, { key })).status, 403);
    await picture(page, 'keys');
    await page.getByRole('button', { name: 'Switch off narrow' }).click();
    await row.getByText('Off', { exact: true }).waitFor();
    await eventually(async () => assert.equal((await weir.chat({ model: 'beta' }, { key })).status, 401));
    assert.ok(!(await page.content()).includes(key), 'it is shown once');
    await page.context().close();
  });

  test('the Playground speaks all three APIs, folds thoughts, shows raw events, and its code runs', async () => {
    const page = await browser.page(weir, { permissions: ['clipboard-read', 'clipboard-write'] });
    await enter(page, '/#/playground');
    await page.getByRole('button', { name: 'Make one for a day' }).click();
    await page.getByRole('combobox', { name: 'Model', exact: true }).selectOption('thinks');
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Thinking').selectOption('low');
    for (const [dialect, event] of [['OpenAI', /chat\.completion\.chunk/], ['Claude', /content_block_delta/], ['Responses', /response\.output_text\.delta/]]) {
      await page.getByRole('button', { name: dialect, exact: true }).click();
      for (const streams of [true, false]) {
        await page.getByLabel('Stream').setChecked(streams);
        thinker.next(secretOf('thinks-1'), { reasoning: ['They greet ', 'me.'], text: [`${dialect} `, 'says ', 'hello.'] });
        await page.getByLabel('Message').fill('Hello');
        await page.getByLabel('Message').press('Enter');
        const turn = page.locator('.turn[aria-busy=false]').last();
        await turn.getByText(`${dialect} says hello.`, { exact: true }).waitFor();
        const thoughts = turn.locator('details.thoughts');
        assert.equal(await thoughts.getAttribute('open'), null, 'folded');
        await thoughts.getByText('Thoughts').click();
        await thoughts.getByText('They greet me.').waitFor();
        assert.notEqual(await thoughts.getAttribute('open'), null);
        await turn.getByText(/As it came/).click();
        const raw = await turn.locator('.events').innerText();
        if (streams) assert.match(raw, event);
        else assert.match(raw, /^\{\n/);
        if (dialect === 'Claude' && streams) await picture(page, 'playground');
        await page.getByRole('button', { name: 'New conversation' }).click();
      }
    }
    const key = await page.getByLabel('Client key').inputValue();
    for (const dialect of ['OpenAI', 'Claude', 'Responses']) {
      await page.getByRole('button', { name: dialect, exact: true }).click();
      for (const kind of ['curl', 'JavaScript']) {
        await page.getByRole('button', { name: kind }).click();
        const code = await page.evaluate(() => navigator.clipboard.readText());
        assert.ok(!code.includes(key), 'a key is in what is copied');
        const text = `it's ${dialect} by ${kind}`;
        thinker.next(secretOf('thinks-1'), { text: [text] });
        assert.ok((await runSnippet(kind, code, key)).includes(text), `${dialect}, ${kind}:\n${code}`);
      }
      await page.getByRole('button', { name: 'Python' }).click();
      assert.match(await page.evaluate(() => navigator.clipboard.readText()), /os\.environ\["WEIR_KEY"\][\s\S]+model="thinks"/);
    }
    await page.context().close();
  });

  test('an error of a call is told in the server’s words', async () => {
    const page = await browser.page(weir);
    await enter(page, '/#/playground');
    await page.getByLabel('Client key').fill('sk-no-such-key');
    await page.locator('.notice.bad').getByText(/key/i).waitFor();
    await page.getByLabel('Client key').fill(CLIENT_KEY);
    await page.getByRole('combobox', { name: 'Model', exact: true }).selectOption('beta');
    sim.next(secretOf('beta-1'), { is: 'event_error', after: 2, message: 'the model fell over' });
    await page.getByLabel('Message').fill('Hello');
    await page.getByLabel('Message').press('Enter');
    await page.locator('.turn .notice.bad').waitFor();
    await picture(page, 'playground-error');
    await page.context().close();
  });

  test('upstreams: a new one with mapped names, and an alias, serve at once', async () => {
    const page = await browser.page(weir);
    await enter(page, '/#/upstreams');
    await page.getByRole('button', { name: 'Edit' }).nth(1).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Add a row' }).click();
    await page.getByLabel('Asked for 1').last().fill('short-name');
    await page.getByLabel('Sent as 1').fill('beta');
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await page.getByText('Names mapped: 1').waitFor();
    assert.equal((await weir.chat({ model: 'short-name' }, { key: CLIENT_KEY })).status, 200);
    await page.getByRole('button', { name: 'Add a row' }).click();
    await page.getByLabel('Asked for 2').fill('other');
    await page.getByLabel('Stands for 2').fill('short-name');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved').waitFor();
    assert.deepEqual((await weir.manage('GET', '/admin/config')).aliases, { gpt: 'alpha', other: 'short-name' });
    await picture(page, 'upstreams');
    await page.context().close();
  });

  test('Explain names who serves, and why others do not', async () => {
    await weir.manage('PATCH', '/admin/accounts/alpha-1', { enabled: false });
    const page = await browser.page(weir);
    await enter(page, '/#/explain');
    await page.getByLabel('Model', { exact: true }).fill('gpt');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('alpha-2 would serve it now.').waitFor();
    await page.getByRole('row').filter({ hasText: 'alpha-1' }).getByText('switched off').waitFor();
    await picture(page, 'explain');
    await weir.manage('PATCH', '/admin/accounts/alpha-1', { enabled: true });
    await page.context().close();
  });

  test('settings: a change is stored, a wrong one is told, a default comes back', async () => {
    const page = await browser.page(weir);
    await enter(page, '/#/settings');
    await page.getByLabel('Time zone').fill('Mars/Olympus');
    await page.getByLabel(/^Tries/).fill('5');
    await page.getByText('Unsaved: 2').waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').getByText(/Mars\/Olympus/).waitFor();
    await page.getByLabel('Time zone').fill('Asia/Shanghai');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Unsaved').waitFor({ state: 'detached' });
    const { settings } = await weir.manage('GET', '/admin/config');
    assert.deepEqual([settings.timezone, settings.max_attempts, settings.queue.max_waiting], ['Asia/Shanghai', 5, 100]);
    await page.getByRole('button', { name: 'Use it' }).first().click();
    assert.equal(await page.getByLabel('Time zone').inputValue(), 'UTC');
    await picture(page, 'settings', { fullPage: false });
    await page.context().close();
  });

  test('every setting is known by name, with the default that the Worker has', async () => {
    const fresh = await start();
    const page = await browser.page(fresh);
    try {
      await enter(page, '/#/settings');
      await settled(page);
      assert.equal(await page.getByRole('heading', { name: 'Others' }).count(), 0, 'a setting has no text');
      assert.equal(await page.getByRole('button', { name: 'Use it' }).count(), 0, 'a default differs');
    } finally {
      await page.context().close();
      await fresh.stop();
    }
  });

  test('a key holder sees what the key may do', async () => {
    const page = await browser.page(weir);
    await page.goto('/me');
    await page.getByLabel('Client key').fill('sk-wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Client key').fill(CLIENT_KEY);
    await page.keyboard.press('Enter');
    await page.locator('.chip').getByText('beta', { exact: true }).waitFor();
    await page.getByText(/Today: [1-9]\d* requests/).waitFor();
    for (const client of ['Claude Code', 'Codex', 'Python', 'JavaScript', 'curl']) {
      await page.getByRole('button', { name: client, exact: true }).click();
      assert.ok((await page.locator('pre').innerText()).includes(weir.url), client);
      if (client === 'Claude Code') assert.match(await page.locator('pre').innerText(), /claude --model \w/, 'no name begins with claude here');
    }
    await checkAccess(page, '/me');
    await picture(page, 'me');
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await page.getByLabel('Client key').waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await page.context().close();
  });

  test('a session that has ended leads back to the login', async () => {
    const page = await browser.page(weir);
    await enter(page);
    await page.evaluate(() => sessionStorage.setItem('weir.session', 'ended'));
    await page.evaluate(() => void (location.hash = '#/accounts'));
    await page.getByLabel('Password').waitFor();
    await page.context().close();
  });

  test('a route that an older Worker lacks is told as such', async () => {
    const page = await browser.page(weir);
    const missing = { status: 404, json: { error: { message: 'Unknown request URL.', type: 'invalid_request_error', code: 'unknown_url', param: null } } };
    await page.route(/\/admin\/(stats|logs|audit|backups|plan|vercel)/, (route) => route.fulfill(missing));
    await enter(page);
    await page.getByText('This Worker keeps no statistics yet').waitFor();
    for (const view of ['logs', 'imports']) {
      await visit(page, view);
      await page.getByText('This Worker does not serve that yet').first().waitFor();
    }
    await page.context().close();
  });
});

/** Runs what was copied, with the key in the environment. */
async function runSnippet(kind, code, key) {
  const folder = join(root, 'tests', 'e2e', '.tmp');
  const file = join(folder, 'snippet.mjs');
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, code);
  const [command, args] = kind === 'curl' ? ['bash', ['-c', code]] : [process.execPath, [file]];
  const child = spawn(command, args, { env: { ...process.env, WEIR_KEY: key }, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  await new Promise((done) => child.on('close', done));
  return text;
}
