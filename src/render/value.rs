//! One attribute's value as text, the way a configuration would write it.

use std::time::Duration;

use serde_json::Value as Json;

use crate::diff::Side;
use crate::render::printable;
use crate::resource::{Attribute, Default, Form};
use crate::value::Cidr;

/// Stands where a secret would be.
pub const SENSITIVE: &str = "(sensitive value)";
/// Stands where a value will be that nobody knows yet.
pub const UNKNOWN: &str = "(known after apply)";

/// Shows a value as HCL would write it on one line.
pub fn literal(json: &Json) -> String {
    match json {
        Json::String(text) => quoted(text),
        Json::Array(items) => {
            format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        Json::Object(map) => {
            let items =
                map.iter().map(|(name, value)| format!("{} = {}", quoted(name), literal(value)));
            format!("{{ {} }}", items.collect::<Vec<_>>().join(", "))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => json.to_string(),
    }
}

/// Shows a text in quotes.
pub(crate) fn quoted(text: &str) -> String {
    printable(&Json::from(text).to_string()).into_owned()
}

/// Shows a value, or that it is secret. That there is no pre-shared key is no secret.
pub fn shown(attribute: &Attribute, is_sensitive: bool, json: &Json) -> String {
    let is_secret = attribute.form.is_secret() && json != "none";
    match (attribute.form, json) {
        _ if is_secret || is_sensitive => SENSITIVE.to_owned(),
        (Form::Reference(_), Json::String(address)) => printable(address).into_owned(),
        (Form::Backend, Json::String(id)) => printable(&format!("backend.{id}")).into_owned(),
        _ => literal(json),
    }
}

/// Shows what an attribute will be.
pub fn after(attribute: &Attribute, is_sensitive: bool, side: &Side) -> String {
    match side {
        Side::Known(json) => shown(attribute, is_sensitive, json),
        Side::Unknown => UNKNOWN.to_owned(),
        Side::Unset if attribute.default == Default::Device => "(the device's default)".to_owned(),
        Side::Unset => "null".to_owned(),
    }
}

/// Returns whether a value is what holds when nothing is written.
pub fn is_default(attribute: &Attribute, json: &Json) -> bool {
    match attribute.default {
        Default::Unset | Default::Device => false,
        Default::Text(text) => json == text,
        Default::Bool(yes) => *json == Json::Bool(yes),
        Default::Number(number) => json.as_u64() == Some(number.into()),
        Default::Empty => json.as_array().is_some_and(Vec::is_empty),
        Default::Off => json == "off",
    }
}

/// Sorts the elements of a set as people read them: addresses by number, with what follows them, everything else by
/// text.
pub fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_by_cached_key(|text| {
        let cidr = text.split(' ').next().and_then(|it| it.parse::<Cidr>().ok());
        (cidr.is_none(), cidr, text.clone())
    });
    texts
}

/// Shows a duration in its largest unit: `12 s`, `3 min`, `5 h`, `4 d`.
pub fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::render::value::{age, literal, sorted};

    #[test]
    fn values_are_shown_as_a_configuration_writes_them() {
        assert_eq!(literal(&json!("a \"b\"")), r#""a \"b\"""#);
        assert_eq!(literal(&json!(["10.0.0.1/32", 3, true])), r#"["10.0.0.1/32", 3, true]"#);
    }

    #[test]
    fn addresses_are_sorted_by_number() {
        let texts = ["10.8.0.10/32", "fd00::1/64", "10.8.0.9/32"].map(String::from);
        assert_eq!(sorted(texts.to_vec()), ["10.8.0.9/32", "10.8.0.10/32", "fd00::1/64"]);
    }

    #[test]
    fn ages_are_shown_in_their_largest_unit() {
        let ages = [5, 119, 120, 7199, 7200, 200_000].map(|s| age(Duration::from_secs(s)));
        assert_eq!(ages, ["5 s", "119 s", "2 min", "119 min", "2 h", "2 d"].map(String::from));
    }
}
