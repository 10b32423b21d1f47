//! What was asked and answered, for whoever looks for a fault: without what is secret.

use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::resource::BackendId;

/// Takes a line for each request and each answer. Says nothing by default.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<Take>>);

type Take = dyn Fn(&str) + Send + Sync;

impl Trace {
    /// Hands the lines on.
    pub fn new(take: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(take)))
    }

    /// Says of each line which backend it is about.
    #[must_use]
    pub fn of(self, id: &BackendId) -> Self {
        let id = id.clone();
        match self.0 {
            Some(take) => Self::new(move |line| take(&format!("{id}: {line}"))),
            None => self,
        }
    }

    /// Makes a line and hands it on, if somebody listens.
    pub fn say(&self, line: impl FnOnce() -> String) {
        if let Some(take) = &self.0 {
            take(&line());
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace(…)")
    }
}

/// Spells a body without the values of these names; what is not JSON only by its length.
pub fn redacted(body: &[u8], secrets: &[&str]) -> String {
    if body.is_empty() {
        return String::new();
    }
    match serde_json::from_slice::<Json>(body) {
        Ok(mut json) => {
            hide(&mut json, secrets);
            json.to_string()
        }
        Err(_) => format!("{} bytes that are not JSON", body.len()),
    }
}

fn hide(json: &mut Json, secrets: &[&str]) {
    match json {
        Json::Object(map) => {
            for (name, value) in map {
                if secrets.contains(&name.as_str()) {
                    *value = "…".into();
                } else {
                    hide(value, secrets);
                }
            }
        }
        Json::Array(parts) => parts.iter_mut().for_each(|part| hide(part, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::http::trace::redacted;

    #[test]
    fn a_body_is_shown_without_its_secrets() {
        let secrets = ["private-key"];
        let body = b"[{\"name\":\"wg1\",\"private-key\":\"hunter2hunter2\"}]";
        assert_eq!(redacted(body, &secrets), r#"[{"name":"wg1","private-key":"…"}]"#);
        assert_eq!(redacted(b"{\"private-key\":\"hunter2", &secrets), "23 bytes that are not JSON");
        assert_eq!(redacted(b"", &secrets), "");
    }
}
