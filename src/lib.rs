//! boma, a layer-7 protective reverse proxy for government portals. ARCHITECTURE.md is the map of the house.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

// Floor 0: the only clock; every hard bound.
pub mod bounds;
pub mod clock;
// Floor 1: shared vocabulary, plain data.
pub mod bot;
pub mod client;
pub mod facts;
pub mod fault;
pub mod gzip;
pub mod habit;
pub mod held;
pub mod http1;
pub mod http2;
pub mod incident;
pub mod known;
pub mod markup;
pub mod path;
pub mod pen;
pub mod plan;
pub mod portal;
pub mod proofs;
pub mod quick;
pub mod reason;
pub mod said;
pub mod seal;
pub mod strain;
pub mod units;
pub mod uptime;
pub mod wire;
pub mod words;
// Floor 2: the rooms.
pub mod admit;
pub mod apart;
pub mod ban;
pub mod bots;
pub mod cache;
pub mod certificate;
pub mod challenge;
pub mod journal;
pub mod limit;
pub mod origin;
pub mod pages;
pub mod places;
pub mod posture;
pub mod report;
pub mod rules;
pub mod settings;
pub mod settled;
pub mod snapshot;
pub mod staff;
pub mod store;
pub mod takeover;
pub mod telemetry;
pub mod waiting;
// Floor 3: what is in force.
pub mod force;
// Floor 4: the corridor and the office.
pub mod control;
pub mod serve;
// Floor 5: the two doors.
pub mod admin;
pub mod edge;
// Floor 6: builds the house.
pub mod app;
pub mod fuzzing;
// Floor 7: arguments and exit codes.
pub mod cli;

/// Generated laws and requests, which unit tests share with those of the whole house.
#[cfg(test)]
#[allow(dead_code)]
#[path = "../tests/it/laws.rs"]
mod laws;
