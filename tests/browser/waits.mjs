// How long citizens wait before a challenge: median and p95 for each amount of work, CPU throttle and link, as a table.
//   node waits.mjs URL [solves=20] [works=10.16,10.32,11.32,12.32] [cpus=1,6,20] [link=fast|2g]
// URL is a page of a boma that challenges (boma demo, then boma posture attack …). The page is taken from there once, as it
// is sent, and then served from here with seals of every amount of work, so that no limit or posture comes between.
// Chromium throttles the main thread of a page and not its workers, so the rows are of the main thread; a worker's rate is told
// for comparison at throttle 1.
import http from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const [from, ...rest] = process.argv.slice(2);
const option = { solves: '20', works: '10.16,10.32,11.32,12.32', cpus: '1,6,20', link: 'fast', ...Object.fromEntries(rest.map((r) => r.split('='))) };
const SEAL = /(?<=name="boma-seal" value=")[^"]{96}/;
const { html, csp } = await take(from);

// As a browser asks for a page; Node's fetch says of itself that it is a script.
function take(from) {
  return new Promise((done, failed) => http.get(from, { headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' } }, (answer) => {
    let html = '';
    answer.setEncoding('utf8').on('data', (d) => { html += d; }).on('end', () => {
      if (!SEAL.test(html)) { failed(new Error(`${from} is no challenge: status ${answer.statusCode}`)); }
      done({ html, csp: answer.headers['content-security-policy'] });
    });
  }).on('error', failed));
}

// A server of one puzzle after the other, which checks them as boma does.
let work = '', asked = 0, last = null, weight = 0;
const server = http.createServer((request, answer) => {
  const now = performance.now();
  if (request.method === 'POST') {
    let body = '';
    request.on('data', (d) => { body += d; });
    request.on('end', () => {
      const form = new URLSearchParams(body);
      last = { solve: now - asked, tries: check(form.get('seal'), form.get('work')) };
      answer.writeHead(204).end();
    });
  } else if (last) {
    last.again = now;
    answer.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' }).end(`<title>in</title><p>${'Welcome. '.repeat(900)}`);
  } else {
    asked = now;
    const bits = work.split('.').map((n) => n.padStart(2, '0')).join('.');
    const seal = `${bits}.${randomBytes(43).toString('base64url')}`.padEnd(96, '-');
    const page = gzipSync(html.replace(SEAL, seal));
    weight = page.length;
    answer.writeHead(503, { 'content-type': 'text/html; charset=utf-8', 'content-encoding': 'gzip', 'content-security-policy': csp, 'cache-control': 'no-store' }).end(page);
  }
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));

function check(seal, counters) {
  const [bits, count] = seal.split('.').map(Number);
  const found = counters.split('.');
  if (found.length !== count) { throw new Error('a wrong number of counters'); }
  return found.reduce((tries, c, i) => {
    const digest = createHash('sha256').update(`${seal}.${i}.${c}`).digest();
    if (digest.readUInt32BE(0) >>> (32 - bits) !== 0) { throw new Error('wrong work'); }
    return tries + Number(c) - (i < 10 ? 1e8 : 1e7) + 1;
  }, 0);
}

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--host-resolver-rules=MAP huduma.example 127.0.0.1'] });
const url = `http://huduma.example:${server.address().port}/`;

async function tab(cpu, worker) {
  const context = await browser.newContext();
  if (!worker) { await context.addInitScript(() => { delete window.Worker; }); }
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: cpu });
  if (option.link === '2g') {
    await cdp.send('Network.enable');
    await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 300, downloadThroughput: 20000, uploadThroughput: 20000 });
  }
  return page;
}

async function visit(page) {
  last = null;
  const start = performance.now();
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForFunction(() => document.title === 'in' && document.readyState === 'complete', null, { timeout: 180000, polling: 20 });
  return { ...last, whole: performance.now() - start };
}

const sorted = (all, key) => all.map((one) => one[key]).sort((a, b) => a - b);
const at = (all, key, part) => { const s = sorted(all, key); return (s[Math.min(s.length - 1, Math.ceil(part * s.length) - 1)] / 1000).toFixed(2); };
const rate = (all) => Math.round(all.reduce((n, o) => n + o.tries, 0) / all.reduce((n, o) => n + o.solve, 0));

console.log(`| cpu | link | work | tries/ms | solved median, p95 (s) | page to page median, p95 (s) |\n|---|---|---|---|---|---|`);
for (const cpu of option.cpus.split(',').map(Number)) {
  for (const worker of cpu === 1 ? [true, false] : [false]) {
    for (work of option.works.split(',')) {
      const all = [];
      for (let i = 0; i < Number(option.solves); i++) {
        // A browser's second visit finds the script compiled: citizens come once.
        const page = await tab(cpu, worker);
        all.push(await visit(page));
        await page.context().close();
      }
      console.log(`| ${cpu} × ${worker ? 'worker' : ''} | ${option.link} | ${work} | ${rate(all)} | ${at(all, 'solve', 0.5)}, ${at(all, 'solve', 0.95)} | ${at(all, 'whole', 0.5)}, ${at(all, 'whole', 0.95)} |`);
    }
  }
}
console.log(`the page: ${weight} bytes as sent, ${Buffer.byteLength(html)} unpacked`);
await browser.close();
server.close();
