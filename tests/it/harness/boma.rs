//! A boma process, made from a few words about the house.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use super::{Answer, Client, Folder, eventually, request};

pub const TOKEN: &str = "a-token-for-tests";

/// How a house is set up. Fields are parts of its files.
pub struct Setup {
    pub folder: Folder,
    pub listen: &'static str,
    /// More of [admin].
    pub admin: &'static str,
    pub languages: &'static str,
    /// More of boma.toml before the portal.
    pub settings: String,
    /// More of the portal: keys, then its tables.
    pub portal: String,
    pub rules: String,
}

impl Setup {
    pub fn new() -> Setup {
        Setup {
            folder: Folder::new(),
            listen: "",
            admin: "",
            languages: "\"en\", \"sw\"",
            settings: String::new(),
            portal: String::new(),
            rules: String::new(),
        }
    }

    pub fn settings(mut self, text: &str) -> Setup {
        self.settings.push_str(text);
        self
    }

    pub fn portal(mut self, text: &str) -> Setup {
        self.portal.push_str(text);
        self
    }

    pub fn rules(mut self, text: &str) -> Setup {
        self.rules.push_str(text);
        self
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// What lies in a folder and how large it is, for what a test says when it fails.
    pub fn listing(&self, name: &str) -> String {
        let Ok(entries) = std::fs::read_dir(self.file(name)) else { return format!("no {name}") };
        let line = |e: std::fs::DirEntry| format!("{:?} {}", e.file_name(), e.metadata().map_or(0, |m| m.len()));
        entries.flatten().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Writes both files; `origin` is where the portal's origin is.
    pub fn write(&self, origin: &str) {
        let boma = format!(
            "[[listen]]\naddress = \"127.0.0.1:0\"\n{}\n[admin]\naddress = \"127.0.0.1:0\"\n{}\n[log]\naccess = \"access.log\"\n{}\n\
[[portal]]\nname = \"huduma\"\nhosts = [\"huduma.example\"]\ntitle = \"Huduma\"\nlanguages = [{}]\norigins = [\"http://{origin}\"]\n{}\n",
            self.listen, self.admin, self.settings, self.languages, self.portal
        );
        self.folder.write("boma.toml", &boma);
        self.folder.write("rules.toml", &self.rules);
    }

    pub fn start(self, origin: SocketAddr) -> Boma {
        self.start_at(&origin.to_string())
    }

    /// `origins` stands between `"http://` and `"`.
    pub fn start_at(self, origins: &str) -> Boma {
        self.write(origins);
        Boma::start(self, &[])
    }
}

/// A running boma; killed when it is dropped.
pub struct Boma {
    pub setup: Setup,
    pub child: Child,
    pub doors: Vec<SocketAddr>,
    pub admin: SocketAddr,
    log: Arc<Mutex<String>>,
}

pub fn command(setup: &Setup) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boma"));
    command.arg("run").arg("--config").arg(setup.file("boma.toml"));
    command.env("BOMA_ADMIN_TOKEN", TOKEN).env_remove("STATE_DIRECTORY").env("BOMA_LOG", "info").env("NO_COLOR", "1");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Boma {
    pub fn start(setup: Setup, more: &[&str]) -> Boma {
        let mut command = command(&setup);
        command.args(more);
        Boma::spawn(setup, command).unwrap_or_else(|(status, log)| panic!("boma did not start ({status}):\n{log}"))
    }

    /// Starts the command; gives its exit status and log where it ends before it listens.
    pub fn spawn(setup: Setup, mut command: Command) -> Result<Boma, (ExitStatus, String)> {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (shared, stderr) = (log.clone(), child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = shared.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut ended = None;
        let admin = eventually("boma listens", || {
            ended = child.try_wait().unwrap();
            if ended.is_some() { Some(None) } else { address(&log.lock().unwrap(), "staff door").map(Some) }
        });
        let Some(admin) = admin else {
            let _ = reader.join();
            let log = log.lock().unwrap().clone();
            return Err((ended.unwrap(), log));
        };
        let doors = log.lock().unwrap().lines().filter_map(|l| address(l, "listening")).collect();
        Ok(Boma { setup, child, doors, admin, log })
    }

    /// The first door.
    pub fn at(&self) -> SocketAddr {
        self.doors[0]
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Runs a command of boma's against this one: exit code, and all that it said.
    pub fn command(&self, arguments: &[&str]) -> (i32, String) {
        let done = Command::new(env!("CARGO_BIN_EXE_boma"))
            .args(arguments)
            .env("BOMA_ADMIN", format!("http://{}", self.admin))
            .env("BOMA_ADMIN_TOKEN", TOKEN)
            .output()
            .unwrap();
        (done.status.code().unwrap(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
    }

    pub fn staff(&self, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        request(self.admin, method, path, &format!("Host: staff\r\nAuthorization: Bearer {TOKEN}\r\n{fields}"), body)
    }

    /// As whoever holds this token, from an address of their own: the administrator's must not wait for the wrong tokens
    /// of others.
    pub fn as_staff(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let fields = format!("Host: staff\r\nAuthorization: Bearer {token}\r\n");
        Client::connect_from("127.0.0.5", self.admin).and_then(|mut c| c.ask(method, path, &fields, body)).unwrap()
    }

    pub fn status(&self) -> serde_json::Value {
        self.staff("GET", "/api/v1/status", "", "").json()
    }

    pub fn metric(&self, name: &str) -> f64 {
        let text = request(self.admin, "GET", "/metrics", "", "").text();
        let line = text
            .lines()
            .find(|l| l.starts_with(name) && l.as_bytes().get(name.len()).is_some_and(|b| matches!(b, b' ' | b'{')));
        line.and_then(|l| l.rsplit(' ').next())
            .and_then(|v| v.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in\n{text}"))
    }

    pub fn posture(&self, level: &str) {
        let wish = format!("{{\"level\":\"{level}\",\"for\":\"30m\",\"reason\":\"a test\"}}");
        let answer = self.staff("PUT", "/api/v1/posture", "", &wish);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub fn wait_for_snapshots(&self, n: usize) {
        eventually("snapshots are taken", || (self.metric("boma_snapshots") as usize >= n).then_some(()));
        // Whatever is proposed is answered when all before it is on disk.
        assert_eq!(self.staff("DELETE", "/api/v1/measures/none", "", "").status, 404);
    }

    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(done.success());
    }

    /// SIGKILL, as a machine that loses power would; the files stay.
    pub fn kill(mut self) -> Setup {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let folder = Folder(std::mem::take(&mut self.setup.folder.0));
        Setup { folder, ..Setup::new_empty() }
    }

    pub fn wait(&mut self) -> ExitStatus {
        eventually("boma ends", || self.child.try_wait().unwrap())
    }
}

impl Setup {
    /// For files that are there already.
    fn new_empty() -> Setup {
        Setup {
            folder: Folder(PathBuf::new()),
            listen: "",
            admin: "",
            languages: "\"en\", \"sw\"",
            settings: String::new(),
            portal: String::new(),
            rules: String::new(),
        }
    }
}

impl Drop for Boma {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(log: &str, what: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|l| l.contains(what) && l.contains("address="))?;
    line.split("address=").nth(1)?.split(' ').next()?.parse().ok()
}
