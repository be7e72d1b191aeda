//! `boma demo`: a sample portal and boma before it, with nothing to set up.
//!
//! Does not know: how either works.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::{FAILED, Failed, run, sample};
use crate::admin::Token;
use crate::app::{App, Options};
use crate::control::Given;
use crate::seal;

/// How many ports are tried from the first one on.
const PORTS: u16 = 50;

#[derive(clap::Args)]
pub struct Demo {
    /// Where citizens come to [default: 127.0.0.1:8080, or the next free port]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The staff door [default: 127.0.0.1:9900, or the next free port]
    #[arg(long)]
    admin: Option<SocketAddr>,
    /// The sample portal [default: 127.0.0.1:3000, or the next free port]
    #[arg(long)]
    origin: Option<SocketAddr>,
    /// Stand before this portal, such as http://127.0.0.1:8000, instead of the sample one
    #[arg(long, conflicts_with = "origin")]
    portal: Option<String>,
    /// Networks of a hop before the demo, such as a load generator, whose X-Forwarded-For is believed
    #[arg(long, value_name = "CIDR")]
    trust: Vec<String>,
}

impl Demo {
    pub fn run(self) -> Result<(), Failed> {
        super::log_to_stderr("warn");
        let token = token()?;
        let failed = |what: &str, e: io::Error| Failed(FAILED, format!("{what}: {e}"));
        let sample = match self.portal {
            Some(_) => None,
            None => {
                let at = address(self.origin, 3000).map_err(|e| failed("no port for the sample portal", e))?;
                let started = sample::start(at);
                Some(started.map_err(|e| failed(&format!("the sample portal cannot listen on {at}"), e))?)
            }
        };
        let listen = address(self.listen, 8080).map_err(|e| failed("no port for boma", e))?;
        let admin = address(self.admin, 9900).map_err(|e| failed("no port for the staff door", e))?;
        let folder = folder().map_err(|e| failed("no folder for the demo's files", e))?;
        let origin = self.portal.or_else(|| sample.as_ref().map(|s| format!("http://{}", s.address)));
        let origin = origin.unwrap_or_default();
        write_files(&folder, (listen, admin, &origin), &self.trust)
            .map_err(|e| failed("the demo's files cannot be written", e))?;
        let given = Given { config: folder.join("boma.toml"), strict: false, state_dir: None, state_environment: None };
        let options = Options { given, token: Token::new(&token), sockets: Vec::new(), takeover: false };
        let outcome = run::serve(options, |app| print(app, (&origin, sample.is_some()), &folder, &token));
        if let Some(sample) = sample {
            sample.stop();
        }
        let _ = fs::remove_dir_all(&folder);
        if outcome.is_ok() {
            println!("ended; the demo's files are gone");
        }
        outcome
    }
}

/// The wished address, or the first free port from the standard one on.
fn address(wished: Option<SocketAddr>, standard: u16) -> io::Result<SocketAddr> {
    if let Some(wished) = wished {
        return Ok(wished);
    }
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (standard..standard + PORTS).find(free);
    let port =
        port.ok_or_else(|| io::Error::other(format!("{standard} to {} are all in use", standard + PORTS - 1)))?;
    Ok(([127, 0, 0, 1], port).into())
}

fn folder() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("boma-demo-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The one in the environment, as with `boma run`, or a new one.
fn token() -> Result<String, Failed> {
    if let Some((text, _)) = run::token()? {
        return Ok(text);
    }
    let mut random = [0; 16];
    if !seal::random(&mut random) {
        return Err(Failed(FAILED, "the system gives no random bytes".into()));
    }
    Ok(seal::base64(&random))
}

fn write_files(
    folder: &Path,
    (listen, admin, origin): (SocketAddr, SocketAddr, &str),
    trust: &[String],
) -> io::Result<()> {
    let settings = include_str!("../../config/demo/boma.toml");
    let settings = settings.replace("LISTEN", &listen.to_string()).replace("ADMIN", &admin.to_string());
    let mut settings = settings.replace("http://ORIGIN", origin);
    if !trust.is_empty() {
        settings.push_str(&format!("\n[client]\ntrusted_proxies = {trust:?}\n"));
    }
    fs::write(folder.join("boma.toml"), settings)?;
    fs::write(folder.join("rules.toml"), include_str!("../../config/demo/rules.toml"))
}

fn print(app: &App, (origin, sample): (&str, bool), folder: &Path, token: &str) {
    let boma = app.doors.first().map(|d| d.address.to_string()).unwrap_or_default();
    let (admin, rules, log) = (app.admin, folder.join("rules.toml"), folder.join("access.log"));
    println!(
        r#"boma stands before {what}.

  the portal through boma   http://{boma}/
  the portal itself         {origin}/
  the staff door            http://{admin}/   (/metrics, /readyz?verbose)
  rules                     {rules}
  access log                {log}
  token                     {token}

export BOMA_ADMIN=http://{admin} BOMA_ADMIN_TOKEN={token}
"#,
        what = if sample { "a sample portal" } else { "your portal" },
        rules = rules.display(),
        log = log.display(),
    );
    if sample {
        tour(&boma, &rules);
    }
    println!("Ctrl-C ends it.");
}

fn tour(boma: &str, rules: &Path) {
    println!(
        r#"Five things to try (the commands in another terminal, after the line above):
  1. Open http://{boma}/ and look around.
  2. boma posture attack --for 10m --reason "trying it out"   then load a page: it is challenged once.
  3. Open http://{boma}/switch and make the portal fail: the front page comes as a dated copy,
     http://{boma}/search says what still helps. Switch it back: all is well within seconds.
  4. Load http://{boma}/search?q=x eleven times in a row: the limit asks for a check.
  5. Take the # from the rule in {rules}, save, and open http://{boma}/forms/licence
"#,
        rules = rules.display(),
    );
}
