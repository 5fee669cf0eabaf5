//! The content store: what is there, labels, and blobs that are written in pieces and there only when they hash right.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use prost_types::FieldMask;
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::transport::Channel;

use super::labels::merge;
use super::leases::Kept;
use super::{Blob, Containerd, Labels, Result};
use crate::domain::digest::Digest;
use crate::engine::runtime::error::RuntimeError;
use crate::engine::runtime::grpc::{MAX_MESSAGE, QUICK, Socket};
use crate::engine::runtime::proto::content as wire;
use wire::WriteAction::{Commit, Stat, Write};
use wire::content_client::ContentClient;

/// Messages on their way that are not answered yet.
const WINDOW: usize = 2;
/// How often, and how long apart, a blob is asked for that another client writes, as a run that was just killed.
const TRIES: u32 = 10;
const APART: Duration = Duration::from_millis(200);

/// What became of the wish to write a blob.
pub enum Opened {
    /// It is there.
    There,
    /// To be written, from [`Writer::offset`] on.
    Writer(Box<Writer>),
}

/// A blob that is being written. Dropped, it stays unfinished: the daemon keeps the part as long as its lease.
pub struct Writer {
    daemon: Containerd,
    socket: Socket,
    blob: Blob,
    reference: String,
    labels: Labels,
    to: mpsc::Sender<wire::WriteContentRequest>,
    answers: Streaming<wire::WriteContentResponse>,
    offset: u64,
    answered: u64,
    unanswered: usize,
}

impl Containerd {
    fn content_client(&self) -> ContentClient<Channel> {
        ContentClient::new(self.socket.channel()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Digest and length of every blob that this namespace has.
    ///
    /// # Errors
    /// As it answers.
    pub async fn blobs(&self) -> Result<HashMap<String, u64>> {
        const ASKED: &str = "list its blobs";
        let request = self.request(wire::ListContentRequest::default());
        let call = async { self.content_client().list(request).await };
        let mut answers = self.socket.answer(ASKED, QUICK, call).await?.into_inner();
        let mut blobs = HashMap::new();
        while let Some(batch) = self.socket.answer(ASKED, QUICK, answers.message()).await? {
            let sizes = batch.info.into_iter();
            blobs.extend(sizes.map(|info| (info.digest, u64::try_from(info.size).unwrap_or(0))));
        }
        Ok(blobs)
    }

    /// Length and labels of a blob; nothing where it is not there.
    ///
    /// # Errors
    /// As it answers.
    pub async fn blob_info(&self, digest: &Digest) -> Result<Option<(u64, Labels)>> {
        let request = self.request(wire::InfoRequest { digest: digest.to_string() });
        let call = async { self.content_client().info(request).await };
        match self.socket.answer(&format!("tell of {digest}"), QUICK, call).await {
            Ok(answer) => {
                let info = answer.into_inner().info.unwrap_or_default();
                let size = u64::try_from(info.size).unwrap_or(0);
                Ok(Some((size, info.labels.into_iter().collect())))
            }
            Err(error) if error.not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes over a blob that is there already: kept by the lease, of the right length, with these labels beside its own.
    /// Tells whether it is there still.
    ///
    /// # Errors
    /// [`RuntimeError::Length`]; as it answers.
    pub async fn adopt(&self, blob: &Blob, labels: &Labels) -> Result<bool> {
        // First, so that it is not collected in between.
        self.keep(Kept::Content(&blob.digest.to_string())).await?;
        let Some((size, there)) = self.blob_info(&blob.digest).await? else { return Ok(false) };
        if size != blob.size {
            let (socket, digest) = (self.socket.path().to_owned(), blob.digest.clone());
            return Err(RuntimeError::Length { socket, digest, expected: blob.size, actual: size });
        }
        let mut wanted = there.clone();
        merge(&mut wanted, labels);
        if wanted != there {
            self.label_blob(&blob.digest, &wanted).await?;
        }
        Ok(true)
    }

    /// Sets these labels of a blob; others stay.
    ///
    /// # Errors
    /// As it answers.
    pub async fn label_blob(&self, digest: &Digest, labels: &Labels) -> Result<()> {
        let paths = labels.keys().map(|label| format!("labels.{label}")).collect();
        let labels = labels.clone().into_iter().collect();
        let info = wire::Info { digest: digest.to_string(), size: 0, labels };
        let message = wire::UpdateRequest { info: Some(info), update_mask: Some(FieldMask { paths }) };
        let request = self.request(message);
        let call = async { self.content_client().update(request).await };
        self.socket.done(&format!("label {digest}"), call).await?;
        Ok(())
    }

    /// Begins to write a blob, or goes on where a run before was cut off.
    ///
    /// # Errors
    /// As it answers; busy where another client writes it for longer than a moment.
    pub async fn open_blob(&self, blob: &Blob, labels: Labels) -> Result<Opened> {
        let mut tries = 1;
        loop {
            match self.try_open(blob, &labels).await {
                Err(RuntimeError::Busy { .. }) if tries < TRIES => tries += 1,
                Err(error) if error.is_there_already() => return Ok(Opened::There),
                other => return other,
            }
            tokio::time::sleep(APART).await;
        }
    }

    async fn try_open(&self, blob: &Blob, labels: &Labels) -> Result<Opened> {
        let (to, mut from) = mpsc::channel(WINDOW + 1);
        let requests = stream::poll_fn(move |context| from.poll_recv(context));
        let reference = format!("airlift-{}", blob.digest);
        let first = message(Stat, &reference, blob);
        // The daemon answers nothing before the first message, and the channel has room for it.
        let sent = to.try_send(first);
        debug_assert!(sent.is_ok(), "a new channel takes a message");
        let asked = format!("take {}", blob.digest);
        let request = self.request(requests);
        let call = async { self.content_client().write(request).await };
        let mut answers = self.socket.done(&asked, call).await?.into_inner();
        let Some(status) = self.socket.done(&asked, answers.message()).await? else {
            return Err(ended(&self.socket, asked));
        };
        let offset = u64::try_from(status.offset).unwrap_or(0).min(blob.size);
        Ok(Opened::Writer(Box::new(Writer {
            daemon: self.clone(),
            socket: self.socket.clone(),
            blob: blob.clone(),
            reference,
            labels: labels.clone(),
            to,
            answers,
            offset,
            answered: offset,
            unanswered: 0,
        })))
    }

    /// Forgets what was written of a blob that is not finished; that there is nothing is no failure.
    ///
    /// # Errors
    /// As it answers.
    pub async fn abort_blob(&self, digest: &Digest) -> Result<()> {
        let request = self.request(wire::AbortRequest { r#ref: format!("airlift-{digest}") });
        let call = async { self.content_client().abort(request).await };
        match self.socket.done(&format!("forget {digest}"), call).await {
            Err(error) if !error.not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

fn message(action: wire::WriteAction, reference: &str, blob: &Blob) -> wire::WriteContentRequest {
    wire::WriteContentRequest {
        action: action.into(),
        r#ref: reference.to_owned(),
        total: i64::try_from(blob.size).unwrap_or(i64::MAX),
        expected: blob.digest.to_string(),
        offset: 0,
        data: Bytes::new(),
        labels: HashMap::new(),
    }
}

fn ended(socket: &Socket, asked: String) -> RuntimeError {
    let said = "the stream of answers ended".to_owned();
    RuntimeError::Gone { socket: socket.path().to_owned(), asked, said }
}

impl Writer {
    /// Bytes that the daemon has of it, with those that are on their way.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that the daemon said it has written of it.
    pub const fn answered(&self) -> u64 {
        self.answered
    }

    /// Hands over the next bytes.
    ///
    /// # Errors
    /// As it answers, to these or to earlier ones.
    pub async fn write(&mut self, data: Bytes) -> Result<()> {
        let length = data.len() as u64;
        let mut message = message(Write, &self.reference, &self.blob);
        message.offset = i64::try_from(self.offset).unwrap_or(i64::MAX);
        message.data = data;
        self.send(message).await?;
        self.offset += length;
        while self.unanswered >= WINDOW {
            self.take_answer().await?;
        }
        Ok(())
    }

    /// Has the daemon hash the whole and keep it. What it has from another client meanwhile is taken over.
    ///
    /// # Errors
    /// As it answers; as [`Containerd::adopt`].
    pub async fn commit(mut self) -> Result<()> {
        let mut message = message(Commit, &self.reference, &self.blob);
        message.offset = i64::try_from(self.offset).unwrap_or(i64::MAX);
        message.labels = self.labels.clone().into_iter().collect();
        let done: Result<()> = async {
            self.send(message).await?;
            while self.unanswered > 0 {
                self.take_answer().await?;
            }
            Ok(())
        }
        .await;
        match done {
            // Where it is gone by then, whoever looks for it brings it again.
            Err(error) if error.is_there_already() => {
                self.daemon.adopt(&self.blob, &self.labels).await.map(drop)
            }
            other => other,
        }
    }

    /// Ends the stream and waits until the daemon has let go of the blob.
    pub async fn close(self) {
        let Self { to, mut answers, .. } = self;
        drop(to);
        // What it still says is of no interest: the blob is given up.
        let drain = async { while let Ok(Some(_)) = answers.message().await {} };
        let _ = tokio::time::timeout(QUICK, drain).await;
    }

    async fn send(&mut self, message: wire::WriteContentRequest) -> Result<()> {
        if self.to.send(message).await.is_err() {
            // Nobody takes messages any more: the reason is in the answers.
            self.take_answer().await?;
            return Err(ended(&self.socket, self.asked()));
        }
        self.unanswered += 1;
        Ok(())
    }

    async fn take_answer(&mut self) -> Result<()> {
        let asked = self.asked();
        match self.socket.done(&asked, self.answers.message()).await? {
            Some(answer) => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.answered = self.answered.max(u64::try_from(answer.offset).unwrap_or(0).min(self.offset));
                Ok(())
            }
            None => Err(ended(&self.socket, asked)),
        }
    }

    fn asked(&self) -> String {
        format!("take {}", self.blob.digest)
    }
}
