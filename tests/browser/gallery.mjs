// Looks at pages as they would be served. Arguments: a JSON of them, and a folder for screenshots. Each page has
//   name, language, body, csp
//   presses    sentences of its language that ask for something to be pressed
//   told       where there is an incident: its title as that page's readers have it, and by when more is told
//   copy       it is a page of the portal's own, under the banner
//   short      it is so small that the other languages need not fit
//   rtl, names of other languages than those that are shipped: their direction, and the names to choose from
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

// Numbers, dates and codes, wherever they stand: each in one line, and read from the left.
const PIECES = '\\*000#|\\+254 20 000 0000|\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d EAT|7KQ2M-XA3PL-C4VD5-QH2RT';
function pieces(PIECES) {
  // Whether the text after it begins with a mark, in another line.
  const left = (nodes, bottom) => {
    const next = nodes.nextNode();
    nodes.previousNode();
    if (!next || !/^[.,;:!?]/.test(next.data)) { return false; }
    const range = document.createRange();
    range.setStart(next, 0);
    range.setEnd(next, 1);
    return range.getBoundingClientRect().bottom - bottom > 4;
  };
  const found = [], wrong = [];
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = nodes.nextNode());) {
    const box = (from, to) => { const range = document.createRange(); range.setStart(node, from); range.setEnd(node, to); return [...range.getClientRects()]; };
    if (!node.parentElement.offsetParent || /^(STYLE|SCRIPT)$/.test(node.parentElement.tagName)) { continue; }
    for (const { 0: text, index } of node.data.matchAll(new RegExp(PIECES, 'g'))) {
      const end = index + text.length, tops = box(index, end).map((r) => r.top);
      found.push(text);
      if (Math.max(...tops) - Math.min(...tops) > 4) { wrong.push(`${text} is broken`); }
      else if (end === node.data.length && left(nodes, box(end - 1, end)[0].bottom)) { wrong.push(`${text} has left its mark behind`); }
      else if (box(index, index + 1)[0].left >= box(end - 1, end)[0].left) { wrong.push(`${text} is turned round`); }
    }
    // Sentences from the left within a page from the right: set apart, and where they take several lines these in their own order.
    if (getComputedStyle(document.documentElement).direction === 'rtl' && /\p{Script=Latin}{2,}[^\p{Script=Latin}]+\p{Script=Latin}{2,}/u.test(node.data.replace(new RegExp(PIECES, 'g'), ''))) {
      const style = (e) => getComputedStyle(e);
      let apart = node.parentElement, block = node.parentElement;
      while (apart !== document.body && apart.tagName !== 'BDI' && style(apart).direction !== 'ltr') { apart = apart.parentElement; }
      while (style(block).display === 'inline') { block = block.parentElement; }
      const tops = box(0, node.data.length).map((r) => r.top);
      const lines = Math.max(...tops) - Math.min(...tops) > 4;
      if (apart === document.body) { wrong.push(`not set apart: ${node.data}`); }
      else if (lines && apart.tagName !== 'BDI' && style(block).direction !== 'ltr') { wrong.push(`its lines are mixed with others: ${node.data}`); }
    }
  }
  return { found, wrong };
}

// What one can press or write into, as far as it is seen.
const CONTROLS = 'button,input:not([type=hidden]),a.act,progress';
const seen = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.offsetParent !== null).map((e) => e.outerHTML.slice(0, 80));

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
    ways: document.querySelectorAll('a[href^="tel:"]').length,
    status: document.querySelectorAll('a[href*="/boma/status"]:not([href*="lang="])').length,
    text: document.body.innerText.replace(/\s+/g, ' '),
  }));
  if (facts.lang !== page.language) { say(`its language is ${facts.lang}`); }
  if (facts.rtl !== (page.rtl ?? page.language === 'ar')) { say('it is written the wrong way'); }
  if (facts.wide) { say('something is wider than 320 px'); }
  if (facts.headings !== 1 || !facts.title) { say(`${facts.headings} headings, title ${facts.title}`); }
  if (facts.small.length) { say(`too small to touch: ${facts.small}`); }
  if (!facts.ways) { say('there is nobody to call'); }
  if (!facts.status && !page.name.endsWith('status')) { say('nothing leads to the status page'); }
  if (!facts.text.includes('7KQ2M-XA3PL-C4VD5-QH2RT')) { say('there is no reference code'); }
  if (page.told && !(facts.text.includes(page.told.title) && facts.text.includes(page.told.next))) { say(`it does not tell ${page.told.title}, ${page.told.next}`); }
  if (page.presses.some((asks) => facts.text.includes(asks)) && !(await tab.evaluate(seen, 'button,a.act')).length) { say('there is nothing to press'); }
  const { found, wrong: torn } = await tab.evaluate(pieces, PIECES);
  if (found.length < 2) { say(`only ${found} was looked at`); }
  torn.forEach(say);
  for (const [tag, name, href] of facts.choices) {
    if (names[tag] !== name || !/[?&]lang=([a-z]+)(&status)?$/.test(href) || RegExp.$1 !== tag) { say(`the switch to ${tag} is ${name}, ${href}`); }
  }
  if (!page.copy && !(page.short && !facts.choices.length) && facts.choices.length !== Object.keys(names).length) { say(`${facts.choices.length} languages to choose from`); }
  await tab.evaluate(axeSource);
  for (const colorScheme of ['light', 'dark']) {
    await tab.emulateMedia({ colorScheme });
    // What axe looks at is the same in both but for the colours.
    const which = colorScheme === 'light' ? {} : { runOnly: ['color-contrast'] };
    const { violations, passes, incomplete } = await tab.evaluate((which) => axe.run(which), which);
    // Where all words are Arabic axe may take them for icons, whose colours it leaves out: they are those of the other languages.
    if (!passes.length && !(facts.rtl && colorScheme === 'dark')) { say('axe has not looked'); }
    for (const v of [...violations, ...incomplete.filter((v) => v.id === 'color-contrast')]) {
      say(`${colorScheme} ${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`);
    }
    await tab.screenshot({ path: `${shots}/${page.name}-${page.language}-${colorScheme}.png`, fullPage: true });
  }
  const all = await stops(tab, facts.can + 2);
  const missed = await tab.evaluate(() => [...document.querySelectorAll('a[href],button,input:not([type=hidden])')].filter((e) => e.offsetParent !== null && !e.dataset.stopped).map((e) => e.outerHTML));
  if (missed.length) { say(`the tab key does not lead to ${missed}`); }
  for (const stop of all.filter((s) => !s.seen)) { say(`one does not see where one is: ${stop.html}`); }
  await tab.emulateMedia({ media: 'print' });
  const printed = await tab.evaluate(seen, CONTROLS);
  if (!page.copy && printed.length) { say(`on paper nobody can press ${printed}`); }
  await tab.emulateMedia({ media: null });
  if (first) {
    await tab.emulateMedia({ forcedColors: 'active' });
    const unseen = await tab.evaluate(() => {
      const ground = getComputedStyle(document.body).backgroundColor;
      const hidden = (e) => {
        e.focus({ focusVisible: true });
        const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(e);
        return document.activeElement !== e || outlineStyle === 'none' || parseFloat(outlineWidth) < 2 || outlineColor === ground;
      };
      return [...document.querySelectorAll('a[href],button,input:not([type=hidden])')].filter((e) => e.offsetParent !== null && hidden(e)).map((e) => e.outerHTML);
    });
    if (unseen.length) { say(`in forced colours one does not see where one is: ${unseen}`); }
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
