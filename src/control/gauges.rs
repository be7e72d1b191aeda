//! Metrics that are read off when somebody asks for them.
//!
//! Does not know: who asks, counters.

use super::Office;
use crate::portal::Class;
use crate::strain::Source;
use crate::telemetry::metrics::{ClassLabels, PortalLabel, SourceLabel};

impl Office {
    /// Brings the gauges up to date; called when metrics are asked for.
    pub fn gauge(&self) {
        let (house, m) = (&self.house, &self.house.metrics);
        let (town, standing, now) = (house.town.load(), house.standing.load(), house.now().unix());
        for (portal, gate) in town.portals.list.iter().zip(&town.gates) {
            let label = PortalLabel { portal: portal.name.clone() };
            m.posture.get_or_create(&label).set(standing.level(&portal.name, now) as i64);
            m.admit_limit.get_or_create(&label).set(gate.limit().into());
            m.admit_recovery.get_or_create(&label).set(gate.returning().map_or(100, |(percent, _)| percent).into());
            for class in Class::ALL {
                let label = ClassLabels { portal: portal.name.clone(), class: class.as_str() };
                let load = gate.load(class);
                m.admit_inside.get_or_create(&label).set(load.inside.into());
                m.admit_share.get_or_create(&label).set(load.limit.into());
                m.admit_waiting.get_or_create(&label).set(load.waiting.into());
            }
        }
        m.limit_keys.set(house.limits.keys() as i64);
        m.limit_capacity.set(house.limits.capacity() as i64);
        m.limit_evictions.set(house.limits.evictions() as i64);
        m.limit_shared.set(house.limits.shared() as i64);
        m.snapshots.set(house.board.len() as i64);
        m.snapshot_alarms.set(self.albums().values().map(|a| a.unexpected.len()).sum::<usize>() as i64);
        m.rules_generation.set(house.law.load().generation as i64);
        self.gauge_rooms();
        m.bans.set(house.bans.list(now).len() as i64);
        let open = self.open_incidents();
        m.incidents.set(open.len() as i64);
        m.incident_overdue.set(open.iter().filter(|i| i.overdue).count() as i64);
        for source in Source::ALL {
            let label = SourceLabel { source: source.as_str() };
            m.strain.get_or_create(&label).set(house.pulse.of(source) as i64);
        }
        m.store_lost.set(house.store.lost() as i64);
    }
}
