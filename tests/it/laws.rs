//! Random laws and random requests: the same for the same seed, and made of few words, so that they meet.
//! The rules' own tests use them too.

/// xorshift64: what is tested does not depend on how good it is.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// True once in `n` times.
    pub fn seldom(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for i in (1..all.len()).rev() {
            all.swap(i, self.below(i + 1));
        }
    }
}

const PATHS: [&str; 8] = ["/", "/a", "/a/b", "/ab", "/pay/x", "/pay/y.php", "/api/a", "/c1d2"];
const AGENTS: [&str; 4] = ["curl/8", "Mozilla/5.0 (X11)", "python-requests/1.2", ""];
const ADDRESSES: [&str; 4] = ["192.0.2.7", "192.0.2.200", "198.51.100.7", "2001:db8::7"];

/// Fields of a match with texts that they may be written with.
const FIELDS: [(&str, &[&str]); 18] = [
    ("path", &["\"/a*\"", "\"/a/b\"", "\"*b\"", "\"re:^/[ab]\"", "\"/c*d*\"", "\"*\"", "\"/pay/*\""]),
    ("method", &["\"POST\"", "\"GET\"", "\"P*\""]),
    ("host", &["\"huduma.example\"", "\"*.example\"", "\"re:^tax\""]),
    ("scheme", &["\"http\"", "\"https\""]),
    ("list", &["\"near\"", "\"far\""]),
    ("user_agent", &["\"*CURL*\"", "\"re:^python-requests/[01]\\\\.\"", "\"mozilla*\""]),
    ("header.x-tag", &["\"a\"", "\"b*\"", "\"re:^.$\""]),
    ("cookie.lang", &["\"sw\"", "\"e*\""]),
    ("query", &["\"*q=*\"", "\"re:^[0-9]+$\""]),
    ("query.q", &["\"1\"", "\"x y\"", "\"*\""]),
    ("kind", &["\"navigation\"", "\"program\"", "\"background\"", "\"subresource\""]),
    ("route", &["\"*\"", "\"/api/*\""]),
    ("class", &["\"payment\"", "\"information\""]),
    ("service", &["\"Pay a licence\"", "\"lipia*\""]),
    ("portal", &["\"huduma\"", "\"tax\""]),
    ("fingerprint", &["\"t13d*\"", "\"*_e5627efa2ab1\"", "\"unknown\""]),
    ("country", &["\"KE\"", "\"ug\"", "\"unknown\""]),
    ("asn", &["36914", "\"AS16509\"", "\"unknown\""]),
];
/// Of those, the ones that need a database.
const PLACES: usize = 2;

/// The tables of a law, in no order. `places`: with rules by country and autonomous system.
pub fn law(dice: &mut Dice, rules: usize, limits: usize, places: bool) -> Vec<String> {
    let mut tables = vec![
        "[[list]]\nname = \"near\"\ncidrs = [\"192.0.2.0/24\", \"2001:db8::/32\"]\n".to_owned(),
        "[[list]]\nname = \"far\"\ncidrs = [\"198.51.100.0/24\", \"192.0.2.128/25\"]\n".to_owned(),
    ];
    for i in 0..rules {
        let then = dice.one(&["log", "challenge", "static", "deny", "drop", "allow"]);
        let who =
            (then == "allow").then(|| dice.one(&["pass = true", "list = \"near\"", "list = [\"far\", \"near\"]"]));
        let matches = matches(dice, who, places);
        tables.push(format!("[[rule]]\nname = \"r{i}\"\nthen = \"{then}\"\nmatch = {{ {matches} }}\n{}", common(dice)));
    }
    for i in 0..limits {
        let per = dice.one(&["client", "address", "network", "portal", "header:x-tag"]);
        let matches = matches(dice, None, places);
        let rate = dice.one(&["1/s", "100/m", "0.5/h", "20/s"]);
        let then = dice.one(&["challenge", "deny"]);
        let most = dice.one(&[3, 1000]);
        let burst = 1 + dice.below(most);
        tables.push(format!(
            "[[limit]]\nname = \"l{i}\"\nper = \"{per}\"\nrate = \"{rate}\"\nburst = {burst}\nthen = \"{then}\"\nmatch = {{ {matches} }}\n{}",
            common(dice)
        ));
    }
    tables
}

fn common(dice: &mut Dice) -> String {
    let mut out = String::new();
    if dice.seldom(4) {
        out.push_str(&format!("from = \"{}\"\n", dice.one(&["guarded", "attack", "static"])));
    }
    if dice.seldom(5) {
        out.push_str("shadow = true\n");
    }
    if dice.seldom(5) {
        out.push_str(dice.one(&["until = 2098-12-01T18:00:00+03:00\n", "until = 2099-12-01T18:00:00Z\n"]));
    }
    if dice.seldom(5) {
        out.push_str("reason = \"INC-42 \\\"odd\\\" \\\\ \\u00e9\"\nowner = \"soc\"\n");
    }
    out
}

fn matches(dice: &mut Dice, who: Option<&str>, places: bool) -> String {
    let mut parts: Vec<String> = who.into_iter().map(str::to_owned).collect();
    let mut used: Vec<&str> = who.iter().map(|w| w.split(' ').next().unwrap()).collect();
    if who.is_none() && dice.seldom(3) {
        parts.push(
            dice.one(&[
                "pass = true",
                "pass = false",
                "pass = \"settled\"",
                "pass = { not = \"settled\" }",
                "known_path = true",
                "known_path = { not = true }",
            ])
            .to_string(),
        );
    }
    let fields = &FIELDS[..FIELDS.len() - if places { 0 } else { PLACES }];
    for _ in 0..1 + dice.below(3) {
        let (field, texts) = dice.one(fields);
        // A text and a table cannot both be the query.
        let group = if field.starts_with("query") { "query" } else { field };
        if used.contains(&group) {
            continue;
        }
        used.push(group);
        let several = [dice.one(texts), dice.one(texts)];
        let value = if dice.seldom(3) { format!("[{}]", several.join(", ")) } else { several[0].to_owned() };
        parts.push(match dice.seldom(3) {
            true => format!("{field} = {{ not = {value} }}"),
            false => format!("{field} = {value}"),
        });
    }
    parts.join(", ")
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: &'static str,
    pub host: &'static str,
    /// With its query.
    pub target: String,
    pub from: &'static str,
    pub pass: bool,
    pub kind: &'static str,
    /// Names in lower case.
    pub fields: Vec<(&'static str, String)>,
    /// What a case file says beside: country, asn, route, class, portal, known, scheme.
    pub beside: Vec<(&'static str, &'static str)>,
}

pub fn ask(dice: &mut Dice) -> Ask {
    let query = dice.one(&["", "", "?q=1", "?q=x+y&r=2", "?17", "?"]);
    let mut fields = Vec::new();
    for (name, values) in [
        ("user-agent", &AGENTS[..]),
        ("x-tag", &["a", "bb", "", "c"]),
        ("cookie", &["lang=sw", "a=1; lang=en", "", ""]),
    ] {
        let value = dice.one(values);
        if !value.is_empty() {
            fields.push((name, value.to_owned()));
        }
    }
    let mut beside = Vec::new();
    for (key, values) in [
        ("country", &["KE", "UG", "DE", ""][..]),
        ("asn", &["36914", "16509", ""]),
        ("route", &["/api/*", ""]),
        ("class", &["payment", ""]),
        ("portal", &["tax", "", ""]),
        ("known", &["true", ""]),
        ("ja4", &["t13d1516h2_8daaf6152771_e5627efa2ab1", ""]),
        ("scheme", &["http", ""]),
    ] {
        let value = dice.one(values);
        if !value.is_empty() {
            beside.push((key, value));
        }
    }
    Ask {
        method: dice.one(&["GET", "GET", "POST", "PUT"]),
        host: "huduma.example",
        target: format!("{}{query}", dice.one(&PATHS)),
        from: dice.one(&ADDRESSES),
        pass: dice.seldom(2),
        kind: dice.one(&["navigation", "program", "background", "subresource"]),
        fields,
        beside,
    }
}

/// The fields by which a kind is told.
pub fn fields_of(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "navigation" => &[("sec-fetch-mode", "navigate"), ("accept", "text/html")],
        "background" => &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        "subresource" => &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        _ => &[("accept", "application/json")],
    }
}

impl Ask {
    /// As case files write it.
    pub fn line(&self) -> String {
        let mut out = format!("{} {}{} from={} kind={}", self.method, self.host, self.target, self.from, self.kind);
        if self.pass {
            out.push_str(" pass=1");
        }
        self.fields.iter().for_each(|(name, value)| out.push_str(&format!(" {name}=\"{value}\"")));
        self.beside.iter().for_each(|(key, value)| out.push_str(&format!(" {key}=\"{value}\"")));
        out
    }
}
