//! Whom people ask, and whom those tell who have found a hole: the contacts of a portal.
//!
//! Does not know: the rest of the file.

use crate::fault::{At, Section};
use crate::portal::{Security, Service};

/// Whom to ask when nothing else helps.
pub fn contact(s: &Section<'_>) -> Option<Service> {
    let t = s.section("contact")?;
    let text = |key: &str, example: &str| t.string(key, example).map(|at| at.value).filter(|v| !v.is_empty());
    let contact = Service {
        phone: text("phone", "+254 20 000 0000"),
        office: text("office", "Huduma Centre, ground floor"),
        ussd: text("ussd", "*123#"),
        ..Service::default()
    };
    if !contact.has_way() {
        t.fault(t.span(), "`portal.contact` says nothing", "write phone, office or ussd");
    }
    t.finish();
    Some(contact)
}

pub fn security(s: &Section<'_>) -> Option<Security> {
    let t = s.section("security")?;
    let known = ["mailto:", "https://", "tel:"];
    let uri = |at: At<String>, schemes: &[&str]| {
        let plain = at.value.bytes().all(|b| (0x21..0x7f).contains(&b));
        let named = schemes.iter().any(|scheme| at.value.len() > scheme.len() && at.value.starts_with(scheme));
        if !(plain && named) {
            let help = format!("write an address that begins with {}", schemes.join(", "));
            t.fault(at.span, format!("{:?} is no address", at.value), help);
        }
        at.value
    };
    let contact = t.strings("contact", true, "mailto:csirt@huduma.example").unwrap_or_default();
    if contact.is_empty() {
        t.fault(t.span(), "`portal.security` without contact", "write contact = [\"mailto:csirt@huduma.example\"]");
    }
    let page = |key: &str| t.string(key, "https://huduma.example/security").map(|at| uri(at, &["https://"]));
    let security = Security {
        contact: contact.into_iter().map(|at| uri(at, &known)).collect(),
        policy: page("policy"),
        encryption: page("encryption"),
        acknowledgments: page("acknowledgments"),
    };
    t.finish();
    Some(security)
}
