// One visit of a real browser. Arguments: a JSON of what to do; prints a JSON of what was seen.
//   url        where to go; the host is mapped to 127.0.0.1, so that it is not loopback's own name
//   host       the host name to map
//   width      of the window
//   shot       a path for a screenshot of the page as it first came
//   solved     wait until this text stands on the page (the challenge passed)
//   post       fill in #name on the page at url and send the form
import { chromium } from 'playwright-core';

const todo = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', `--host-resolver-rules=MAP ${todo.host} 127.0.0.1`],
});
const seen = { requests: [], problems: [] };
try {
  const context = await browser.newContext({
    viewport: { width: todo.width ?? 1280, height: 800 }, locale: todo.locale ?? 'en-GB', ignoreHTTPSErrors: true,
  });
  const page = await context.newPage();
  page.on('request', (r) => seen.requests.push(`${r.method()} ${r.url()}`));
  page.on('console', (m) => { if (m.type() === 'error' && !m.text().includes('status of 503')) seen.problems.push(m.text()); });
  page.on('pageerror', (e) => seen.problems.push(String(e)));
  if (todo.hold) {
    // Hold the solution back, so that the challenge page can be looked at.
    await page.route('**/.well-known/boma/challenge', async (route) => {
      if (route.request().method() !== 'POST') { return route.continue(); }
      seen.before = [...seen.requests];
      await shoot(page);
      await route.continue();
    });
  }
  const start = Date.now();
  const response = await page.goto(todo.url, { waitUntil: 'load' });
  seen.status = response.status();
  seen.secure = await page.evaluate(() => window.isSecureContext);
  if (todo.post) {
    await page.fill('#name', todo.post);
    await page.click('main button');
    await page.waitForSelector('#again:not([hidden])', { timeout: 60000 });
    await shoot(page);
    page.on('dialog', (d) => d.accept());
    await page.click('#again', { noWaitAfter: true });
  }
  if (todo.solved) {
    await page.waitForFunction((text) => document.body && document.body.innerText.includes(text), todo.solved, { timeout: 60000 });
    seen.waited = Date.now() - start;
  }
  if (!todo.hold && !todo.post) { await shoot(page); }
  seen.title = await page.title();
  seen.text = await page.evaluate(() => document.body.innerText);
  seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  seen.cookies = (await context.cookies()).map((c) => ({ name: c.name, secure: c.secure, sameSite: c.sameSite, httpOnly: c.httpOnly }));
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));

async function shoot(page) {
  if (todo.shot) { await page.screenshot({ path: todo.shot, fullPage: true }); }
}
