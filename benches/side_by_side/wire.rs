//! A wire to the registry that counts bytes and blob requests; what it counts owes nothing to the program's own word.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::measure::Outcome;

/// A listener that passes everything on.
pub(crate) struct Wire {
    pub(crate) host: String,
    /// Bytes from the registry.
    pub(crate) down: Arc<AtomicU64>,
    /// Requests for blobs.
    pub(crate) blobs: Arc<AtomicU64>,
}

impl Wire {
    pub(crate) fn to(target: String) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let host = listener.local_addr()?.to_string();
        let (down, blobs) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counters = (Arc::clone(&down), Arc::clone(&blobs));
        // Ends with the process: nothing asks the listener to stop.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                let (Ok(client_in), Ok(server_out)) = (client.try_clone(), server.try_clone()) else {
                    continue;
                };
                let (down, blobs) = (Arc::clone(&counters.0), Arc::clone(&counters.1));
                thread::spawn(move || {
                    relay(client_in, server_out, |bytes| count_blob_requests(bytes, &blobs))
                });
                thread::spawn(move || {
                    relay(server, client, |bytes| {
                        down.fetch_add(bytes.len() as u64, Ordering::SeqCst);
                    });
                });
            }
        });
        Ok(Self { host, down, blobs })
    }
}

fn count_blob_requests(bytes: &[u8], blobs: &AtomicU64) {
    // A request's head goes out in one write, so it is never cut in two here.
    let text = String::from_utf8_lossy(bytes);
    let requests = text.lines().filter(|line| line.starts_with("GET ") && line.contains("/blobs/"));
    blobs.fetch_add(requests.count() as u64, Ordering::SeqCst);
}

fn relay(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(length) = from.read(&mut buffer) {
        see(&buffer[..length]);
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other half ends by itself when its own peer does.
    drop(to.shutdown(Shutdown::Write));
}
