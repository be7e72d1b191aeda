//! The boma before the flood's origin: its settings, and its staff door.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{self, Running, ports, staff};
use crate::control::Level;
use crate::origin::{FILING, PAGES, PARTS};
use crate::peers;

/// What stands before the origin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shield {
    Boma,
    Nginx,
    Haproxy,
}

pub struct House {
    pub running: Running,
    pub port: u16,
    pub admin: u16,
    pub rules: String,
}

impl House {
    /// As an operator would set it up who read the README: copies of the public pages and their parts, and nothing else.
    pub fn start(folder: &Path, origin: u16, rules: &str, (more, log): (&str, &str)) -> House {
        let [port, admin] = ports();
        let route = |path: &str| format!("[[portal.route]]\npath = \"{path}\"\nfallback = \"snapshot\"\n");
        let routes: String = PAGES.iter().copied().chain(PARTS.iter().map(|p| p.0)).map(route).collect();
        let settings = format!(
            "[[listen]]\naddress = \"127.0.0.1:{port}\"\n[client]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[admin]\naddress = \"127.0.0.1:{admin}\"\n[log]\naccess = \"{log}\"\n\
[[portal]]\nname = \"huduma\"\nhosts = [\"huduma.example\"]\ntitle = \"Huduma\"\nlanguages = [\"sw\", \"en\"]\norigins = [\"http://127.0.0.1:{origin}\"]\n{more}\n\
{routes}[[portal.route]]\npath = \"{FILING}*\"\nclass = \"filing\"\n"
        );
        let running = common::boma(folder, &settings, rules, port);
        House { running, port, admin, rules: rules.to_owned() }.with_copies(PAGES.len() + PARTS.len())
    }

    /// Something else in boma's place: it has no staff door.
    pub fn peer(shield: Shield, folder: &Path, origin: u16) -> House {
        let [port] = ports();
        let running = match shield {
            Shield::Haproxy => peers::haproxy(folder, port, origin),
            _ => peers::nginx(folder, port, origin),
        };
        House { running, port, admin: 0, rules: String::new() }
    }

    /// `boma demo`, with a line for whoever wants to stand beside it as staff do.
    pub fn demo(origin: u16) -> House {
        let [port, admin] = ports();
        let house = House { running: common::demo(port, admin, origin), port, admin, rules: String::new() };
        println!("export BOMA_ADMIN=http://127.0.0.1:{admin} BOMA_ADMIN_TOKEN={}", common::TOKEN);
        house.with_copies(1)
    }

    fn with_copies(self, least: usize) -> House {
        let start = Instant::now();
        while self.metric("boma_snapshots") < least as f64 {
            assert!(start.elapsed() < Duration::from_secs(60), "the snapshots are not taken");
            sleep(Duration::from_millis(100));
        }
        self
    }

    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (status, said) = staff(self.admin, method, path, body);
        (status, serde_json::from_str(&said).unwrap_or(Value::String(said)))
    }

    pub fn pin(&self, level: Level) {
        let wish = json!({ "level": level.name(), "for": "6h", "reason": "the reference flood" }).to_string();
        let (status, said) = self.ask("PUT", "/api/v1/posture", &wish);
        assert_eq!(status, 200, "{said}");
    }

    /// Where the posture stands, and why where it stands there by itself.
    pub fn stands(&self) -> Option<(Level, String)> {
        if self.admin == 0 {
            return None;
        }
        let (_, said) = self.ask("GET", "/api/v1/posture", "");
        let portal = &said["portals"][0];
        Some((Level::named(portal["posture"].as_str()?)?, portal["why"].as_str().unwrap_or("").to_owned()))
    }

    fn metric(&self, name: &str) -> f64 {
        let (_, text) = staff(self.admin, "GET", "/metrics", "");
        let line = text.lines().find(|l| l.strip_prefix(name).is_some_and(|l| l.starts_with([' ', '{'])));
        line.and_then(|l| l.rsplit(' ').next()).and_then(|v| v.parse().ok()).unwrap_or(0.0)
    }
}
