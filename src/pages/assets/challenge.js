(function () {
  'use strict';
  // ES5 without modules or crypto.subtle: plain HTTP and old phones have neither.
  // The puzzle: for each i below COUNT a number c with SHA-256(seal "." i "." c) beginning with BITS zero bits.
  // The first 64 bytes are the same in every try. c is written so wide that its last four digits fill word 10 of the
  // second block and nothing before it changes: a try costs 54 rounds. Unrolling them gained nothing in V8.
  // It runs in a worker too, so it names nothing outside itself. step(ms) works for about that long and gives the part done.
  function search(seal) {
    var Words = self.Int32Array || Array, K = new Words(64), W = new Words(64), first = new Words(8), mid = new Words(8);
    var near = new Words(8), out = new Words(8), bits = +seal.slice(0, 2), count = +seal.slice(3, 5), found = [], n = 0, j = 2;
    function rounds(s, from, to) {
      var a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7], i, x, y;
      for (i = 16; i < to; i++) {
        x = W[i - 15]; y = W[i - 2];
        W[i] = ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) + W[i - 7] + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10) + W[i - 16] | 0;
      }
      for (i = from; i < to; i++) {
        x = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (g ^ e & (f ^ g)) + K[i] + W[i] | 0;
        y = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ c & (a ^ b)) | 0;
        h = g; g = f; f = e; e = d + x | 0; d = c; c = b; b = a; a = x + y | 0;
      }
      out[0] = a; out[1] = b; out[2] = c; out[3] = d; out[4] = e; out[5] = f; out[6] = g; out[7] = h;
    }
    function put(text) {
      for (var i = 0; i < text.length; i++) { W[i >> 2] = W[i >> 2] << 8 | text.charCodeAt(i); }
    }
    function top() { return (found.length < 10 ? 1e4 : 1e3) + n / 1e4; }
    function hit() {
      if (n % 1e4 === 0) {
        put(seal.slice(64) + '.' + found.length + '.' + top());
        W[11] = 1 << 31; W[12] = W[13] = W[14] = 0; W[15] = 864;
        rounds(mid, 0, 10);
        for (var i = 0; i < 8; i++) { near[i] = out[i]; }
      }
      W[10] = 0x30303030 + ((n / 1e3 | 0) % 10 << 24) + ((n / 100 | 0) % 10 << 16) + ((n / 10 | 0) % 10 << 8) + n % 10;
      rounds(near, 10, 64);
      return out[0] + mid[0] >>> 32 - bits === 0;
    }
    function prime(p) {
      for (var i = 2; i * i <= p; i++) { if (p % i === 0) { return false; } }
      return true;
    }
    for (; n < 64; j++) {
      if (prime(j)) {
        if (n < 8) { first[n] = Math.pow(j, 1 / 2) * 4294967296 | 0; }
        K[n++] = Math.pow(j, 1 / 3) * 4294967296 | 0;
      }
    }
    put(seal.slice(0, 64));
    rounds(first, 0, 64);
    for (n = 0; n < 8; n++) { mid[n] = out[n] + first[n] | 0; }
    n = 0;
    return {
      step: function (ms) {
        var end = new Date().getTime() + ms, i;
        do {
          for (i = 0; i < 64 && found.length < count; i++, n++) {
            if (hit()) {
              found.push((top() | 0) + ('000' + n % 1e4).slice(-4));
              n = -1;
            }
          }
        } while (found.length < count && new Date().getTime() < end);
        return found.length / count;
      },
      work: function () { return found.join('.'); }
    };
  }

  var form = document.getElementById('boma'), fields = form.elements, seal = fields['boma-seal'].value, rides = fields['boma-form'];
  var show = document.getElementById('show'), bar = document.getElementById('bar'), said = document.getElementById('said');
  var hand = document.getElementById('hand'), again = document.getElementById('again');
  var wait = +document.getElementById('wait').textContent, began = now(), round = rounds(), spoke = -5e3, over = false, pressed = 0, sent = 0;
  function now() { return new Date().getTime(); }
  function text(key) { return form.getAttribute('data-' + key); }
  function say(key, n) { said.textContent = text(key).replace('{n}', n); }
  // What a person can do by hand.
  function offer() { hand.hidden = false; }
  function fail(key) { over = true; bar.hidden = true; say(key); offer(); }
  // How often this tab came by within a minute: cookies that do not stay must not send people round in circles.
  function rounds() {
    var past = [], i;
    try {
      past = (sessionStorage.getItem('boma') || '').split(',');
      for (i = past.length; i--;) { if (!(now() - past[i] < 6e4)) { past.splice(i, 1); } }
      past.push(now());
      sessionStorage.setItem('boma', past.join(','));
    } catch (e) { return 0; }
    return past.length;
  }
  function reload() { if (round > 8) { fail('cookies'); } else { location.reload(); } }
  function passed() {
    over = true;
    say('done');
    if (again) { again.hidden = false; bar.hidden = true; again.focus(); } else { reload(); }
  }
  // Form and solution in one request: for a form that rides along, and for browsers that keep no cookies.
  function submit(work) {
    if (round > 8) { fail('cookies'); return; }
    fields['boma-work'].value = work;
    say('done');
    pressed = now();
    form.submit();
  }
  function solved(work) {
    if (over) { return; }
    over = true;
    bar.value = 1;
    if (rides || (!again && (navigator.cookieEnabled === false || round > 3))) { submit(work); } else { send(work); }
  }
  function send(work) {
    var x = new XMLHttpRequest();
    // The seal is void after half an hour: the tab has slept.
    if (now() - began > 174e4) { reload(); return; }
    x.open('POST', '/.well-known/boma/challenge');
    x.timeout = 2e4;
    x.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
    x.onreadystatechange = function () {
      var late = !x.status || x.status === 429 || x.status > 499;
      if (x.readyState !== 4) { return; }
      if (x.status === 204) {
        try { localStorage.setItem('boma', now()); } catch (e) {}
        passed();
      } else if (late && sent++ < 5) {
        say('retry');
        setTimeout(function () { send(work); }, (1 + Math.random()) * 500 * Math.pow(2, sent));
      } else if (late || again) { fail('failed'); } else { reload(); }
    };
    x.send('seal=' + seal + '&work=' + work);
  }
  function progress(part) {
    var time = now() - began, left = Math.ceil(time * (1 - part) / part / 1e3);
    bar.value = part;
    // Said at most every five seconds: a screen reader reads it out.
    if (part && time > 300 && time - spoke > 5e3 && left > 1) { spoke = time; say('left', left); }
  }
  // On the main thread, by turns. A message comes back at once, where a timer in a tab out of sight comes once a second.
  function here() {
    var job = search(seal), channel = window.MessageChannel && new MessageChannel();
    function turn() { if (channel) { channel.port2.postMessage(0); } else { setTimeout(go, 0); } }
    function go() {
      var part = job.step(30);
      if (over) { return; }
      progress(part);
      if (part < 1) { turn(); } else { solved(job.work()); }
    }
    if (channel) { channel.port1.onmessage = go; }
    turn();
  }
  // In a worker; whoever has none, blocks it or ends it is served here.
  function start() {
    var worker, watch;
    function fall() {
      clearTimeout(watch);
      if (worker) { worker.terminate(); worker = 0; here(); }
    }
    try {
      worker = new Worker(URL.createObjectURL(new Blob(['onmessage=function(e){var j=(' + search +
        ')(e.data),p;while((p=j.step(99))<1)postMessage(p);postMessage(j.work())}'])));
    } catch (e) { here(); return; }
    worker.onerror = fall;
    worker.onmessage = function (e) {
      clearTimeout(watch);
      if (over) { return; }
      if (typeof e.data === 'string') { solved(e.data); return; }
      watch = setTimeout(fall, 5e3);
      progress(e.data);
    };
    watch = setTimeout(fall, 2e3);
    worker.postMessage(seal);
  }

  hand.hidden = true;
  show.hidden = false;
  setTimeout(function () {
    if (over) { return; }
    if (!again) { document.getElementById('how').textContent = text('slow'); }
    offer();
  }, Math.max(1e4, wait * 1e3));
  form.onsubmit = function () {
    if (now() - pressed < 5e3) { return false; }
    over = true;
    pressed = now();
  };
  if (again) { again.onclick = function () { location.reload(); }; }
  // Another tab has earned the pass for both.
  window.addEventListener('storage', function (e) { if (e.key === 'boma' && !over && !rides) { passed(); } });
  window.addEventListener('pageshow', function (e) {
    if (e.persisted) { if (rides || again) { offer(); } else { reload(); } }
  });
  setTimeout(start, 20);
})();
