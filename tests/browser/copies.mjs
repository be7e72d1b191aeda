// Photographs pages, without boma's banner where one stands on them. Arguments: a JSON of host, urls, folder for
// 0.png, 1.png … in the order of the urls. Prints what the pages loaded and did not get, and how many had a banner.
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const todo = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', `--host-resolver-rules=MAP ${todo.host} 127.0.0.1`],
});
const seen = { loaded: 0, missed: [], banners: 0 };
try {
  // Each its own browser as it were: nothing that the page before has loaded helps.
  for (const [at, url] of todo.urls.entries()) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, locale: 'en-GB' });
    const page = await context.newPage();
    page.on('response', (r) => (r.status() === 200 ? seen.loaded++ : seen.missed.push(`${r.status()} ${r.url()}`)));
    page.on('requestfailed', (r) => seen.missed.push(`failed ${r.url()}`));
    await page.goto(url, { waitUntil: 'networkidle' });
    seen.banners += await page.evaluate(() => {
      const banner = document.getElementById('boma-banner');
      banner?.remove();
      window.scrollTo(0, 0);
      return banner ? 1 : 0;
    });
    await page.screenshot({ path: join(todo.folder, `${at}.png`), fullPage: true });
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
