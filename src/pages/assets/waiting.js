(function () {
  'use strict';
  // ES5, as the challenge's. It asks for the place and goes on when called; whatever fails, the button still works.
  var form = document.getElementById('boma'), said = document.getElementById('said'), again = document.getElementById('again');
  var timer = 0, asking = false, over = false, failed = 0, pressed = 0;
  function by(id) { return document.getElementById(id); }
  function now() { return new Date().getTime(); }
  function say(key) { var text = key ? form.getAttribute('data-' + key) : ''; if (said.textContent !== text) { said.textContent = text; } }
  function put(id, text) { by(id).textContent = text; }
  function later(seconds) { clearTimeout(timer); timer = setTimeout(ask, seconds * 1e3); }
  function go() {
    over = true;
    say('called');
    clearTimeout(timer);
    if (again) { again.hidden = false; again.focus(); over = false; later(20); return; }
    // A press counts only some seconds after the last one.
    setTimeout(function () { if (form.elements['boma-form']) { pressed = now(); form.submit(); } else { location.reload(); } }, wait());
  }
  function wait() { return Math.max(0, +by('wait').textContent * 1e3 - (now() - began)) + 300; }
  var began = now();
  function show(line) {
    var estimate = line.estimate, still = line.state === 'still';
    put('place', Math.max(line.place, 1));
    by('still').hidden = !still;
    by('known').hidden = still || !estimate;
    by('unknown').hidden = still || !!estimate;
    if (estimate) { put('from', Math.round(estimate.from / 60)); put('to', Math.round(estimate.to / 60)); }
  }
  function heard(x) {
    var line;
    asking = false;
    if (over) { return; }
    try { line = x.status === 200 && JSON.parse(x.responseText); } catch (e) {}
    if (!line) {
      failed++;
      if (failed > 1) { say('lost'); }
      later(Math.min(30, 3 * failed) * (0.7 + Math.random() * 0.6));
      return;
    }
    failed = 0;
    if (line.state === 'called' || line.state === 'none') { go(); return; }
    say('');
    show(line);
    later(line.retry_after);
  }
  function ask() {
    var x = new XMLHttpRequest();
    if (asking || over) { return; }
    asking = true;
    x.open('GET', '/.well-known/boma/place?at=' + encodeURIComponent(location.pathname));
    x.timeout = 15e3;
    x.onreadystatechange = function () { if (x.readyState === 4) { heard(x); } };
    x.send();
  }
  if (again) { again.onclick = function () { location.reload(); }; }
  form.onsubmit = function () {
    if (now() - pressed < 3e3) { return false; }
    pressed = now();
  };
  // A phone that wakes up, and one that has found another network, asks at once: its place holds for two minutes.
  function wake() { if (!document.hidden && !over) { later(0); } }
  document.addEventListener('visibilitychange', wake);
  window.addEventListener('online', wake);
  window.addEventListener('pageshow', function (e) { if (e.persisted) { over = false; wake(); } });
  by('alone').hidden = false;
  later(3);
})();
