(function () {
  'use strict';
  // ES5, no modules, no workers, no crypto.subtle: plain HTTP and old phones have none of them.
  // The puzzle: for each i below COUNT the smallest c with SHA-256(seal + "." + i + "." + c) beginning with BITS zero bits.
  // The first 64 bytes of the seal are the same in every try, so each try costs one compression.
  function constants() {
    var k = [], h = [], n = 2, i, prime;
    while (k.length < 64) {
      prime = true;
      for (i = 2; i * i <= n; i++) { if (n % i === 0) { prime = false; break; } }
      if (prime) {
        if (h.length < 8) { h.push((Math.pow(n, 1 / 2) * 4294967296) | 0); }
        k.push((Math.pow(n, 1 / 3) * 4294967296) | 0);
      }
      n++;
    }
    return { k: k, h: h };
  }
  var C = constants(), K = C.k, W = [];
  // One block in W[0..15], onto the state h, into out.
  function compress(h, out) {
    var a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], l = h[7], i, x, y, t;
    for (i = 0; i < 64; i++) {
      if (i > 15) {
        x = W[i - 15]; y = W[i - 2];
        W[i] = (((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) + W[i - 7] + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10) + W[i - 16]) | 0;
      }
      t = (l + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (g ^ e & (f ^ g)) + K[i] + W[i]) | 0;
      x = (((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ c & (a ^ b))) | 0;
      l = g; g = f; f = e; e = (d + t) | 0; d = c; c = b; b = a; a = (t + x) | 0;
    }
    out[0] = (h[0] + a) | 0; out[1] = (h[1] + b) | 0; out[2] = (h[2] + c) | 0; out[3] = (h[3] + d) | 0;
    out[4] = (h[4] + e) | 0; out[5] = (h[5] + f) | 0; out[6] = (h[6] + g) | 0; out[7] = (h[7] + l) | 0;
  }
  function words(text) {
    var i;
    for (i = 0; i < 16; i++) { W[i] = 0; }
    for (i = 0; i < text.length; i++) { W[i >> 2] |= text.charCodeAt(i) << (24 - (i & 3) * 8); }
  }
  // A search that can be taken up again: step(ms) works for about that long and gives the part done, 1 at the end.
  function search(seal) {
    var bits = +seal.slice(0, 2), count = +seal.slice(3, 5), mid = [], out = [], found = [], i = 0, c = 0, tail;
    words(seal.slice(0, 64));
    compress(C.h, mid);
    function one() {
      var text = tail + c;
      words(text);
      W[text.length >> 2] |= 128 << (24 - (text.length & 3) * 8);
      W[15] = (64 + text.length) * 8;
      compress(mid, out);
      return out[0] >>> (32 - bits) === 0;
    }
    return {
      step: function (ms) {
        var end = new Date().getTime() + ms, n;
        while (i < count && new Date().getTime() < end) {
          tail = seal.slice(64) + '.' + i + '.';
          for (n = 0; n < 256; n++, c++) {
            if (one()) { found.push(c); i++; c = 0; break; }
          }
        }
        return i / count;
      },
      work: function () { return found.join('.'); }
    };
  }
  if (typeof document === 'undefined') { module.exports = search; return; }

  var main = document.getElementById('boma'), seal = main.getAttribute('data-seal');
  var said = document.getElementById('said'), bar = document.getElementById('bar'), again = document.getElementById('again');
  function say(key) { said.textContent = main.getAttribute('data-' + key); }
  function offer() { again.hidden = false; bar.hidden = true; again.focus(); }
  again.onclick = function () { location.reload(); };
  // Cookies that do not stay would send people round in circles: after the third time it is said instead.
  function rounds() {
    var now = new Date().getTime(), past = [], i;
    try {
      past = (sessionStorage.getItem('boma') || '').split(',');
      for (i = past.length; i--;) { if (!(now - past[i] < 60000)) { past.splice(i, 1); } }
      past.push(now);
      sessionStorage.setItem('boma', past.join(','));
    } catch (e) { return 0; }
    return past.length;
  }
  function send(work) {
    var x = new XMLHttpRequest();
    x.open('POST', '/.well-known/boma/challenge');
    x.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
    x.onreadystatechange = function () {
      if (x.readyState !== 4) { return; }
      if (x.status !== 204) { say('failed'); offer(); return; }
      if (main.getAttribute('data-resend')) { say('done'); offer(); return; }
      if (rounds() > 3) { say('cookies'); offer(); return; }
      say('done');
      location.reload();
    };
    x.send('seal=' + seal + '&work=' + work);
  }
  var job = search(seal), turn, channel;
  function go() {
    var part = job.step(30);
    bar.value = part;
    if (part < 1) { turn(); } else { send(job.work()); }
  }
  // A message comes back at once, where a timer in a tab out of sight comes once a second.
  if (window.MessageChannel) {
    channel = new MessageChannel();
    channel.port1.onmessage = go;
    turn = function () { channel.port2.postMessage(0); };
  } else {
    turn = function () { setTimeout(go, 0); };
  }
  setTimeout(go, 50);
})();
