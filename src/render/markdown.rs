//! A run as a comment on a pull request.
//!
//! Whatever comes from a configuration or from a device is inside a fence or inside of `<code>`, with what HTML would obey
//! escaped: there it can neither end the comment's own markup nor call anybody by name. A fence is longer than any row of
//! backticks in it. No secret is in it: it is made from what a plan shows on a terminal.

use std::fmt::Write as _;

use crate::plan::{Plan, ResourceChange};
use crate::render::count;
use crate::render::plan::{Purpose, block};
use crate::render::record::{PlannedRecord, Record};
use crate::render::summary::Compared;
use crate::render::validation::{Problem, Severity};

/// GitHub takes 65,536 characters. Bytes are counted here, which are never fewer, with room for what others write around
/// it.
pub const MAX_LENGTH: usize = 64_000;

/// Each text around the changes is cut to this, so that there is room for changes.
const MAX_SECTION: usize = 8_000;

/// One change, folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The markup.
    pub text: String,
}

/// Folds a change: what happens to it in one line, and the rest as a diff behind that.
pub fn fold(plan: &Plan, change: &ResourceChange) -> Folded {
    let block = block(plan, change);
    let heading = block.lines().next().unwrap_or_default();
    let heading = heading.trim_start().trim_start_matches("# ");
    let body: String = block.lines().skip(1).map(diff_line).collect();
    let mut text = format!("<details><summary><code>{}</code></summary>\n\n", escaped(heading));
    let body = body.trim_end();
    if !body.is_empty() {
        fence(body, "diff", &mut text);
    }
    text += "</details>\n\n";
    Folded { text }
}

/// Writes a line of a plan as one of a diff, which has its mark in the first column.
fn diff_line(line: &str) -> String {
    let inner = line.trim_start();
    let at = line.len() - inner.len();
    let mark = match inner.split(' ').next() {
        Some("+/-" | "-/+") => return format!("!{line}\n"),
        Some("+") => '+',
        Some("-") => '-',
        Some("~") => '!',
        _ => return if inner.is_empty() { "\n".to_owned() } else { format!(" {line}\n") },
    };
    // The blank that was in front of the mark is where the mark was.
    format!("{mark}{}{}\n", " ".repeat(at + 1), inner[1..].trim_end())
}

/// Writes a text in a fence that nothing in it can close.
fn fence(body: &str, language: &str, text: &mut String) {
    let runs = body.split(|c| c != '`').map(str::len);
    let ticks = "`".repeat(runs.max().unwrap_or_default().max(2) + 1);
    let end = if body.ends_with('\n') { "" } else { "\n" };
    let _ = writeln!(text, "{ticks}{language}\n{body}{end}{ticks}\n");
}

/// Escapes what HTML would obey, on one line.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // A blank line would end the HTML, and with it what protects the text.
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Writes the comment for a run that ended like this.
pub fn comment(record: &Record, exit_code: u8, outcome: &str) -> String {
    let mut text = format!("## wgform {}\n\n", title(record, outcome));
    let is_answer =
        record.planned.as_ref().is_none_or(|it| it.numbers.compared != Compared::Nothing);
    if let Some(digest) = record.digest.as_ref().filter(|_| is_answer) {
        let _ = writeln!(text, "Digest of the plan: <code>{}</code>\n", escaped(digest));
    }
    let (errors, warnings): (Vec<_>, Vec<_>) =
        record.problems.iter().partition(|(it, _)| it.severity == Severity::Error);
    let (refused, failed): (Vec<_>, Vec<_>) =
        errors.into_iter().partition(|(_, kind)| *kind == Some("refused"));
    told("Refused", &refused, &mut text);
    told("Errors", &failed, &mut text);
    if let Some(applied) = &record.applied {
        let steps = applied.steps;
        let _ = writeln!(
            text,
            "{} done, {} failed, {} skipped, {} not started.\n",
            count(steps.done, "step"),
            steps.failed,
            steps.skipped,
            steps.not_started
        );
    }
    let mut end = String::new();
    if let Some(planned) = &record.planned
        && !planned.around.trim().is_empty()
    {
        fence(&cut(planned.around.trim()), "text", &mut end);
    }
    if !warnings.is_empty() {
        let what = count(warnings.len(), "warning");
        let _ = writeln!(end, "<details><summary>{what}</summary>\n");
        fence(&cut(&list(&warnings)), "text", &mut end);
        end += "</details>\n\n";
    }
    let _ = writeln!(end, "Exit code {exit_code} ({outcome}).");
    if let Some(planned) = &record.planned {
        changes(planned, MAX_LENGTH.saturating_sub(end.len()), &mut text);
    }
    text + &end
}

fn title(record: &Record, outcome: &str) -> String {
    let operation = record.operation.unwrap_or_default();
    if let Some(applied) = &record.applied {
        let line = applied.line();
        return match outcome {
            "done" | "changes" | "unreachable" if applied.is_whole() => {
                format!("{operation}: {line}")
            }
            "interrupted" => format!("{operation} interrupted: {line}"),
            _ if applied.steps.done > 0 => format!("{operation} done in part: {line}"),
            _ => format!("{operation} failed: {line}"),
        };
    }
    let has_failed = !matches!(outcome, "done" | "changes" | "unreachable" | "refused");
    match &record.planned {
        Some(planned) if !has_failed => {
            format!("{operation}: {}", planned.numbers.line(planned.purpose))
        }
        _ => format!("{operation}: {outcome}"),
    }
}

/// Writes as many changes as fit, each whole.
fn changes(planned: &PlannedRecord, room: usize, text: &mut String) {
    if planned.all == 0 {
        return;
    }
    text.push_str(match planned.purpose {
        Purpose::Apply => "### Changes\n\n",
        Purpose::Drift | Purpose::RefreshOnly => "### Changed outside of wgform\n\n",
    });
    let mut shown = 0;
    for change in &planned.changes {
        // The line that may have to follow has room too.
        if text.len() + change.text.len() + 200 > room {
            break;
        }
        text.push_str(&change.text);
        shown += 1;
    }
    if shown < planned.all {
        let left = count(planned.all - shown, "more change");
        let _ = writeln!(text, "**{left} left out**, because a comment may not be longer.\n");
    }
}

fn told(heading: &str, problems: &[&(Problem, Option<&'static str>)], text: &mut String) {
    if !problems.is_empty() {
        let _ = writeln!(text, "### {heading}\n");
        fence(&cut(&list(problems)), "text", text);
    }
}

fn list(problems: &[&(Problem, Option<&'static str>)]) -> String {
    let mut text = String::new();
    for (problem, _) in problems {
        let Problem { summary, range, detail, .. } = problem;
        let place = range.as_ref().map(|it| format!("{}:{}: ", it.filename, it.start.line));
        let _ = writeln!(text, "{}{summary}", place.unwrap_or_default());
        if !detail.is_empty() {
            let _ = writeln!(text, "    {detail}");
        }
    }
    text
}

/// Cuts a text at the end of a line, and says how many more there are.
fn cut(text: &str) -> String {
    if text.len() <= MAX_SECTION {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut lines = text.lines();
    for line in lines.by_ref() {
        if kept.len() + line.len() > MAX_SECTION {
            break;
        }
        kept += line;
        kept.push('\n');
    }
    let _ = writeln!(kept, "… and {}", count(lines.count() + 1, "more line"));
    kept
}

#[cfg(test)]
mod tests {
    use crate::render::markdown::{
        Folded, MAX_LENGTH, MAX_SECTION, comment, cut, diff_line, escaped, fence,
    };
    use crate::render::plan::Purpose;
    use crate::render::record::{PlannedRecord, Record};
    use crate::render::summary::{Applied, Compared, Counts, Planned, Steps};
    use crate::render::validation::{Problem, Severity};

    #[test]
    fn a_mark_stands_in_the_first_column() {
        for (line, expected) in [
            ("  ~ interface \"hub\" {", "!    interface \"hub\" {\n"),
            ("+/- interface \"hub\" {", "!+/- interface \"hub\" {\n"),
            ("      ~ listen_port = 1 -> 2", "!        listen_port = 1 -> 2\n"),
            ("          + \"fd00::/8\",", "+            \"fd00::/8\",\n"),
            ("          - \"fd00::/8\",", "-            \"fd00::/8\",\n"),
            ("        name = \"wg0\"", "         name = \"wg0\"\n"),
            ("  # - a line of a file", "   # - a line of a file\n"),
            ("", "\n"),
        ] {
            assert_eq!(diff_line(line), expected);
        }
    }

    #[test]
    fn nothing_gets_out_of_a_fence_or_of_its_heading() {
        let mut text = String::new();
        fence("a\n`````\n</details> @everyone\n", "diff", &mut text);
        assert_eq!(text, "``````diff\na\n`````\n</details> @everyone\n``````\n\n");
        assert_eq!(
            escaped("peer.rw[\"</code><img src=x>&\n\n@all\"]"),
            "peer.rw[&quot;&lt;/code&gt;&lt;img src=x&gt;&amp;  @all&quot;]"
        );
    }

    fn planned(changes: usize, length: usize) -> PlannedRecord {
        let text = format!("<details>{}</details>\n\n", "x".repeat(length));
        PlannedRecord {
            purpose: Purpose::Apply,
            numbers: Planned {
                compared: Compared::All,
                changes: Counts { create: changes, ..Counts::default() },
                drift: 0,
                unmanaged_peers: 0,
                pending_peers: 0,
                sessions: Default::default(),
                unreachable: Vec::new(),
                is_partial: false,
                classes: Default::default(),
                waiting_changes: None,
                expired: 0,
            },
            changes: vec![Folded { text }; changes],
            all: changes,
            around: "a line\n".repeat(10_000),
        }
    }

    #[test]
    fn a_comment_is_cut_at_whole_changes_and_says_so() {
        let mut record = Record { operation: Some("plan"), ..Record::default() };
        record.planned = Some(planned(1_000, 900));
        for kind in [None, Some("refused"), Some("failed")] {
            for severity in [Severity::Error, Severity::Warning] {
                let detail = std::iter::once("y".repeat(30_000));
                let problem = Problem::elsewhere(severity, "too much", detail);
                record.problem(&problem, kind);
            }
        }
        let text = comment(&record, 8, "refused");
        assert!(text.len() <= MAX_LENGTH, "{}", text.len());
        let shown = text.matches("<details>xxx").count();
        assert!(shown > 20, "{shown}");
        assert_eq!(text.matches("xxx</details>\n\n").count(), shown);
        let left = format!("**{} more changes left out**", 1_000 - shown);
        assert!(text.contains(&left), "{text}");
        assert!(text.starts_with("## wgform plan: 1000 to add, 0 to change, 0 to destroy\n"));
        assert!(text.ends_with("Exit code 8 (refused).\n"));
        record.planned = Some(planned(2, 900));
        assert!(!comment(&record, 0, "done").contains("left out"));
    }

    #[test]
    fn an_apply_has_its_end_in_the_heading() {
        let done = Steps { done: 2, ..Steps::default() };
        let failed = Steps { failed: 1, ..done };
        for (steps, outcome, expected) in [
            (done, "done", "apply: "),
            (done, "unreachable", "apply: "),
            (failed, "partial", "apply done in part: "),
            (Steps { not_started: 1, ..done }, "interrupted", "apply interrupted: "),
            (Steps { failed: 1, ..Steps::default() }, "unreachable", "apply failed: "),
        ] {
            let applied = Applied {
                added: steps.done,
                changed: 0,
                destroyed: 0,
                forgotten: 0,
                moved: 0,
                imported: 0,
                steps,
                is_recorded: true,
            };
            let operation = Some("apply");
            let record = Record { operation, applied: Some(applied), ..Record::default() };
            let text = comment(&record, 1, outcome);
            assert!(text.starts_with(&format!("## wgform {expected}")), "{text}");
        }
    }

    #[test]
    fn nothing_compared_is_no_answer() {
        let mut record = Record { operation: Some("drift"), ..Record::default() };
        let mut nothing = planned(0, 0);
        nothing.numbers.compared = Compared::Nothing;
        nothing.numbers.unreachable = vec!["hq".to_owned()];
        for (purpose, expected) in [
            (Purpose::Drift, "no answer, because nothing was compared; 1 backend not read\n"),
            (Purpose::Apply, "no plan, because nothing was compared; 1 backend not read\n"),
        ] {
            record.planned = Some(PlannedRecord { purpose, ..nothing.clone() });
            record.digest = Some("abcd".to_owned());
            let text = comment(&record, 6, "unreachable");
            assert!(text.starts_with(&format!("## wgform drift: {expected}")), "{text}");
            assert!(!text.contains("abcd"), "{text}");
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_line() {
        assert_eq!(cut("a\nb\n"), "a\nb\n");
        let text = cut(&"0123456789\n".repeat(1_000));
        assert!(text.len() < MAX_SECTION + 100);
        let kept = text.matches("0123456789\n").count();
        assert!(text.ends_with(&format!("0123456789\n… and {} more lines\n", 1_000 - kept)));
    }
}
