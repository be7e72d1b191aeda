//! gRPC through boma, as its own libraries speak it: many short messages, long silences, and how a call ends.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};

use crate::frames::{Came, Conn, DATA, END_HEADERS, HEADERS, block, frame};
use crate::harness::{Setup, eventually, get};

/// Runs `call` for each call that comes, over HTTP/2.
fn server<F, T>(call: F) -> SocketAddr
where
    F: Fn(String, RecvStream, SendStream<Bytes>) -> T + Send + Sync + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let call = Arc::new(call);
    thread::spawn(move || {
        runtime().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let call = call.clone();
                tokio::spawn(async move {
                    let mut connection = h2::server::handshake(stream).await.unwrap();
                    while let Some(Ok((request, mut respond))) = connection.accept().await {
                        let mut response = Response::new(());
                        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
                        let path = request.uri().path().to_owned();
                        let stream = respond.send_response(response, false).unwrap();
                        tokio::spawn(call(path, request.into_body(), stream));
                    }
                });
            }
        });
    });
    address
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn status(code: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(code));
    trailers
}

/// A message of `text` behind its prefix.
fn message(text: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, text.len() as u8], text].concat()
}

/// Calls, says one message if any and no more, and reads to the end: what came, and `grpc-status`, or why the stream
/// broke off.
fn call(to: SocketAddr, path: &str, said: Option<&[u8]>) -> (Vec<u8>, Result<String, String>) {
    let request = Request::post(format!("http://huduma.example{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    runtime().block_on(async {
        let stream = tokio::net::TcpStream::connect(to).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let (response, mut sending) = client.send_request(request, said.is_none()).unwrap();
        if let Some(text) = said {
            sending.send_data(message(text).into(), true).unwrap();
        }
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        let mut all = Vec::new();
        let head = response.headers().get("grpc-status").cloned();
        let mut body = response.into_body();
        while let Some(data) = body.data().await {
            match data {
                Ok(data) => {
                    let _ = body.flow_control().release_capacity(data.len());
                    all.extend_from_slice(&data);
                }
                Err(e) => return (all, Err(e.to_string())),
            }
        }
        let trailers = body.trailers().await.map_err(|e| e.to_string());
        let text = |v: HeaderValue| v.to_str().unwrap().to_owned();
        (all, trailers.map(|t| t.and_then(|t| t.get("grpc-status").cloned()).or(head).map_or_else(String::new, text)))
    })
}

#[test]
fn short_messages_go_to_and_fro_for_as_long_as_both_sides_like() {
    let origin = server(|_, mut body, mut stream| async move {
        while let Some(Ok(data)) = body.data().await {
            let _ = body.flow_control().release_capacity(data.len());
            if stream.send_data(data, false).is_err() {
                return;
            }
        }
        let _ = stream.send_trailers(status("0"));
    });
    let boma = Setup { listen: "h2c = true", ..Setup::new() }.start_at(&format!("127.0.0.1:1\", \"h2c://{origin}"));
    let mut conn = Conn::open(boma.at());
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/svc/Chat"),
        (":authority", "huduma.example"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ];
    conn.send(&frame(HEADERS, END_HEADERS, 1, &block(&fields)));
    for i in 0..3000 {
        conn.send(&frame(DATA, 0, 1, &message(b"jambo")));
        let came = conn.until("the echo", |c| if let Came::Data(1, n, _) = c { Some(*n) } else { None });
        assert_eq!(came, Ok(10), "message {i}");
        // As grpc-core does: the stream's window and the connection's, after every message.
        let more = 10u32.to_be_bytes();
        conn.send(&[frame(8, 0, 1, &more), frame(8, 0, 0, &more)].concat());
    }
}

#[test]
fn a_call_whose_origin_breaks_off_ends_as_unavailable() {
    let origin = server(|path, body, mut stream| async move {
        stream.send_data(message(b"jambo").into(), false).unwrap();
        // Far enough from the first message for that one to be on its way.
        tokio::time::sleep(Duration::from_millis(300)).await;
        if path == "/svc/Reset" {
            stream.send_reset(h2::Reason::INTERNAL_ERROR);
        }
        drop(body);
    });
    let boma = Setup { listen: "h2c = true", ..Setup::new() }.start_at(&format!("127.0.0.1:1\", \"h2c://{origin}"));
    for path in ["/svc/Reset", "/svc/Leave"] {
        assert_eq!(call(boma.at(), path, Some(b"hello")), (message(b"jambo"), Ok("14".into())), "{path}");
    }
}

#[test]
fn messages_may_be_far_apart() {
    let origin = server(|_, body, mut stream| async move {
        stream.send_data(message(b"one").into(), false).unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let _ = stream.send_data(message(b"two").into(), false);
        let _ = stream.send_trailers(status("0"));
        drop(body);
    });
    let boma = Setup { listen: "h2c = true", ..Setup::new() }
        .settings("[deadlines]\norigin_body = \"300ms\"\n")
        .start_at(&format!("127.0.0.1:1\", \"h2c://{origin}"));
    let both = [message(b"one"), message(b"two")].concat();
    assert_eq!(call(boma.at(), "/svc/Watch", Some(b"hello")), (both, Ok("0".into())));
}

#[test]
fn refusals_have_a_status_of_their_own() {
    let origin = server(|_, _, _| async {});
    let boma = Setup { listen: "h2c = true", ..Setup::new() }
        .settings("[caps]\nfields = 12\n")
        .portal("[[portal.route]]\npath = \"/small\"\nmax_body = \"10B\"\n")
        .rules("[[rule]]\nname = \"no\"\nmatch = { path = \"/no\" }\nthen = \"deny\"\n[[limit]]\nname = \"few\"\nmatch = { path = \"/few\" }\nper = \"client\"\nrate = \"1/h\"\nburst = 1\n")
        .start_at(&format!("127.0.0.1:1\", \"h2c://{origin}"));
    let code = |path: &str, said: Option<&[u8]>| call(boma.at(), path, said).1;
    assert_eq!(code("/no", None), Ok("7".into()));
    code("/few", None).unwrap();
    assert_eq!(code("/few", None), Ok("8".into()));
    assert_eq!(code("/small", Some(&[b'x'; 50])), Ok("8".into()), "too large a message");
    boma.posture("closed");
    assert_eq!(code("/a", None), Ok("14".into()));
}

#[test]
fn a_posture_that_keeps_requests_from_the_origin_ends_open_calls_as_unavailable() {
    let open = Arc::new(AtomicUsize::new(0));
    let count = open.clone();
    let origin = server(move |_, body, mut stream| {
        let count = count.clone();
        async move {
            stream.send_data(message(b"jambo").into(), false).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            // Says no more, and neither does the citizen.
            let _ = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
            count.fetch_sub(1, Ordering::SeqCst);
            drop(body);
        }
    });
    let boma = Setup { listen: "h2c = true", ..Setup::new() }
        .portal("[[portal.route]]\npath = \"/svc/Stays\"\nstay_up = true\n")
        .start_at(&format!("127.0.0.1:1\", \"h2c://{origin}"));
    let at = boma.at();
    let [ends, stays] = ["/svc/Watch", "/svc/Stays"].map(|path| thread::spawn(move || call(at, path, Some(b"hello"))));
    let are_open = |n: usize| (open.load(Ordering::SeqCst) == n).then_some(());
    eventually("both calls are with the origin", || are_open(2));
    boma.posture("attack");
    assert_eq!(open.load(Ordering::SeqCst), 2);
    let unavailable = (message(b"jambo"), Ok("14".into()));
    boma.posture("static");
    eventually("the origin has the one that stays", || are_open(1));
    assert_eq!(ends.join().unwrap(), unavailable);
    assert!(!stays.is_finished());
    boma.posture("closed");
    eventually("the origin is left alone", || are_open(0));
    assert_eq!(stays.join().unwrap(), unavailable);
    let metrics = get(boma.admin, "/metrics").text();
    assert!(!metrics.contains("boma_origin_failures_total{"), "it is not the origin that broke off: {metrics}");
}
