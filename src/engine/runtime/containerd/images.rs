//! The names of images in containerd, each with its labels and what it points at.

use prost_types::FieldMask;
use tonic::transport::Channel;

use super::{Blob, Containerd, Labels, Result};
use crate::engine::runtime::grpc::{MAX_MESSAGE, QUICK};
use crate::engine::runtime::proto::images as wire;
use wire::images_client::ImagesClient;

/// A name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// What it points at.
    pub target: Blob,
}

impl Record {
    fn to_wire(&self) -> wire::Image {
        wire::Image {
            name: self.name.clone(),
            labels: self.labels.clone().into_iter().collect(),
            target: Some(self.target.to_wire()),
        }
    }

    fn from_wire(wire: wire::Image) -> Option<Self> {
        let target = Blob::from_wire(wire.target?)?;
        Some(Self { name: wire.name, labels: wire.labels.into_iter().collect(), target })
    }
}

impl Containerd {
    fn image_client(&self) -> ImagesClient<Channel> {
        ImagesClient::new(self.socket.channel()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// All names; those that point at nothing readable are left out.
    ///
    /// # Errors
    /// As it answers.
    pub async fn records(&self) -> Result<Vec<Record>> {
        let request = self.request(wire::ListImagesRequest::default());
        let call = async { self.image_client().list(request).await };
        let answer = self.socket.answer("list its images", QUICK, call).await?.into_inner();
        Ok(answer.images.into_iter().filter_map(Record::from_wire).collect())
    }

    /// Makes a name.
    ///
    /// # Errors
    /// As it answers; `is_there_already` where the name is taken.
    pub async fn create_record(&self, record: &Record) -> Result<()> {
        let request = self.request(wire::CreateImageRequest { image: Some(record.to_wire()) });
        let call = async { self.image_client().create(request).await };
        self.socket.done(&format!("name {}", record.name), call).await?;
        Ok(())
    }

    /// Points a name at something else and sets these labels of it; others stay.
    ///
    /// # Errors
    /// As it answers.
    pub async fn update_record(&self, record: &Record) -> Result<()> {
        let labels = record.labels.keys().map(|label| format!("labels.{label}"));
        let paths = labels.chain(["target".to_owned()]).collect();
        let request = self.request(wire::UpdateImageRequest {
            image: Some(record.to_wire()),
            update_mask: Some(FieldMask { paths }),
        });
        let call = async { self.image_client().update(request).await };
        self.socket.done(&format!("rename {}", record.name), call).await?;
        Ok(())
    }

    /// Takes a name away; with `sync`, containerd first removes everything that nothing names any more.
    ///
    /// # Errors
    /// As it answers; that there is no such name is none.
    pub async fn remove_record(&self, name: &str, sync: bool) -> Result<()> {
        let request = self.request(wire::DeleteImageRequest { name: name.to_owned(), sync });
        let call = async { self.image_client().delete(request).await };
        match self.socket.done(&format!("remove the name {name}"), call).await {
            Err(error) if !error.not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
