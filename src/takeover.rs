//! A second boma takes over from the first: it is handed the listening sockets themselves, never binds them anew, so
//! that no connection is refused; the first one then drains. Both run for a while.
//!
//! Over a Unix socket in the state directory. The newcomer gets every listening socket (`S` and a descriptor each,
//! then `E`), asks for the store (`R`, answered `r`), and says when it serves (`L`, answered `l`). If it leaves before
//! that, the first one goes on as if nothing had been.
//!
//! Does not know: what the sockets are for, how a process drains.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};

use crate::bounds;

/// Where in the state directory.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("takeover.sock")
}

/// What the newcomer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    ReleaseStore,
    /// It left before it served.
    Stay,
    /// It serves: drain.
    Leave,
}

/// What the newcomer was given.
pub struct Inheritance {
    pub sockets: Vec<TcpListener>,
    link: UnixStream,
}

/// Asks the boma that runs on this state directory for its sockets.
///
/// # Errors
/// The system's: nobody is there, or it did not answer within [`bounds::TAKEOVER_DEADLINE`].
pub fn ask(state_dir: &Path) -> io::Result<Inheritance> {
    let link = UnixStream::connect(path(state_dir))?;
    link.set_read_timeout(Some(bounds::TAKEOVER_DEADLINE))?;
    let mut sockets = Vec::new();
    loop {
        let mut byte = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let came =
            rustix::net::recvmsg(&link, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        match (came.bytes, byte[0]) {
            (1, b'S') => {
                let rights = control.drain().filter_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(fds) => Some(fds.collect::<Vec<OwnedFd>>()),
                    _ => None,
                });
                sockets.extend(rights.flatten().map(TcpListener::from));
            }
            (1, b'E') => return Ok(Inheritance { sockets, link }),
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Inheritance {
    /// The first boma closes its store.
    ///
    /// # Errors
    /// The system's.
    pub fn claim_store(&mut self) -> io::Result<()> {
        self.say(b'R', b'r')
    }

    /// The first boma drains from now on.
    ///
    /// # Errors
    /// The system's.
    pub fn serving(mut self) -> io::Result<()> {
        self.say(b'L', b'l')
    }

    fn say(&mut self, word: u8, answer: u8) -> io::Result<()> {
        let mut byte = [0];
        self.link.write_all(&[word])?;
        self.link.read_exact(&mut byte)?;
        if byte[0] == answer { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

/// Offers the sockets to whoever comes; `heard` is told what they want, and has done it when it returns.
///
/// # Errors
/// The system's, where no Unix socket or thread can be had: then nobody can take over, and nothing else is lost.
pub fn offer(state_dir: &Path, sockets: Vec<TcpListener>, heard: impl Fn(Event) + Send + 'static) -> io::Result<()> {
    let path = path(state_dir);
    // Left over by a process that is gone, or of one that has just been taken over.
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    thread::Builder::new().name("boma-takeover".into()).spawn(move || {
        for link in listener.incoming().flatten() {
            match hand_over(link, &sockets, &heard) {
                Ok(()) => return heard(Event::Leave),
                Err(error) => {
                    tracing::warn!(%error, "a takeover was not completed");
                    heard(Event::Stay);
                }
            }
        }
    })?;
    Ok(())
}

fn hand_over(mut link: UnixStream, sockets: &[TcpListener], heard: &dyn Fn(Event)) -> io::Result<()> {
    link.set_read_timeout(Some(bounds::TAKEOVER_DEADLINE))?;
    tracing::info!(sockets = sockets.len(), "another boma takes over");
    for socket in sockets {
        let fds = [socket.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        rustix::net::sendmsg(&link, &[IoSlice::new(b"S")], &mut control, SendFlags::NOSIGNAL)?;
    }
    link.write_all(b"E")?;
    loop {
        let mut word = [0];
        link.read_exact(&mut word)?;
        match word[0] {
            b'R' => {
                heard(Event::ReleaseStore);
                link.write_all(b"r")?;
            }
            b'L' => return link.write_all(b"l"),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn sockets_are_handed_over_and_a_newcomer_that_fails_changes_nothing() {
        let folder = std::env::temp_dir().join(format!("boma-takeover-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert!(ask(&folder).is_err(), "nobody is there");
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let (tell, told) = mpsc::channel();
        offer(&folder, vec![socket.try_clone().unwrap()], move |e| tell.send(e).unwrap()).unwrap();
        drop(ask(&folder).unwrap());
        assert_eq!(told.recv().unwrap(), Event::Stay);
        let mut given = ask(&folder).unwrap();
        assert_eq!(given.sockets[0].local_addr().unwrap(), address);
        given.claim_store().unwrap();
        assert_eq!(told.recv().unwrap(), Event::ReleaseStore);
        let sockets = std::mem::take(&mut given.sockets);
        given.serving().unwrap();
        assert_eq!(told.recv().unwrap(), Event::Leave);
        drop(socket);
        let _client = std::net::TcpStream::connect(address).unwrap();
        assert!(sockets[0].accept().is_ok(), "the socket itself, not a new one");
        let _ = fs::remove_dir_all(&folder);
    }
}
