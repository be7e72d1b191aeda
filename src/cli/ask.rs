//! Asking a running boma, by its staff door.
//!
//! Does not know: what is asked.

use serde_json::Value;

use super::{FAILED, Failed, Staff, USAGE};
use crate::admin::client::{Reply, call};

impl Staff {
    /// Sends a call with the token; anything but a 2xx is a failure in the door's own words.
    pub fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)], body: String) -> Result<Reply, Failed> {
        let bearer = format!("Bearer {}", self.token()?);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(fields);
        let reply = call(&self.url, method, path, &all, body)
            .map_err(|why| Failed(FAILED, format!("{} cannot be asked: {why}", self.url)))?;
        if (200..300).contains(&reply.status) && !reply.version.is_empty() {
            return Ok(reply);
        }
        Err(self.refused(&reply))
    }

    pub fn token(&self) -> Result<&str, Failed> {
        self.token.as_deref().ok_or_else(|| {
            let help = "no token: write yours in BOMA_ADMIN_TOKEN, as `boma token add` prints it";
            Failed(USAGE, help.into())
        })
    }

    /// Why an answer is none that was hoped for.
    pub fn refused(&self, reply: &Reply) -> Failed {
        if reply.version.is_empty() {
            let help = "write the staff door's address ([admin] address) in BOMA_ADMIN or --admin";
            return Failed(
                FAILED,
                format!("{} answers {}, but it is not boma's staff door: {help}", self.url, reply.status),
            );
        }
        Failed(FAILED, said(reply))
    }
}

/// What a refusal says: its faults, else its detail.
fn said(reply: &Reply) -> String {
    let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    if let Some(faults) = value["faults"].as_array() {
        let text = |f: &Value, key: &str| f[key].as_str().unwrap_or_default().to_owned();
        let line = |f: &Value| {
            format!(
                "{}:{}:{}: {}\n    {}",
                text(f, "file"),
                f["line"],
                f["column"],
                text(f, "message"),
                text(f, "help")
            )
        };
        return format!(
            "refused; what was in force stays.\n{}",
            faults.iter().map(line).collect::<Vec<_>>().join("\n")
        );
    }
    match value["detail"].as_str() {
        Some(detail) => format!("{}: {detail}", reply.status),
        None => format!("the staff door answered {}", reply.status),
    }
}
