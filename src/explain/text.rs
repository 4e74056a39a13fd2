//! An explanation as people read it.

use super::model::{CheckFacts, Conjunct, Explanation, Happened, RuleExplanation, WindowFacts};
use crate::action::Verdict;
use std::fmt::{self, Display, Formatter};

/// Items of one window that are shown; the JSON has all.
const ITEMS_SHOWN_MAX: usize = 20;

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let event = &self.event;
        writeln!(
            f,
            "{}: {} {} of {}",
            self.customer, event.kind, event.id, event.source
        )?;
        writeln!(f, "  happened  {}", event.time)?;
        writeln!(
            f,
            "  stored    {}, as event {}",
            event.stored_at, event.sequence
        )?;
        writeln!(f, "  decided   {}", event.decided_at)?;
        let state = &self.state;
        let begin = match (state.checkpoint, state.checkpoint_through) {
            (Some(number), Some(through)) => {
                format!("checkpoint {number}, up to event {through}")
            }
            _ => "the beginning of the streams".to_owned(),
        };
        writeln!(
            f,
            "  state     of partition {}, from {begin}; {} and {} since",
            state.partition,
            counted(state.events, "event", "events"),
            counted(state.log_entries, "entry of the log", "entries of the log"),
        )?;
        let used = &self.rules_used;
        let then = match &used.decided_by {
            None => "the log does not say which decided".to_owned(),
            Some(then) if *then == used.generation => "which decided".to_owned(),
            Some(then) => format!("BUT {then} DECIDED"),
        };
        writeln!(
            f,
            "  rules     generation {}, of {}; {then}",
            used.generation, used.from
        )?;
        for note in &self.notes {
            writeln!(f, "  note      {note}")?;
        }
        if self.rules.is_empty() {
            writeln!(f, "\nno rule listens to {}", event.kind)?;
        }
        for rule in &self.rules {
            write!(f, "\n{rule}")?;
        }
        Ok(())
    }
}

impl Display for RuleExplanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let verdict = self.verdict.as_deref().unwrap_or("not asked");
        write!(f, "{}: {verdict}", self.rule)?;
        if let Some(winner) = &self.winner {
            write!(f, ", {winner} won")?;
        }
        writeln!(f)?;
        if let Some(error) = &self.error {
            writeln!(f, "  failed: {error}")?;
        }
        if let Some(remark) = &self.remark {
            let word = if self.agrees { "note" } else { "DIFFERS" };
            writeln!(f, "  {word}: {remark}")?;
        }
        if !self.conjuncts.is_empty() {
            writeln!(f, "  when")?;
        }
        for part in &self.conjuncts {
            write!(f, "{part}")?;
        }
        // Where the condition said no, it is what people ask for.
        let ends_at_condition = self.verdict.as_deref() == Some(Verdict::Condition.word());
        let checks: &[CheckFacts] = if ends_at_condition { &[] } else { &self.checks };
        if !checks.is_empty() {
            writeln!(f, "  policy")?;
        }
        for check in checks {
            write!(f, "{check}")?;
        }
        if self.happened.is_empty() {
            return writeln!(f, "  log: nothing");
        }
        writeln!(f, "  log")?;
        for happened in &self.happened {
            write!(f, "{happened}")?;
        }
        Ok(())
    }
}

impl Display for Conjunct {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let held = match self.held {
            Some(true) => "yes",
            Some(false) => "no ",
            None => " ? ",
        };
        write!(f, "    {held}  {}", self.text)?;
        if let Some(saw) = self.saw.as_ref().filter(|saw| **saw != self.text) {
            write!(f, "   was {saw}")?;
        }
        if let Some(error) = &self.error {
            write!(f, "   {error}")?;
        }
        if self.decided {
            write!(f, "   <- ended here")?;
        }
        writeln!(f)?;
        for because in &self.because {
            writeln!(f, "         {because}")?;
        }
        for window in &self.windows {
            write!(f, "{window}")?;
        }
        Ok(())
    }
}

impl Display for WindowFacts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "         {} = {}", self.call, self.value)?;
        match self.items.len() {
            0 => write!(f, ": there is nothing")?,
            1 => write!(f, ": {} of 1 item", self.made_as)?,
            more => write!(f, ": {} of {more} items", self.made_as)?,
        }
        if self.trimmed {
            write!(f, "; it reaches over the edge of the journal")?;
        }
        writeln!(f)?;
        // The newest are what is asked for most.
        let hidden = self.items.len().saturating_sub(ITEMS_SHOWN_MAX);
        if hidden > 0 {
            writeln!(f, "           {hidden} earlier ones; --format json has all")?;
        }
        for item in &self.items[hidden..] {
            let mut words = vec![item.kind.as_str()];
            words.extend(item.phase.as_deref());
            words.extend(item.category.as_deref());
            writeln!(
                f,
                "           {}  {:>12}  {}  {}",
                item.time,
                item.part,
                item.id,
                words.join(" ")
            )?;
        }
        Ok(())
    }
}

impl Display for CheckFacts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let passed = if self.passed { "ok " } else { "no " };
        write!(f, "    {passed}  {}", self.name)?;
        for (at, (name, value)) in self.detail.iter().enumerate() {
            let separator = if at == 0 { "   " } else { ", " };
            match value.as_str() {
                Some(text) => write!(f, "{separator}{name} {text}")?,
                None => write!(f, "{separator}{name} {value}")?,
            }
        }
        writeln!(f)
    }
}

impl Display for Happened {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "    {}  {}", self.at, self.what)?;
        if let Some(channel) = &self.channel {
            write!(f, " by {channel}")?;
        }
        if let Some(step) = self.step.filter(|step| *step > 0) {
            write!(f, ", step {step}")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, " {detail}")?;
        }
        writeln!(f, "  {}", self.decision)
    }
}

fn counted(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    }
}
