//! Standard output: in colour and with a line that changes on a terminal, plain elsewhere.

use super::ticker::Line;
use crate::clock::monotonic_now;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often progress is told where no line can change.
const PROGRESS_PLAIN: Duration = Duration::from_secs(3);
/// ANSI colours of scenes, in turn.
const SCENES: [&str; 6] = ["36", "35", "33", "34", "32", "31"];

/// Where the demo writes.
pub(super) struct Screen {
    terminal: bool,
    colours: bool,
    progress: bool,
    told: Instant,
    closed: bool,
    scenes: Vec<String>,
}

impl Screen {
    pub(super) fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        // https://no-color.org: any value but the empty one.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            terminal: terminal && !dumb,
            colours: terminal && !unwanted && !dumb,
            progress: false,
            told: monotonic_now(),
            closed: false,
            scenes: Vec::new(),
        }
    }

    /// Whether nobody reads any more.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// Writes a line for good.
    pub(super) fn line(&mut self, text: &str) {
        self.clear();
        self.write(&format!("{text}\n"));
    }

    /// Tells how far something is: in place on a terminal, now and then elsewhere.
    pub(super) fn progress(&mut self, text: &str) {
        if self.terminal {
            self.write(&format!("\r\x1b[K{text} …"));
            self.progress = true;
        } else if self.told.elapsed() >= PROGRESS_PLAIN {
            self.told = monotonic_now();
            self.write(&format!("{text} …\n"));
        }
    }

    /// Removes what [`Self::progress`] left.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.progress) {
            self.write("\r\x1b[K");
        }
    }

    /// Writes an action: on a terminal what happened above what was done about it, elsewhere in one line.
    pub(super) fn action(&mut self, line: &Line) {
        let Line {
            time,
            scene,
            story,
            rule,
            channel,
            text,
            took,
            waited: _,
        } = line;
        if !self.terminal {
            self.line(&format!(
                "{time}  {scene}  {story}  →  {rule} by {channel}: {text}  [{took}]"
            ));
            return;
        }
        let colour = self.colour_of(scene);
        let scene = self.paint(colour, &format!("{scene:<20}"));
        let took = self.paint("1;32", &format!("{took:>8}"));
        let way = self.paint("2", &format!("→ {channel:<18}"));
        let rule = self.paint("2", rule);
        let text = self.paint("1", text);
        self.line(&format!("{time}  {scene}  {story}"));
        self.line(&format!("{took}  {way}  {text}  {rule}"));
    }

    /// Writes a remark between the actions.
    pub(super) fn remark(&mut self, text: &str) {
        let text = self.paint("2", text);
        self.line(&format!("          {text}"));
    }

    /// Writes what the user should not miss.
    pub(super) fn notice(&mut self, text: &str) {
        let text = self.paint("1;33", text);
        self.line(&text);
    }

    /// Text in an ANSI style, where there are colours.
    pub(super) fn paint(&self, style: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn colour_of(&mut self, scene: &str) -> &'static str {
        let known = self.scenes.iter().position(|known| known == scene);
        let at = known.unwrap_or_else(|| {
            self.scenes.push(scene.to_owned());
            self.scenes.len() - 1
        });
        SCENES[at % SCENES.len()]
    }

    fn write(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        self.closed |= written.is_err();
    }
}
