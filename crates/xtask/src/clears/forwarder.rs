//! A way to the registry that can be cut and mended while the registry itself runs for everybody else.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// A loopback address behind which the registry is, until it is cut off.
pub struct Forwarder {
    address: SocketAddr,
    registry: String,
    running: Option<Running>,
}

struct Running {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// What goes on between a client and the registry.
struct Connection {
    sides: [TcpStream; 2],
    threads: [JoinHandle<()>; 2],
}

impl Forwarder {
    /// Listens on an address of its own, in front of the registry at `registry` (`host:port`).
    ///
    /// # Errors
    /// When there is no address left.
    pub fn open(registry: &str) -> Result<Forwarder, String> {
        let failed = |error: io::Error| format!("cannot listen on a loopback address: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let mut forwarder = Forwarder {
            address: listener.local_addr().map_err(failed)?,
            registry: registry.to_owned(),
            running: None,
        };
        forwarder.run(listener);
        Ok(forwarder)
    }

    /// `127.0.0.1:port`, the first part of an image's name.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Nothing listens any more, and no connection is left.
    pub fn cut(&mut self) {
        let Some(Running { ends, thread }) = self.running.take() else {
            return;
        };
        ends.store(true, Ordering::Release);
        // It waits for the next connection.
        let _ = TcpStream::connect(self.address);
        let _ = thread.join();
    }

    /// Listens on the same address again.
    ///
    /// # Errors
    /// When somebody else has it by now.
    pub fn mend(&mut self) -> Result<(), String> {
        if self.running.is_none() {
            let listener = TcpListener::bind(self.address);
            self.run(listener.map_err(|error| format!("cannot listen on {} again: {error}", self.address))?);
        }
        Ok(())
    }

    fn run(&mut self, listener: TcpListener) {
        let ends = Arc::new(AtomicBool::new(false));
        let (flag, registry) = (Arc::clone(&ends), self.registry.clone());
        let thread = thread::spawn(move || serve(&listener, &registry, &flag));
        self.running = Some(Running { ends, thread });
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.cut();
    }
}

fn serve(listener: &TcpListener, registry: &str, ends: &AtomicBool) {
    let mut open: Vec<Connection> = Vec::new();
    for client in listener.incoming() {
        if ends.load(Ordering::Acquire) {
            break;
        }
        open.retain(|connection| !connection.threads.iter().all(JoinHandle::is_finished));
        // Whom it cannot serve it hangs up on.
        open.extend(client.and_then(|client| Connection::open(client, registry)));
    }
    for Connection { sides, threads } in open {
        for side in sides {
            let _ = side.shutdown(Shutdown::Both);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Connection {
    fn open(client: TcpStream, registry: &str) -> io::Result<Connection> {
        let registry = TcpStream::connect(registry)?;
        let (there, back) = (
            [client.try_clone()?, registry.try_clone()?],
            [registry.try_clone()?, client.try_clone()?],
        );
        Ok(Connection {
            sides: [client, registry],
            threads: [there, back].map(|[from, to]| thread::spawn(move || pass(from, to))),
        })
    }
}

/// Passes on what comes, and its end.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    #[test]
    fn it_is_cut_and_mended_on_one_address() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let registry = echo.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for client in echo.incoming().flatten() {
                thread::spawn(move || pass(client.try_clone().unwrap(), client));
            }
        });
        let mut forwarder = Forwarder::open(&registry).unwrap();
        let address = forwarder.host();
        let answers = || {
            let mut stream = TcpStream::connect(&address)?;
            stream.write_all(b"word")?;
            stream.shutdown(Shutdown::Write)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        assert_eq!(answers().unwrap(), "word");
        let mut idle = TcpStream::connect(&address).unwrap();
        assert_eq!(answers().unwrap(), "word");
        forwarder.cut();
        assert_eq!(
            idle.read(&mut [0]).unwrap_or(0),
            0,
            "a connection outlives the cut"
        );
        assert_eq!(answers().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        forwarder.mend().unwrap();
        assert_eq!(forwarder.host(), address);
        assert_eq!(answers().unwrap(), "word");
    }
}
