//! hyper's heads and bodies in the corridor's terms, and back.
//!
//! Does not know: connections, decisions.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::bounds;
use crate::clock::Patience;
use crate::wire::{Answer, Body, BodyBox, Broken, Chunk, Fields, Head, Payload, Version};

/// A request's head as hyper parsed it.
pub struct HyperHead(pub Parts);

impl Head for HyperHead {
    fn method(&self) -> &str {
        self.0.method.as_str()
    }

    fn path(&self) -> &str {
        self.0.uri.path()
    }

    fn query(&self) -> Option<&str> {
        self.0.uri.query()
    }

    fn authority(&self) -> Option<&str> {
        self.0.uri.authority().map(|a| a.as_str())
    }

    fn version(&self) -> Version {
        match self.0.version {
            http::Version::HTTP_10 => Version::Http10,
            http::Version::HTTP_2 => Version::Http2,
            _ => Version::Http11,
        }
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        self.0.headers.get(name).map(HeaderValue::as_bytes)
    }

    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.headers.get_all(name).iter().any(|v| test(v.as_bytes()))
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.0.headers {
            visit(name.as_str(), value.as_bytes());
        }
    }
}

/// A citizen's upload. Nothing for [`bounds::BODY_IDLE`] ends it.
pub struct Upload {
    incoming: Incoming,
    patience: Patience,
}

impl Upload {
    pub fn new(incoming: Incoming) -> Upload {
        Upload { incoming, patience: Patience::new(bounds::BODY_IDLE) }
    }
}

impl Body for Upload {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            ready!(self.patience.poll(cx));
            return Poll::Ready(Some(Err(Broken::Idle)));
        };
        self.patience.renew();
        Poll::Ready(frame.map(|frame| match frame.map_err(|_| Broken::Gone)?.into_data() {
            Ok(data) => Ok(Chunk::Data(data)),
            Err(frame) => Ok(Chunk::Trailers(frame.into_trailers().map_or_else(|_| Fields::default(), |t| fields(&t)))),
        }))
    }

    fn exact(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    fn ended(&self) -> bool {
        self.incoming.is_end_stream()
    }
}

fn fields(map: &HeaderMap) -> Fields {
    let mut fields = Fields::with_capacity(map.len());
    for (name, value) in map {
        fields.push(name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes()));
    }
    fields
}

/// An answer's body as hyper wants it.
pub enum Download {
    Whole(Option<Bytes>),
    Stream(BodyBox),
}

/// What hyper is told when an answer breaks off, or is to be none: it then cuts the connection, so that what was cut
/// never looks whole.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer ends here")
    }
}

impl std::error::Error for Cut {}

impl http_body::Body for Download {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Download::Whole(bytes) => Poll::Ready(bytes.take().filter(|b| !b.is_empty()).map(|b| Ok(Frame::data(b)))),
            Download::Stream(body) => Poll::Ready(ready!(body.as_mut().poll_chunk(cx)).map(|chunk| match chunk {
                Ok(Chunk::Data(data)) => Ok(Frame::data(data)),
                Ok(Chunk::Trailers(fields)) => Ok(Frame::trailers(map(&fields))),
                Err(_) => Err(Cut),
            })),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Download::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Download::Stream(body) => body.ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Download::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Download::Stream(body) => body.exact().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

/// An answer as hyper wants it.
///
/// # Errors
/// [`Cut`] where the status is none that HTTP knows.
pub fn response(answer: Answer) -> Result<Response<Download>, Cut> {
    let body = match answer.body {
        Payload::Bytes(bytes) => Download::Whole(Some(bytes)),
        Payload::Stream(body) => Download::Stream(body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(|_| Cut)?;
    *response.headers_mut() = map(&answer.fields);
    Ok(response)
}

fn map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.0.len() + 2);
    for (name, value) in &fields.0 {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_maybe_shared(value.clone())) {
            map.append(name, value);
        }
    }
    map
}
