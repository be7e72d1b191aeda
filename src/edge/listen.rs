//! All listening sockets, made in one place: one per worker and address, as a set that can be handed on.
//!
//! Does not know: HTTP.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

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

/// Binds every door once per worker.
///
/// # Errors
/// The first address that cannot be bound.
pub fn bind(doors: &[Door], workers: usize) -> Result<Sockets, BindFault> {
    let mut sockets = Sockets { doors: Vec::new(), of_worker: (0..workers).map(|_| Vec::new()).collect() };
    for door in doors {
        let fault = |error| BindFault { address: door.address, error };
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
        let sockets = bind(&[any, any], 3).unwrap();
        assert_eq!(sockets.of_worker.len(), 3);
        assert!(sockets.of_worker.iter().all(|w| w.len() == 2 && w[0].0 == sockets.doors[0]));
        assert_ne!(sockets.doors[0].address.port(), 0);
        let again = bind(&[sockets.doors[0]], 1).err().unwrap();
        assert_eq!(again.error.kind(), io::ErrorKind::AddrInUse);
        assert!(again.to_string().contains("another process has this port"));
    }
}
