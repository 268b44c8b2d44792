//! The template folder of a running daemon: loaded at the start, and again when somebody saves or sends SIGHUP.
//!
//! All or nothing: a folder that fails its check is told of and changes nothing, the last good set goes on working. That
//! one is in the database, so that a start with a broken folder has it too.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::calendar::Instant;
use crate::store::Store;
use crate::telemetry::{Heartbeat, Supervisor};
use crate::templates::{
    CHECK_TIMEOUT, CurrentTemplates, Report, Shop, Source, TemplateError, TemplateSet, load_within,
};
use crate::wiring;

/// How often the folder is looked at; what was saved must have stood as long.
const LOOK: Duration = Duration::from_secs(1);
/// Findings that are logged at one time.
const LOGGED: usize = 20;
/// Files that are looked at; a set has a few dozen.
const FILES: usize = 2000;

/// The topic of what the service manager is told.
const TOPIC: &str = "templates";

/// The folder, and where its set goes.
pub(super) struct Templates {
    folder: PathBuf,
    shop: Shop,
    store: Store,
    clock: Clock,
    supervisor: Supervisor,
    pub current: CurrentTemplates,
    seen: Vec<Stamp>,
}

/// What tells a saved file from the one before.
type Stamp = (PathBuf, u64, Option<SystemTime>);

impl Templates {
    /// Loads the configuration's set; where its folder is broken, the last good one.
    ///
    /// # Errors
    /// With file, line and column if the folder is broken and no set of it ever passed.
    pub async fn open(
        config: &Config,
        store: Store,
        clock: Clock,
        supervisor: Supervisor,
    ) -> anyhow::Result<Self> {
        let (folder, shop) = (config.templates.clone(), wiring::shop(config));
        let seen = look(folder.clone()).await?;
        let source = wiring::template_source(config);
        let report = load(source.clone(), shop.clone()).await?;
        log(&report, &folder);
        let set = match report.into_set() {
            Ok(set) => {
                tracing::info!(from = %source, set = set.hash(), "templates loaded");
                store.note_template_fault(None).await?;
                if let Source::Folder(_) = source {
                    store.keep_template_set(set.hash(), set.files(), clock.now()).await?;
                }
                set
            }
            Err(error) => {
                let Some((passed, set)) = last_good(&store, &shop).await? else {
                    return Err(error).with_context(|| format!("the templates in {}", folder.display()));
                };
                tracing::error!(%passed, set = set.hash(),
                    "the templates are broken; the last set that passed is used");
                store.note_template_fault(Some(&error.to_string())).await?;
                supervisor.status(TOPIC, &broken(&error));
                set
            }
        };
        Ok(Self { folder, shop, store, clock, supervisor, current: CurrentTemplates::new(set), seen })
    }

    /// Loads the folder again when it has changed and stood still, and at once on a `hangup`; until `stop`.
    pub async fn watch(mut self, mut hangup: Signal, heartbeat: Heartbeat, stop: CancellationToken) {
        let mut pending = None;
        loop {
            heartbeat.heartbeat();
            let asked = tokio::select! {
                _ = hangup.recv() => true,
                () = tokio::time::sleep(LOOK) => false,
                () = stop.cancelled() => return,
            };
            let Ok(found) = look(self.folder.clone()).await else { continue };
            if found.is_empty() && self.seen.is_empty() {
                continue; // there is no folder, and was none
            }
            if !asked && (found == self.seen || pending.as_ref() != Some(&found)) {
                // An editor may still be at it.
                pending = Some(found).filter(|found| *found != self.seen);
                continue;
            }
            (self.seen, pending) = (found, None);
            if let Err(error) = self.reload().await {
                tracing::error!(%error, "the templates could not be loaded again");
            }
        }
    }

    async fn reload(&self) -> anyhow::Result<()> {
        // A folder that is gone is broken: what it held goes on working.
        let report = load(Source::Folder(self.folder.clone()), self.shop.clone()).await?;
        log(&report, &self.folder);
        match report.into_set() {
            Ok(set) if set.hash() == self.current.get().hash() => {
                self.store.note_template_fault(None).await?;
                self.supervisor.status(TOPIC, "");
            }
            Ok(set) => {
                self.store.keep_template_set(set.hash(), set.files(), self.clock.now()).await?;
                tracing::info!(set = set.hash(), "templates loaded; mails are written with them from now on");
                self.current.set(set);
                self.store.note_template_fault(None).await?;
                self.supervisor.status(TOPIC, "");
            }
            Err(error) => {
                tracing::error!(folder = %self.folder.display(),
                    "the templates are broken; the set in use stays");
                self.store.note_template_fault(Some(&error.to_string())).await?;
                self.supervisor.status(TOPIC, &broken(&error));
            }
        }
        Ok(())
    }
}

/// The set kept in the database and when it passed, if it does so still: this shipby may be a newer one.
async fn last_good(store: &Store, shop: &Shop) -> anyhow::Result<Option<(Instant, TemplateSet)>> {
    let Some(kept) = store.last_template_set().await? else { return Ok(None) };
    let report = load(Source::Kept(kept.files), shop.clone()).await?;
    Ok(report.into_set().ok().map(|set| (kept.kept_at, set)))
}

fn broken(error: &TemplateError) -> String {
    format!("templates broken, the last good set is used: {error}")
}

async fn load(source: Source, shop: Shop) -> anyhow::Result<Report> {
    Ok(tokio::task::spawn_blocking(move || load_within(CHECK_TIMEOUT, source, Some(shop))).await?)
}

fn log(report: &Report, folder: &Path) {
    for finding in report.findings.iter().take(LOGGED) {
        let place = folder.join(finding.to_string());
        match finding.severity {
            crate::templates::Severity::Error => tracing::error!("{}", place.display()),
            crate::templates::Severity::Warning => tracing::warn!("{}", place.display()),
        }
    }
    if report.findings.len() > LOGGED {
        tracing::warn!(more = report.findings.len() - LOGGED, "see `shipby template check` for the others");
    }
}

async fn look(folder: PathBuf) -> anyhow::Result<Vec<Stamp>> {
    Ok(tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        stamps(&folder, 3, &mut found);
        found.sort();
        found
    })
    .await?)
}

/// Every file below `folder`, three folders deep: language, kind, part. Links are not followed.
fn stamps(folder: &Path, depth: u8, found: &mut Vec<Stamp>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        if found.len() >= FILES {
            return;
        }
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue; // what an editor keeps beside its file
        }
        if meta.is_dir() && depth > 1 {
            stamps(&entry.path(), depth - 1, found);
        }
        found.push((entry.path(), meta.len(), meta.modified().ok()));
    }
}
