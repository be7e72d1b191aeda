//! A small client of the staff door, for boma's own commands.
//!
//! Does not know: routes.

use std::time::Duration;

use futures_util::StreamExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::VERSION;
use crate::bounds;

/// How long a command waits for the staff door.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an event stream may be silent: three beats.
const SILENCE: Duration = Duration::from_secs(3 * bounds::EVENT_BEAT.as_secs());

pub struct Reply {
    pub status: u16,
    pub etag: String,
    /// Which boma answers; empty: what answers is none.
    pub version: String,
    pub body: String,
}

/// How an event stream came to its end.
pub enum Heard {
    /// It was never one.
    Refused(Reply),
    Ended,
}

/// One call; `url` is `http://host:port`.
///
/// # Errors
/// In words: no such address, nobody there, nonsense.
pub fn call(url: &str, method: &str, path: &str, fields: &[(&str, &str)], body: String) -> Result<Reply, String> {
    let (authority, request) = request(url, method, path, fields, body)?;
    let exchange = async {
        let answered = async { reply(send(&authority, request).await?).await };
        tokio::time::timeout(PATIENCE, answered).await.map_err(|_| SILENT.to_owned())?
    };
    runtime()?.block_on(exchange)
}

/// Listens to a stream; `each` gets its bytes as they come.
///
/// # Errors
/// In words: as [`call`], what `each` says, or that the stream broke.
pub fn listen(
    url: &str,
    path: &str,
    fields: &[(&str, &str)],
    mut each: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<Heard, String> {
    let (authority, request) = request(url, "GET", path, fields, String::new())?;
    let listening = async {
        let silent = |_| SILENT.to_owned();
        let response = tokio::time::timeout(PATIENCE, send(&authority, request)).await.map_err(silent)??;
        let kind = response.headers().get("content-type");
        let stream = kind.is_some_and(|k| k.as_bytes().starts_with(b"text/event-stream"));
        if !(response.status().is_success() && stream && response.headers().contains_key(VERSION)) {
            let reply = tokio::time::timeout(PATIENCE, reply(response)).await.map_err(silent)??;
            return Ok(Heard::Refused(reply));
        }
        let mut body = axum::body::Body::new(response.into_body()).into_data_stream();
        while let Some(bytes) = tokio::time::timeout(SILENCE, body.next()).await.map_err(silent)? {
            each(&bytes.map_err(|e| e.to_string())?)?;
        }
        Ok(Heard::Ended)
    };
    runtime()?.block_on(listening)
}

const SILENT: &str = "it does not answer";

fn runtime() -> Result<Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())
}

fn request(
    url: &str,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: String,
) -> Result<(String, http::Request<String>), String> {
    let authority = url.strip_prefix("http://").map(|a| a.trim_end_matches('/'));
    let authority =
        authority.filter(|a| !a.is_empty() && !a.contains('/')).ok_or("write its address as http://127.0.0.1:9900")?;
    let mut request = http::Request::builder().method(method).uri(path).header("host", authority);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    Ok((authority.to_owned(), request.body(body).map_err(|e| e.to_string())?))
}

async fn send(authority: &str, request: http::Request<String>) -> Result<http::Response<Incoming>, String> {
    let stream = TcpStream::connect(authority).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // It ends with the command's runtime.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|e| e.to_string())
}

async fn reply(response: http::Response<Incoming>) -> Result<Reply, String> {
    let field = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let (status, etag, version) = (response.status().as_u16(), field("etag"), field(VERSION));
    let body = axum::body::Body::new(response.into_body());
    let bytes = axum::body::to_bytes(body, bounds::ADMIN_BODY_BYTES).await.map_err(|e| e.to_string())?;
    // What is no text is nothing of boma's; its status still says something.
    Ok(Reply { status, etag, version, body: String::from_utf8_lossy(&bytes).into_owned() })
}
