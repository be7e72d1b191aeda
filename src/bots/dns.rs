//! Forward-confirmed reverse DNS: the address has a name in one of the bot's domains, and that name has the address. Asked
//! over UDP of name servers that recurse; one crate reads and writes the packets, the rest is what stands here. (A whole
//! resolver, hickory's, would bring sixty crates for two questions.)
//!
//! Does not know: which servers there are, who is asked about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::{bounds, seal};

/// No name server could say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer;

/// Whether an address bears a name in one of the domains, and the name the address.
///
/// # Errors
/// [`NoAnswer`]; a name that is not there is an answer.
pub async fn verify(servers: &[SocketAddr], address: IpAddr, domains: &[String]) -> Result<bool, NoAnswer> {
    let address = address.to_canonical();
    let reverse = reverse(address);
    let names = ask(servers, &reverse, TYPE::PTR, |data| match data {
        RData::PTR(name) => Some(name.0.to_string().to_ascii_lowercase()),
        _ => None,
    });
    let inside = |name: &String| domains.iter().any(|d| is_inside(name, d));
    for name in names.await?.into_iter().filter(inside).take(bounds::DNS_NAMES) {
        let kind = if address.is_ipv4() { TYPE::A } else { TYPE::AAAA };
        let addresses = ask(servers, &name, kind, |data| match data {
            RData::A(a) => Some(IpAddr::V4(Ipv4Addr::from(a.address))),
            RData::AAAA(a) => Some(IpAddr::V6(Ipv6Addr::from(a.address))),
            _ => None,
        });
        if addresses.await?.contains(&address) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Only plain names: a label may hold a dot, and would look like two.
fn is_inside(name: &str, domain: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let before = name.strip_suffix(domain);
    plain && before.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The name under which an address's own name is found (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(a) => {
            let [a, b, c, d] = a.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(a) => {
            let digits: String = a.octets().iter().rev().map(|b| format!("{:x}.{:x}.", b & 15, b >> 4)).collect();
            digits + "ip6.arpa"
        }
    }
}

/// Asks the servers in their order, each again before it is given up.
async fn ask<T>(
    servers: &[SocketAddr],
    name: &str,
    kind: TYPE,
    pick: impl Fn(&RData<'_>) -> Option<T>,
) -> Result<Vec<T>, NoAnswer> {
    for _ in 0..bounds::DNS_TRIES {
        for server in servers.iter().take(bounds::DNS_SERVERS) {
            if let Some(found) = ask_one(*server, name, kind, &pick).await {
                return Ok(found);
            }
        }
    }
    Err(NoAnswer)
}

/// From a port that the system picks anew for each question, with a random number: nobody else can guess both.
async fn ask_one<T>(
    server: SocketAddr,
    name: &str,
    kind: TYPE,
    pick: &impl Fn(&RData<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut id = [0; 2];
    seal::random(&mut id).then_some(())?;
    let mut query = Packet::new_query(u16::from_le_bytes(id));
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    query.questions.push(Question::new(Name::new(name).ok()?, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    let bytes = query.build_bytes_vec().ok()?;
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let talk = async {
        let socket = UdpSocket::bind((any, 0)).await.ok()?;
        socket.connect(server).await.ok()?;
        socket.send(&bytes).await.ok()?;
        let mut buffer = [0; bounds::DNS_BYTES];
        loop {
            let n = socket.recv(&mut buffer).await.ok()?;
            if let Some(found) = read(&buffer[..n], &query, pick) {
                return found;
            }
        }
    };
    timeout(bounds::DNS_WAIT, talk).await.ok()?
}

/// `None`: no answer to this question. `Some(None)`: the server cannot say.
fn read<T>(bytes: &[u8], query: &Packet<'_>, pick: &impl Fn(&RData<'_>) -> Option<T>) -> Option<Option<Vec<T>>> {
    let answer = Packet::parse(bytes).ok()?;
    let (asked, again) = (query.questions.first()?, answer.questions.first()?);
    let same = asked.qname.to_string().eq_ignore_ascii_case(&again.qname.to_string()) && asked.qtype == again.qtype;
    if answer.id() != query.id() || !answer.has_flags(PacketFlag::RESPONSE) || !same {
        return None;
    }
    let found: Vec<T> = answer.answers.iter().filter_map(|r| pick(&r.rdata)).collect();
    Some(match answer.rcode() {
        // What was cut off may be what is asked for.
        RCODE::NoError if found.is_empty() && answer.has_flags(PacketFlag::TRUNCATION) => None,
        RCODE::NoError | RCODE::NameError => Some(found),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_lies_in_its_domain_and_not_beside_it() {
        for (name, holds) in [
            ("crawl-1.googlebot.com", true),
            ("googlebot.com", true),
            ("evilgooglebot.com", false),
            ("googlebot.com.evil.example", false),
            ("evil\\.googlebot.com", false),
            ("x.googlebot.co", false),
            ("", false),
        ] {
            assert_eq!(is_inside(name, "googlebot.com"), holds, "{name}");
        }
        assert_eq!(reverse("192.0.2.7".parse().unwrap()), "7.2.0.192.in-addr.arpa");
        let v6 = reverse("2001:db8::567:89ab".parse().unwrap());
        assert_eq!(v6, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    }

    #[test]
    fn what_answers_another_question_is_not_heard() {
        let question = |name| {
            let mut query = Packet::new_query(7);
            query.questions.push(Question::new(
                Name::new_unchecked(name),
                QTYPE::TYPE(TYPE::A),
                QCLASS::CLASS(CLASS::IN),
                false,
            ));
            query
        };
        let pick = |_: &RData<'_>| Some(());
        let bytes = |id: u16, name, flags| {
            let mut answer = question(name);
            answer.set_id(id);
            answer.set_flags(flags);
            answer.build_bytes_vec().unwrap()
        };
        let (query, answer) = (question("a.example"), PacketFlag::RESPONSE);
        let heard = |bytes: &[u8]| read(bytes, &query, &pick);
        assert_eq!(heard(&bytes(7, "A.example", answer)), Some(Some(vec![])));
        assert_eq!(heard(&bytes(7, "a.example", answer | PacketFlag::TRUNCATION)), Some(None));
        for other in
            [bytes(8, "a.example", answer), bytes(7, "b.example", answer), bytes(7, "a.example", PacketFlag::empty())]
        {
            assert_eq!(heard(&other), None);
        }
        assert_eq!((heard(b""), heard(&[0xff; 600])), (None, None));
    }

    #[test]
    fn whatever_bytes_come_are_read_without_harm() {
        let mut answer = Packet::new_reply(7);
        let name = Name::new_unchecked("a.example");
        answer.questions.push(Question::new(name.clone(), QTYPE::TYPE(TYPE::PTR), QCLASS::CLASS(CLASS::IN), false));
        let query = answer.clone();
        for i in 0..3 {
            let data = match i {
                0 => RData::PTR(simple_dns::rdata::PTR(Name::new_unchecked("b.a.example"))),
                1 => RData::A(simple_dns::rdata::A { address: 7 }),
                _ => RData::AAAA(simple_dns::rdata::AAAA { address: 7 }),
            };
            answer.answers.push(simple_dns::ResourceRecord::new(name.clone(), CLASS::IN, 60, data));
        }
        let good = answer.build_bytes_vec_compressed().unwrap();
        let pick = |_: &RData<'_>| Some(());
        assert_eq!(read(&good, &query, &pick), Some(Some(vec![(), (), ()])));
        let mut dice = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..200_000 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                let at = dice as usize % bytes.len();
                bytes[at] = (dice >> 32) as u8;
            }
            let end = if dice & 1 == 0 { bytes.len() } else { (dice >> 8) as usize % bytes.len() };
            let _ = read(&bytes[..end], &query, &pick);
        }
    }
}
