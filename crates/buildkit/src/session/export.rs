//! `moby.filesync.v1.FileSend`: takes an image archive that a daemon exports to us, and passes it on as a
//! bounded stream, so that an image of any size never stands in memory.

use crate::proto::filesync::{BytesMessage, file_send_server};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming};

/// The receiving end of an exported archive. An error item means that the archive is not whole.
pub struct ImageStream(mpsc::Sender<Result<Bytes, std::io::Error>>);

impl ImageStream {
    /// A sink for one session, and the archive's stream. The stream ends when the daemon has sent all.
    pub fn new() -> (ImageStream, mpsc::Receiver<Result<Bytes, std::io::Error>>) {
        let (sender, receiver) = mpsc::channel(16);
        (ImageStream(sender), receiver)
    }
}

pub(super) struct FileSend {
    image: tokio::sync::Mutex<Option<ImageStream>>,
}

impl FileSend {
    pub(super) fn new(image: ImageStream) -> FileSend {
        FileSend {
            image: tokio::sync::Mutex::new(Some(image)),
        }
    }
}

#[tonic::async_trait]
impl file_send_server::FileSend for FileSend {
    type DiffCopyStream = tokio_stream::Empty<Result<BytesMessage, Status>>;

    async fn diff_copy(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        let image = self.image.lock().await.take();
        let ImageStream(sink) = image.ok_or_else(|| Status::already_exists("one archive per session"))?;
        let mut incoming = request.into_inner();
        while let Some(message) = incoming.next().await {
            let item = match message {
                Ok(message) => Ok(Bytes::from(message.data)),
                Err(status) => Err(std::io::Error::other(status.message().to_owned())),
            };
            let broken = item.is_err();
            if sink.send(item).await.is_err() {
                return Err(Status::aborted("the image could not be loaded"));
            }
            if broken {
                return Err(Status::aborted("the archive broke off"));
            }
        }
        Ok(Response::new(tokio_stream::empty()))
    }
}
