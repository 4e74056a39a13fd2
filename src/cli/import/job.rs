//! One input on its way into the stream: from its bookmark to its end.

use super::Import;
use super::bookmark::{Bookmark, Tally, Undertaking, beside};
use super::check::{Checker, Notes, Refused};
use super::plan::{Plan, REJECTS};
use super::pump::{Done, Pump};
use super::records::{Place, Records};
use super::rejects::Rejects;
use super::telling::{Progress, Report, SHOWN_MAX, Shown, Standing};
use crate::clock::monotonic_now;
use crate::nats::{PatientPublisher, PublishError};
use anyhow::{Context as _, bail};
use std::cell::Cell;
use std::fs::{File, TryLockError};
use std::io::{Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often progress is written down.
const TICK: Duration = Duration::from_millis(500);
/// Batches between the thread that reads and the one that sends.
const BATCHES_MAX: usize = 16;
/// How long an interrupted import waits for what is on its way.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// The input's own files, and how far it has come.
pub(super) struct Job {
    plan: Plan,
    /// What a bookmark is about; none for standard input, and in a dry run.
    saved: Option<Saved>,
    rejects: Rejects,
    place: Place,
    begun_at: Place,
    tally: Tally,
    before: u64,
    size: Option<u64>,
    is_read: bool,
    shown: Vec<Shown>,
    /// Whether refused records are kept in a file; else each is shown.
    is_kept: bool,
    is_dry: bool,
    progress: Progress,
}

struct Saved {
    path: PathBuf,
    bookmark: Bookmark,
    /// Locked for as long as it is being imported.
    input: File,
}

impl Job {
    /// Finds out where to begin.
    pub(super) fn open(import: &Import, plan: Plan, stream: Option<&str>) -> anyhow::Result<Self> {
        let name = plan.name.clone();
        let saved = match (stream, &plan.path) {
            (Some(stream), Some(path)) => {
                let undertaking = Undertaking {
                    stream: stream.to_owned(),
                    options: plan.options.clone(),
                };
                let at = beside(&import.beside(path), ".onscene-import");
                Some(Saved::open(import, at, &undertaking, path).context(name.clone())?)
            }
            _ => None,
        };
        let bookmark = saved.as_ref().map(|saved| &saved.bookmark);
        let is_read = match &saved {
            Some(saved) => saved.bookmark.is_done(&saved.input)?,
            None => false,
        };
        let mut place = plan.start;
        if let Some(mark) = bookmark.filter(|mark| mark.offset > place.offset) {
            place = Place {
                offset: mark.offset,
                line: mark.line,
            };
        }
        let tally = bookmark.map(|mark| mark.tally.clone()).unwrap_or_default();
        let rejects = match (&import.rejects, &plan.path, stream) {
            (_, _, None) => None,
            (Some(path), _, _) => Some(path.clone()),
            (None, path, _) => path
                .as_ref()
                .map(|path| beside(&import.beside(path), REJECTS)),
        };
        let known = bookmark.filter(|mark| mark.rejects.is_some() && mark.rejects == rejects);
        // What an import that came to its end refused may have been mended in its place since.
        let known = known.map(|mark| match mark.complete {
            true => u64::MAX,
            false => mark.rejects_bytes,
        });
        let is_kept = rejects.is_some();
        let rejects = Rejects::open(rejects, plan.header.clone(), known)?;
        let mut job = Self {
            progress: Progress::new(&name),
            size: (plan.path.as_ref()).and_then(|path| Some(path.metadata().ok()?.len())),
            before: tally.records(),
            begun_at: place,
            is_read,
            shown: Vec::new(),
            saved,
            is_kept,
            is_dry: stream.is_none(),
            plan,
            rejects,
            place,
            tally,
        };
        // From now on a run that is cut short is known to have been there.
        job.save()?;
        Ok(job)
    }

    /// Whether there is nothing left of it.
    pub(super) fn is_done(&self) -> bool {
        self.is_read
    }

    /// What to say when it was done before.
    pub(super) fn already(self) -> Report {
        self.progress
            .say("it was imported to its end before; --restart imports it again, which changes nothing that is known");
        self.report(Notes::default())
    }

    /// Reads, checks and publishes until the end, or until `end` comes.
    pub(super) async fn run(
        mut self,
        checker: Checker,
        publisher: Option<&PatientPublisher>,
        speed: Speed,
        end: &mut (impl Future<Output = anyhow::Result<()>> + Unpin),
    ) -> anyhow::Result<Report> {
        if self.before > 0 {
            self.progress.say(&format!(
                "going on from line {}, after what was imported before",
                self.place.line
            ));
        }
        let records = self.records()?;
        let (to, mut from) = mpsc::channel(BATCHES_MAX);
        // Not a task: one that waits for standard input would keep the runtime from ending.
        let reader = std::thread::spawn(move || checker.read(records, &to));
        let is_waiting = Cell::new(false);
        let name = self.plan.name.clone();
        let waiting = |reason: &str| {
            if !is_waiting.replace(true) {
                eprintln!(
                    "{name}: NATS does not take events now ({reason}); waiting until it does"
                );
            }
        };
        let mut pump = Pump::new(publisher, &waiting, speed.in_flight_max, speed.rate);
        let mut tick = tokio::time::interval(TICK);
        let (mut is_closed, mut stop_at) = (false, None::<Instant>);
        loop {
            pump.launch();
            while let Some(done) = pump.next_done() {
                self.note(done)?;
            }
            let is_stopped = stop_at.is_some() && pump.in_flight() == 0;
            if is_stopped || is_closed && pump.is_empty() {
                break;
            }
            let (has_room, next_launch) = (pump.has_room(), pump.next_launch());
            let is_flying = pump.in_flight() > 0;
            tokio::select! {
                batch = from.recv(), if !is_closed && has_room => match batch {
                    Some(batch) => pump.take(batch),
                    None => is_closed = true,
                },
                landed = pump.landed(), if is_flying => {
                    self.landed(landed)?;
                    if is_waiting.replace(false) {
                        self.progress.say("NATS takes events again");
                    }
                }
                () = until(next_launch) => {}
                () = until(stop_at) => break,
                _ = tick.tick() => {
                    self.save()?;
                    self.tell();
                }
                ended = &mut *end, if stop_at.is_none() => {
                    ended?;
                    pump.stop();
                    is_closed = true;
                    stop_at = Some(monotonic_now() + LAST_WAIT);
                }
            }
        }
        self.finish(reader, stop_at.is_some())
    }

    fn finish(
        mut self,
        reader: std::thread::JoinHandle<std::io::Result<Notes>>,
        is_interrupted: bool,
    ) -> anyhow::Result<Report> {
        self.save()?;
        if is_interrupted {
            self.progress.say("interrupted");
            return Ok(self.report(Notes::default()));
        }
        let notes = match reader.join() {
            Ok(read) => read.with_context(|| format!("could not read {}", self.plan.name))?,
            Err(_) => bail!("reading {} came to a sudden end", self.plan.name),
        };
        Ok(self.report(notes))
    }

    fn landed(&mut self, landed: Result<(), PublishError>) -> anyhow::Result<()> {
        let Err(error) = landed else {
            return Ok(());
        };
        self.save()?;
        Err(error).with_context(|| {
            format!(
                "{}: an event behind line {} cannot be imported; everything before is",
                self.plan.name, self.place.line
            )
        })
    }

    /// The records that are left.
    fn records(&mut self) -> anyhow::Result<Records> {
        if let Some(records) = self.plan.records.take() {
            return Ok(records);
        }
        let path = self.plan.path.as_deref().unwrap_or("".as_ref());
        let read = || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(self.place.offset))?;
            Ok::<_, std::io::Error>(file)
        };
        let file = read().with_context(|| format!("could not read {}", self.plan.name))?;
        let (kind, delimiter) = (self.plan.kind, self.plan.delimiter);
        Ok(Records::new(Box::new(file), kind, delimiter, self.place))
    }

    /// A record is done with, and all before it.
    fn note(&mut self, done: Done) -> anyhow::Result<()> {
        match done {
            Done::Stored(behind) => {
                self.tally.imported += 1;
                self.place = behind;
            }
            Done::Refused(behind, refused) => {
                self.rejects.keep(&refused.raw)?;
                self.tally.refused += 1;
                let reason = refused.rejection.reason.word().to_owned();
                *self.tally.reasons.entry(reason).or_default() += 1;
                self.show(&refused);
                self.place = behind;
            }
            Done::End(behind) => {
                self.is_read = true;
                self.place = behind;
            }
        }
        Ok(())
    }

    /// Tells of the first refused records; of all, if they are kept nowhere.
    fn show(&mut self, refused: &Refused) {
        let is_first = self.shown.len() < SHOWN_MAX;
        if is_first || !self.is_kept && !self.is_dry {
            self.progress.refused(refused);
        }
        if is_first {
            self.shown.push(Shown::of(refused));
            let rest = match (self.is_kept, self.is_dry) {
                (true, _) => "further refused lines are counted and kept, not shown",
                (false, true) => "further refused lines are counted, not shown",
                (false, false) => return,
            };
            if self.shown.len() == SHOWN_MAX {
                self.progress.say(rest);
            }
        }
    }

    fn save(&mut self) -> anyhow::Result<()> {
        let rejects_bytes = self.rejects.flush()?;
        let Some(saved) = &mut self.saved else {
            return Ok(());
        };
        let mark = &mut saved.bookmark;
        (mark.offset, mark.line) = (self.place.offset, self.place.line);
        mark.tally = self.tally.clone();
        mark.rejects_bytes = rejects_bytes;
        mark.rejects = self.rejects.chosen().map(Into::into);
        mark.complete = self.is_read;
        mark.write(&saved.path, &saved.input)
    }

    fn tell(&mut self) {
        let standing = Standing {
            tally: &self.tally,
            before: self.before,
            bytes: self
                .size
                .map(|size| (self.begun_at.offset, self.place.offset, size)),
        };
        self.progress.tell(standing);
    }

    fn report(self, notes: Notes) -> Report {
        let took = self.progress.done();
        let mut report = Report::new(&self.plan.name, self.tally, self.before, took, notes);
        report.complete = self.is_read;
        report.rejects = (self.rejects.path()).map(|path| path.display().to_string());
        report.first_refused = self.shown;
        report
    }
}

impl Saved {
    /// Reads the bookmark, or begins one.
    fn open(
        import: &Import,
        path: PathBuf,
        undertaking: &Undertaking,
        input: &std::path::Path,
    ) -> anyhow::Result<Self> {
        let input = File::open(input)?;
        if let Err(TryLockError::WouldBlock) = input.try_lock() {
            bail!("another process is importing it");
        }
        let found = match Bookmark::read(&path) {
            // Whatever it says, it is of no use any more.
            Err(_) if import.restart => None,
            found => found?,
        };
        let bookmark = match found {
            Some(found) if !import.restart => {
                found.check(undertaking, &input)?;
                found
            }
            found => {
                let mut anew = Bookmark::begin(undertaking, &input)?;
                // What was refused then is refused anew.
                anew.rejects = found.and_then(|found| found.rejects);
                anew
            }
        };
        Ok(Self {
            path,
            bookmark,
            input,
        })
    }
}

/// How fast it may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speed {
    pub(super) in_flight_max: usize,
    /// Events a second.
    pub(super) rate: Option<u32>,
}

/// Waits until then; for ever without a time.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then.into()).await,
        None => std::future::pending().await,
    }
}
