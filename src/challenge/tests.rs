//! What a challenge must hold against, and whom it must let through.

use super::*;

const NOW: u64 = 1_790_000_000;
const EASY: Work = Work { bits: 4, count: 4 };

fn challenge() -> Challenge {
    Challenge::new(&Secret::parse(&"5a".repeat(32)).unwrap(), Duration::from_secs(12 * 3600))
}

fn issued(challenge: &Challenge, work: Work) -> [u8; SEAL_WIDTH] {
    let mut seal = [0; SEAL_WIDTH];
    challenge.issue(1, work, NOW, &mut seal);
    seal
}

#[test]
fn a_solution_gives_a_pass_and_the_same_one_when_sent_again() {
    let challenge = challenge();
    let seal = issued(&challenge, EASY);
    let work = puzzle::work(&seal, EASY);
    let pass = challenge.solve(&seal, work.as_bytes(), NOW + 5).unwrap();
    assert_eq!(pass.level, 1);
    assert_eq!(challenge.solve(&seal, work.as_bytes(), NOW + 60).unwrap().id, pass.id);
    let other = issued(&challenge, EASY);
    let work = puzzle::work(&other, EASY);
    assert_ne!(challenge.solve(&other, work.as_bytes(), NOW).unwrap().id, pass.id);

    let text = challenge.seal_pass(&pass);
    assert_eq!(text.len(), PASS_WIDTH);
    assert_eq!(challenge.open_pass(text.as_bytes(), NOW + 60), Some(pass));
    assert_eq!(challenge.open_pass(text.as_bytes(), pass.expires), None);
    assert!(Challenge::check(1, Some(&pass)).is_some());
    assert!(Challenge::check(2, Some(&pass)).is_none());
    assert!(Challenge::check(1, None).is_none());
    assert!(Challenge::check(0, None).is_some());
}

#[test]
fn no_altered_seal_or_pass_is_taken() {
    let challenge = challenge();
    let seal = issued(&challenge, EASY);
    let work = puzzle::work(&seal, EASY);
    for i in 0..SEAL_WIDTH {
        let mut altered = seal;
        altered[i] = if altered[i] == b'0' { b'1' } else { b'0' };
        assert!(challenge.solve(&altered, work.as_bytes(), NOW).is_err(), "seal byte {i}");
    }
    let pass = challenge.solve(&seal, work.as_bytes(), NOW).unwrap();
    let text = challenge.seal_pass(&pass).into_bytes();
    for i in 0..PASS_WIDTH {
        let mut altered = text.clone();
        altered[i] = if altered[i] == b'A' { b'B' } else { b'A' };
        assert_eq!(challenge.open_pass(&altered, NOW), None, "pass byte {i}");
    }
    let other = Challenge::new(&Secret::parse(&"5b".repeat(32)).unwrap(), Duration::from_secs(60));
    assert_eq!(other.open_pass(&text, NOW), None);
    assert_eq!(other.solve(&seal, work.as_bytes(), NOW), Err(Unsolved::Forged));
}

#[test]
fn wrong_short_long_or_late_work_is_refused() {
    let challenge = challenge();
    let seal = issued(&challenge, EASY);
    let work = puzzle::work(&seal, EASY);
    let solve = |w: &str, at| challenge.solve(&seal, w.as_bytes(), at);
    for bad in [
        "",
        ".",
        "...",
        "1.2.3",
        &format!("{work}.0"),
        &work[..work.rfind('.').unwrap()],
        "a.b.c.d",
        "-1.-1.-1.-1",
        "99999999999.0.0.0",
    ] {
        assert_eq!(solve(bad, NOW), Err(Unsolved::Wrong), "{bad:?}");
    }
    assert_eq!(solve(&work, NOW + 1801), Err(Unsolved::Expired));
    assert!(solve(&work, NOW + 1800).is_ok());
    assert_eq!(solve(&work, NOW - 1), Err(Unsolved::Forged));
}

#[test]
fn a_pass_in_use_is_renewed_and_keeps_its_identity() {
    let challenge = challenge();
    let pass = Pass { id: 9, level: 1, born: NOW, expires: NOW + challenge.lifetime() };
    assert_eq!(challenge.renew(&pass, NOW + 60), None);
    let renewed = challenge.renew(&pass, NOW + 4 * 3600).unwrap();
    assert_eq!((renewed.id, renewed.born), (9, NOW));
    assert_eq!(renewed.expires, NOW + 16 * 3600);
}
