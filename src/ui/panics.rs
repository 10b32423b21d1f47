//! What is said when wgform itself is wrong.

use std::io::Write;
use std::panic;

/// Makes a panic say what it means for the user, in place of Rust's own message.
///
/// What a panic says is left out unless it is a constant of the source: a formatted text may hold a secret.
pub fn install() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let payload = info.payload().downcast_ref::<&'static str>();
        // The terminal's lock may be held by whoever panicked, so this goes past it.
        let _ = std::io::stderr().write_all(message(&place, payload.copied()).as_bytes());
    }));
}

fn message(place: &str, payload: Option<&'static str>) -> String {
    let payload = payload.map(|text| format!(": {text}")).unwrap_or_default();
    format!(
        "\nThis is a bug in wgform {version}, at {place}{payload}\n\n\
         What was done so far is on record: the state file and its journal are written before and after\n\
         each step, and the next run goes on from there. Please report this message, with what you did, at\n\
         {repository}/issues\n",
        version = env!("CARGO_PKG_VERSION"),
        repository = env!("CARGO_PKG_REPOSITORY"),
    )
}

#[cfg(test)]
mod tests {
    use crate::ui::panics::message;

    #[test]
    fn a_panic_says_where_and_that_the_state_is_safe() {
        let text = message("src/plan.rs:1:2", Some("never empty"));
        assert!(text.contains("at src/plan.rs:1:2: never empty\n"), "{text}");
        assert!(text.contains("the state file and its journal"), "{text}");
        assert!(message("src/plan.rs:1:2", None).contains("at src/plan.rs:1:2\n"));
    }
}
