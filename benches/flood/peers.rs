//! nginx and HAProxy in boma's place, as their own documentation advises against floods: limits of requests and connections per
//! address, a bound on what the origin gets at once, answers kept for seconds and given stale where the origin fails.
//!
//! nginx: "Mitigating DDoS Attacks with NGINX" and the guides of `limit_req`, `limit_conn`, `proxy_cache_lock`,
//! `proxy_cache_use_stale`. HAProxy: "Application-layer DDoS attack protection" (stick tables by request rate) and `maxconn` with
//! its queue.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{self, Running};
use crate::origin::{PAGES, PARTS};

/// How many requests the origin may have at once: twice its slots, so that it is never idle and never far above its knee.
const AT_ONCE: u32 = 40;

fn public() -> impl Iterator<Item = &'static str> {
    PAGES.into_iter().chain(PARTS.iter().map(|p| p.0))
}

pub fn nginx(folder: &Path, port: u16, origin: u16) -> Running {
    let place = folder.display();
    let is_root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let user = if is_root { "user root;" } else { "" };
    let pass = "proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host; \
                proxy_connect_timeout 2s; proxy_read_timeout 15s;";
    let kept = "proxy_cache c; proxy_cache_valid 200 10s; proxy_ignore_headers Set-Cookie Cache-Control; proxy_hide_header Set-Cookie; \
                proxy_cache_lock on; proxy_cache_background_update on; \
                proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504; add_header X-Cache $upstream_cache_status;";
    let locations: String = public().map(|path| format!("location = {path} {{ {pass} {kept} }}\n")).collect();
    let text = format!(
        "{user} daemon off; error_log stderr crit; pid {place}/nginx.pid; worker_processes 2; worker_rlimit_nofile 16384;\n\
         events {{ worker_connections 8192; }}\n\
         http {{ access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
         keepalive_requests 100000; client_body_timeout 5s; client_header_timeout 5s;\n\
         set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;\n\
         limit_req_zone $binary_remote_addr zone=r:20m rate=10r/s; limit_req zone=r burst=50 nodelay; limit_req_status 429;\n\
         limit_conn_zone $binary_remote_addr zone=n:20m; limit_conn n 20; limit_conn_status 429;\n\
         proxy_cache_path {place}/cache keys_zone=c:10m use_temp_path=off;\n\
         upstream o {{ zone o 64k; server 127.0.0.1:{origin} max_conns={AT_ONCE} max_fails=0; keepalive 16; }}\n\
         server {{ listen 127.0.0.1:{port} backlog=4096;\n{locations}location / {{ {pass} }} }} }}\n"
    );
    common::nginx(folder, "shield", &text, port)
}

pub fn haproxy(folder: &Path, port: u16, origin: u16) -> Running {
    let paths = public().collect::<Vec<_>>().join(" ");
    let text = format!(
        "global\n nbthread 2\n maxconn 8192\n\
         defaults\n mode http\n timeout connect 2s\n timeout client 20s\n timeout http-request 5s\n timeout server 15s\n timeout queue 10s\n http-reuse always\n\
         cache c\n total-max-size 16\n max-age 10\n\
         frontend door\n bind 127.0.0.1:{port} backlog 4096\n \
         http-request set-src req.hdr(x-forwarded-for)\n \
         stick-table type ip size 200k expire 60s store http_req_rate(10s),conn_cur\n http-request track-sc0 src\n \
         http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 150 }}\n \
         acl public path {paths}\n \
         http-request set-var(txn.public) bool(true) if public\n \
         http-request cache-use c if public\n \
         http-response del-header set-cookie if {{ var(txn.public) -m bool }}\n \
         http-response set-header cache-control max-age=10 if {{ var(txn.public) -m bool }}\n \
         http-response cache-store c if {{ var(txn.public) -m bool }}\n \
         http-response set-header x-cache HIT if !{{ srv_id -m found }}\n \
         default_backend o\n\
         backend o\n server o 127.0.0.1:{origin} maxconn {AT_ONCE}\n"
    );
    let file = folder.join("haproxy.cfg");
    fs::write(&file, text).unwrap();
    Running::start(Command::new("haproxy").arg("-db").arg("-f").arg(file), port)
}
