//! All listening sockets, made in one place: one per worker and address, as a set that can be handed on.
//!
//! Does not know: HTTP.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::bounds;

/// An address that citizens come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// As bound: a port 0 in the settings is the port that was given.
    pub address: SocketAddr,
    pub tls: bool,
    pub h2c: bool,
    pub redirect_https: bool,
    pub proxy_protocol: bool,
}

/// Every listening socket of the process.
pub struct Sockets {
    pub doors: Vec<Door>,
    /// For each worker its socket of each door.
    pub of_worker: Vec<Vec<(Door, TcpListener)>>,
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct BindFault {
    pub address: SocketAddr,
    pub error: io::Error,
}

impl fmt::Display for BindFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let help = match self.error.kind() {
            io::ErrorKind::AddrInUse => "another process has this port: end it, or write another address in [[listen]]",
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need CAP_NET_BIND_SERVICE: grant it (deploy/boma.service does), or write a higher port"
            }
            io::ErrorKind::AddrNotAvailable => "this machine has no such address: write one that `ip address` shows",
            _ => "write another address in [[listen]]",
        };
        write!(f, "cannot listen on {}: {}\n    {help}", self.address, self.error)
    }
}

/// Binds every door once per worker; doors that sockets were `inherited` for are not bound but served from those.
///
/// # Errors
/// The first address that cannot be bound.
pub fn bind(doors: &[Door], workers: usize, inherited: &mut Vec<TcpListener>) -> Result<Sockets, BindFault> {
    let mut sockets = Sockets { doors: Vec::new(), of_worker: (0..workers).map(|_| Vec::new()).collect() };
    for door in doors {
        let fault = |error| BindFault { address: door.address, error };
        let given = take_inherited(door.address, &sockets.doors, inherited);
        if let Some(first) = given.first() {
            let bound = Door { address: first.local_addr().map_err(fault)?, ..*door };
            for i in 0..workers.max(given.len()) {
                // More workers than sockets share them; fewer serve several each, or some would never be accepted from.
                let socket = given[i % given.len()].try_clone().map_err(fault)?;
                socket.set_nonblocking(true).map_err(fault)?;
                SockRef::from(&socket).set_tcp_nodelay(true).map_err(fault)?;
                sockets.of_worker[i % workers].push((bound, socket));
            }
            sockets.doors.push(bound);
            continue;
        }
        // With SO_REUSEPORT a second process would bind silently and take half the traffic: ask without it first.
        let address = probe(door.address).map_err(fault)?;
        let bound = Door { address, ..*door };
        for of_worker in &mut sockets.of_worker {
            of_worker.push((bound, listen(address).map_err(fault)?));
        }
        sockets.doors.push(bound);
    }
    Ok(sockets)
}

/// The inherited sockets of an address; port 0 stands for any port that is no other door's.
fn take_inherited(wanted: SocketAddr, taken: &[Door], inherited: &mut Vec<TcpListener>) -> Vec<TcpListener> {
    let fits = |address: SocketAddr| {
        address == wanted
            || (wanted.port() == 0 && address.ip() == wanted.ip() && taken.iter().all(|d| d.address != address))
    };
    let address = inherited.iter().filter_map(|s| s.local_addr().ok()).find(|a| fits(*a));
    let Some(address) = address else { return Vec::new() };
    let (given, rest) = std::mem::take(inherited).into_iter().partition(|s| s.local_addr().ok() == Some(address));
    *inherited = rest;
    given
}

impl Sockets {
    /// Handles on all of them, in the order of the doors, to be handed on.
    pub fn handles(&self) -> std::io::Result<Vec<TcpListener>> {
        let all = self.doors.iter().flat_map(|door| {
            let of_door = |(d, s): &(Door, TcpListener)| (d == door).then(|| s.try_clone());
            self.of_worker.iter().flatten().filter_map(of_door).collect::<Vec<_>>()
        });
        all.collect()
    }
}

fn probe(address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = new_socket(address)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?;
    bound.as_socket().ok_or_else(|| io::Error::other("not an internet address"))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = new_socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(bounds::BACKLOG)?;
    socket.set_nonblocking(true)?;
    // Connections have it from the socket that they are accepted from.
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

fn new_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Or a restart would wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_seen_and_every_worker_has_a_socket() {
        let any = Door {
            address: "127.0.0.1:0".parse().unwrap(),
            tls: false,
            h2c: false,
            redirect_https: false,
            proxy_protocol: false,
        };
        let sockets = bind(&[any, any], 3, &mut Vec::new()).unwrap();
        assert_eq!(sockets.of_worker.len(), 3);
        assert!(sockets.of_worker.iter().all(|w| w.len() == 2 && w[0].0 == sockets.doors[0]));
        assert_ne!(sockets.doors[0].address.port(), 0);
        let again = bind(&[sockets.doors[0]], 1, &mut Vec::new()).err().unwrap();
        assert_eq!(again.error.kind(), io::ErrorKind::AddrInUse);
        assert!(again.to_string().contains("another process has this port"));
        // Whoever inherits them binds nothing, and every socket is served.
        let mut inherited = sockets.handles().unwrap();
        assert_eq!(inherited.len(), 6);
        let heir = bind(&[any, any], 2, &mut inherited).unwrap();
        assert_eq!(heir.doors, sockets.doors);
        assert_eq!(heir.of_worker.iter().map(Vec::len).sum::<usize>(), 6);
        assert!(inherited.is_empty());
    }
}
