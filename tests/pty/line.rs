//! A slow line to a registry: a relay on loopback that lets answers through at a rate a test chooses.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// The relay; it ends with the test's process.
pub(crate) struct Line {
    /// `127.0.0.1:PORT`, as it stands in a reference.
    pub(crate) host: String,
    rate: Arc<AtomicU64>,
}

/// How often a second something is let through.
const SLICES: u64 = 50;

impl Line {
    /// To what listens at `upstream`, now or later, at any speed.
    pub(crate) fn to(upstream: String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let host = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let rate = Arc::new(AtomicU64::new(u64::MAX));
        let shared = rate.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Nobody there: the client's connection is closed, as by a host that is up without its registry.
                let Ok(server) = TcpStream::connect(&upstream) else { continue };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (up, down) = (Arc::new(AtomicU64::new(u64::MAX)), shared.clone());
                thread::spawn(move || relay(from, to, &up));
                thread::spawn(move || relay(server, client, &down));
            }
        });
        Self { host, rate }
    }

    /// From now on each connection brings so many bytes a second.
    pub(crate) fn slow(&self, rate: u64) {
        self.rate.store(rate, Relaxed);
    }

    /// From now on nothing is held back.
    pub(crate) fn fast(&self) {
        self.slow(u64::MAX);
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, rate: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let share = usize::try_from(rate.load(Relaxed) / SLICES).unwrap_or(usize::MAX).max(1);
        let room = share.min(buffer.len());
        let Ok(length @ 1..) = from.read(&mut buffer[..room]) else { break };
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
        if share < buffer.len() {
            thread::sleep(Duration::from_millis(1000 / SLICES));
        }
    }
    // Either end may be gone already.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
