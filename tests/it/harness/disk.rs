//! A disk that gets full while boma keeps its state on it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Boma, Setup, TOKEN, command};

/// A full disk, one way or the other.
pub enum Disk {
    /// A file system of a few MiB, mounted on the state directory, and what fills it.
    Mounted(PathBuf),
    /// No file may be written beyond its first byte: for whoever may not mount one. Every write fails, as on a full disk.
    Limited,
}

impl Disk {
    /// All ways that there are here. Where no file system may be mounted it is said, and the limit alone stands in for it.
    pub fn ways(setups: [&Setup; 2]) -> Vec<Disk> {
        let mounted = Disk::mounted(&setups[0].file("state"));
        if mounted.is_none() {
            eprintln!("NO FILE SYSTEM MAY BE MOUNTED HERE: only RLIMIT_FSIZE stands in for a full disk, twice");
        }
        vec![mounted.unwrap_or(Disk::Limited), Disk::Limited]
    }

    fn mounted(at: &Path) -> Option<Disk> {
        fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m,mode=700", "none"]).arg(at).output();
        mount.is_ok_and(|done| done.status.success()).then(|| Disk::Mounted(at.to_owned()))
    }

    /// What starts boma; `full`: on a disk that is full already.
    pub fn command(&self, setup: &Setup, full: bool) -> Command {
        let plain = command(setup);
        let Disk::Limited = self else {
            if full {
                self.fill(None);
            }
            return plain;
        };
        // A write beyond the limit is to fail, not to end the process.
        let mut shell = Command::new("sh");
        let limit = if full { "ulimit -S -f 0;" } else { "" };
        shell.arg("-c").arg(format!("trap '' XFSZ; {limit} exec \"$@\"")).arg("sh");
        shell.arg(plain.get_program()).args(plain.get_args());
        shell.env("BOMA_ADMIN_TOKEN", TOKEN).env_remove("STATE_DIRECTORY").env("BOMA_LOG", "info").env("NO_COLOR", "1");
        shell.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        shell
    }

    /// Leaves no room.
    pub fn fill(&self, boma: Option<&Boma>) {
        match (self, boma) {
            (Disk::Mounted(at), _) => {
                let mut ballast = OpenOptions::new().append(true).create(true).open(at.join("ballast")).unwrap();
                while ballast.write_all(&[7; 4096]).is_ok() {}
                while ballast.write_all(&[7]).is_ok() {}
            }
            (Disk::Limited, Some(boma)) => limit(boma, "0:"),
            (Disk::Limited, None) => {}
        }
    }

    pub fn free(&self, boma: &Boma) {
        match self {
            Disk::Mounted(at) => fs::remove_file(at.join("ballast")).unwrap(),
            Disk::Limited => limit(boma, "unlimited:"),
        }
    }
}

fn limit(boma: &Boma, soft: &str) {
    let limit =
        Command::new("prlimit").args(["--pid", &boma.child.id().to_string(), &format!("--fsize={soft}")]).status();
    assert!(limit.unwrap().success());
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Disk::Mounted(at) = self {
            let _ = Command::new("umount").arg("-l").arg(&*at).status();
        }
    }
}
