//! `wgform man`.
//!
//! clap_mangen was tried: it writes flags with two dashes and values in angle brackets, and not the pages that `-help`
//! shows. These are the same pages, set out for `man`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::command::help::{Page, Section, pages};
use crate::command::{Cli, Context};
use crate::error::{Error, Exit, Kind};

/// What `wgform man` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform man > wgform.1
  wgform man -dir=/usr/local/share/man/man1

With `-dir`, there is a page for each command: wgform-state-mv.1 for example.")]
pub struct Arguments {
    /// Writes a page for each command into this directory, which has to be there
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// Prints the page of the program, or writes all of them.
///
/// # Errors
/// When a file cannot be written.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    let pages = pages(&Cli::command());
    let Some(dir) = &arguments.dir else {
        context.ui.result(&roff(&pages[0], &pages));
        return Ok(Exit::Done);
    };
    let dir = context.world.path(dir);
    for page in &pages {
        write(&dir.join(format!("{}.1", name(page))), &roff(page, &pages))?;
    }
    context.ui.talk(&format!("Wrote {} pages into {}.", pages.len(), dir.display()));
    Ok(Exit::Done)
}

#[expect(clippy::disallowed_methods, reason = "the pages are for the files that the user names")]
fn write(path: &std::path::Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|error| {
        let message = format!("could not write the page `{}`", path.display());
        Error::new(Kind::Failed, message).cause(&error)
    })
}

fn name(page: &Page) -> String {
    page.path.replace(' ', "-")
}

/// Sets a page out for `man`; the one of the program names the others.
fn roff(page: &Page, pages: &[Page]) -> String {
    let Page { path, usage, about, sections, after } = page;
    let name = name(page);
    let mut text = format!(
        ".TH {} 1 \"\" \"wgform {}\" \"User Commands\"\n",
        escaped(&name.to_uppercase()),
        env!("CARGO_PKG_VERSION")
    );
    let _ = writeln!(text, ".SH NAME\n{} \\- {}", escaped(&name), escaped(about));
    let _ =
        writeln!(text, ".SH SYNOPSIS\n\\fB{}\\fR{}", escaped(path), escaped(&usage[path.len()..]));
    for Section { title, rows } in sections {
        let _ = writeln!(text, ".SH {}", escaped(&title.to_uppercase()));
        for (label, help) in rows {
            let _ = writeln!(
                text,
                ".TP\n\\fB{}\\fR\n{}.",
                escaped(label),
                escaped(help.trim_end_matches('.'))
            );
        }
    }
    for block in after.split("\n\n").filter(|block| !block.is_empty()) {
        match block.split_once(":\n") {
            Some((title, lines)) if lines.starts_with("  ") => {
                let _ = writeln!(text, ".SH {}\n.nf", escaped(&title.to_uppercase()));
                lines.lines().for_each(|line| {
                    _ = writeln!(text, "{}", escaped(line.get(2..).unwrap_or(line)))
                });
                text += ".fi\n";
            }
            _ => _ = writeln!(text, ".SH NOTES\n{}", escaped(block)),
        }
    }
    let others = pages.iter().filter(|other| is_near(&other.path, path));
    let others: Vec<String> =
        others.map(|it| format!("\\fB{}\\fR(1)", escaped(&self::name(it)))).collect();
    if !others.is_empty() {
        let _ = writeln!(text, ".SH SEE ALSO\n{}", others.join(",\n"));
    }
    text
}

/// Returns whether a command is directly above or below another one.
fn is_near(one: &str, other: &str) -> bool {
    let above = |path: &str| path.rsplit_once(' ').map(|(above, _)| above.to_owned());
    above(one).as_deref() == Some(other) || above(other).as_deref() == Some(one)
}

/// Keeps a text from being read as requests, and what is to be copied from becoming typography.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped += "\\e",
            '-' => escaped += "\\-",
            '\'' => escaped += "\\(aq",
            '`' => escaped += "\\(ga",
            '~' => escaped += "\\(ti",
            '^' => escaped += "\\(ha",
            '.' if escaped.is_empty() || escaped.ends_with('\n') => escaped += "\\&.",
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;

    use crate::command::Cli;
    use crate::command::help::pages;
    use crate::command::man::{escaped, roff};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test keeps pages in files")]
    fn the_pages_are_as_they_were_reviewed() {
        let pages = pages(&Cli::command());
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/man");
        for name in ["wgform", "wgform state mv"] {
            let page = pages.iter().find(|page| page.path == name).unwrap();
            let text = roff(page, &pages).replace(env!("CARGO_PKG_VERSION"), "VERSION");
            let path = directory.join(name.replace(' ', "-") + ".1");
            if std::env::var("WGFORM_BLESS").is_ok() {
                std::fs::write(&path, &text).unwrap();
            }
            let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(text, reviewed, "{name}: WGFORM_BLESS=1 writes it anew, for review");
        }
    }

    #[test]
    fn a_text_is_no_request() {
        assert_eq!(escaped(".so x.\n'y\\z-"), "\\&.so x.\n\\(aqy\\ez\\-");
    }
}
