//! One origin, and before it boma and every peer that is installed, each set up for the same work.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Row;
use super::load::Load;
use crate::common::large::{Large, Size};
use crate::common::{self, Running, nginx, ports};

/// A path of 200 bytes, for the rows in which much law is read.
const LONG: &str = "services/national/registration/of/births/marriages/and/deaths/county/nairobi/subcounty/westlands/ward/parklands/office/main/form/b1/step/confirm/applicant/details/section/two/page/final-and-last/a-1k";

/// The doors of one contender.
#[derive(Clone, Copy)]
struct Doors {
    through: u16,
    flood: u16,
    cached: u16,
    tls: u16,
    /// A limit for each name in `X-Forwarded-For`.
    keys: u16,
    /// A limit that a good client keeps and a flood does not.
    fair: u16,
    /// With an access log.
    logged: u16,
}

pub struct Peer {
    pub name: &'static str,
    pub running: Running,
    doors: Doors,
}

struct Boma {
    through: Running,
    flood: Running,
    cached: Running,
    keys: Running,
    fair: Running,
    /// Writes an access log.
    logged: Running,
    /// Ten rules, and as many as a hard-pressed office may have.
    law: [(Running, u16); 2],
    doors: Doors,
}

/// One who answers, on one of its doors.
pub struct Contender<'h> {
    pub name: &'static str,
    pub running: &'h Running,
    pub port: u16,
}

/// All that runs.
pub struct House {
    _origin: Running,
    nginx: Peer,
    haproxy: Option<Peer>,
    /// What only caches: it listens on one door.
    varnish: Option<(Running, u16)>,
    h2o: Option<(Running, u16)>,
    boma: Boma,
    has_h2load: bool,
}

pub fn is_there(tool: &str) -> bool {
    let says = if tool == "varnishd" { "-V" } else { "-v" };
    Command::new(tool).arg(says).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn missing(tool: &str, package: &str) -> bool {
    let there = is_there(tool);
    if !there {
        println!("{tool} is not installed (apt-get install {package}): its rows are left out");
    }
    !there
}

fn doors() -> Doors {
    let [through, flood, cached, tls, keys, fair, logged] = ports();
    Doors { through, flood, cached, tls, keys, fair, logged }
}

impl House {
    pub fn start(folder: &Path) -> House {
        fs::create_dir_all(folder.join("www")).unwrap();
        let long = folder.join("www").join(LONG);
        fs::create_dir_all(long.parent().unwrap()).unwrap();
        for (file, size) in
            [(folder.join("www/1k"), 1), (folder.join("www/64k"), 64), (folder.join("www/1m"), 1024), (long, 1)]
        {
            fs::write(file, "x".repeat(size * 1024)).unwrap();
        }
        let made = rcgen::generate_simple_self_signed(vec!["huduma.example".into()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        fs::write(folder.join("tls.pem"), format!("{chain}{key}")).unwrap();
        fs::write(folder.join("chain.pem"), &chain).unwrap();
        fs::write(folder.join("key.pem"), &key).unwrap();
        let [origin] = ports();
        let _origin = origin_nginx(folder, origin);
        let haproxy = (!missing("haproxy", "haproxy")).then(|| haproxy(folder, origin));
        let varnish = (!missing("varnishd", "varnish")).then(|| varnish(folder, origin));
        let h2o = (!missing("h2o", "h2o")).then(|| h2o(folder));
        let boma = boma(folder, origin);
        let nginx = peer_nginx(folder, origin);
        let has_h2load = !missing("h2load", "nghttp2-client");
        House { _origin, nginx, haproxy, varnish, h2o, boma, has_h2load }
    }

    fn peers(&self, door: fn(&Doors) -> u16) -> Vec<(&'static str, &Running, u16)> {
        let both = std::iter::once(&self.nginx).chain(&self.haproxy);
        both.map(|peer| (peer.name, &peer.running, door(&peer.doors))).collect()
    }

    /// Who holds connections: over TLS, or plain. boma last.
    pub fn holders(&self, tls: bool) -> Vec<Contender<'_>> {
        let door: fn(&Doors) -> u16 = if tls { |d| d.tls } else { |d| d.through };
        self.contenders(door, &self.boma.through)
    }

    /// Who is to keep a flood off a good client. boma last.
    pub fn fair(&self) -> Vec<Contender<'_>> {
        self.contenders(|d| d.fair, &self.boma.fair)
    }

    fn contenders<'h>(&'h self, door: fn(&Doors) -> u16, boma: &'h Running) -> Vec<Contender<'h>> {
        let all = self.peers(door).into_iter().chain([("boma", boma, door(&self.boma.doors))]);
        all.map(|(name, running, port)| Contender { name, running, port }).collect()
    }

    pub fn rows(&self) -> Vec<Row<'_>> {
        let doors = self.boma.doors;
        let row = |name, load, door: fn(&Doors) -> u16, boma| {
            let mut contenders = self.peers(door);
            contenders.push(("boma", boma, door(&doors)));
            Row { name, load, weighs: 1.0, fits: |refused| refused == 0.0, contenders }
        };
        let Boma { through, flood, cached, keys, .. } = &self.boma;
        let mut hit = row("cached hit, 1 KiB", Load::Plain, |d| d.cached, cached);
        let varnish = self.varnish.iter().map(|(running, port)| ("varnish", running, *port));
        let h2o = self.h2o.iter().map(|(running, port)| ("h2o, a file", running, *port));
        hit.contenders.splice(0..0, varnish.chain(h2o));
        let body = |name, file, mib| Row { weighs: mib, ..row(name, Load::File(file), |d| d.through, through) };
        let refused = |row| Row { fits: |refused| refused > 0.95, ..row };
        let mut rows = vec![
            row("pass-through, 1 KiB", Load::Plain, |d| d.through, through),
            row("pass-through, access log", Load::Plain, |d| d.logged, &self.boma.logged),
            row("new connections, 1 KiB", Load::Fresh, |d| d.through, through),
            row("over TLS, 1 KiB", Load::Tls, |d| d.tls, through),
            row("full TLS handshake", Load::Handshake, |d| d.tls, through),
            row("TLS session taken up again", Load::Resumed, |d| d.tls, through),
            body("body of 64 KiB, per MiB", "64k", 1.0 / 16.0),
            body("body of 1 MiB, per MiB", "1m", 1.0),
            refused(row("429 under flood", Load::Plain, |d| d.flood, flood)),
            hit,
            self.against_itself(),
            self.much_law(),
        ];
        if self.haproxy.is_some() {
            let mut many = refused(row("429, 1,000,000 keys", Load::Keys, |d| d.keys, keys));
            // nginx forgets a key within a minute at its lowest rate: before the millionth has come.
            many.contenders.retain(|(name, ..)| *name != "nginx");
            rows.push(many);
        }
        if self.has_h2load {
            rows.push(row("HTTP/2 over TLS, 1 KiB", Load::Http2, |d| d.tls, through));
        }
        rows
    }

    fn against_itself(&self) -> Row<'_> {
        let Boma { through, logged, doors, .. } = &self.boma;
        Row {
            name: "access log, by itself",
            load: Load::Plain,
            weighs: 1.0,
            fits: |refused| refused == 0.0,
            contenders: vec![("boma, no log", through, doors.through), ("boma", logged, doors.logged)],
        }
    }

    fn much_law(&self) -> Row<'_> {
        let [few, many] = &self.boma.law;
        Row {
            name: "10,000 CIDRs, 200 rules",
            load: Load::File(LONG),
            weighs: 1.0,
            fits: |refused| refused == 0.0,
            contenders: vec![("boma, ten rules", &few.0, few.1), ("boma", &many.0, many.1)],
        }
    }
}

fn head(folder: &Path, name: &str, workers: u32) -> String {
    let place = folder.display();
    let is_root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let user = if is_root { "user root;" } else { "" };
    format!(
        "{user} daemon off; worker_rlimit_nofile 20000; error_log stderr crit; pid {place}/{name}.pid; worker_processes {workers};\n\
         events {{ worker_connections 16000; }}\n\
         http {{ access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;\n\
         uwsgi_temp_path {place}/u; scgi_temp_path {place}/s; keepalive_requests 100000000;\n"
    )
}

fn origin_nginx(folder: &Path, port: u16) -> Running {
    let text = format!(
        "{}server {{ listen 127.0.0.1:{port}; root {}/www; open_file_cache max=10; add_header Cache-Control max-age=86400; }} }}\n",
        head(folder, "origin", 1),
        folder.display()
    );
    nginx(folder, "origin", &text, port)
}

fn peer_nginx(folder: &Path, origin: u16) -> Peer {
    let doors = doors();
    let Doors { through, flood, cached, tls, fair, logged, .. } = doors;
    let place = folder.display();
    let pass = "proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection \"\";";
    let text = format!(
        "{}limit_req_zone $binary_remote_addr zone=z:10m rate=1r/s; limit_req_status 429; limit_conn_status 429;\n\
         limit_req_zone $binary_remote_addr zone=g:10m rate=100r/s;\n\
         limit_conn_zone $binary_remote_addr zone=n:10m;\n\
         proxy_cache_path {place}/cache keys_zone=c:10m use_temp_path=off;\n\
         upstream o {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{ listen 127.0.0.1:{through}; location / {{ {pass} }} }}\n\
         server {{ listen 127.0.0.1:{flood}; limit_req zone=z; location / {{ {pass} }} }}\n\
         server {{ listen 127.0.0.1:{logged}; access_log {place}/nginx.log; location / {{ {pass} }} }}\n\
         server {{ listen 127.0.0.1:{fair}; limit_req zone=g burst=100 nodelay; limit_conn n 50; location / {{ {pass} }} }}\n\
         server {{ listen 127.0.0.1:{cached}; location / {{ {pass} proxy_cache c; }} }}\n\
         server {{ listen 127.0.0.1:{tls} ssl http2; ssl_protocols TLSv1.2 TLSv1.3; \
         ssl_certificate {place}/chain.pem; ssl_certificate_key {place}/key.pem; location / {{ {pass} }} }} }}\n",
        head(folder, "peer", 2)
    );
    Peer { name: "nginx", running: nginx(folder, "peer", &text, through), doors }
}

fn haproxy(folder: &Path, origin: u16) -> Peer {
    let doors = doors();
    let Doors { through, flood, cached, tls, keys, fair, logged } = doors;
    let text = format!(
        "global\n nbthread 2\n no strict-limits\n maxconn 16000\n\
         defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n http-reuse always\n\
         cache c\n total-max-size 16\n max-age 86400\n\
         frontend through\n bind 127.0.0.1:{through}\n default_backend o\n\
         frontend flood\n bind 127.0.0.1:{flood}\n stick-table type ip size 100k expire 60s store http_req_rate(10s)\n \
         http-request track-sc0 src\n http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 10 }}\n default_backend o\n\
         frontend logged\n bind 127.0.0.1:{logged}\n log stdout format raw daemon\n option httplog\n default_backend o\n\
         frontend keys\n bind 127.0.0.1:{keys}\n stick-table type ip size 1100k expire 1h store http_req_rate(1h)\n \
         http-request track-sc0 req.hdr_ip(x-forwarded-for)\n http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 1 }}\n \
         default_backend o\n\
         frontend fair\n bind 127.0.0.1:{fair}\n stick-table type ip size 100k expire 60s store http_req_rate(1s),conn_cur\n \
         tcp-request connection track-sc0 src\n tcp-request connection reject if {{ sc_conn_cur(0) gt 50 }}\n \
         http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 100 }}\n default_backend o\n\
         frontend cached\n bind 127.0.0.1:{cached}\n http-request cache-use c\n http-response cache-store c\n default_backend o\n\
         frontend tls\n bind 127.0.0.1:{tls} ssl crt {}/tls.pem alpn h2,http/1.1\n default_backend o\n\
         backend o\n server o 127.0.0.1:{origin}\n",
        folder.display()
    );
    let file = folder.join("haproxy.cfg");
    fs::write(&file, text).unwrap();
    let running = Running::start(Command::new("haproxy").arg("-db").arg("-f").arg(file), through);
    Peer { name: "haproxy", running, doors }
}

fn varnish(folder: &Path, origin: u16) -> (Running, u16) {
    let [port] = ports();
    let mut command = Command::new("varnishd");
    command.args(["-F", "-a", &format!("127.0.0.1:{port}"), "-b", &format!("127.0.0.1:{origin}")]);
    command.arg("-n").arg(folder.join("varnish")).args(["-s", "malloc,16m"]).stderr(Stdio::null());
    (Running::start(&mut command, port), port)
}

fn h2o(folder: &Path) -> (Running, u16) {
    let [port] = ports();
    let text = format!(
        "num-threads: 2\nlisten:\n  host: 127.0.0.1\n  port: {port}\n\
         hosts:\n  default:\n    paths:\n      /:\n        file.dir: {}/www\n",
        folder.display()
    );
    let file = folder.join("h2o.conf");
    fs::write(&file, text).unwrap();
    (Running::start(Command::new("h2o").arg("-c").arg(file).stderr(Stdio::null()), port), port)
}

/// A boma for each kind of work, because what is asked for is always the same host's.
fn boma(folder: &Path, origin: u16) -> Boma {
    let doors = doors();
    let place = folder.display();
    let tls = format!(
        "[[listen]]\naddress = \"127.0.0.1:{}\"\ntls = true\n[[certificate]]\nchain = \"{place}/chain.pem\"\nkey = \"{place}/key.pem\"\n",
        doors.tls
    );
    let start = |name: &str, port: u16, (log, more): (&str, &str), portal: &str, rules: &str| {
        let [admin] = ports();
        let text = format!(
            "[server]\nworkers = 2\n{more}[admin]\naddress = \"127.0.0.1:{admin}\"\n[log]\naccess = \"{log}\"\n\
             [[listen]]\naddress = \"127.0.0.1:{port}\"\n{}\
             [[portal]]\nname = \"p\"\nhosts = [\"huduma.example\"]\norigins = [\"http://127.0.0.1:{origin}\"]\nmax_in_flight = 1000\n{portal}",
            if name == "through" { &tls } else { "" },
        );
        common::boma(&folder.join(name), &text, rules, port)
    };
    let law = |name: &str, size: Size| {
        let large = Large::new(size, 1);
        fs::create_dir_all(folder.join(name)).unwrap();
        large.files.iter().for_each(|(file, text)| fs::write(folder.join(name).join(file), text).unwrap());
        format!("{}{}", large.rules, limits("1000000/s", "10000000"))
    };
    let plain = ("off", "");
    let [few, many] = ports();
    let log = format!("{place}/boma.log");
    let wide = |name: &str| law(name, Size::SMALL);
    let per = |key: &str, rate: &str, burst: u32| {
        format!(
            "[posture]\nauto = false\n[[limit]]\nname = \"strict\"\nper = \"{key}\"\nrate = \"{rate}\"\nburst = {burst}\nthen = \"deny\"\n"
        )
    };
    let kept = "[[portal.route]]\npath = \"/*\"\ncache = \"origin\"\n";
    let trusting = "[client]\ntrusted_proxies = [\"127.0.0.1/32\"]\nmemory = \"256MiB\"\n";
    Boma {
        through: start("through", doors.through, plain, "", &wide("through")),
        flood: start("flood", doors.flood, plain, "", &per("client", "1/s", 1)),
        cached: start("cached", doors.cached, plain, kept, &wide("cached")),
        keys: start("keys", doors.keys, ("off", trusting), "", &per("client", "1/m", 1)),
        fair: start("fair", doors.fair, plain, "", &per("client", "100/s", 100)),
        logged: start("logged", doors.logged, (&log, ""), "", &wide("logged")),
        law: [
            (start("few", few, plain, "", &law("few", Size::SMALL)), few),
            (start("many", many, plain, "", &law("many", Size::LARGE)), many),
        ],
        doors,
    }
}

/// Two that nobody reaches.
fn limits(rate: &str, burst: &str) -> String {
    let limit = |name: &str, per: &str| {
        format!("[[limit]]\nname = \"{name}\"\nper = \"{per}\"\nrate = \"{rate}\"\nburst = {burst}\n")
    };
    limit("wide", "client") + &limit("wider", "network")
}
