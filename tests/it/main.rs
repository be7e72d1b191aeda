//! boma as its users meet it: a real process on port 0, real sockets, real nginx.
//!
//! harness     the house, its origin, its clients
//! path        a request's way, and a real site behind nginx byte for byte
//! strict      HTTP/1.1 byte by byte, well formed and not
//! broken      what comes of an origin that breaks the rules
//! frames      HTTP/2 frame by frame, well formed and not
//! wire        upgrades, early hints, trailers, gRPC, TLS and HTTP/2 to origins, PROXY, deadlines, caps
//! tunnel      WebSockets between two versions of HTTP
//! grpc        messages, silences, and how calls end
//! origin      connections to origins: caps, tunnels, retries, deadlines
//! tls         certificates by name, tickets, protocols, handshakes
//! law         rules changed while traffic runs
//! ban         who is sent away before TLS, by hand and by themselves
//! explain     why a request gets what it gets
//! measure     what is laid over the rules for a while; earlier versions; the journal
//! limit       buckets, one per client, and a million of them
//! challenge   pages, passes, and who gets what instead
//! forms       forms that a check stands before
//! code        access codes: given out, written, wrong
//! programs    what README tells developers of programs, and never a page for one
//! bots        good ones, by the names of a small name server and by published networks
//! disk        a full one: service goes on, and everything is kept once there is room
//! fallback    the origin dead, hanging, failing; snapshots over a restart
//! snapshot    copies of pages: how they are taken, kept, given, and what never lands in one
//! incident    what citizens are told, the origin dead
//! service     what is told of services, changed while boma runs
//! admit       permits
//! places      countries and autonomous systems
//! posture     pinned by hand, by file and by command, and climbing by itself
//! preview     drafts tried on the last ten minutes
//! replay      the same with access logs
//! laws        random laws and requests
//! start       whatever is broken at start
//! admin       the staff door: what it answers, what it says of itself, who finds a place
//! staff       tokens and roles
//! words       operators' languages: added, replaced, broken
//! report      what is told after the end
//! events      what changes, as it happens
//! manners     how commands fail, and end
//! strain      memory, descriptors, the processor or the line run short
//! line        ten thousand people in line across restarts
//! log         the access log
//! life        signals, drain, ports, TLS, settings that change
//! browser     a real Chromium
//! gallery     every page in every language, looked at by it

mod harness;

mod admin;
mod admit;
mod ban;
mod bots;
mod broken;
mod browser;
mod cache;
mod challenge;
mod code;
mod disk;
mod events;
mod explain;
mod fallback;
mod forms;
mod frames;
mod gallery;
mod grpc;
mod incident;
mod law;
#[allow(dead_code, reason = "the unit tests use the rest")]
mod laws;
mod life;
mod limit;
mod line;
mod log;
mod manners;
mod measure;
mod origin;
mod passes;
mod path;
mod places;
mod posture;
mod preview;
mod programs;
mod replay;
mod report;
mod service;
mod settled;
mod site;
mod snapshot;
mod staff;
mod start;
mod strain;
mod strict;
mod tls;
mod tunnel;
mod waiting;
mod wire;
mod words;
