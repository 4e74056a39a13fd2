//! Which of the many actions are shown: as many as one can read, and all scenes in turn.

/// One action, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Local time of day.
    pub(super) time: String,
    pub(super) scene: String,
    /// What happened, and to whom.
    pub(super) story: String,
    pub(super) rule: String,
    pub(super) channel: String,
    pub(super) text: String,
    /// From publishing to reception.
    pub(super) took: String,
    /// Whether it was waited for: a later step, or after a delay. Those are few.
    pub(super) waited: bool,
}

/// Keeps the newest line of each scene and hands them out in turn.
#[derive(Default)]
pub(super) struct Ticker {
    /// In the order in which the scenes came up.
    waiting: Vec<(String, Option<Line>)>,
    next: usize,
    passed_over: u64,
}

impl Ticker {
    /// A line that may be shown, unless a newer one of its scene comes first; one that was waited for
    /// gives way only to another such.
    pub(super) fn offer(&mut self, line: Line) {
        let slot = self.waiting.iter_mut().find(|(s, _)| *s == line.scene);
        match slot {
            None => self.waiting.push((line.scene.clone(), Some(line))),
            Some((_, Some(waiting))) if waiting.waited && !line.waited => self.passed_over += 1,
            Some((_, waiting)) => self.passed_over += u64::from(waiting.replace(line).is_some()),
        }
    }

    /// The line to show now, if there is any.
    pub(super) fn take(&mut self) -> Option<Line> {
        let count = self.waiting.len();
        let at = (0..count)
            .map(|step| (self.next + step) % count)
            .find(|at| self.waiting[*at].1.is_some())?;
        self.next = at + 1;
        self.waiting[at].1.take()
    }

    /// How many were not shown since the last call.
    pub(super) fn passed_over(&mut self) -> u64 {
        std::mem::take(&mut self.passed_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(scene: &str, story: &str) -> Line {
        let empty = String::new;
        Line {
            time: empty(),
            scene: scene.to_owned(),
            story: story.to_owned(),
            rule: empty(),
            channel: empty(),
            text: empty(),
            took: empty(),
            waited: false,
        }
    }

    #[test]
    fn what_was_waited_for_is_not_pushed_aside_by_what_happens_all_the_time() {
        let mut ticker = Ticker::default();
        ticker.offer(Line {
            waited: true,
            ..line("basket", "ten minutes ago")
        });
        ticker.offer(line("basket", "now"));
        let shown = ticker.take().map(|line| line.story);
        assert_eq!(shown.as_deref(), Some("ten minutes ago"));
        assert_eq!(ticker.passed_over(), 1);
    }

    #[test]
    fn a_rare_scene_is_shown_as_soon_as_a_frequent_one() {
        let mut ticker = Ticker::default();
        let mut shown = Vec::new();
        for round in 0..4 {
            for nth in 0..10 {
                ticker.offer(line("often", &format!("{round}.{nth}")));
            }
            if round == 1 {
                ticker.offer(line("rare", "once"));
            }
            shown.extend(ticker.take().map(|line| line.story));
        }
        assert_eq!(shown, ["0.9", "once", "2.9", "3.9"]);
        assert_eq!(ticker.passed_over(), 37);
        assert_eq!(ticker.passed_over(), 0);
        assert_eq!(ticker.take(), None);
    }
}
