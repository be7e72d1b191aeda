//! `boma token`: who of the staff may come in. It works on the file that `[admin] tokens` names; a boma that runs takes
//! the change over by itself.
//!
//! Does not know: how a token is checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{CONFIGURATION, FAILED, Failed, Format, USAGE};
use crate::clock::Clock;
use crate::staff::{self, Hash, Role, Token as Entry, Unchanged};
use crate::{bounds, settings, units};

#[derive(clap::Subcommand)]
pub enum Token {
    /// Make a token; it is printed once, and kept nowhere
    Add {
        /// Whose it is: the journal names them by it
        #[arg(long)]
        name: String,
        /// viewer reads; analyst lays measures and bans; lead pins postures, changes rules, forces; communicator speaks to citizens; admin all
        #[arg(long, value_parser = role)]
        role: Role,
        /// How long it holds, such as 90d; without it, until it is taken out
        #[arg(long)]
        expires: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Whose tokens there are
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Take a token out: who holds it is out at once
    Remove {
        #[arg(long)]
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Args)]
pub struct Place {
    /// The settings file, whose [admin] tokens names the file of tokens
    #[arg(long, default_value = "boma.toml")]
    config: PathBuf,
    /// The file of tokens itself
    #[arg(long, conflicts_with = "config")]
    file: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

fn role(text: &str) -> Result<Role, String> {
    Role::named(text).ok_or_else(|| format!("write one of {}", Role::NAMES.join(", ")))
}

impl Token {
    pub fn run(self) -> Result<(), Failed> {
        match self {
            Token::Add { name, role, expires, place } => add(name, role, expires.as_deref(), &place),
            Token::List { place } => list(&place),
            Token::Remove { name, place } => {
                let file = place.file()?;
                staff::change(&file, |tokens| tokens.without(&name)).map_err(|why| failed(&file, why))?;
                match place.format {
                    Format::Json => println!("{}", json!({ "removed": name })),
                    Format::Text => println!("{name} is out"),
                }
                Ok(())
            }
        }
    }
}

fn add(name: String, role: Role, expires: Option<&str>, place: &Place) -> Result<(), Failed> {
    let now = Clock::system().now().unix();
    let expires = expires.map(|text| end(text, now)).transpose()?;
    let file = place.file()?;
    let token = staff::new_token().ok_or(Failed(FAILED, "the system gives no random bytes".into()))?;
    let entry = Entry { name: name.clone(), role, hash: Hash::of(&token), expires };
    staff::change(&file, |tokens| tokens.with(entry)).map_err(|why| failed(&file, why))?;
    if place.format == Format::Json {
        println!("{}", json!({ "name": name, "role": role, "expires": expires, "token": token }));
        return Ok(());
    }
    // The token alone goes to standard output, so that a script can take it.
    println!("{token}");
    eprintln!("{name} may come in as {role}{}. This is shown once:", until(expires));
    eprintln!("  export BOMA_ADMIN_TOKEN={token}");
    Ok(())
}

fn list(place: &Place) -> Result<(), Failed> {
    let file = place.file()?;
    let tokens = staff::load(&file).map_err(|why| failed(&file, why))?;
    let now = Clock::system().now().unix();
    if place.format == Format::Json {
        let line =
            |t: &Entry| json!({ "name": t.name, "role": t.role, "expires": t.expires, "expired": t.has_expired(now) });
        println!("{}", json!({ "tokens": tokens.all().iter().map(line).collect::<Vec<_>>() }));
        return Ok(());
    }
    if tokens.all().is_empty() {
        println!("no tokens in {}", file.display());
    }
    for token in tokens.all() {
        let over = if token.has_expired(now) { "   HAS EXPIRED" } else { "" };
        println!("{}   {}{}{over}", token.name, token.role, until(token.expires));
    }
    Ok(())
}

fn until(expires: Option<u64>) -> String {
    let at = expires.and_then(|e| jiff::Timestamp::from_second(i64::try_from(e).ok()?).ok());
    at.map_or(String::new(), |at| format!(" until {at}"))
}

fn end(text: &str, now: u64) -> Result<u64, Failed> {
    let most = bounds::TOKEN_LONGEST;
    let lasts = units::duration(text).filter(|d| *d >= Duration::from_secs(1) && *d <= most);
    let help = || format!("--expires {text} is no time from 1s to {}: write such as 90d", units::human(most));
    lasts.map(|d| now + d.as_secs()).ok_or_else(|| Failed(USAGE, help()))
}

fn failed(file: &Path, why: Unchanged) -> Failed {
    match why {
        Unchanged::Failed(why) => Failed(FAILED, why),
        Unchanged::Broken(faults) => {
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let help = "mend it by hand; it was left as it is";
            Failed(CONFIGURATION, format!("{} has faults: {help}\n{}", file.display(), all.join("\n")))
        }
    }
}

impl Place {
    fn file(&self) -> Result<PathBuf, Failed> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let shown = self.config.display();
        let text = std::fs::read_to_string(&self.config)
            .map_err(|e| Failed(CONFIGURATION, format!("{shown} cannot be read: {e}; name it with --config")))?;
        let config = std::path::absolute(&self.config).unwrap_or_else(|_| self.config.clone());
        let folder = config.parent().unwrap_or(Path::new("/"));
        // Whatever else is wrong with the settings: where the tokens are, they say.
        let read = settings::read(&shown.to_string(), &text, folder);
        read.value.admin.tokens.ok_or_else(|| {
            let help = "write tokens = \"admin-tokens.toml\" under [admin]; a boma that runs takes that over too";
            Failed(CONFIGURATION, format!("{shown} names no file of tokens: {help}"))
        })
    }
}
