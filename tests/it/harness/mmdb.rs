//! Writes small databases in MaxMind's MMDB format (version 2.0 of its specification).

/// A value of the format.
pub enum Value {
    Text(&'static str),
    Number(u32),
    Map(Vec<(&'static str, Value)>),
}

fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    assert!(size < 285);
    let (low, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
    if kind < 8 {
        out.push(kind << 5 | low);
    } else {
        out.extend([low, kind - 7]);
    }
    out.extend(more);
}

fn text(out: &mut Vec<u8>, text: &str) {
    control(out, 2, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn value(out: &mut Vec<u8>, of: &Value) {
    match of {
        Value::Text(t) => text(out, t),
        Value::Number(n) => {
            control(out, 6, 4);
            out.extend_from_slice(&n.to_be_bytes());
        }
        Value::Map(map) => {
            control(out, 7, map.len());
            for (key, inner) in map {
                text(out, key);
                value(out, inner);
            }
        }
    }
}

/// A database of IPv4 networks, as addresses and lengths.
pub fn write(kind: &str, built: u64, nets: &[([u8; 4], u8, Value)]) -> Vec<u8> {
    const EMPTY: usize = usize::MAX;
    let mut nodes = vec![[EMPTY; 2]];
    let mut data = Vec::new();
    // What a record says: a node, or that it is data, with its place.
    let mut leaves = Vec::new();
    for (address, length, of) in nets {
        let place = data.len();
        value(&mut data, of);
        let bits = u32::from_be_bytes(*address);
        let mut node = 0;
        for depth in 0..*length {
            let side = (bits >> (31 - depth) & 1) as usize;
            if depth + 1 == *length {
                leaves.push((node, side, place));
            } else {
                if nodes[node][side] == EMPTY {
                    nodes.push([EMPTY; 2]);
                    nodes[node][side] = nodes.len() - 1;
                }
                node = nodes[node][side];
            }
        }
    }
    let count = nodes.len();
    for (node, side, place) in leaves {
        nodes[node][side] = count + 16 + place;
    }
    let mut out = Vec::new();
    for record in nodes.iter().flatten() {
        let record = if *record == EMPTY { count } else { *record };
        out.extend_from_slice(&(record as u32).to_be_bytes()[1..]);
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    control(&mut out, 7, 9);
    let short = |out: &mut Vec<u8>, key: &str, n: u16| {
        text(out, key);
        control(out, 5, 2);
        out.extend_from_slice(&n.to_be_bytes());
    };
    short(&mut out, "binary_format_major_version", 2);
    short(&mut out, "binary_format_minor_version", 0);
    short(&mut out, "ip_version", 4);
    short(&mut out, "record_size", 24);
    text(&mut out, "build_epoch");
    control(&mut out, 9, 8);
    out.extend_from_slice(&built.to_be_bytes());
    text(&mut out, "database_type");
    text(&mut out, kind);
    text(&mut out, "description");
    control(&mut out, 7, 0);
    text(&mut out, "languages");
    control(&mut out, 11, 0);
    text(&mut out, "node_count");
    control(&mut out, 6, 4);
    out.extend_from_slice(&(count as u32).to_be_bytes());
    out
}
