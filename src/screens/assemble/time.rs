//! How long a pack is going to take, in words, and what says so.

use std::time::Duration;

use crate::actions::Act;
use crate::domain::text;
use crate::engine::pack::PlanReport;
use crate::tui::assembly::{Rate, Tested};
use crate::tui::model::Model;

/// By the last pack's rate, where that went onto the same medium in this run or an earlier one; else by the medium's test,
/// which knows nothing of the registries, or by what another medium and its registries were good for.
pub(super) fn time(plan: &PlanReport, (model, keys): (&Model, bool)) -> String {
    let place = &plan.place;
    let (bytes, new) = (place.to_write, place.to_fetch);
    let (of, copied) = match place.to_copy {
        0 => ("", String::new()),
        copied => (" for what is new", format!("; {} are copied there on top", text::bytes(copied))),
    };
    let read_back = model.assembly.read_back;
    let more = if read_back { ", then read back" } else { "" };
    let more = format!("{copied}{more}");
    let span = |seconds| text::span(Duration::from_secs(seconds));
    let at = |rate: u64| format!("{}/s{of}", text::bytes(rate));
    // How fast it was fetched says nothing of copies.
    let rate = model.assembly.rate.as_ref().filter(|rate| rate.bytes > 0 && new > 0);
    let small = plan.rated.as_ref().filter(|rated| rated.bytes > 0 && new > 0 && !is_onto_it(rate, model));
    let onto_it = onto_it(rate, plan, model).filter(|_| new > 0);
    match (onto_it, model.tested(), small, rate) {
        _ if bytes == 0 => format!("nothing to write; existing files are hashed{more}"),
        (Some((last, when)), tested, ..) => {
            // What the medium alone takes faster, the registries or the way to them held up.
            let by = match tested {
                Some(tested) if tested.write > last => ", by the network",
                _ => "",
            };
            let took = span(new.div_ceil(last));
            format!("about {took} at {}, as onto it {when}{by}{more}", at(last))
        }
        (_, Some(&Tested { write: write @ 1.., read: read @ 1.., .. }), ..) => {
            let reading = if read_back { bytes.div_ceil(read) } else { 0 };
            let least = span(bytes.div_ceil(write).saturating_add(reading));
            let at = |rate: u64| format!("{}/s", text::bytes(rate));
            let how = format!("by the medium's test: writes {}, reads {}", at(write), at(read));
            format!("at least {least} {how}; the network speed is not known yet")
        }
        (.., Some(rated), _) => {
            let how = format!("a small pack onto it was fetched on {}", rated.at.strftime("%F"));
            format!("roughly {} at {}, as {how}{more}", span(new.div_ceil(rated.bytes)), at(rated.bytes))
        }
        (.., Some(rate)) => {
            let how = match model.is_of_chosen(rate) {
                true => "a small pack was fetched",
                false => "a pack onto another medium was fetched",
            };
            format!("roughly {} at {}, as {how}{more}", span(new.div_ceil(rate.bytes)), at(rate.bytes))
        }
        _ if new == 0 => {
            let then = if read_back { ", then read back" } else { "" };
            format!("not known: nothing is fetched, {} are written there{then}", text::bytes(bytes))
        }
        _ => {
            let test = || format!("; {} on Media measures it", model.key(Act::MediaCheck));
            let test = if keys { test() } else { String::new() };
            format!("not known: not measured yet{test}")
        }
    }
}

/// Whether that rate is of what was chosen.
fn is_onto_it(rate: Option<&Rate>, model: &Model) -> bool {
    rate.is_some_and(|rate| model.is_of_chosen(rate))
}

/// How fast a pack of many bytes onto the same medium was, and when.
fn onto_it(rate: Option<&Rate>, plan: &PlanReport, model: &Model) -> Option<(u64, String)> {
    let now = rate.filter(|rate| !rate.rough && is_onto_it(Some(rate), model));
    let before = || plan.rated.as_ref().filter(|rated| !rated.rough && rated.bytes > 0);
    now.map(|rate| (rate.bytes, "the last time".to_owned()))
        .or_else(|| before().map(|rated| (rated.bytes, format!("on {}", rated.at.strftime("%F")))))
}
