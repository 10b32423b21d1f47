//! What has to be looked at on a backend beside what it always tells: files, name servers, routes, lists.
//!
//! What a state records and what a configuration wants is asked for, and nothing else: a look at everything would cost a
//! host more than the plan needs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::actual::Interest;
use crate::config::{AllUnknown, Evaluator, Wanted};
use crate::plan::persist::Persisted;
use crate::resource::{BackendId, Field, Kind};
use crate::state::{ResourceRecord, State, StateChange};

/// The attributes that name servers are in.
const NAME_SERVERS: [&str; 2] = ["dns", "dns_search"];

/// Returns what has to be looked at to plan.
pub fn interest(evaluator: &Evaluator<'_>, state: &State) -> BTreeMap<BackendId, Interest> {
    let mut interests = recorded_interest(state);
    for address in evaluator.resources().iter().filter(|it| it.kind == Kind::Interface) {
        // What is wrong with it is said when it is planned.
        let Ok(desired) = evaluator.resource(address, &AllUnknown) else { continue };
        let Some(backend) = desired.backend else { continue };
        let interest = interests.entry(backend).or_default();
        let get = |name: &str| desired.fields.get(name);
        if let Some(Field::Text(path)) = get("key_file").and_then(Wanted::known) {
            interest.key_files.insert(PathBuf::from(path));
        }
        let is_wanted =
            |name: &str, none: Field| get(name).is_some_and(|it| *it != Wanted::Known(none));
        interest.name_servers |= NAME_SERVERS.iter().any(|name| get(name).is_some());
        interest.boot |= is_wanted("persist", Field::Text("none".to_owned()));
        interest.routes |= is_wanted("routes", Field::Routes(Box::default()));
        interest.interface_lists |= get("interface_lists").is_some();
    }
    interests
}

/// Returns what has to be looked at to know what became of what a state records.
pub fn recorded_interest(state: &State) -> BTreeMap<BackendId, Interest> {
    let mut interests: BTreeMap<BackendId, Interest> = BTreeMap::new();
    for record in state.resources.values() {
        for deposed in &record.deposed {
            let interest = interests.entry(deposed.backend.clone()).or_default();
            note(interest, &deposed.attributes);
        }
        let Some(backend) = &record.backend else { continue };
        let interest = interests.entry(backend.clone()).or_default();
        note(interest, &record.attributes);
        let owns = |name: &str| record.owned_elements.get(name).is_some_and(|it| !it.is_empty());
        interest.routes |= owns(ResourceRecord::ROUTES);
        interest.interface_lists |= owns("interface_lists");
    }
    // What was begun may be done, and nowhere else is written what it left.
    for change in state.open() {
        let StateChange::Put { resource, .. } = change else { continue };
        let Some(backend) = resource.backend.clone() else { continue };
        note(interests.entry(backend).or_default(), &resource.attributes);
    }
    interests
}

/// Adds what the attributes of an object lead to.
fn note(interest: &mut Interest, attributes: &BTreeMap<String, Json>) {
    let key_file = attributes.get("key_file").and_then(Json::as_str);
    interest.key_files.extend(key_file.map(PathBuf::from));
    interest.name_servers |= NAME_SERVERS.iter().any(|name| attributes.contains_key(*name));
    interest.boot |= Persisted::last(attributes).is_some();
}
