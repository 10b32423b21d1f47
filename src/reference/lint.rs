//! What lint looks for, as Markdown.

use crate::diagnostic::Severity;
use crate::diagnostic::rule::{RULES, Rule};
use crate::reference::page::{code, table};

const HEAD: &str = "\
# What wgform looks for

<!-- Written by `wgform schema lint`; a change here is lost. -->

`wgform validate`, `plan` and `apply` look for what is allowed and seldom meant, once a configuration has no other error, and before
any device is asked. `plan` and `apply` look once more with the keys that the devices have, so that a key that is written out leads to its
interface too. What is not certain is not reported: a value that only a device can make breaks no rule.

What is found has a code behind its summary, in `validate -json` in `code`:

```text
  ⚠ link that nothing keeps open [missing-keepalive]
```

## Silence

A comment with the code silences a rule. It stands above a block or an argument, or behind its first line; what is above or behind
the head of a block is about the whole block. Of two places that a message shows, one with a comment is enough. Several codes have
commas between them, and what comes after a blank is the reason.

```terraform
# wgform:ignore=one-sided-link  the other end is set up by the provider
peer \"uplink\" {
  interface   = interface.hub
  public_key  = interface.provider.public_key
  allowed_ips = [\"0.0.0.0/0\"] # wgform:ignore=two-default-routes,overlapping-allowed-ips
}
```

A code that no rule has is a warning itself. What no device could do cannot be silenced.

## Rules

";

/// Returns what lint looks for as Markdown, for one page.
pub fn lint_page() -> String {
    let mut page = HEAD.to_owned();
    page += &rules_table();
    for Rule { code, finds, why, .. } in RULES {
        page += &format!("\n### `{code}`\n\n{}. {why}\n", capitalised(finds));
    }
    page
}

/// Returns the rules as a table.
fn rules_table() -> String {
    let row = |rule: &&Rule| {
        let Rule { code: name, severity, can_be_silenced, finds, why: _ } = rule;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let silenced = if *can_be_silenced { "yes" } else { "no" };
        vec![code(name), severity.to_owned(), silenced.to_owned(), (*finds).to_owned()]
    };
    table(&["code", "it is", "can be silenced", "what it finds"], RULES.iter().map(row))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
