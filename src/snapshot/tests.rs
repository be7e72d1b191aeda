//! The board, within its bounds.

use super::*;

fn made(body: &[u8], content_type: &str, holes: &[(Hole, usize)]) -> Arc<Copy> {
    let made = copy::Made {
        taken: 5,
        content_type: content_type.into(),
        fields: Vec::new(),
        language: None,
        forms: 0,
        policies: Vec::new(),
        body,
        holes,
    };
    Arc::new(Copy::new(made).unwrap())
}

fn page(versions: &[&Arc<Copy>]) -> Page {
    Page::new(versions.iter().map(|v| (*v).clone()).collect(), false, 5).unwrap()
}

#[test]
fn the_board_is_bounded_and_forgets_what_is_not_wanted() {
    let board = Board::default();
    let big = made(&vec![b'x'; bounds::SNAPSHOT_BYTES], "image/png", &[]);
    let fits = bounds::SNAPSHOTS_BYTES / (2 * bounds::SNAPSHOT_BYTES);
    for i in 0..fits {
        assert!(board.put("p", vec![(format!("/{i}").into(), page(&[&big]))]).is_empty(), "{i} of {fits}");
    }
    assert_eq!(board.put("p", vec![("/more".into(), page(&[&big]))]), ["/more".into()]);
    assert!(board.put("p", vec![("/0".into(), page(&[&big, &big, &big]))]).is_empty(), "earlier versions give way");
    assert_eq!(board.find("p", "/0").unwrap().versions().len(), 1);
    assert!(board.find("p", "/more").is_none() && board.find("q", "/0").is_none());
    let gone = board.retain(|_, address, _| address == "/1");
    assert_eq!((gone.len(), board.len(), board.bytes()), (fits - 1, 1, 2 * bounds::SNAPSHOT_BYTES));
}

#[test]
fn a_page_is_dressed_once_for_as_long_as_its_words_hold() {
    let board = Board::default();
    board.put("p", vec![("/".into(), page(&[&made(b"<body>Karibu", "text/html", &[(Hole::Banner, 6)])]))]);
    let page = board.find("p", "/").unwrap();
    let made = std::cell::Cell::new(0);
    let fill = |_| {
        made.set(made.get() + 1);
        format!("[{}]", made.get())
    };
    let shown = |stamp, gzip| {
        let served = board.serve(&page, stamp, gzip, fill).unwrap();
        let text = if served.packed { crate::gzip::unpack(&served.body, 99).unwrap() } else { served.body.to_vec() };
        (String::from_utf8(text).unwrap(), served.mark)
    };
    let (first, tag) = shown(1, true);
    assert_eq!(first, "<body>[1]Karibu");
    assert_eq!(shown(1, true), (first.clone(), tag.clone()));
    let (plain, other) = shown(1, false);
    assert!(plain == first && other != tag, "one tag for each coding");
    assert_eq!(shown(2, false).0, "<body>[2]Karibu", "other news");
    assert!(page.check(1000) && !page.check(1001));
    assert_eq!(shown(2, true).0, "<body>[3]Karibu", "another date");
    assert!(board.plain.load(Ordering::Relaxed) == 0, "what is not held is not counted");
}
