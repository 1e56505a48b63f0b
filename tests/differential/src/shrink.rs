//! Finds, for a fault, the few requests of its sequence that are enough to see it.

use std::collections::BTreeSet;

use crate::report::Report;
use crate::run::Plan;
use crate::sequences::Kind;

/// Sequences that may be sent to shrink one fault.
const TRIES: usize = 40;

/// Shrinks the first `limit` faults of the report. `plan` gives the plan of a sequence under new
/// names.
pub(crate) async fn shrink(report: &mut Report, limit: usize, plan: impl Fn(u64) -> (Plan, Kind)) {
    let mut faults = BTreeSet::new();
    let first: Vec<_> = report
        .unmeant
        .iter()
        .filter(|unmeant| faults.insert(unmeant.fault()))
        .take(limit)
        .cloned()
        .collect();
    for unmeant in first {
        // Nothing behind the fault is needed for it.
        let mut needed: Vec<usize> = (0..=unmeant.step).collect();
        let mut enough = None;
        let mut tries = 0;
        let mut chunk = (needed.len() / 2).max(1);
        while tries < TRIES {
            let mut at = 0;
            while at < needed.len() && tries < TRIES {
                let end = (at + chunk).min(needed.len());
                let mut fewer = needed.clone();
                fewer.drain(at..end);
                tries += 1;
                let (mut attempt, kind) = plan(unmeant.sequence);
                attempt.skip = (0..10_000).filter(|step| !fewer.contains(step)).collect();
                let run = crate::run(attempt, &kind).await;
                let seen = run.report.unmeant.iter();
                if seen
                    .map(|other| other.fault())
                    .any(|fault| fault == unmeant.fault())
                {
                    needed = fewer;
                    enough = Some(run.sent);
                } else {
                    at = end;
                }
            }
            if chunk == 1 {
                break;
            }
            chunk /= 2;
        }
        if let Some(enough) = enough {
            report.shrunk.insert(unmeant.fault(), enough);
        }
    }
}
