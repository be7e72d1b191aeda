//! `[deadlines]` and `[caps]`: how long boma waits, and how much it takes.
//!
//! Does not know: connections.

use std::time::Duration;

use super::{Caps, Deadlines};
use crate::bounds;
use crate::fault::Section;

const DAY: Duration = Duration::from_secs(86_400);
const LEAST: Duration = Duration::from_millis(100);

impl Default for Deadlines {
    fn default() -> Deadlines {
        let seconds = Duration::from_secs;
        Deadlines {
            first_byte: seconds(15),
            handshake: seconds(15),
            head: seconds(20),
            idle: seconds(75),
            upload: seconds(60),
            download: seconds(60),
            total: seconds(300),
            tunnel: seconds(600),
            origin_body: seconds(60),
            least_rate: 256,
        }
    }
}

impl Default for Caps {
    fn default() -> Caps {
        Caps {
            connections: 32_768,
            per_address: 8192,
            crowded: 256,
            streams: 100,
            head: 32 * 1024,
            fields: 100,
            h2_continuations: 32,
            h2_idle_frames: 500,
            h2_resets: 200,
            origin_connections: 1024,
        }
    }
}

pub fn deadlines(top: &Section<'_>) -> Deadlines {
    let mut all = Deadlines::default();
    let Some(s) = top.section("deadlines") else { return all };
    for (key, value) in [
        ("first_byte", &mut all.first_byte),
        ("handshake", &mut all.handshake),
        ("head", &mut all.head),
        ("idle", &mut all.idle),
        ("upload", &mut all.upload),
        ("download", &mut all.download),
        ("total", &mut all.total),
        ("tunnel", &mut all.tunnel),
        ("origin_body", &mut all.origin_body),
    ] {
        *value = s.duration(key, LEAST, DAY).map_or(*value, |d| d.value);
    }
    all.least_rate = s.bytes("least_rate", 0, 1 << 20).map_or(all.least_rate, |b| b.value);
    s.finish();
    all
}

pub fn caps(top: &Section<'_>) -> Caps {
    let mut all = Caps::default();
    let Some(s) = top.section("caps") else { return all };
    let whole = |key: &str, most: usize| s.integer(key, 1, most as u64).map(|n| n.value as usize);
    all.connections = whole("connections", 10_000_000).unwrap_or(all.connections);
    all.per_address = whole("per_address", 10_000_000).unwrap_or(all.per_address);
    all.crowded = whole("crowded", 10_000_000).unwrap_or(all.crowded);
    all.streams = whole("streams", 10_000).map_or(all.streams, |n| n as u32);
    all.fields = whole("fields", bounds::HEAD_FIELDS_MOST).unwrap_or(all.fields);
    all.head = s.bytes("head", 1024, 1 << 20).map_or(all.head, |b| b.value as usize);
    for (key, value) in [
        ("h2_continuations", &mut all.h2_continuations),
        ("h2_idle_frames", &mut all.h2_idle_frames),
        ("h2_resets", &mut all.h2_resets),
        ("origin_connections", &mut all.origin_connections),
    ] {
        *value = whole(key, 1_000_000).map_or(*value, |n| n as u32);
    }
    s.finish();
    all
}
