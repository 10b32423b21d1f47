//! What a run is at, put together from its events: the lines that a terminal shows meanwhile, and what is said for good.
//!
//! Where lines cannot be drawn over, in a pipe or a log, every backend and every step has a line of its own, up to
//! [`MOST_LINES`] steps; more of them are said by the tenth, and at the latest when nothing was said for [`SILENCE_MS`].

use jiff::Timestamp;

use crate::event::{BackendName, Event, StepName};
use crate::render::event::{elapsed, found, line, under_way};
use crate::render::{Style, count, printable};
use crate::ui::live::{Line, Window, cut};

/// More lines than that nobody reads.
const MOST_LINES: usize = 500;

/// Nobody should have to wonder for longer whether a run still lives.
const SILENCE_MS: u64 = 10_000;

/// What is under way this long is worth a time.
const WORTH_A_TIME_MS: u64 = 1_000;

/// Names of backends are in a column of at most this width.
const WIDEST_NAME: usize = 48;

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Lines are drawn over and over.
    Live,
    /// Every line stays.
    Plain,
}

/// What a run is at.
#[derive(Debug)]
pub(crate) struct Progress {
    mode: Mode,
    stage: Stage,
    /// When a line was last said that stays.
    said: Option<Timestamp>,
}

#[derive(Debug)]
enum Stage {
    /// Nothing that takes long.
    Idle,
    Refresh(Refresh),
    Apply(Apply),
}

#[derive(Debug)]
struct Refresh {
    total: usize,
    failed: usize,
    interfaces: usize,
    peers: usize,
    /// Those that were asked, and what they said.
    backends: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    name: BackendName,
    since: Timestamp,
    answer: Option<String>,
}

#[derive(Debug)]
struct Apply {
    steps: usize,
    ended: usize,
    /// How many had ended when it was last said.
    told: usize,
    began: Timestamp,
    open: Vec<(StepName, Timestamp)>,
}

impl Progress {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, stage: Stage::Idle, said: None }
    }

    /// Learns of an event, and returns what is to be said of it for good.
    pub(crate) fn take(&mut self, event: &Event, now: Timestamp) -> Option<String> {
        let (is_long, is_due) = match &mut self.stage {
            Stage::Apply(apply) => (apply.steps > MOST_LINES, apply.learn(event, now)),
            Stage::Refresh(refresh) => {
                refresh.learn(event, now);
                (false, false)
            }
            Stage::Idle => (false, false),
        };
        let said = match (event, self.mode) {
            (Event::RefreshEnded { .. }, Mode::Live) => self.refreshed(event),
            (Event::StepDone { .. } | Event::BackendRead { .. }, Mode::Live) => None,
            (Event::StepDone { .. }, Mode::Plain) if is_long => {
                is_due.then(|| self.where_it_is(now)).flatten()
            }
            _ => line(event),
        };
        self.enter(event, now);
        if said.is_some() || self.said.is_none() {
            self.said = Some(now);
        }
        said
    }

    /// Goes to the stage that an event begins or ends.
    fn enter(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::RefreshStarted { backends } => {
                self.stage = Stage::Refresh(Refresh {
                    total: *backends,
                    failed: 0,
                    interfaces: 0,
                    peers: 0,
                    backends: Vec::new(),
                });
            }
            Event::ApplyStarted { steps } => {
                let (ended, told) = (0, 0);
                let apply = Apply { steps: *steps, ended, told, began: now, open: Vec::new() };
                self.stage = Stage::Apply(apply);
            }
            Event::RefreshEnded { .. } | Event::ApplyEnded { .. } => self.stage = Stage::Idle,
            _ => {}
        }
    }

    /// Says that a run still lives, when it has said nothing for a while and cannot be seen drawing.
    pub(crate) fn heartbeat(&mut self, now: Timestamp) -> Option<String> {
        let is_due = self.said.is_some_and(|said| ms(said, now) >= SILENCE_MS);
        let said = if is_due { self.where_it_is(now) } else { None };
        if said.is_some() {
            self.said = Some(now);
        }
        said
    }

    /// Says where a run is, in a line that stays.
    fn where_it_is(&mut self, now: Timestamp) -> Option<String> {
        match &mut self.stage {
            Stage::Idle => None,
            Stage::Refresh(refresh) => refresh.waiting(now),
            Stage::Apply(apply) => Some(apply.waiting(now)),
        }
    }

    /// Returns the lines that a terminal shows now.
    pub(crate) fn lines(&self, window: Window, unicode: bool, now: Timestamp) -> Vec<Line> {
        match &self.stage {
            Stage::Idle => Vec::new(),
            Stage::Refresh(refresh) => refresh.lines(window.lines(), now),
            Stage::Apply(apply) => apply.lines(window, unicode, now),
        }
    }

    /// Says what was read: a line for each backend if they are few, and one for all of them otherwise.
    fn refreshed(&self, event: &Event) -> Option<String> {
        let (Stage::Refresh(refresh), Event::RefreshEnded { read, elapsed_ms, .. }) =
            (&self.stage, event)
        else {
            return None;
        };
        if *read == 0 {
            return None;
        }
        if refresh.backends.len() > MOST_BACKENDS {
            let found = found(refresh.interfaces, refresh.peers);
            let (all, time) = (count(*read, "backend"), elapsed(*elapsed_ms));
            return Some(format!("Refreshed {all}: {found}, {time}."));
        }
        let names = refresh.names();
        let lines = refresh.backends.iter().zip(names);
        let lines =
            lines.filter_map(|(it, name)| Some(format!("{name}  {}\n", it.answer.as_ref()?)));
        Some(lines.collect())
    }
}

/// As many backends have a line each on a terminal.
const MOST_BACKENDS: usize = 10;

impl Refresh {
    fn learn(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::BackendAsked { backend } => {
                self.backends.push(Asked { name: backend.clone(), since: now, answer: None });
            }
            Event::BackendRead { backend, interfaces, peers, elapsed_ms } => {
                self.interfaces += interfaces;
                self.peers += peers;
                let answer = format!("{}, {}", found(*interfaces, *peers), elapsed(*elapsed_ms));
                let asked = self.backends.iter_mut().find(|it| it.name == *backend);
                asked.into_iter().for_each(|it| it.answer = Some(answer.clone()));
            }
            Event::BackendFailed { backend, .. } => {
                self.failed += 1;
                self.backends.retain(|it| it.name != *backend);
            }
            _ => {}
        }
    }

    /// Names every backend with its kind, in columns: `hq  local (simulated)`.
    fn names(&self) -> Vec<String> {
        let ids = column(self.backends.iter().map(|it| it.name.id.clone()).collect());
        let kinds = self.backends.iter().map(|it| kind(&it.name));
        column(ids.iter().zip(kinds).map(|(id, kind)| format!("{id}  {kind}")).collect())
    }

    fn lines(&self, room: usize, now: Timestamp) -> Vec<Line> {
        let lines = self.backends.iter().zip(self.names());
        if self.backends.len() <= room.min(MOST_BACKENDS) {
            return lines.map(|(it, name)| it.line(&name, now)).collect();
        }
        let open = lines.filter(|(it, _)| it.answer.is_none());
        let read = self.backends.len() - self.open().count();
        let mut count = format!("{read} of {} read", count(self.total, "backend"));
        if self.failed > 0 {
            count += &format!(", {} failed", self.failed);
        }
        let shown = open.take(room - 1).map(|(it, name)| it.line(&name, now));
        shown.chain([Line::default().add(count)]).collect()
    }

    fn open(&self) -> impl Iterator<Item = &Asked> {
        self.backends.iter().filter(|it| it.answer.is_none())
    }

    fn waiting(&self, now: Timestamp) -> Option<String> {
        let longest = self.open().min_by_key(|it| it.since)?;
        let others = match self.open().count() - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let time = elapsed(ms(longest.since, now));
        Some(format!(
            "Still reading backend `{}`{others}, for {time}.",
            printable(&longest.name.id)
        ))
    }
}

impl Asked {
    fn line(&self, name: &str, now: Timestamp) -> Line {
        let line = Line::default().add(name);
        match &self.answer {
            Some(answer) => line.add(format!("  {answer}")),
            None => line.styled(Style::Dim, format!("  reading, {}", elapsed(ms(self.since, now)))),
        }
    }
}

fn kind(name: &BackendName) -> String {
    let simulated = if name.simulated { " (simulated)" } else { "" };
    let shown = name.display_name.as_deref().map(|it| format!(" \"{it}\"")).unwrap_or_default();
    format!("{}{shown}{simulated}", name.kind)
}

/// Makes texts equally wide.
fn column(texts: Vec<String>) -> Vec<String> {
    let cut: Vec<(String, usize)> = texts.iter().map(|it| cut(it, WIDEST_NAME)).collect();
    let widest = cut.iter().map(|(_, width)| *width).max().unwrap_or_default();
    cut.into_iter().map(|(text, width)| text + &" ".repeat(widest - width)).collect()
}

impl Apply {
    /// Learns of an event, and returns whether it is time to say how many steps have ended.
    fn learn(&mut self, event: &Event, now: Timestamp) -> bool {
        match event {
            Event::StepStarted { step } => {
                self.open.push((step.clone(), now));
                false
            }
            Event::StepDone { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepNotStarted { step } => {
                self.open.retain(|(open, _)| open != step);
                self.ended += 1;
                self.ended - self.told >= self.steps.div_ceil(10)
            }
            _ => false,
        }
    }

    /// Returns the steps that end in a second; none before a second is over, and for less than one.
    fn rate(&self, now: Timestamp) -> Option<u64> {
        let ms = ms(self.began, now);
        let rate = (ms >= 1_000).then(|| self.ended as u64 * 1_000 / ms);
        rate.filter(|rate| *rate > 0)
    }

    fn lines(&self, window: Window, unicode: bool, now: Timestamp) -> Vec<Line> {
        let mut lines = vec![self.bar(window.room(), unicode, now)];
        let room = window.lines().saturating_sub(1).min(3);
        let shown = self.open.iter().take(room).map(|(step, since)| {
            let line = Line::default().add(format!("  {}", under_way(step)));
            match ms(*since, now) {
                WORTH_A_TIME_MS.. => {
                    line.styled(Style::Dim, format!(", {}", elapsed(ms(*since, now))))
                }
                _ => line,
            }
        });
        lines.extend(shown);
        lines
    }

    /// Draws the bar, if there is room for one beside the numbers.
    fn bar(&self, room: usize, unicode: bool, now: Timestamp) -> Line {
        let (steps, ended) = (self.steps, self.ended.min(self.steps));
        let digits = steps.to_string().len();
        let mut numbers = format!("{ended:>digits$}/{steps}");
        if let Some(rate) = self.rate(now) {
            numbers += &format!("  {rate}/s");
        }
        let head = "Applying ";
        let bar = room.saturating_sub(head.len() + numbers.len() + 3).min(40);
        if bar < 8 {
            return Line::default().add(numbers);
        }
        let full = ended * bar / steps.max(1);
        let (done, rest) = if unicode { ("━", "─") } else { ("#", ".") };
        Line::default()
            .add(head)
            .styled(Style::Add, done.repeat(full))
            .styled(Style::Dim, rest.repeat(bar - full))
            .add(format!("  {numbers}"))
    }

    fn waiting(&mut self, now: Timestamp) -> String {
        self.told = self.ended;
        let steps = count(self.steps, "step");
        let rate = self.rate(now).map(|rate| format!(", {rate} per second")).unwrap_or_default();
        let text = format!("{} of {steps} ended{rate}", self.ended);
        match self.open.first().map(|(step, since)| (step, ms(*since, now))) {
            Some((step, long @ SILENCE_MS..)) => {
                format!("{text}; {} for {}", under_way(step), elapsed(long))
            }
            _ => text,
        }
    }
}

fn ms(since: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(since).as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use crate::event::{BackendName, Event, StepName, Work};
    use crate::render::Paint;
    use crate::ui::live::{Live, Window};
    use crate::ui::progress::{Mode, Progress};

    fn at(ms: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms)
    }

    fn backend(id: &str) -> BackendName {
        let (kind, display_name) = ("local".to_owned(), None);
        BackendName { id: id.to_owned(), kind, display_name, simulated: true }
    }

    fn read(id: &str) -> Event {
        Event::BackendRead { backend: backend(id), interfaces: 3, peers: 41, elapsed_ms: 200 }
    }

    fn failed(id: &str) -> Event {
        let (reason, hints) = ("no such host".to_owned(), Vec::new());
        Event::BackendFailed { backend: backend(id), reason, hints, elapsed_ms: 0 }
    }

    fn step(number: usize) -> StepName {
        let subject = format!("peer.laptop_{number}");
        StepName { subject, backend: Some("hq".to_owned()), work: Work::Create }
    }

    fn shown(progress: &Progress, columns: usize, rows: usize, ms: i64) -> String {
        let window = Window { columns: Some(columns), rows: Some(rows), is_ours: true };
        let lines = progress.lines(window, true, at(ms));
        Live::default().draw(&lines, window, Paint::PLAIN)
    }

    fn refreshing(mode: Mode, ids: &[&str]) -> Progress {
        let mut progress = Progress::new(mode);
        progress.take(&Event::RefreshStarted { backends: ids.len() }, at(0));
        for id in ids {
            progress.take(&Event::BackendAsked { backend: backend(id) }, at(0));
        }
        progress
    }

    fn applying(mode: Mode, steps: usize) -> Progress {
        let mut progress = Progress::new(mode);
        progress.take(&Event::ApplyStarted { steps }, at(0));
        progress
    }

    /// Does steps one after the other, a millisecond each, and returns what is said.
    fn done(progress: &mut Progress, numbers: std::ops::Range<usize>) -> Vec<String> {
        let mut said = Vec::new();
        for number in numbers {
            let now = at(i64::try_from(number).unwrap());
            said.extend(progress.take(&Event::StepStarted { step: step(number) }, now));
            said.extend(progress.take(&Event::StepDone { step: step(number), elapsed_ms: 1 }, now));
        }
        said
    }

    #[test]
    fn a_terminal_shows_a_line_for_each_backend_and_leaves_them() {
        let mut progress = refreshing(Mode::Live, &["hq", "日本", "branch"]);
        assert_eq!(progress.take(&read("日本"), at(200)), None);
        assert_eq!(
            progress.take(&failed("branch"), at(200)).unwrap(),
            "Could not read backend `branch` (simulated): no such host."
        );
        assert_eq!(
            shown(&progress, 80, 24, 1_200),
            "hq    local (simulated)  reading, 1.2 s\n\
             日本  local (simulated)  3 interfaces, 41 peers, 200 ms\n"
        );
        progress.take(&read("hq"), at(200));
        let ended = Event::RefreshEnded { read: 2, failed: 1, elapsed_ms: 300 };
        assert_eq!(
            progress.take(&ended, at(300)).unwrap(),
            "hq    local (simulated)  3 interfaces, 41 peers, 200 ms\n\
             日本  local (simulated)  3 interfaces, 41 peers, 200 ms\n"
        );
        assert_eq!(shown(&progress, 80, 24, 400), "");
    }

    #[test]
    fn fifty_backends_do_not_scroll_a_terminal() {
        let ids: Vec<String> = (0..50).map(|number| format!("b{number}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut progress = refreshing(Mode::Live, &ids);
        ids[..44].iter().for_each(|id| _ = progress.take(&read(id), at(100)));
        progress.take(&failed("b44"), at(100));
        assert_eq!(
            shown(&progress, 80, 24, 100),
            "b45  local (simulated)  reading, 100 ms\n\
             b46  local (simulated)  reading, 100 ms\n\
             b47  local (simulated)  reading, 100 ms\n\
             b48  local (simulated)  reading, 100 ms\n\
             b49  local (simulated)  reading, 100 ms\n\
             44 of 50 backends read, 1 failed\n"
        );
        assert_eq!(shown(&progress, 80, 3, 100).lines().count(), 2);
        assert_eq!(shown(&progress, 80, 1, 100), "44 of 50 backends read, 1 failed\n");
        let ended = Event::RefreshEnded { read: 44, failed: 6, elapsed_ms: 2_000 };
        assert_eq!(
            progress.take(&ended, at(2_000)).unwrap(),
            "Refreshed 44 backends: 132 interfaces, 1804 peers, 2.0 s."
        );
    }

    #[test]
    fn a_terminal_shows_a_bar_a_rate_and_what_is_under_way() {
        let mut progress = applying(Mode::Live, 80);
        assert_eq!(done(&mut progress, 0..40), [""; 0]);
        progress.take(&Event::StepStarted { step: step(40) }, at(1_000));
        assert_eq!(
            shown(&progress, 60, 24, 2_000),
            "Applying ━━━━━━━━━━━━━━━━━━──────────────────  40/80  20/s\n  \
               peer.laptop_40 on hq: creating, 1.0 s\n"
        );
        assert_eq!(shown(&progress, 20, 24, 2_000), "40/80  20/s\n  peer.laptop_40 on\n");
        assert_eq!(shown(&progress, 5, 2, 2_000), "40/8\n");
        assert_eq!(shown(&progress, 0, 0, 500).lines().count(), 2, "it knows no size");
        let failed = Event::StepFailed {
            step: step(40),
            reason: "no route".to_owned(),
            hints: Vec::new(),
            elapsed_ms: 1,
        };
        assert_eq!(progress.take(&failed, at(2_000)).unwrap(), "peer.laptop_40: failed: no route");
        let ended = Event::ApplyEnded {
            done: 40,
            failed: 1,
            skipped: 39,
            not_started: 0,
            elapsed_ms: 3_000,
        };
        assert_eq!(
            progress.take(&ended, at(3_000)).unwrap(),
            "40 of 80 steps done, 1 failed, 39 skipped in 3.0 s."
        );
        assert_eq!(shown(&progress, 60, 24, 3_000), "");
    }

    #[test]
    fn a_pipe_gets_a_line_for_each_backend_and_step() {
        let mut progress = refreshing(Mode::Plain, &["hq"]);
        assert_eq!(
            progress.take(&read("hq"), at(200)).unwrap(),
            "Refreshed backend `hq` (simulated): 3 interfaces, 41 peers, 200 ms."
        );
        let ended = Event::RefreshEnded { read: 1, failed: 0, elapsed_ms: 300 };
        assert_eq!(progress.take(&ended, at(300)), None);
        let mut progress = applying(Mode::Plain, 500);
        assert_eq!(done(&mut progress, 0..500).len(), 500);
        assert_eq!(done(&mut applying(Mode::Plain, 2), 0..1), ["peer.laptop_0: created"]);
    }

    #[test]
    fn a_pipe_gets_ten_lines_for_ten_thousand_steps() {
        let said = done(&mut applying(Mode::Plain, 10_000), 0..10_000);
        assert_eq!(said.len(), 10);
        assert_eq!(said[0], "1000 of 10000 steps ended");
        assert_eq!(said[9], "10000 of 10000 steps ended, 1000 per second");
    }

    #[test]
    fn a_pipe_hears_of_a_run_that_takes_long() {
        let mut progress = refreshing(Mode::Plain, &["hq", "far"]);
        assert_eq!(progress.heartbeat(at(9_999)), None);
        assert_eq!(
            progress.heartbeat(at(10_000)).unwrap(),
            "Still reading backend `hq` and 1 more, for 10.0 s."
        );
        assert_eq!(progress.heartbeat(at(10_100)), None);
        let mut progress = applying(Mode::Plain, 10_000);
        done(&mut progress, 0..7);
        progress.take(&Event::StepStarted { step: step(7) }, at(1_000));
        assert_eq!(
            progress.heartbeat(at(12_000)).unwrap(),
            "7 of 10000 steps ended; peer.laptop_7 on hq: creating for 11.0 s"
        );
    }

    #[test]
    fn a_clock_that_is_set_back_harms_nothing() {
        let mut progress = applying(Mode::Live, 3);
        done(&mut progress, 1_000..1_001);
        assert!(shown(&progress, 80, 24, -50_000).contains("1/3\n"));
        assert_eq!(progress.heartbeat(at(-50_000)), None);
    }
}
