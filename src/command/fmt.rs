//! `wgform fmt`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgAction, Args};

use crate::command::Context;
use crate::config::check_syntax;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::error::{Error, Exit, Kind};
use crate::format::formatted;
use crate::render::diff::{masked, unified};
use crate::render::printable;
use crate::source::decoded;
use crate::source::edit::{SourceFile, find};
use crate::ui::Ui;

/// What `wgform fmt` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform fmt
  wgform fmt -check -diff -recursive
  wgform fmt - <main.wg.hcl

Lays out every *.wg.hcl and *.wgvars.hcl file as `terraform fmt` does: what
differs is blanks only. Prints the names of the files that it changed. In a
diff, keys and secrets are masked. The exit code is 3 when -check found a file
that would change, and 1 when a file has a syntax error or cannot be read or
written; that file is left as it is, and all others are laid out.")]
pub struct Arguments {
    /// A file, a directory, or `-` for standard input; the working directory when there is none
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Writes nothing, and exits with 3 when a file would change
    #[arg(long)]
    pub check: bool,
    /// Shows what changes
    #[arg(long)]
    pub diff: bool,
    /// Goes into the directories below, too; hidden ones are left out
    #[arg(long)]
    pub recursive: bool,
    /// Prints the names of the files that change (the default)
    #[arg(long, value_name = "false", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    pub list: bool,
    /// Writes to the files (the default); with false and nothing else to print, prints the texts
    #[arg(long, value_name = "false", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    pub write: bool,
}

/// Lays files out.
///
/// # Errors
/// Everything that kept a file from being laid out. All others are by then.
pub fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let mut run =
        Run { arguments, ui: &context.ui, differs: false, diagnostics: vec![], failed: vec![] };
    if run.arguments.paths.iter().any(|path| path == Path::new("-")) {
        run.standard_input()?;
    } else {
        run.files(context);
    }
    run.end()
}

/// One run: what it is to do, and what became of it.
struct Run<'a> {
    arguments: Arguments,
    ui: &'a Ui,
    /// Whether a text is not laid out as it should be.
    differs: bool,
    diagnostics: Vec<Diagnostic>,
    failed: Vec<Error>,
}

/// A text before and after.
struct Change {
    before: Arc<SourceText>,
    /// Whether the text before had a byte order mark.
    had_mark: bool,
    after: String,
}

impl Run<'_> {
    fn standard_input(&mut self) -> Result<(), Error> {
        if self.arguments.paths.len() > 1 {
            let message = "standard input and files cannot be laid out together";
            return Err(Error::new(Kind::Usage, message).hint("`-` stands alone."));
        }
        self.arguments.list = false;
        self.arguments.write = false;
        let name = "<stdin>";
        let bytes = self.ui.input().map_err(|error| {
            Error::new(Kind::Failed, "could not read standard input").cause(&error)
        })?;
        let (text, had_mark) = decoded(bytes, name)?;
        if let Some(change) = self.change(name, text, had_mark) {
            self.print(&change);
        }
        Ok(())
    }

    fn files(&mut self, context: &Context) {
        let here = [PathBuf::from(".")];
        let given = &self.arguments.paths;
        let paths = if given.is_empty() { &here[..] } else { given };
        let (files, problems) = find(&context.world, paths, self.arguments.recursive);
        self.failed.extend(problems.into_iter().map(Error::from));
        for file in files {
            if let Err(error) = self.file(&file) {
                self.failed.push(error);
            }
        }
    }

    fn file(&mut self, file: &SourceFile) -> Result<(), Error> {
        let (text, had_mark) = file.read()?;
        let Some(change) = self.change(&file.name, text, had_mark) else {
            return Ok(());
        };
        if self.arguments.write && !self.arguments.check && change.differs() {
            file.replace(&change.after)?;
        }
        self.print(&change);
        Ok(())
    }

    /// Lays a text out; nothing when that cannot be done.
    fn change(&mut self, name: &str, text: String, had_mark: bool) -> Option<Change> {
        let before = Arc::new(SourceText { name: name.to_owned(), text, secrets: Vec::new() });
        let before = match check_syntax(&before) {
            Ok(before) => before,
            Err(diagnostics) => {
                self.diagnostics.extend(diagnostics);
                return None;
            }
        };
        let Ok(after) = formatted(&before.text) else {
            let error = Error::new(Kind::Failed, format!("could not lay out `{name}`"));
            let error = error.because("more than blanks would change");
            self.failed.push(error.hint("This is a mistake of wgform. The file is left as it is."));
            return None;
        };
        Some(Change { before, had_mark, after })
    }

    fn print(&mut self, change: &Change) {
        let Arguments { check, diff, list, write, .. } = self.arguments;
        let name = &change.before.name;
        if change.differs() {
            self.differs = true;
            if list {
                self.ui.result(&printable(name));
            }
            if diff {
                self.ui.result(&change.diff(self.ui));
            }
        }
        if !(check || diff || list || write || change.after.is_empty()) {
            self.ui.result(&change.after);
        }
    }

    fn end(self) -> Result<Exit, Error> {
        let Self { arguments, differs, diagnostics, failed, .. } = self;
        let wrong = (!diagnostics.is_empty()).then(|| Error::diagnostics(diagnostics));
        match wrong.into_iter().chain(failed).reduce(Error::and) {
            Some(error) => Err(error),
            None if arguments.check && differs => Ok(Exit::Unformatted),
            None => Ok(Exit::Done),
        }
    }
}

impl Change {
    fn differs(&self) -> bool {
        self.had_mark || self.before.text != self.after
    }

    fn diff(&self, ui: &Ui) -> String {
        let SourceText { name, .. } = &*self.before;
        let after =
            SourceText { name: name.clone(), text: self.after.clone(), secrets: Vec::new() };
        // The same tokens are the same secrets.
        let after = check_syntax(&Arc::new(after)).map_or_else(|_| String::new(), |it| masked(&it));
        let mark = if self.had_mark { "\u{feff}" } else { "" };
        let before = format!("{mark}{}", masked(&self.before));
        unified(name, &before, &after, ui.result_paint())
    }
}
