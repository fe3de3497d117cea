//! The configuration tables as the rules that the pure code works by.

use super::cursor::stream;
use super::tables::Words;
use super::watch::Watched;
use super::{source, spi, transaction};
use crate::error::Error;
use crate::graph::rules::{DeviceType, IdentifierType, Joins, Role, Rules, Sharing};
use crate::graph::weight::Decay;
use crate::identifier::{BlockList, Normalizer, Region};
use crate::matching::nickname::Nicknames;
use crate::matching::text::fold;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::{pg_guard, pg_sys};
use rustc_hash::FxHashMap;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// The configuration in force, and what beside the rules is read with it.
pub struct Configuration {
    pub rules: Rules,
    pub words: Words,
    /// Rejections that are shown for each source.
    pub rejections_kept: usize,
    /// Nicknames, read when they are first asked for.
    nicknames: OnceCell<Arc<Nicknames>>,
    /// The relations whose rows triggers have shown, by oid.
    watched: RefCell<FxHashMap<pg_sys::Oid, Rc<Watched>>>,
}

impl Configuration {
    /// How else given names are written.
    pub fn nicknames(&self) -> Arc<Nicknames> {
        let nicknames =
            self.nicknames.get_or_init(|| Arc::new(transaction::with_latest_snapshot(read_nicknames)));
        Arc::clone(nicknames)
    }

    /// What reads the rows of a relation; `None` if no source is about it.
    pub fn watched(&self, oid: pg_sys::Oid) -> Result<Option<Rc<Watched>>, Error> {
        if let Some(known) = self.watched.borrow().get(&oid) {
            return Ok(Some(Rc::clone(known)));
        }
        loop {
            let generation = RELATIONS.get();
            let watched = transaction::with_latest_snapshot(|| Watched::new(self, oid))?.map(Rc::new);
            // What was altered while it was looked at must be looked at again.
            if generation == RELATIONS.get() {
                self.watched.borrow_mut().extend(watched.iter().map(|known| (oid, Rc::clone(known))));
                return Ok(watched);
            }
        }
    }

    /// What reads the rows of the source of this number; `None` if there is none.
    pub fn watched_source(&self, number: u32) -> Result<Option<Rc<Watched>>, Error> {
        match transaction::with_latest_snapshot(|| source::of_number(number))? {
            Some(source) => self.watched(source.oid),
            None => Ok(None),
        }
    }
}

const SIGNAL_TABLE: &str = "setting";

thread_local! {
    static CACHE: RefCell<Option<Rc<Configuration>>> = const { RefCell::new(None) };
    /// Counts changes of the configuration.
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    /// Counts changes of any relation.
    static RELATIONS: Cell<u64> = const { Cell::new(0) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    /// The table whose invalidation says that the configuration has changed.
    static SIGNAL: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
}

/// The configuration, read again after any session has changed it.
pub fn current() -> Result<Rc<Configuration>, Error> {
    if let Some(known) = CACHE.with_borrow(Clone::clone) {
        return Ok(known);
    }
    if !LISTENING.replace(true) {
        // SAFETY: registers, once for this backend, a function that lives as long as it.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), pg_sys::Datum::null()) };
    }
    SIGNAL.set(transaction::relation(SIGNAL_TABLE));
    loop {
        let generation = GENERATION.get();
        let read = Rc::new(transaction::with_latest_snapshot(read)?);
        // What was changed while it was read must be read again.
        if generation == GENERATION.get() {
            CACHE.set(Some(Rc::clone(&read)));
            return Ok(read);
        }
    }
}

/// Checks the configuration that a statement has just written, and makes every session read it.
pub fn changed() -> Result<(), Error> {
    CACHE.set(None);
    transaction::with_snapshot(read)?;
    // SAFETY: sends an invalidation of a table of ours when the transaction commits.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(transaction::relation(SIGNAL_TABLE)) };
    Ok(())
}

/// Called when the definition of a table changes (`InvalidOid`: of any), or when `changed` says so.
#[pg_guard]
unsafe extern "C-unwind" fn forget(_arg: pg_sys::Datum, relation: pg_sys::Oid) {
    RELATIONS.set(RELATIONS.get() + 1);
    let everything = relation == pg_sys::InvalidOid || relation == SIGNAL.get();
    if everything {
        GENERATION.set(GENERATION.get() + 1);
    }
    CACHE.with(|cache| {
        let Ok(mut cache) = cache.try_borrow_mut() else { return };
        if everything {
            *cache = None;
        } else if let Some(Ok(mut watched)) = cache.as_ref().map(|cache| cache.watched.try_borrow_mut())
        {
            watched.retain(|_, known| !known.lineage.contains(&relation));
        }
    });
}

fn read() -> Result<Configuration, Error> {
    let setting = spi::one(
        "SELECT extract(epoch FROM half_life)::float8 / 86400, region, rejections_kept
         FROM identity_resolve.setting",
        &[],
        |row| (row.float8(0), row.text(1).map(str::to_owned), row.int4(2)),
    );
    let Some((Some(half_life), region, Some(rejections_kept))) = setting else {
        return Err(Error::Configuration {
            table: "setting",
            cause: "it has no row".into(),
            hint: "INSERT INTO identity_resolve.setting DEFAULT VALUES;",
        });
    };
    let region = match region {
        Some(code) => Some(Region::parse(&code).ok_or(Error::UnknownRegion(code))?),
        None => None,
    };
    let blocked = spi::all("SELECT type, pattern FROM identity_resolve.blocked_value", &[], |row| {
        (row.text(0).map(str::to_owned), row.text(1).unwrap_or_default().to_owned())
    });
    let mut certified_issuers =
        spi::all("SELECT issuer FROM identity_resolve.identity_provider WHERE certified", &[], |row| {
            row.text(0).unwrap_or_default().to_owned()
        });
    certified_issuers.sort_unstable();
    let rules = Rules {
        types: identifier_types(None)?,
        device_types: device_types(None)?,
        decay: Decay::new(half_life),
        blocked: Arc::new(BlockList::new(blocked)?),
        certified_issuers,
        region,
    };
    Ok(Configuration {
        rules,
        words: Words::read(),
        rejections_kept: rejections_kept as usize,
        nicknames: OnceCell::new(),
        watched: RefCell::default(),
    })
}

fn read_nicknames() -> Nicknames {
    let mut nicknames = Nicknames::default();
    stream("SELECT name, nickname FROM identity_resolve.nickname", &[], |row| {
        if let (Some(name), Some(nickname)) = (row.text(0), row.text(1)) {
            nicknames.add(&fold(name), &fold(nickname));
        }
    });
    nicknames
}

/// Days since 1970 before which something that expires after `expires_after` is expired. (A join
/// would look so costly to the planner, which knows nothing of small tables, that it compiles it.)
const EXPIRED_BEFORE: &str =
    "(coalesce($1, (SELECT expired_as_of FROM identity_resolve.setting)) AT TIME ZONE 'UTC'
     - t.expires_after)::date - '1970-01-01'::date";

/// These rules, as of another time than the last sweep's.
pub fn rules_as_of(rules: &Rules, as_of: TimestampWithTimeZone) -> Result<Rules, Error> {
    let newer = Rules {
        types: identifier_types(Some(as_of))?,
        device_types: device_types(Some(as_of))?,
        ..rules.clone()
    };
    Ok(rules.as_of(&newer))
}

fn identifier_types(as_of: Option<TimestampWithTimeZone>) -> Result<Vec<IdentifierType>, Error> {
    let query = format!(
        "SELECT t.name, t.role, t.normalizer, t.joins, t.max_per_profile, t.max_links,
                t.owner_share, t.priority, {EXPIRED_BEFORE}
         FROM identity_resolve.identifier_type AS t
         ORDER BY t.name COLLATE \"C\""
    );
    let types = spi::all(&query, &[as_of.into()], |row| {
        let name = row.text(0).unwrap_or_default().to_owned();
        let normalizer = row.text(2).unwrap_or_default();
        Ok(IdentifierType {
            role: row.text(1).and_then(Role::parse).ok_or_else(|| unknown_word("identifier_type", &name, "role"))?,
            normalizer: Normalizer::parse(normalizer).ok_or_else(|| Error::Configuration {
                table: "identifier_type",
                cause: format!("type \"{name}\" has the unknown normalizer \"{normalizer}\""),
                hint: "Known are email, email_provider, phone, openid, digits, uuid, url, ip, mac, lower and exact.",
            })?,
            joins: row.text(3).and_then(Joins::parse).ok_or_else(|| unknown_word("identifier_type", &name, "joins"))?,
            max_per_profile: row.int4(4).map(|max| max as u32),
            max_links: row.int4(5).map(|max| max as u32),
            owner_share: row.float8(6),
            priority: row.int4(7).unwrap_or(i32::MAX),
            expired_before: row.int4(8),
            name,
        })
    });
    types.into_iter().collect()
}

fn device_types(as_of: Option<TimestampWithTimeZone>) -> Result<Vec<DeviceType>, Error> {
    let query = format!(
        "SELECT t.name, t.sharing, t.owner_share, {EXPIRED_BEFORE}
         FROM identity_resolve.device_type AS t"
    );
    let types = spi::all(&query, &[as_of.into()], |row| {
        let name = row.text(0).unwrap_or_default().to_owned();
        Ok(DeviceType {
            sharing: row
                .text(1)
                .and_then(Sharing::parse)
                .ok_or_else(|| unknown_word("device_type", &name, "sharing"))?,
            owner_share: row.float8(2),
            expired_before: row.int4(3),
            name,
        })
    });
    types.into_iter().collect()
}

/// A CHECK allows a word that this version does not know.
fn unknown_word(table: &'static str, name: &str, column: &str) -> Error {
    Error::Configuration {
        table,
        cause: format!("\"{name}\" has an unknown {column}"),
        hint: "Update the extension's library and run ALTER EXTENSION identity_resolve UPDATE;",
    }
}
