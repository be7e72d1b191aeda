// Citizens before a challenge. Arguments: the name of a scene, and a JSON with its house:
//   plain, tls   addresses of both doors, on a host name that is not loopback's own
//   host         that name; it and bank.example are mapped to 127.0.0.1
//   shots        a folder for screenshots
//   code         an access code, where the scene needs one
// Prints a JSON of what was seen; anything unexpected ends it with an error.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const house = JSON.parse(process.argv[3]);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    `--host-resolver-rules=MAP ${house.host} 127.0.0.1,MAP bank.example 127.0.0.1`],
});
const CEILING = 60000;

// A person with a browser of their own: what it asked for, and what went wrong in it.
async function person(options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', ignoreHTTPSErrors: true, ...options });
  const seen = { pages: [], solutions: 0, workers: 0, problems: [] };
  const page = async () => {
    const tab = await context.newPage();
    tab.setDefaultTimeout(CEILING);
    tab.on('response', (r) => {
      const request = r.request();
      if (request.isNavigationRequest()) { seen.pages.push(`${request.method()} ${r.status()}`); }
      if (request.method() === 'POST' && r.url().endsWith('/boma/challenge')) { seen.solutions++; }
    });
    tab.on('worker', () => seen.workers++);
    tab.on('pageerror', (e) => seen.problems.push(String(e)));
    tab.on('console', (m) => { if (m.type() === 'error' && !/status of (503|429)/.test(m.text())) { seen.problems.push(m.text()); } });
    return tab;
  };
  return { context, seen, page };
}

const has = (tab, text) => tab.waitForFunction((t) => document.body && document.body.innerText.includes(t), text, { polling: 50 });
const passOf = async (context) => (await context.cookies()).find((c) => c.name === 'boma_pass')?.value;
// Presses the page's button, and waits for the page that comes of it.
const press = (tab) => Promise.all([tab.waitForEvent('domcontentloaded'), tab.locator('button:visible').click()]);
const titled = (tab) => tab.locator('h1').innerText();

// A file on the disk: what a browser only holds in memory it may have let go of when it sends a form again.
const large = () => {
  const path = join(house.shots, 'large.bin');
  writeFileSync(path, Buffer.alloc(200000, 'boma'));
  return path;
};

const scenes = {
  // Whatever a browser has or lacks, the script finds its way, on both doors.
  async ways() {
    const ways = {
      worker: () => {},
      none: () => { delete window.Worker; },
      blocked: () => { window.Worker = function () { throw new Error('SecurityError'); }; },
      broken: () => { window.Worker = function () { setTimeout(() => this.onerror({}), 0); this.postMessage = this.terminate = () => {}; }; },
      silent: () => { window.Worker = function () { this.postMessage = this.terminate = () => {}; }; },
      old: () => { delete window.Worker; delete window.MessageChannel; delete window.crypto; },
      storeless: () => { for (const s of ['localStorage', 'sessionStorage']) { Object.defineProperty(window, s, { get() { throw new Error('SecurityError'); } }); } },
    };
    const waits = {};
    for (const door of ['plain', 'tls']) {
      for (const [name, prepare] of Object.entries(ways)) {
        const { context, seen, page } = await person();
        await context.addInitScript(prepare);
        const tab = await page();
        const start = Date.now();
        const first = await tab.goto(`${house[door]}/en/`);
        assert.equal(await first.headerValue('content-encoding'), 'gzip', 'a browser gets it packed');
        await has(tab, 'Welcome to Huduma');
        assert.equal(await tab.evaluate(() => window.isSecureContext), door === 'tls');
        waits[`${door} ${name}`] = Date.now() - start;
        assert.deepEqual(seen.pages, ['GET 503', 'GET 200'], name);
        assert.deepEqual([seen.solutions, seen.problems], [1, []], name);
        assert.equal(seen.workers > 0, name === 'worker' || name === 'storeless', `${name}: ${seen.workers} workers`);
        await context.close();
      }
    }
    return waits;
  },

  // An answer that is lost on the way is asked for again; a seal that is void is replaced by loading again.
  async mishaps() {
    const meet = async (prepare, during) => {
      const { context, seen, page } = await person();
      const tab = await page();
      await prepare(tab);
      await tab.goto(`${house.plain}/en/`);
      if (during) { await has(tab, during); }
      await has(tab, 'Welcome to Huduma');
      await context.close();
      return seen;
    };
    let lost = 2;
    const offline = await meet((tab) => tab.route('**/boma/challenge', (route) => (lost-- > 0 ? route.abort() : route.continue())), 'Your browser tries again by itself');
    assert.deepEqual(offline.pages, ['GET 503', 'GET 200']);
    let spoiled = 0;
    const voided = await meet((tab) => tab.route('**/boma/challenge', (route) => route.continue(spoiled++ ? {} : { postData: 'seal=x&work=1' })));
    assert.deepEqual(voided.pages, ['GET 503', 'GET 503', 'GET 200']);
    // Half an hour asleep in between: the solution is not sent, the page is loaded again.
    const slept = await meet((tab) => tab.addInitScript(() => {
      if (sessionStorage.slept) { return; }
      sessionStorage.slept = 1;
      const now = Date.prototype.getTime, make = URL.createObjectURL;
      let asleep = 0;
      Date.prototype.getTime = function () { return now.call(this) + asleep; };
      URL.createObjectURL = (blob) => { asleep = 31 * 6e4; return make.call(URL, blob); };
    }));
    assert.deepEqual([slept.pages, slept.solutions], [['GET 503', 'GET 503', 'GET 200'], 1]);
    return {};
  },

  // Nobody stands before a page that does nothing: after ten seconds there is a button.
  async slow() {
    const { context, page } = await person();
    await context.addInitScript(() => { window.Worker = function () { this.postMessage = this.terminate = () => {}; }; window.MessageChannel = function () { this.port1 = {}; this.port2 = { postMessage() {} }; }; });
    const tab = await page();
    await tab.goto(`${house.plain}/en/`);
    assert.equal(await tab.locator('#hand').isVisible(), false);
    await tab.locator('#hand button').waitFor({ state: 'visible' });
    await has(tab, 'You need not wait for it');
    await tab.locator('#hand button').click();
    await has(tab, 'Welcome to Huduma');
    return {};
  },

  // Scripts off: a button with a wait that the server checks, and one hop where cookies are not kept.
  async scriptless() {
    const { context, seen, page } = await person({ javaScriptEnabled: false, viewport: { width: 360, height: 740 } });
    const tab = await page();
    await tab.goto(`${house.plain}/en/`);
    assert.match(await tab.locator('main').innerText(), /Seconds to wait: \d+/);
    await tab.screenshot({ path: `${house.shots}/challenge-scriptless-360.png`, fullPage: true });
    const seconds = async () => Number(await tab.locator('#wait').innerText());
    const seal = () => tab.locator('[name=boma-seal]').getAttribute('value');
    const [wait, sealed] = [await seconds(), await seal()];
    await press(tab);
    assert.deepEqual(seen.pages, ['GET 503', 'POST 503'], 'too early: the same page again');
    assert.ok(await seconds() <= wait && await seal() === sealed, 'and the wait is not begun anew');
    const start = Date.now();
    while (await titled(tab) !== 'Welcome to Huduma') {
      assert.ok(Date.now() - start < CEILING);
      await tab.waitForTimeout(1000 * await seconds());
      await press(tab);
    }
    assert.equal(seen.pages.at(-1), 'POST 200', 'no cookie came with the form: one hop');
    assert.ok(await passOf(context));
    await tab.goto(`${house.plain}/en/`);
    assert.equal(seen.pages.at(-1), 'GET 200', 'and the pass is good');
    return seen;
  },

  // A browser with scripts that keeps no cookies goes by the form too, and is not sent in circles.
  async cookieless() {
    const { context, seen, page } = await person();
    await context.addInitScript(() => Object.defineProperty(navigator, 'cookieEnabled', { get: () => false }));
    const tab = await page();
    for (let i = 1; i < 4; i++) {
      await tab.goto(`${house.plain}/en/`);
      await has(tab, 'Welcome to Huduma');
      assert.deepEqual([seen.pages.length, seen.pages.at(-1), seen.solutions], [2 * i, 'POST 200', 0]);
      await context.clearCookies();
    }
    return seen;
  },

  // Ten tabs opened at once by one person.
  async tabs() {
    const { context, seen, page } = await person();
    const tabs = await Promise.all(Array.from({ length: 10 }, page));
    await Promise.all(tabs.map((tab) => tab.goto(`${house.plain}/en/`, { waitUntil: 'commit' })));
    await Promise.all(tabs.map((tab) => has(tab, 'Welcome to Huduma')));
    assert.deepEqual(seen.problems, []);
    const again = await page();
    await again.goto(`${house.plain}/en/`);
    assert.equal(seen.pages.at(-1), 'GET 200', 'the pass that stayed is good');
    assert.ok(seen.pages.length <= 31, `${seen.pages.length} pages for ten tabs`);
    await context.close();
    return seen;
  },

  // From one network to another and back, in both families.
  async networks() {
    const { context, seen, page } = await person();
    const tab = await page();
    for (const from of ['203.0.113.5', '2001:db8:1::5', '203.0.113.5', '198.51.100.7', '203.0.113.5']) {
      await context.setExtraHTTPHeaders({ 'X-Forwarded-For': from });
      await tab.goto(`${house.tls}/en/`);
      await has(tab, 'Welcome to Huduma');
    }
    assert.deepEqual(seen.pages, ['GET 503', ...Array(5).fill('GET 200')], 'challenged once');
    return seen;
  },

  // While it is used a pass lives on, with the same identity, and nobody is challenged again.
  async renewal() {
    const { context, seen, page } = await person();
    const tab = await page();
    await tab.goto(`${house.plain}/en/`);
    await has(tab, 'Welcome to Huduma');
    const first = await passOf(context);
    const start = Date.now();
    while (await passOf(context) === first) {
      assert.ok(Date.now() - start < CEILING, 'renewed');
      await tab.waitForTimeout(1000);
      await tab.reload();
    }
    await tab.reload();
    assert.equal(seen.pages.filter((p) => p === 'GET 503').length, 1);
    return seen;
  },

  // A bank sends somebody back by POST: over TLS the pass comes along.
  async bank() {
    const { context, seen, page } = await person();
    const tab = await page();
    await tab.goto(`${house.tls}/open`);
    await has(tab, 'Karibu');
    await context.route('https://bank.example/**', (route) => route.fulfill({ contentType: 'text/html', body:
      `<form method="post" action="${house.tls}/paid"><input name="receipt" value="R 1/2"><button>Back to the shop</button></form>` }));
    await tab.goto('https://bank.example/');
    await tab.locator('button').click();
    await has(tab, 'POST /paid');
    assert.deepEqual(seen.pages.filter((p) => p.includes('503')), ['GET 503'], 'challenged once, before');
    return seen;
  },

  // Forms that are challenged arrive as they were written; the origin's way to a bank is open.
  async forms() {
    const { context, seen, page } = await person();
    await context.route('https://bank.example/**', (route) => route.fulfill({ contentType: 'text/html', body: '<h1>The bank</h1>' }));
    const tab = await page();
    const write = async (form) => {
      await context.clearCookies();
      await tab.goto(`${house.plain}/open`);
      await context.clearCookies();
      await tab.evaluate((html) => { document.body.innerHTML = html; }, form);
    };
    await write('<form method="post" action="/form?a=1"><textarea name="text"></textarea><button name="do" value="send">Send</button></form>');
    await tab.fill('textarea', 'Duka la Mama\n50 % & "zaidi" + ñ');
    await tab.locator('button').click();
    await has(tab, 'POST /form');
    await write('<form method="post" enctype="multipart/form-data" action="/file"><input name="name" value="Mama"><input type="file" name="file"><button>Send</button></form>');
    await tab.setInputFiles('[type=file]', { name: 'cheti "1".bin', mimeType: 'application/octet-stream', buffer: Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256)) });
    await tab.locator('button').click();
    await has(tab, 'POST /file');
    await write('<form method="post" action="/to-the-bank"><input name="sum" value="100"><button>Pay</button></form>');
    await tab.locator('button').click();
    await has(tab, 'The bank');
    assert.deepEqual(seen.solutions, 0, 'solution and form went in one request');
    // Too large to ride: it stays with the browser, which sends it again when asked.
    await write('<form method="post" enctype="multipart/form-data" action="/large"><input type="file" name="file"><button>Send</button></form>');
    await tab.setInputFiles('[type=file]', large());
    await tab.locator('button').click();
    await has(tab, 'Nothing you wrote is lost');
    await tab.screenshot({ path: `${house.shots}/resend-1280.png`, fullPage: true });
    tab.on('dialog', (d) => d.accept());
    await tab.locator('#again').click({ noWaitAfter: true });
    await has(tab, 'POST /large');
    assert.deepEqual(seen.problems, []);
    return seen;
  },

  // The same without scripts: forms ride by the button, and what is too large waits in its tab for another to be let in.
  async scriptless_forms() {
    const { context, page } = await person({ javaScriptEnabled: false });
    const tab = await page();
    let form = '<form method="post" action="/form"><input name="name" value="Mama"><button>Send</button></form>';
    await tab.route('**/write', (route) => route.fulfill({ contentType: 'text/html', body: form }));
    await tab.goto(`${house.plain}/write`);
    await press(tab);
    assert.match(await titled(tab), /One moment/);
    const wait = async () => tab.waitForTimeout(1000 * (1 + Number(await tab.locator('#wait').innerText())));
    await wait();
    await press(tab);
    assert.equal(await tab.locator('p').innerText(), 'POST /form');
    await context.clearCookies();
    form = '<form method="post" enctype="multipart/form-data" action="/large"><input type="file" name="file"><button>Send</button></form>';
    await tab.goto(`${house.plain}/write`);
    await tab.setInputFiles('[type=file]', large());
    await press(tab);
    assert.match(await tab.locator('main').innerText(), /it opens a new tab/);
    await wait();
    const [other] = await Promise.all([context.waitForEvent('page'), tab.locator('button:visible').click()]);
    await other.waitForLoadState();
    assert.equal(await other.locator('p').innerText(), 'GET /large');
    await tab.reload();
    assert.equal(await tab.locator('p').innerText(), 'POST /large');
    return {};
  },

  // Scripts off, over a limit: what is small waits in the page for its button, what is large in the browser for a reload.
  async scriptless_exits() {
    const { seen, page } = await person({ javaScriptEnabled: false, viewport: { width: 320, height: 640 } });
    const tab = await page();
    const written = '<form method="post" action="/pay"><textarea name="text"></textarea><button>Pay</button></form>';
    const picked = '<form method="post" enctype="multipart/form-data" action="/pay"><input type="file" name="file"><button>Pay</button></form>';
    let form = written;
    await tab.route('**/write', (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: form }));
    const write = async (text) => {
      await tab.goto(`${house.plain}/write`);
      await tab.fill('textarea', text);
      await press(tab);
    };
    // The origin's own page has one paragraph and no title of boma's.
    const until_paid = async (again) => {
      const start = Date.now();
      while (seen.pages.at(-1) !== 'POST 200') {
        assert.ok(Date.now() - start < CEILING, await tab.locator('main').innerText());
        await tab.waitForTimeout(1000);
        await again();
      }
      assert.equal(await tab.locator('p').innerText(), 'POST /pay');
    };
    await write('Duka');
    assert.equal(seen.pages.at(-1), 'POST 200');
    await write('Duka la Mama\n50 % & "zaidi" + ñ');
    assert.equal(seen.pages.at(-1), 'POST 429');
    assert.match(await tab.locator('main').innerText(), /Your form has not been sent\. It is kept in this page/);
    await tab.screenshot({ path: `${house.shots}/limited-form-scriptless-320.png`, fullPage: true });
    await until_paid(() => press(tab));
    form = picked;
    await tab.goto(`${house.plain}/write`);
    await tab.setInputFiles('[type=file]', large());
    await press(tab);
    assert.equal(seen.pages.at(-1), 'POST 429');
    assert.equal(await titled(tab), 'Your form has not been sent');
    assert.equal(await tab.locator('button, [href=""]').count(), 0, 'nothing that would ask by GET');
    await tab.screenshot({ path: `${house.shots}/left-scriptless-320.png`, fullPage: true });
    await until_paid(() => tab.reload());
    assert.deepEqual(seen.problems, []);
    return seen;
  },

  // Without scripts: the switch of languages keeps the page's own address, and what the portal itself calls a language is put right.
  async switches() {
    const { seen, page } = await person({ javaScriptEnabled: false });
    const tab = await page();
    for (const [from, to] of [['/pay?bill=123&to=%2Fx', '/pay?bill=123&to=%2Fx'], ['/pay?lang=en&bill=1', '/pay?lang=ar&bill=1']]) {
      await tab.goto(house.plain + from);
      await Promise.all([tab.waitForEvent('domcontentloaded'), tab.locator('nav a[hreflang=ar]').click()]);
      assert.equal(tab.url(), house.plain + to);
      assert.equal(await tab.locator('html').getAttribute('lang'), 'ar');
    }
    return seen;
  },

  // axe finds nothing: each language, light and dark, while the script works and where it does not, 320 px wide.
  async axe() {
    const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const found = [];
    for (const works of [true, false]) {
      for (const colorScheme of ['light', 'dark']) {
        const { context, page } = await person({ colorScheme, viewport: { width: 320, height: 640 } });
        // axe itself needs scripts: the page's own is stopped at its first line.
        await context.addInitScript((works) => { sessionStorage.clear(); if (!works) { document.getElementById = () => null; } }, works);
        const tab = await page();
        // The answer to the solution is held back, so that the page stays.
        await tab.route('**/boma/challenge', () => {});
        for (const lang of house.languages) {
          await tab.goto(`${house.plain}/search?lang=${lang}`);
          await tab.evaluate(() => { delete document.getElementById; });
          assert.equal(await tab.locator('html').getAttribute('lang'), lang);
          if (works) { await tab.waitForFunction(() => document.getElementById('bar').value === 1); }
          assert.equal(await tab.locator('#hand').isVisible(), !works);
          await tab.evaluate(source);
          const { violations, passes } = await tab.evaluate(() => axe.run());
          assert.ok(passes.length > 15, 'axe has looked');
          found.push(...violations.map((v) => `${lang} ${colorScheme} ${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`));
          assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${lang}: nothing is wider than the window`);
          assert.equal(await tab.evaluate(() => getComputedStyle(document.body).direction), lang === 'ar' ? 'rtl' : 'ltr');
          await tab.screenshot({ path: `${house.shots}/challenge-${lang}-320-${colorScheme}${works ? '' : '-by-hand'}.png`, fullPage: true });
        }
        await context.close();
      }
    }
    assert.deepEqual(found, []);
    return {};
  },

  // Somebody who cannot pass is given a code on the phone: by keyboard, without scripts, in each language.
  async code() {
    for (const lang of house.languages) {
      const { context, page } = await person({ javaScriptEnabled: false });
      const tab = await page();
      await tab.goto(`${house.plain}/en/?lang=${lang}`);
      await Promise.all([tab.waitForEvent('domcontentloaded'), tab.locator('a[href$="challenge?code"]').click()]);
      await tab.goto(`${house.plain}/.well-known/boma/challenge?code&lang=${lang}`);
      for (const [typed, wrong] of [[house.code.slice(0, 20), false], [house.code.toLowerCase().replaceAll('-', ' '), true]]) {
        assert.equal(await tab.locator('html').getAttribute('lang'), lang);
        assert.equal(await tab.locator('[role=alert]').count(), wrong ? 1 : 0);
        await tab.locator('#code').fill(typed);
        await Promise.all([tab.waitForEvent('domcontentloaded'), tab.keyboard.press('Enter')]);
      }
      assert.ok(await passOf(context), `${lang}: a pass`);
      assert.equal((await tab.goto(`${house.plain}/en/`)).status(), 200, lang);
      await context.close();
    }
    return {};
  },

  // A line before a page: the place is kept while the phone is off the network, and the page opens by itself.
  async room() {
    const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const { context, seen, page } = await person({ viewport: { width: 320, height: 640 } });
    const tab = await page();
    await tab.goto(`${house.plain}/file`);
    const placeOf = async () => (await context.cookies()).find((c) => c.name === 'boma_place')?.value;
    assert.ok(await placeOf(), 'it has a place');
    await tab.locator('#still').waitFor();
    await tab.evaluate(source);
    const { violations, passes } = await tab.evaluate(() => axe.run());
    assert.ok(passes.length > 15, 'axe has looked');
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`), []);
    assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the window');
    await tab.screenshot({ path: `${house.shots}/room-320.png`, fullPage: true });
    const said = tab.locator('#said');
    await context.setOffline(true);
    await tab.waitForFunction(() => document.getElementById('said').textContent !== '');
    const lost = await said.innerText();
    await context.setOffline(false);
    await tab.waitForFunction(() => document.getElementById('said').textContent === '');
    seen.problems = seen.problems.filter((p) => !/ERR_INTERNET_DISCONNECTED/.test(p));
    writeFileSync(join(house.shots, 'room-seen'), '');
    await has(tab, 'The form');
    assert.deepEqual([seen.pages, seen.problems], [['GET 503', 'GET 200'], []]);
    return { lost };
  },
  // The same without scripts: the button asks, and the place stays what it was.
  async room_by_hand() {
    const ask = (tab) => Promise.all([tab.waitForEvent('domcontentloaded'), tab.locator('#check').click()]);
    const { context, seen, page } = await person({ javaScriptEnabled: false, viewport: { width: 320, height: 640 } });
    const tab = await page();
    await tab.goto(`${house.plain}/file`);
    const place = await tab.locator('#place').innerText();
    await ask(tab);
    assert.equal(await tab.locator('#place').innerText(), place);
    writeFileSync(join(house.shots, 'room_by_hand-seen'), '');
    const start = Date.now();
    while (await titled(tab) !== 'The form') {
      assert.ok(Date.now() - start < CEILING, 'it is called');
      await ask(tab);
    }
    assert.equal(seen.pages.at(-1), 'GET 200');
    await context.close();
    return { presses: seen.pages.length - 1 };
  },
  // axe finds nothing where a code is written. It needs timers, which pages without scripts do not have.
  async code_axe() {
    const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const found = [];
    for (const colorScheme of ['light', 'dark']) {
      const { context, page } = await person({ colorScheme, viewport: { width: 320, height: 640 } });
      const tab = await page();
      for (const lang of house.languages) {
        await tab.goto(`${house.plain}/.well-known/boma/challenge?code&lang=${lang}`);
        for (const name of ['code', 'code-wrong']) {
          await tab.evaluate(source);
          const { violations } = await tab.evaluate(() => axe.run({ resultTypes: ['violations'] }));
          found.push(...violations.map((v) => `${lang} ${name} ${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`));
          assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${lang}: nothing is wider than the window`);
          await tab.screenshot({ path: `${house.shots}/${name}-${lang}-320-${colorScheme}.png`, fullPage: true });
          await tab.locator('#code').fill('no code');
          await Promise.all([tab.waitForEvent('domcontentloaded'), tab.keyboard.press('Enter')]);
        }
      }
      await context.close();
    }
    assert.deepEqual(found, []);
    return {};
  },

  // A statement that has just been published, on a phone that is held upright: its headline is seen without a touch.
  async phone() {
    for (const [width, height] of [[360, 740], [320, 640]]) {
      const { context, seen, page } = await person({ viewport: { width, height }, isMobile: true, hasTouch: true });
      const tab = await page();
      for (const [lang, title, text] of house.code) {
        for (const [name, path] of [['statement', '/search'], ['status', '/.well-known/boma/status']]) {
          const answer = await tab.goto(`${house.plain}${path}?lang=${lang}`);
          assert.equal(answer.status(), name === 'status' ? 200 : 503);
          assert.equal(await tab.locator('html').getAttribute('lang'), lang);
          const box = await tab.locator('section h2', { hasText: title }).boundingBox();
          assert.ok(box && box.y + box.height < height && box.x >= 0 && box.x + box.width <= width, `${name} ${lang}: ${JSON.stringify(box)}`);
          assert.ok((await tab.locator('section').innerText()).includes(text), `${name} ${lang}: ${text}`);
          assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} ${lang}: nothing is wider than the window`);
          assert.equal(await tab.locator('section time').count() > 0, true);
          await tab.screenshot({ path: `${house.shots}/phone-${name}-${lang}-${width}.png` });
        }
      }
      assert.deepEqual(seen.problems, []);
      await context.close();
    }
    return {};
  },

  // The same on the status page and on a statement that tells of an incident.
  async told() {
    const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const found = [];
    for (const colorScheme of ['light', 'dark']) {
      const { context, seen, page } = await person({ colorScheme, viewport: { width: 320, height: 640 } });
      const tab = await page();
      for (const [name, path] of [['status', '/.well-known/boma/status'], ['statement', '/search']]) {
        for (const lang of house.languages) {
          await tab.goto(`${house.plain}${path}?lang=${lang}`);
          assert.equal(await tab.locator('html').getAttribute('lang'), lang);
          assert.equal(await tab.locator('section dl').count(), 1);
          await tab.evaluate(source);
          const { violations } = await tab.evaluate(() => axe.run({ resultTypes: ['violations'] }));
          found.push(...violations.map((v) => `${name} ${lang} ${colorScheme} ${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`));
          assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} ${lang}: nothing is wider than the window`);
          await tab.screenshot({ path: `${house.shots}/told-${name}-${lang}-320-${colorScheme}.png`, fullPage: true });
        }
      }
      assert.deepEqual(seen.problems, []);
      await context.close();
    }
    assert.deepEqual(found, []);
    return {};
  },
};

try {
  console.log(JSON.stringify(await scenes[process.argv[2]]()));
} finally {
  await browser.close();
}
