// Looks at pages as they would be served. Arguments: a JSON of them (name, language, body, csp; of other languages than those that
// are shipped also rtl, and the names to choose from), and a folder for screenshots.
// Prints how many it looked at; whatever is wrong with any ends it with a list of that.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [file, shots] = process.argv.slice(2);
const pages = JSON.parse(readFileSync(file, 'utf8'));
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shipped = { en: 'English', sw: 'Kiswahili', fr: 'Français', sq: 'Shqip', ar: 'العربية' };
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
const wrong = [];

// Where the tab key leads, until it leaves the page: each stop's text or name, and whether one sees that it is there.
async function stops(tab, most) {
  const all = [];
  for (let i = 0; i < most; i++) {
    await tab.keyboard.press('Tab');
    const stop = await tab.evaluate(() => {
      const at = document.activeElement;
      if (!at || at === document.body || at === document.documentElement) { return null; }
      const { outlineStyle, outlineWidth } = getComputedStyle(at);
      at.dataset.stopped = '1';
      return { html: at.outerHTML.slice(0, 80), seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
    });
    if (!stop) { break; }
    all.push(stop);
  }
  return all;
}

async function look(tab, page, first) {
  const say = (what) => wrong.push(`${page.name} ${page.language}: ${what}`);
  const problems = [];
  const names = page.names ?? shipped;
  const heard = (m) => { if (m.type() === 'error') { problems.push(m.text()); } };
  tab.on('console', heard);
  await tab.goto('http://huduma.example/page');
  const facts = await tab.evaluate(() => ({
    lang: document.documentElement.lang,
    rtl: getComputedStyle(document.body).direction === 'rtl',
    wide: document.documentElement.scrollWidth > innerWidth,
    headings: document.querySelectorAll('h1').length,
    title: document.title,
    choices: [...document.querySelectorAll('nav a[hreflang]')].map((a) => [a.hreflang, a.textContent, a.getAttribute('href')]),
    small: [...document.querySelectorAll('button,nav a,a.act,input:not([type=hidden])')].filter((e) => e.offsetParent && (e.offsetHeight < 44 || e.offsetWidth < 24)).map((e) => e.outerHTML),
    can: [...document.querySelectorAll('a[href],button,input:not([type=hidden])')].filter((e) => e.offsetParent !== null).length,
    out: !!document.querySelector('a[href^="tel:"],a[href*="/boma/status"],header a'),
  }));
  if (facts.lang !== page.language) { say(`its language is ${facts.lang}`); }
  if (facts.rtl !== (page.rtl ?? page.language === 'ar')) { say('it is written the wrong way'); }
  if (facts.wide) { say('something is wider than 320 px'); }
  if (facts.headings !== 1 || !facts.title) { say(`${facts.headings} headings, title ${facts.title}`); }
  if (facts.small.length) { say(`too small to touch: ${facts.small}`); }
  if (!facts.out) { say('there is no way out'); }
  for (const [tag, name, href] of facts.choices) {
    if (names[tag] !== name || !href.endsWith(`lang=${tag}`)) { say(`the switch to ${tag} is ${name}, ${href}`); }
  }
  if (facts.choices.length && facts.choices.length !== Object.keys(names).length) { say(`${facts.choices.length} languages to choose from`); }
  await tab.evaluate(axeSource);
  for (const colorScheme of ['light', 'dark']) {
    await tab.emulateMedia({ colorScheme });
    // What axe looks at is the same in both but for the colours.
    const which = colorScheme === 'light' ? {} : { runOnly: ['color-contrast'] };
    const { violations, passes, incomplete } = await tab.evaluate((which) => axe.run(which), which);
    if (!passes.length) { say('axe has not looked'); }
    for (const v of [...violations, ...incomplete.filter((v) => v.id === 'color-contrast')]) {
      say(`${colorScheme} ${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`);
    }
    await tab.screenshot({ path: `${shots}/${page.name}-${page.language}-${colorScheme}.png`, fullPage: true });
  }
  const all = await stops(tab, facts.can + 2);
  const missed = await tab.evaluate(() => [...document.querySelectorAll('a[href],button,input:not([type=hidden])')].filter((e) => e.offsetParent !== null && !e.dataset.stopped).map((e) => e.outerHTML));
  if (missed.length) { say(`the tab key does not lead to ${missed}`); }
  for (const stop of all.filter((s) => !s.seen)) { say(`one does not see where one is: ${stop.html}`); }
  if (first) {
    for (const [name, media] of [['forced', { forcedColors: 'active' }], ['print', { media: 'print', colorScheme: 'light' }]]) {
      await tab.emulateMedia(media);
      await tab.screenshot({ path: `${shots}/${page.name}-${page.language}-${name}.png`, fullPage: true });
      await tab.emulateMedia({ forcedColors: null, media: null });
    }
  }
  tab.off('console', heard);
  problems.forEach((p) => say(p));
}

const context = await browser.newContext({ viewport: { width: 320, height: 640 } });
const tab = await context.newPage();
tab.setDefaultTimeout(60000);
let current;
await tab.route('**/*', (route) => {
  if (!route.request().isNavigationRequest()) { return route.abort(); }
  return route.fulfill({ contentType: 'text/html; charset=utf-8', headers: { 'Content-Security-Policy': current.csp }, body: current.body });
});
// The challenge's own script is held at its first line: what it does is told by other scenes, and axe needs the page to stay.
await tab.addInitScript(() => { const get = document.getElementById.bind(document); document.getElementById = (id) => (id === 'boma' ? null : get(id)); });
for (current of pages) {
  await look(tab, current, current.language === 'en' || current.language === 'ar');
}
await browser.close();
if (wrong.length) {
  console.error(wrong.join('\n'));
  process.exit(1);
}
console.log(JSON.stringify({ looked: pages.length }));
