//! What a challenge must hold against, and whom it must let through.

use super::*;

const NOW: u64 = 1_790_000_000;
const EASY: Work = Work { bits: 4, count: 4 };
const ASKER: Asker = Asker { prefix: Prefix(7), browser: 9 };

fn challenge() -> Challenge {
    Challenge::new(&Secret::parse(&"5a".repeat(32)).unwrap(), Duration::from_secs(12 * 3600))
}

fn issued(challenge: &Challenge, work: Work) -> [u8; SEAL_WIDTH] {
    let mut seal = [0; SEAL_WIDTH];
    challenge.issue(&Ask { level: 1, work, wait: 5, browser: 9 }, NOW, &mut seal);
    seal
}

#[test]
fn a_solution_gives_a_pass_and_the_same_one_when_sent_again() {
    let challenge = challenge();
    let seal = issued(&challenge, EASY);
    let work = puzzle::work(&seal, EASY);
    let pass = challenge.solve(&seal, work.as_bytes(), &ASKER, NOW + 5).unwrap();
    assert_eq!(pass.level, 1);
    assert_eq!(challenge.solve(&seal, work.as_bytes(), &ASKER, NOW + 60).unwrap().id, pass.id);
    let other = issued(&challenge, EASY);
    let work = puzzle::work(&other, EASY);
    assert_ne!(challenge.solve(&other, work.as_bytes(), &ASKER, NOW).unwrap().id, pass.id);

    let text = challenge.seal_pass(&pass);
    assert_eq!(text.len(), PASS_WIDTH);
    assert_eq!(challenge.open_pass(text.as_bytes(), NOW + 60), Some(pass));
    assert!(challenge.open_pass(text.as_bytes(), pass.expires).unwrap().is_lapsed(pass.expires));
    assert_eq!(challenge.open_pass(text.as_bytes(), pass.expires + 3600), None);
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
        assert!(challenge.solve(&altered, work.as_bytes(), &ASKER, NOW).is_err(), "seal byte {i}");
    }
    let pass = challenge.solve(&seal, work.as_bytes(), &ASKER, NOW).unwrap();
    let text = challenge.seal_pass(&pass).into_bytes();
    for i in 0..PASS_WIDTH {
        let mut altered = text.clone();
        altered[i] = if altered[i] == b'A' { b'B' } else { b'A' };
        assert_eq!(challenge.open_pass(&altered, NOW), None, "pass byte {i}");
    }
    let other = Challenge::new(&Secret::parse(&"5b".repeat(32)).unwrap(), Duration::from_secs(60));
    assert_eq!(other.open_pass(&text, NOW), None);
    assert_eq!(other.solve(&seal, work.as_bytes(), &ASKER, NOW), Err(Unsolved::Forged));
}

#[test]
fn wrong_short_long_or_late_work_is_refused() {
    let challenge = challenge();
    let seal = issued(&challenge, EASY);
    let work = puzzle::work(&seal, EASY);
    let solve = |w: &str, at| challenge.solve(&seal, w.as_bytes(), &ASKER, at);
    for bad in [
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
    let elsewhere = Asker { browser: 8, ..ASKER };
    assert_eq!(challenge.solve(&seal, work.as_bytes(), &elsewhere, NOW), Err(Unsolved::Foreign));
}

#[test]
fn who_cannot_work_waits_and_shares_a_budget_with_the_prefix() {
    let challenge = challenge();
    let seal = issued(&challenge, EASY);
    let wait = |seal: &[u8], at| challenge.solve(seal, b"", &ASKER, at);
    assert_eq!(wait(&seal, NOW), Err(Unsolved::Early(5)));
    assert_eq!(wait(&seal, NOW + 4), Err(Unsolved::Early(1)));
    let (one, other) = (wait(&seal, NOW + 5).unwrap(), wait(&issued(&challenge, EASY), NOW + 5).unwrap());
    assert_eq!((one.level, one.lane), (1, Lane::Button));
    assert!(one.id != other.id && one.bucket() == other.bucket());
    let far = challenge.solve(&seal, b"", &Asker { prefix: Prefix(8), ..ASKER }, NOW + 5).unwrap();
    assert_ne!(far.bucket(), one.bucket());
    assert_eq!(challenge.renew(&one, Prefix(8), NOW + 6 * 3600).unwrap().bucket(), one.bucket(), "wherever it goes");
}

#[test]
fn epochs_end_and_what_was_begun_in_them_does_not() {
    let (one, other) = (challenge(), challenge());
    for late in [0, 599, 601, 1200, 1800] {
        let mut seal = [0; SEAL_WIDTH];
        one.issue(&Ask { level: 2, work: EASY, wait: 5, browser: 9 }, NOW, &mut seal);
        let work = puzzle::work(&seal, EASY);
        let (here, there) = (
            one.solve(&seal, work.as_bytes(), &ASKER, NOW + late),
            other.solve(&seal, work.as_bytes(), &ASKER, NOW + late),
        );
        assert_eq!(
            (here.unwrap().id, here.unwrap().level),
            (there.unwrap().id, 2),
            "on every node that shares the secret"
        );
    }
}

#[test]
fn a_pass_in_use_is_renewed_and_keeps_its_identity() {
    let challenge = challenge();
    let pass = Pass::proven(9, 1, NOW, NOW + challenge.lifetime());
    assert_eq!(challenge.renew(&pass, Prefix(8), NOW + 60), None);
    let renewed = challenge.renew(&pass, Prefix(8), NOW + 4 * 3600).unwrap();
    assert_eq!((renewed.id, renewed.born), (9, NOW));
    assert_eq!(renewed.expires, NOW + 16 * 3600);
    assert!(renewed.is_at_home(Prefix(8)) && !renewed.is_at_home(Prefix(9)), "who has moved is at home there");
}
