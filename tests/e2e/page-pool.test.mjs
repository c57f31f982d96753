// The page at work on a pool in use: figures, the log and its receipts, tests of accounts, imports, backups.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { checkAccess, enter, openBrowser, overflow, phone, picture, skip } from './browser.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

describe('the page of a pool in use', { skip }, () => {
  let [weir, sim, browser] = [];
  before(async () => {
    sim = await startSimulator();
    const cases = { busy: { accounts: 2 }, quiet: { accounts: [{ limits: { max_uses: 3 } }, {}] } };
    const config = pools(sim, cases, { keys: [{ name: 'laptop', key: CLIENT_KEY }], settings: { stats: { batch_ms: 1 } } });
    [weir, browser] = await Promise.all([start({ config }), openBrowser()]);
    sim.next('*', 500);
    for (let call = 0; call < 5; call += 1) assert.equal((await weir.chat({ model: 'busy' })).status, 200);
    assert.equal((await weir.chat({ model: 'nobody-has-it' })).status, 404);
    await eventually(async () => assert.equal((await weir.manage('GET', '/admin/stats')).requests, 6));
  });
  after(async () => {
    await browser?.close();
    await weir?.stop();
    await sim?.close();
  });

  test('Home shows what the calls came to, for every period', async () => {
    const page = await browser.page(weir);
    await enter(page);
    const figure = (name) => page.locator('.figure').filter({ hasText: name });
    await figure('Requests').getByText('6', { exact: true }).waitFor();
    await figure('Requests').getByText('1 failed').waitFor();
    await figure('Success').getByText('83.3%').waitFor();
    const plan = page.locator('.card').filter({ hasText: 'Cloudflare’s plan' });
    await plan.getByText('/ 100K').first().waitFor();
    await plan.getByRole('button', { name: 'Paid' }).click();
    await plan.getByText('/ 10M').first().waitFor();
    for (const period of ['7 days', '30 days', '24 hours']) {
      await page.getByRole('button', { name: period }).click();
      await page.getByRole('img', { name: '6 requests, 1 errors in this period' }).waitFor();
      assert.ok((await page.locator('canvas').boundingBox()).width > 400);
    }
    for (const [list, name] of [['By model', 'busy'], ['By account', 'busy-2'], ['By key', 'laptop']]) {
      await page.locator('.card').filter({ hasText: list }).getByText(name, { exact: true }).waitFor();
    }
    await checkAccess(page, 'Home, in use');
    await picture(page, 'home');
    await page.getByRole('button', { name: 'Dark' }).click();
    await picture(page, 'dark-home-used');
    await page.setViewportSize(phone);
    assert.equal(await overflow(page), 0);
    await picture(page, 'phone-home-used');
    await page.context().close();
  });

  test('a request’s receipt names who tried, and Changes who changed what', async () => {
    const page = await browser.page(weir);
    await enter(page, '/#/logs');
    const rows = page.locator('tbody tr');
    await eventually(async () => assert.equal(await rows.count(), 6));
    await page.getByRole('row').filter({ hasText: '2 tries' }).getByRole('button').click();
    const receipt = page.locator('.receipt');
    await receipt.getByRole('heading', { name: 'Tried' }).waitFor();
    await receipt.getByText(/failure/).waitFor();
    await receipt.getByText(/success/).waitFor();
    await picture(page, 'logs');
    await page.getByRole('button', { name: 'Failed' }).click();
    await eventually(async () => assert.equal(await rows.count(), 1));
    await rows.getByText('404').waitFor();
    assert.equal((await weir.chat({ model: 'busy' })).status, 200);
    await page.getByRole('button', { name: 'Requests' }).click();
    await eventually(async () => assert.equal(await rows.count(), 7));

    await weir.manage('PATCH', '/admin/accounts/quiet-2', { weight: 2 });
    await page.getByRole('button', { name: 'Changes' }).click();
    await page.getByText('PATCH /admin/accounts/quiet-2').waitFor();
    await checkAccess(page, 'Changes');
    await page.context().close();
  });

  test('what the server says by a code is said in Chinese, an upstream’s own words stay', async () => {
    const limits = { rpd: 0 };
    sim.addKeys(secretOf('told-1'));
    await weir.manage('POST', '/admin/upstreams', { id: 'told', kind: 'openai', base_url: sim.url, models: ['told'] });
    for (const account of [{ id: 'told-1' }, { id: 'told-2', enabled: false }, { id: 'told-3', limits }]) {
      await weir.manage('POST', '/admin/accounts', { upstream: 'told', api_key: secretOf(account.id), ...account });
    }
    sim.addModels('told');
    sim.next(secretOf('told-1'), 401);
    assert.equal((await weir.chat({ model: 'told' })).status, 502);
    assert.equal((await weir.chat({ model: 'told' })).status, 503);

    const page = await browser.page(weir, { locale: 'zh-CN' });
    await enter(page, '/#/logs');
    const rows = page.getByRole('row').filter({ hasText: 'told' });
    const receipt = page.locator('.receipt');
    await rows.filter({ hasText: '503' }).getByRole('button').click();
    await receipt.getByText('没有可用的账号（').waitFor();
    await receipt.getByText('已禁用：invalid credential: the upstream answered 401').waitFor();
    await receipt.getByText('已停用').waitFor();
    await receipt.getByText('限额为 0').waitFor();
    await picture(page, 'zh-receipt');
    await rows.filter({ hasText: '502' }).getByRole('button').click();
    await receipt.getByText('凭证被拒绝').waitFor();

    await page.goto(`${weir.url}/#/accounts`);
    await page.getByRole('row').filter({ hasText: 'told-1' }).getByText('已禁用：invalid credential').waitFor();
    await page.goto(`${weir.url}/#/explain`);
    await page.getByLabel('模型').fill('nobody-has-it');
    await page.getByRole('button', { name: '路由解释' }).click();
    await page.getByText('没有此模型（').waitFor();
    await page.goto(`${weir.url}/#/imports`);
    await page.getByText('添加到 upstreams').waitFor();
    await page.context().close();
    await weir.manage('POST', '/admin/config', { accounts: (await weir.manage('GET', '/admin/config')).accounts.filter(({ upstream }) => upstream !== 'told') });
    await weir.manage('DELETE', '/admin/upstreams/told');
  });

  test('accounts are tested with results as they come, and reset', async () => {
    const page = await browser.page(weir);
    sim.onKey(secretOf('busy-2'), 401);
    await enter(page, '/#/accounts');
    await page.getByRole('button', { name: 'Test all' }).click();
    await page.getByText('4 of 4 done').waitFor();
    await page.getByText('Test: 3 of 4 answered').waitFor();
    await page.getByRole('row').filter({ hasText: 'busy-2' }).getByText('Fails').waitFor();
    await picture(page, 'accounts-tested');
    sim.reset();
    const uses = async () => (await weir.account('quiet-1')).usage.uses;
    const row = page.getByRole('row', { name: /Choose quiet-1/ });
    for (let call = 0; call < 8; call += 1) await weir.chat({ model: 'quiet' });
    assert.ok((await uses()) >= 3);
    await page.getByRole('button', { name: /^Reset quiet-1/ }).click();
    await row.getByText('0 / 3').waitFor();
    assert.equal(await uses(), 0);
    await page.context().close();
  });

  test('a service’s models are fetched from it, with the credential of an account', async () => {
    const page = await browser.page(weir);
    await enter(page, '/#/upstreams');
    sim.addModels('fresh-model');
    const card = page.locator('.card').filter({ has: page.getByRole('heading', { name: 'quiet', exact: true }) });
    await card.getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('button', { name: 'Fetch from the service' }).click();
    await eventually(async () => assert.match(await page.getByLabel('Models').inputValue(), /^quiet\n[\s\S]*fresh-model/));
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await card.getByText('fresh-model', { exact: true }).waitFor();
    assert.equal((await weir.chat({ model: 'fresh-model' })).status, 200);

    sim.onKey(secretOf('quiet-1'), 401);
    const refused = await weir.admin('GET', '/admin/upstreams/quiet/models');
    assert.deepEqual([refused.status, refused.json.error.message], [502, 'The service does not list its models: it answered 401.']);
    sim.reset();
    const without = await weir.admin('GET', '/admin/upstreams/ark/models');
    assert.deepEqual([without.status, /no account/.test(without.json.error.message)], [404, true]);
    await page.context().close();
  });

  test('an import: preview, duplicates, a result per line, undone again; a backup is compared and restored', async () => {
    const page = await browser.page(weir);
    await enter(page, '/#/imports');
    const accounts = async () => (await weir.status()).total_accounts;
    const before = await accounts();
    const file = JSON.stringify({
      keys: ['sk-imported-key-0001'],
      accounts: [
        { email: 'one@example.com', password: 'imported-password-1' },
        { email: 'two@example.com', password: 'imported-password-2' },
        { email: 'one@example.com', password: 'imported-password-1' },
      ],
    });
    await page.getByLabel('File').setInputFiles({ name: 'config.json', mimeType: 'application/json', buffer: Buffer.from(file) });
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByText('3 new, 0 changed, 1 known already, 0 failed').waitFor();
    assert.equal(await accounts(), before, 'a preview stores nothing');
    await picture(page, 'import');
    await page.getByRole('button', { name: 'Import 3' }).click();
    await page.getByRole('button', { name: 'Undo' }).waitFor();
    assert.equal(await page.getByLabel('File').inputValue(), '', 'the same file can be chosen again');
    assert.equal(await accounts(), before + 2);
    assert.equal((await weir.call('GET', '/v1/models', { key: 'sk-imported-key-0001' })).status, 200);
    await checkAccess(page, 'an import');

    const backup = page.locator('.card').filter({ has: page.getByRole('heading', { name: 'Backups' }) }).getByRole('row').nth(2); // below the heading and the present version
    await backup.getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('dialog').getByText('accounts › one@example.com').waitFor();
    await picture(page, 'backup-compared', { fullPage: false });
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText(/· Undone/).waitFor();
    assert.equal(await accounts(), before);

    await backup.getByRole('button', { name: 'Restore' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.equal(await accounts(), before + 2, 'the version before the undoing has them');

    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the configuration' }).click()]);
    const exported = JSON.parse(await readFile(await download.path(), 'utf8'));
    assert.equal(exported.accounts.length, before + 2);
    assert.ok(!JSON.stringify(exported).includes('imported-password-1'), 'masked, unless asked for');
    await page.context().close();
  });

  test('a line that is wrong is named, and what is no file of any kind is refused', async () => {
    const page = await browser.page(weir);
    await enter(page, '/#/imports');
    await page.getByLabel('or its text').fill('{"accounts": [');
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('alert').getByText(/not valid JSON/).waitFor();
    await page.getByLabel('or its text').fill(JSON.stringify({ accounts: [{ email: 'three@example.com', password: 'imported-password-3' }, { email: 'four@example.com' }] }));
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByText('1 new, 0 changed, 0 known already, 1 failed').waitFor();
    await page.getByRole('row').filter({ hasText: 'accounts[1]' }).getByText('failed').waitFor();
    await page.context().close();
  });
});
