//! A small client of the staff door, for boma's own commands.
//!
//! Does not know: routes.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::bounds;

/// How long a command waits for the staff door.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Reply {
    pub status: u16,
    pub etag: String,
    pub body: String,
}

/// One call; `url` is `http://host:port`.
///
/// # Errors
/// In words: no such address, nobody there, nonsense.
pub fn call(url: &str, method: &str, path: &str, fields: &[(&str, &str)], body: String) -> Result<Reply, String> {
    let authority = url.strip_prefix("http://").map(|a| a.trim_end_matches('/'));
    let authority =
        authority.filter(|a| !a.is_empty() && !a.contains('/')).ok_or("write its address as http://127.0.0.1:9900")?;
    let mut request = http::Request::builder().method(method).uri(path).header("host", authority);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(body).map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let exchange = async { tokio::time::timeout(PATIENCE, exchange(authority, request)).await };
    runtime.block_on(exchange).map_err(|_| "it does not answer".to_owned())?
}

async fn exchange(authority: &str, request: http::Request<String>) -> Result<Reply, String> {
    let stream = TcpStream::connect(authority).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
        let (status, etag) = (response.status().as_u16(), response.headers().get("etag"));
        let etag = etag.and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let body = whole(response.into_body()).await?;
        Ok(Reply { status, etag, body })
    };
    tokio::select! {
        reply = talk => reply,
        ended = connection => Err(ended.err().map_or("it hung up".into(), |e| e.to_string())),
    }
}

async fn whole(body: Incoming) -> Result<String, String> {
    let bytes =
        axum::body::to_bytes(axum::body::Body::new(body), bounds::ADMIN_BODY_BYTES).await.map_err(|e| e.to_string())?;
    String::from_utf8(bytes.to_vec()).map_err(|e| e.to_string())
}
