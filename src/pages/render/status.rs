//! The status page: every incident, every service, how the last days went, in one response however much there is to tell.
//!
//! Does not know: who asks for it.

use std::cmp::Reverse;

use minijinja::{Value, context};

use super::super::news::Shown;
use super::super::teller::Teller;
use super::super::text::Voice;
use super::super::{Html, Page, uptime};
use super::{Of, Renderer, SERVICES, choices, fitting, looks, mark, prepare, titled, ways};
use crate::bounds;
use crate::wire::Hole;

impl Renderer {
    /// The status page.
    pub fn status(&self, of: Of<'_>, voice: &Voice) -> Html {
        let teller = Teller::new(of.portal, voice);
        let longest = of.news.incidents.iter().map(|s| s.incident.updates.len()).max().unwrap_or(0);
        let past: Vec<Value> = of.news.incidents.iter().filter_map(|s| teller.past(s)).collect();
        let title = of.portal.title.as_str();
        let mut gravest: Vec<&Shown> = of.news.incidents.iter().filter(|s| s.incident.ended().is_none()).collect();
        gravest.sort_by_key(|s| Reverse((s.current, s.incident.present().impact)));
        let render = |updates: usize, stories: usize, services: usize, logo: &str| {
            let told = |current: bool| {
                let of_this = of.news.incidents.iter().filter(|s| s.current == current && s.incident.ended().is_none());
                let is_whole = |s: &Shown| gravest.iter().take(stories).any(|grave| std::ptr::eq(*grave, s));
                let story = |s| self.story(of, voice, s, if is_whole(s) { updates } else { 0 });
                of_this.map(|s| Value::from_safe_string(story(s))).collect::<Vec<_>>()
            };
            // What ended long ago makes room before what is said now.
            let kept = past.len().min(2 * updates - 1);
            self.render(
                "status",
                context! {
                    portal => title,
                    overall => teller.label(Teller::overall_key(of.news.worst(of.portal))),
                    mood => teller.mood(of.news),
                    current => told(true),
                    planned => told(false),
                    services => ways::states(of, voice, services),
                    past => past[..kept].to_vec(),
                    contact => ways::of_portal(of.portal, voice).collect::<Vec<_>>(),
                    uptime => uptime::told(of.news, voice),
                    languages => choices(of),
                    logo => logo,
                    reference => mark(Hole::Reference),
                    css => self.style(Some(of)),
                    ..titled(voice, "status_title", Some(title))
                },
            )
        };
        let (updates, most) = (longest.max(past.len() / 2 + 1), 2 * SERVICES);
        let all = gravest.len();
        let mut whole = fitting(updates, |updates| render(updates, all, most, looks::logo(Some(of))));
        if whole.len() > bounds::PAGE_BYTES {
            whole = fitting(updates, |updates| render(updates, all, most, ""));
        }
        // Then services make room, and at last all incidents but the gravest are their headlines.
        let less = (0..most).rev().map(|services| (all, services)).chain((0..all).rev().map(|stories| (stories, 0)));
        for (stories, services) in less {
            if whole.len() <= bounds::PAGE_BYTES {
                break;
            }
            whole = render(1, stories, services, "");
        }
        let (language, csp) = (voice.tag.clone(), self.policy(Some(of), Page::Statement));
        Html { packed: None, body: prepare(whole), language, csp }
    }
}
