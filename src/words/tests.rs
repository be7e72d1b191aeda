//! Files held against English, and which language is meant by a tag.

use std::collections::BTreeSet;

use super::*;

fn faults(tag: &str, text: &str) -> Vec<String> {
    let read = read("so.toml", text, tag);
    read.faults.iter().map(|f| format!("{}:{} {} / {}", f.line, f.column, f.message, f.help)).collect()
}

#[test]
fn what_is_shipped_says_everything_and_is_held_like_an_operators_file() {
    let words = Words::shipped();
    let english: BTreeSet<&String> = words.english().texts.keys().collect();
    assert!(english.len() > 100);
    for (tag, text) in SHIPPED {
        assert_eq!(faults(tag, text), Vec::<String>::new(), "{tag}");
        let language = words.find(tag).unwrap();
        assert_eq!(language.texts.keys().collect::<BTreeSet<_>>(), english, "{tag}");
        assert!(language.texts.values().all(|t| !t.to_lowercase().contains("maintenance")), "{tag}");
        assert_eq!((language.right_to_left, language.name.is_empty()), (tag == "ar", false), "{tag}");
    }
}

#[test]
fn every_fault_of_a_file_is_told_with_its_place_and_what_to_write() {
    let text = "name = \"<b>\"\ndir = \"up\"\ngo_on = 5\ngoon = \"x\"\nnews = \"  \"\nphone = \"a & b; R&amp;D\"\n\
office = \"a\\nb\"\nussd = \"\\u202ea\"\ntry_again = \"Mar {portal} kale\"\nlimited_lead = \"Sug\"\n\
since = \"{time} {Time} {time}\"\nbegins = \"{time\"\nup_operational = \"Waa ay shaqaynaysaa, waana ay shaqaynaysaa mar kasta oo la yiraahdo waa ay shaqaynaysaa.\"\npartial = true\n";
    let expected = [
        "1:8 `name` holds markup / write plain text: what looks like HTML would be shown as it stands",
        "2:7 `dir` is \"up\" / write one of \"ltr\", \"rtl\"",
        "3:9 `go_on` is 5 / write a text, such as go_on = \"Continue\"",
        "4:1 unknown key `goon` / did you mean `go_on`?",
        "5:8 `news` is empty / write what it says, or leave the key out",
        "6:9 `phone` holds markup / write plain text: what looks like HTML would be shown as it stands",
        "7:10 `office` holds U+000A / leave it out: a sentence is one line, and its direction is said by `dir`",
        "8:8 `ussd` holds U+202E / leave it out: a sentence is one line, and its direction is said by `dir`",
        "9:13 `try_again` holds {portal}, which nothing fills / leave it out: nothing is filled in here",
        "10:16 `limited_lead` is without {portal} / write {portal} where it belongs; in English: \"More requests came from your connection than {portal} can take at once. Wait a little and try again.\"",
        "11:9 `since` says {time} 2 times / write it once",
        "11:9 `since` holds {Time}, which nothing fills / {time} is filled in here, and nothing else",
        "12:10 `begins` is without {time} / write {time} where it belongs; in English: \"Begins: {time}\"",
        "12:10 `begins` holds {, which nothing fills / {time} is filled in here, and nothing else",
        "13:18 `up_operational` has 88 characters / write 55 at most",
    ];
    assert_eq!(faults("so", text), expected);
    let new = [
        "1:1 `name` is not here / write name = \"Kiswahili\", as its readers call it",
        "1:1 `dir` is not here / write dir = \"ltr\" or \"rtl\"",
    ];
    assert_eq!(faults("so", "partial = true"), new);
    assert_eq!(faults("sw-TZ", "phone = \"Simu & barua\""), Vec::<String>::new(), "a shipped language goes on");
}

#[test]
fn what_is_missing_where_nobody_says_it_is_a_fault_where_it_would_stand_or_a_warning_in_a_partial_file() {
    let text = "name = \"Soomaali\"\ndir = \"ltr\"\ngo_on = \"Sii wad\"\n";
    let read = |tag: &str| read("x.toml", text, tag);
    let english: Vec<&str> = SHIPPED[0].1.lines().filter_map(|l| l.split_once(" = ")).map(|(key, _)| key).collect();
    let after = english[english.iter().position(|k| *k == "go_on").unwrap() + 1];
    let faults = faults("so", text);
    assert_eq!(faults.len(), 2, "before it and after it: {faults:?}");
    assert!(faults[1].starts_with(&format!("3:1 here is missing: {after}, ")), "{faults:?}");
    let whole: String = SHIPPED[0].1.replace("\ngo_on = ", "\n# ");
    let line = SHIPPED[0].1.lines().position(|l| l.starts_with("go_on = ")).unwrap();
    let one = super::read("so.toml", &whole, "so").faults;
    assert_eq!((one.len(), one[0].line as usize), (1, line), "the line before it: {one:?}");
    assert!(one[0].message == "here is missing: go_on" && one[0].help.contains("partial = true"), "{one:?}");
    assert_eq!(read_copy("so.toml", text, "so").faults, []);
    let warned = super::read("x.toml", &format!("partial = true\n{text}"), "so");
    assert_eq!(warned.faults, []);
    let warned = warned.warnings;
    assert_eq!(warned.len(), 1);
    let all = Words::shipped().english().keys().count();
    let begins = format!("{} of {all} sentences are not here: access_code, affects", all - 1);
    assert!(warned[0].message.starts_with(&begins), "{}", warned[0]);
    assert!(read("sw").warnings.is_empty() && read("en-GB").warnings.is_empty());
}

#[test]
fn files_are_laid_over_what_is_shipped_and_over_shorter_tags() {
    let written = |tag: &str, text: &str| read("x.toml", text, tag).value;
    let words = Words::new(vec![
        written("sw-TZ", "phone = \"Nambari\""),
        written("sw", "go_on = \"Songa mbele\""),
        written("so", "name = \"Soomaali\"\ndir = \"ltr\"\ngo_on = \"Sii wad\""),
        written("sr-Latn", "name = \"Srpski\"\ndir = \"ltr\"\ngo_on = \"Nastavi\""),
        Written::empty("am"),
    ]);
    let says = |tag: &str, key: &str| words.find(tag).and_then(|l| l.get(key).map(str::to_owned));
    assert_eq!(says("sw", "go_on").unwrap(), "Songa mbele");
    assert_eq!(
        (says("sw-TZ", "go_on").unwrap(), says("SW-tz", "phone").unwrap()),
        ("Songa mbele".into(), "Nambari".into())
    );
    assert_eq!(words.find("sw-TZ").unwrap().name, "Kiswahili");
    assert_ne!(says("sw", "phone").unwrap(), "Nambari");
    assert_eq!(words.find("sw-KE").unwrap().tag, "sw");
    assert_eq!((says("so-SO", "go_on").unwrap(), says("so", "phone")), ("Sii wad".into(), None));
    assert!(words.find("sr-Cyrl").is_none() && words.find("sr").is_none(), "another script is another language");
    assert_eq!((words.find("am").unwrap().name.as_str(), says("am", "go_on")), ("am", None));
    assert_eq!(words.english().tag, "en");
    assert_eq!(Words::new(words.written().to_vec()), words);
}

/// French sets a space before its high marks, and no line ends there.
#[test]
fn french_marks_stay_with_the_word_before_them() {
    let words = Words::shipped();
    let french = words.find("fr").unwrap();
    let no_break = |c: Option<char>| matches!(c, Some('\u{a0}' | '\u{202f}'));
    let mut marks = 0;
    for (key, text) in &french.texts {
        for (at, mark) in text.match_indices([':', ';', '?', '!', '»']) {
            assert!(no_break(text[..at].chars().next_back()), "{key}: {mark} in {text:?}");
            marks += 1;
        }
        for (at, mark) in text.match_indices('«') {
            assert!(no_break(text[at + mark.len()..].chars().next()), "{key}: {text:?}");
        }
    }
    assert!(marks > 30, "{marks}");
    let other = words.languages.iter().filter(|l| l.tag != "fr");
    assert!(other.flat_map(|l| l.texts.values()).all(|text| !text.contains(['\u{a0}', '\u{202f}'])));
}
