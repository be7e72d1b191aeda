//! Measures once a second how hard pressed the machine is, and says so where it begins to cost anybody anything.
//!
//! Does not know: what each step means, who acts on it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Office;
use crate::strain::{Gauge, Source, Strain};

/// Runs for as long as the house does.
pub async fn watch(office: Arc<Office>) {
    let house = &office.house;
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let server = house.town.load().settings.server.clone();
    let memory = server.memory.or_else(|| Some(machine(Path::new("/"))? / 10 * 9));
    let mut gauge = Gauge::default();
    let mut last = [Strain::None; 4];
    loop {
        beat.tick().await;
        let (late, sent) = house.pulse.take();
        let open = u64::try_from(house.metrics.connections.get()).unwrap_or(0);
        let may = house.town.load().settings.caps.connections.min(house.pulse.connections.load(Ordering::Relaxed));
        let now = gauge.hear([
            share(resident(Path::new("/")), memory),
            share(Some(open), Some(may as u64)),
            late,
            share(Some(sent), server.egress),
        ]);
        house.pulse.set(now);
        for source in Source::ALL {
            office.say_strain(source, last[source as usize], now[source as usize]);
        }
        last = now;
    }
}

/// In thousandths; 0 where either is not known.
fn share(used: Option<u64>, most: Option<u64>) -> u64 {
    used.zip(most).map_or(0, |(used, most)| used.saturating_mul(1000) / most.max(1))
}

impl Office {
    /// Says what begins and what is over, where strangers feel it.
    fn say_strain(&self, source: Source, was: Strain, is: Strain) {
        let begins = |at: Strain| format!("strained ({}): ", source.as_str()) + what(at);
        if was != is {
            self.house.untrouble(|t| [Strain::Scarce, Strain::Spent].into_iter().any(|at| t == begins(at)));
            if is >= Strain::Scarce {
                self.house.trouble(begins(is));
            }
            tracing::warn!(source = source.as_str(), strain = is.as_str(), "how hard pressed the machine is");
        }
    }
}

fn what(at: Strain) -> &'static str {
    match at {
        Strain::None => "nothing is given up",
        Strain::Tight => "connections are kept for seconds only",
        Strain::Scarce => "strangers are turned away",
        Strain::Spent => "new connections are refused",
    }
}

/// Bytes of memory that the process holds.
fn resident(root: &Path) -> Option<u64> {
    kibibytes(&root.join("proc/self/status"), "VmRSS:")
}

/// Bytes that the process may hold: by its control group and those around it, else by the machine.
fn machine(root: &Path) -> Option<u64> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut least = kibibytes(&root.join("proc/meminfo"), "MemTotal:")?;
    for line in own.lines() {
        // Version 2 has one line with no names; version 1 one for each kind.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (folder, file) = match kinds {
            "" => ("sys/fs/cgroup", "memory.max"),
            kinds if kinds.split(',').any(|k| k == "memory") => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        for around in Path::new(path.trim_start_matches('/')).ancestors() {
            let text = fs::read_to_string(root.join(folder).join(around).join(file)).unwrap_or_default();
            least = text.trim().parse().map_or(least, |n: u64| least.min(n));
        }
    }
    Some(least)
}

fn kibibytes(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|l| l.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_machine_and_control_groups_counts() {
        let root = tempfile();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(machine(&root), None, "nothing is known");
        write("proc/meminfo", "MemTotal:        1024 kB\nMemFree: 1 kB\n");
        assert_eq!(machine(&root), Some(1 << 20));
        write("proc/self/cgroup", "0::/pods/boma\n");
        write("sys/fs/cgroup/pods/boma/memory.max", "max\n");
        assert_eq!(machine(&root), Some(1 << 20));
        write("sys/fs/cgroup/pods/memory.max", "65536\n");
        assert_eq!(machine(&root), Some(65536), "the one around it");
        write("proc/self/cgroup", "5:cpu,memory:/boma\n");
        write("sys/fs/cgroup/memory/boma/memory.limit_in_bytes", "4096\n");
        assert_eq!(machine(&root), Some(4096), "version 1");
        fs::remove_dir_all(&root).unwrap();
        assert_eq!((share(Some(500), Some(1000)), share(None, Some(5)), share(Some(5), None)), (500, 0, 0));
        assert!(resident(Path::new("/")).is_some_and(|n| n > 1 << 20));
    }

    fn tempfile() -> std::path::PathBuf {
        std::env::temp_dir().join(format!("boma-strain-{}", std::process::id()))
    }
}
