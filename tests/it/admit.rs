//! Permits: one request more than `max_in_flight` does not reach the origin.

use crate::harness::{Client, Mode, Origin, Setup, eventually, get, navigate};

#[test]
fn one_more_than_max_in_flight_stays_outside() {
    let origin = Origin::start();
    let boma = Setup::new().portal("max_in_flight = 3\n").start(origin.address);
    origin.set(Mode::Hangs);
    let mut inside: Vec<Client> = (0..3).map(|_| Client::connect(boma.at()).unwrap()).collect();
    for (i, client) in inside.iter_mut().enumerate() {
        client.send(format!("GET /{i} HTTP/1.1\r\nHost: huduma.example\r\n\r\n").as_bytes()).unwrap();
        eventually("it reaches the origin", || (origin.reached_by_citizens().len() == i + 1).then_some(()));
    }
    let outside = get(boma.at(), "/fourth");
    assert_eq!((outside.status, outside.field("proxy-status")), (503, Some("boma; error=connection_limit_reached")));
    assert!(outside.field("retry-after").is_some());
    assert!(navigate(boma.at(), "/fourth").text().contains("too many people are here at once"));
    assert_eq!(origin.reached_by_citizens().len(), 3, "it did not reach the origin");
    assert_eq!(boma.status()["postures"][0]["in_flight"], 3);
    // Who leaves gives the place back.
    origin.set(Mode::Works);
    inside.clear();
    origin.set(Mode::Works);
    eventually("there is room again", || (get(boma.at(), "/fifth").status == 200).then_some(()));
}

#[test]
fn forms_sent_byte_by_byte_keep_nobody_out() {
    let origin = Origin::start();
    let boma = Setup::new().portal("max_in_flight = 2\n").start(origin.address);
    let slow: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = Client::connect(boma.at()).unwrap();
            client.send(b"POST /form HTTP/1.1\r\nHost: huduma.example\r\nContent-Length: 4096\r\n\r\na=").unwrap();
            client
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(get(boma.at(), "/").status, 200);
    }
    assert!(origin.reached_by_citizens().iter().all(|r| r.method == "GET"));
    drop(slow);
}
