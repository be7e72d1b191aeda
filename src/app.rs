//! Builds the house and takes it down: construction order, who gets which handle, drain order.
//!
//! Does not know: requests, rule texts, arguments.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};

use crate::admin::{self, Desk, Token};
use crate::certificate::{self, Keyring};
use crate::clock::Clock;
use crate::control::{self, Bell, Given, Judge, Judged, Office, Started};
use crate::edge::{self, Crowd, Door, Phase};
use crate::fault::Fault;
use crate::force::{House, Law, Materials};
use crate::journal::Journal;
use crate::serve::preview;
use crate::settings::{Listen, QueryLog, Settings};
use crate::store::{self, Rows, Table};
use crate::takeover::{self, Inheritance};
use crate::telemetry::Metrics;
use crate::telemetry::access::{AccessLog, Query};

/// What `boma run` is told besides its files.
pub struct Options {
    pub given: Given,
    pub token: Option<Token>,
    /// Listening sockets that the process was started with (systemd).
    pub sockets: Vec<TcpListener>,
    /// Take over from the boma that runs on the same state directory, where one does.
    pub takeover: bool,
}

/// Why boma does not run.
#[derive(Debug)]
pub enum Failure {
    /// The configuration: exit code 78.
    Configuration(Vec<Fault>),
    /// A port in use, no threads: exit code 1.
    Runtime(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Configuration(faults) => {
                let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
                f.write_str(&all.join("\n"))
            }
            Failure::Runtime(why) => f.write_str(why),
        }
    }
}

/// A running boma.
pub struct App {
    pub doors: Vec<Door>,
    pub admin: SocketAddr,
    pub office: Arc<Office>,
    bell: Bell,
    phase: watch::Sender<Phase>,
    stop_keeper: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    left: Arc<Notify>,
}

impl App {
    /// Starts everything; returns when citizens can come.
    ///
    /// # Errors
    /// [`Failure`], with nothing left running that serves citizens.
    pub fn start(mut options: Options) -> Result<App, Failure> {
        let clock = Clock::system();
        certificate::seed();
        let mut started = control::start(&options.given, clock.now().unix()).map_err(Failure::Configuration)?;
        for warning in &started.warnings {
            tracing::warn!("{warning}");
        }
        let settings = started.settings.clone();
        let wanted: Vec<Door> = settings.listen.iter().map(door).collect();
        let workers = settings.server.workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        let state_dir = started.state_dir.clone();
        let mut heir = options.takeover.then(|| inherit(&state_dir)).flatten();
        let mut inherited = std::mem::take(&mut options.sockets);
        inherited.extend(heir.iter_mut().flat_map(|h| std::mem::take(&mut h.sockets)));
        let sockets = edge::bind(&wanted, workers, &mut inherited).map_err(|e| Failure::Runtime(e.to_string()))?;
        let staff = staff_door(settings.admin.address, inherited)?;
        let admin_address = staff.local_addr().unwrap_or(settings.admin.address);
        let handles = sockets.handles().and_then(|mut all| {
            all.push(staff.try_clone()?);
            Ok(all)
        });
        if let Some(heir) = &mut heir {
            heir.claim_store().map_err(no_takeover)?;
        }

        let read = std::mem::take(&mut started.read);
        let (office, keyring, rows) = found(started, &settings, clock)?;
        office.restore(rows);
        let bell = control::watch(office.clone(), read).map_err(no_thread)?;
        let stop_keeper = Arc::new(AtomicBool::new(false));
        let (office2, stop) = (office.clone(), stop_keeper.clone());
        on_thread("boma-keeper", control::step_aside, move || Box::pin(control::keep(office2, stop)))?;
        let over = Arc::new(Notify::new());
        if options.token.is_none() && settings.admin.tokens.is_none() {
            let help = "no BOMA_ADMIN_TOKEN in the environment and no [admin] tokens: the staff door answers probes and metrics only";
            tracing::warn!("{help}");
        }
        let desk = Desk::new(office.clone(), options.token, over.clone());
        on_thread("boma-admin", control::step_aside, move || {
            Box::pin(async move {
                if let Err(e) = admin::serve(staff, desk).await {
                    tracing::error!(error = %e, "the staff door is closed");
                }
            })
        })?;
        let crowd = Arc::new(Crowd::new(descriptors()));
        office.house.pulse.connections.store(crowd.most, Ordering::Relaxed);
        let (phase, heard) = watch::channel(Phase::Serving);
        let mut running = Vec::new();
        for (i, doors) in sockets.of_worker.into_iter().enumerate() {
            let shared = edge::Shared {
                house: office.house.clone(),
                keyring: keyring.clone(),
                crowd: crowd.clone(),
                phase: heard.clone(),
                drain: settings.server.drain,
            };
            running.push(on_thread(&format!("boma-worker-{i}"), || {}, move || Box::pin(edge::work(shared, doors)))?);
        }
        for door in &sockets.doors {
            tracing::info!(address = %door.address, tls = door.tls, "listening");
        }
        tracing::info!(address = %admin_address, "staff door");
        if let Some(heir) = heir {
            heir.serving().map_err(no_takeover)?;
        }
        let left = Arc::new(Notify::new());
        offer(&office, &state_dir, handles, over, left.clone());
        Ok(App { doors: sockets.doors, admin: admin_address, office, bell, phase, stop_keeper, workers: running, left })
    }

    /// Stops accepting, lets what is under way finish for `[server] drain`, closes the store.
    pub fn drain(self) {
        let App { office, phase, stop_keeper, workers, .. } = self;
        tracing::info!("draining");
        office.house.draining.store(true, Ordering::Relaxed);
        office.house.feed.close();
        stop_keeper.store(true, Ordering::Relaxed);
        let _ = phase.send(Phase::Draining);
        for worker in workers {
            let _ = worker.join();
        }
        office.settle();
        office.keep();
        // The log's writer has its own thread; give it a moment for the last batch.
        thread::sleep(Duration::from_millis(20));
        tracing::info!("drained");
    }

    /// Re-reads the files now (HUP).
    pub fn reload(&self) {
        self.bell.ring();
    }

    /// Returns when another boma has taken over.
    pub async fn taken_over(&self) {
        self.left.notified().await;
    }

    pub fn reopen_logs(&self) {
        self.office.house.access.reopen();
    }
}

/// The sockets of the boma that runs on this state directory; `None` where none does, and this one just starts.
fn inherit(state_dir: &Path) -> Option<Inheritance> {
    match takeover::ask(state_dir) {
        Ok(heir) => Some(heir),
        Err(error) => {
            tracing::warn!(%error, "nobody to take over from: starting as usual");
            None
        }
    }
}

fn no_takeover(error: std::io::Error) -> Failure {
    Failure::Runtime(format!("the takeover failed ({error}): the boma that ran before goes on"))
}

/// The staff door's socket: the inherited one that is left, else a new one.
fn staff_door(address: SocketAddr, inherited: Vec<TcpListener>) -> Result<TcpListener, Failure> {
    let fits = |a: SocketAddr| a == address || (address.port() == 0 && a.ip() == address.ip());
    let given = inherited.into_iter().find(|s| s.local_addr().is_ok_and(fits));
    let bound = match given {
        Some(socket) => socket.set_nonblocking(true).map(|()| socket),
        None => admin::bind(address),
    };
    bound.map_err(|e| {
        let why = "another process may have this port: write another address in [admin]";
        Failure::Runtime(format!("cannot listen on {address} for the staff door: {e}\n    {why}"))
    })
}

/// Lets a later boma take over. Where that cannot be, it is said, and all else is as it was.
fn offer(
    office: &Arc<Office>,
    state_dir: &Path,
    handles: std::io::Result<Vec<TcpListener>>,
    over: Arc<Notify>,
    left: Arc<Notify>,
) {
    let office = office.clone();
    let heard = move |event| match event {
        takeover::Event::ReleaseStore => office.hand_over(),
        takeover::Event::Stay => office.take_back(),
        takeover::Event::Leave => {
            over.notify_one();
            left.notify_one();
        }
    };
    if let Err(error) = handles.and_then(|handles| takeover::offer(state_dir, handles, heard)) {
        tracing::warn!(%error, "no other boma will be able to take over from this one");
    }
}

fn door(listen: &Listen) -> Door {
    Door {
        address: listen.address,
        tls: listen.tls,
        h2c: listen.h2c,
        redirect_https: listen.redirect_https,
        proxy_protocol: listen.proxy_protocol,
    }
}

/// How many files the process may open, raised to what the system lets it have: shells start with 1,024.
fn descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |n| n as usize)
}

/// The house and its office, from what was read.
fn found(
    started: Started,
    settings: &Arc<Settings>,
    clock: Clock,
) -> Result<(Arc<Office>, Arc<Keyring>, Rows), Failure> {
    let metrics = Metrics::default();
    let query = match settings.log.query {
        QueryLog::Names => Query::Names,
        QueryLog::Full => Query::Full,
        QueryLog::Off => Query::Off,
    };
    let access = AccessLog::start(control::sink(settings), settings.log.combined, query, metrics.log_dropped.clone());
    let access = access.map_err(|e| {
        let help = "write a path that boma's user can write, \"stdout\" or \"off\" in [log] access";
        Failure::Runtime(format!("the access log cannot be opened: {e}\n    {help}"))
    })?;
    let mut opened = store::open(&started.state_dir, clock.now().unix());
    let rows = opened.rows.remove(&Table::Standing).unwrap_or_default();
    let row = |key: &str| rows.iter().find(|(k, _)| k == key).map(|(_, row)| row.as_slice()).unwrap_or_default();
    let standing = serde_json::from_slice(row("now")).unwrap_or_default();
    let generation = 1 + serde_json::from_slice::<u64>(row(control::GENERATION)).unwrap_or(0);
    let mut troubles = started.troubles;
    troubles.append(&mut opened.troubles);
    let (journal, trouble) = Journal::open(&started.state_dir);
    troubles.extend(trouble);
    if let Ok((lines, last)) = serde_json::from_slice::<(u64, String)>(row("journal"))
        && journal.end() != (lines, last.as_str())
    {
        troubles.push(format!(
            "the journal had {lines} lines and has {}: it was cut, changed or replaced while boma was down",
            journal.end().0
        ));
    }
    let keyring = Arc::new(
        Keyring::new(started.certificates).map_err(|e| Failure::Runtime(format!("TLS cannot be set up: {e}")))?,
    );
    let house = Arc::new(House::new(Materials {
        clock,
        settings: settings.clone(),
        law: Law { generation, rules: Arc::new(started.rules), measures: Arc::new([]), ladder: started.ladder },
        standing,
        metrics,
        access,
        store: opened.store,
        secret: started.secret,
        outbound: started.outbound,
        places: started.places,
        tokens: started.tokens,
        words: started.words,
        troubles,
    }));
    house.bots.publish(started.bots);
    let config = started.config;
    let office =
        Office::new(house, keyring.clone(), started.last_good, (config, started.state_dir), started.differs, judge());
    office.keep_journal(journal);
    Ok((Arc::new(office), keyring, opened.rows))
}

/// What came of late is the corridor's to tell.
fn judge() -> Judge {
    Judge {
        rules: |house, draft| {
            let preview = preview::preview(house, draft);
            Judged { harm: preview.harm(), forecast: preview.forecast() }
        },
        measure: preview::harm_done,
        ban: |house, net| preview::ban(house, net).harm(),
        hits: preview::hits,
    }
}

fn no_thread(error: std::io::Error) -> Failure {
    Failure::Runtime(format!("no thread could be started: {error}"))
}

type Work = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// Runs `work` on a thread with a runtime of its own; threads that it has beside that begin with `beside`.
fn on_thread(
    name: &str,
    beside: fn(),
    work: impl FnOnce() -> Work + Send + 'static,
) -> Result<JoinHandle<()>, Failure> {
    let runtime =
        move || Builder::new_current_thread().enable_all().on_thread_start(beside).build_local(LocalOptions::default());
    let spawned = thread::Builder::new().name(name.into()).spawn(move || match runtime() {
        Ok(runtime) => runtime.block_on(work()),
        Err(e) => tracing::error!(error = %e, "a thread has no runtime"),
    });
    spawned.map_err(no_thread)
}

/// The signals of DESIGN 4.1. Made before anything else, so that none is lost.
pub struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    usr1: Signal,
}

impl Signals {
    /// # Errors
    /// Where the system refuses a handler. Must be called within a runtime.
    pub fn new() -> std::io::Result<Signals> {
        let on = |kind| signal(kind);
        Ok(Signals {
            term: on(SignalKind::terminate())?,
            int: on(SignalKind::interrupt())?,
            hup: on(SignalKind::hangup())?,
            usr1: on(SignalKind::user_defined1())?,
        })
    }

    /// Serves signals until one says to end.
    pub async fn until_end(&mut self, app: &App) {
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.int.recv() => return,
                () = app.taken_over() => return,
                _ = self.hup.recv() => app.reload(),
                _ = self.usr1.recv() => app.reopen_logs(),
            }
        }
    }

    /// A second TERM or INT, while draining, ends at once.
    pub async fn second(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
