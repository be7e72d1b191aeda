//! Who may come in by the staff door: five [`Role`]s, and the [`Tokens`] of a file that `boma token` writes ([`change`])
//! and the office watches.
//!
//! Only hashes are kept. A token that boma makes is 256 random bits, so a plain SHA-256 does: nobody guesses such a text,
//! and no table of hashes holds one. Salt and a slow hash were set aside: they protect words that people choose, and would let
//! whoever sends wrong tokens buy a tenth of a second of the door's time with each.
//!
//! Does not know: HTTP, what a role may do at which route.

mod file;
mod tokens;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use file::{Unchanged, change, load};
pub use tokens::{ADMINISTRATOR, Hash, Token, Tokens, new_token, read};

/// What somebody is there for. The steps from viewer to lead hold one another; the communicator stands beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Tightens for a while: measures, bans, previews.
    Analyst,
    /// Changes what stays, and forces what boma advises against.
    Lead,
    /// Speaks to citizens.
    Communicator,
    Admin,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Analyst, Role::Lead, Role::Communicator, Role::Admin];
    pub const NAMES: [&str; 5] = ["viewer", "analyst", "lead", "communicator", "admin"];

    pub fn as_str(self) -> &'static str {
        Role::NAMES[self as usize]
    }

    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|r| r.as_str() == name)
    }

    /// Whether this role may do what asks for at least `least`.
    pub fn may(self, least: Role) -> bool {
        match least {
            Role::Viewer => true,
            Role::Analyst => matches!(self, Role::Analyst | Role::Lead | Role::Admin),
            Role::Lead => matches!(self, Role::Lead | Role::Admin),
            Role::Communicator => matches!(self, Role::Communicator | Role::Admin),
            Role::Admin => self == Role::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_what() {
        let may = |role: Role| Role::ALL.map(|least| role.may(least));
        //                                    viewer analyst lead  communicator admin
        assert_eq!(may(Role::Viewer), [true, false, false, false, false]);
        assert_eq!(may(Role::Analyst), [true, true, false, false, false]);
        assert_eq!(may(Role::Lead), [true, true, true, false, false]);
        assert_eq!(may(Role::Communicator), [true, false, false, true, false]);
        assert_eq!(may(Role::Admin), [true; 5]);
        assert!(Role::ALL.iter().all(|r| Role::named(r.as_str()) == Some(*r)));
    }
}
