//! Rows of the extension's own tables, found by key and written without a query.
//!
//! A sighting touches some ten rows. To start a query for each, even a prepared one, takes longer
//! than everything else that is done with them.

use super::cursor::Row;
use super::transaction;
use crate::error::Error;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Datum};
use pgrx::{IntoDatum, JsonB, PgList, PgLogLevel, PgMemoryContexts};
use serde_json::Value as Json;
use std::ffi::c_void;
use std::ptr;
use uuid::Uuid;

/// Where a row version stands.
pub type Place = pg_sys::ItemPointerData;

/// A value to look for, or to write.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Null,
    Int8(i64),
    Int4(i32),
    Bool(bool),
    Float8(f64),
    Text(&'a str),
    Bytea(&'a [u8]),
    Uuid(Uuid),
    Oid(pg_sys::Oid),
    Texts(&'a [&'a str]),
    /// Of type jsonb.
    Json(&'a Json),
}

impl Value<'_> {
    /// Null in the place of nothing.
    pub fn or_null(value: Option<Self>) -> Self {
        value.unwrap_or(Value::Null)
    }

    /// Its datum, in the current memory context.
    fn datum(self) -> Datum {
        match self {
            Value::Null => Datum::null(),
            Value::Int8(value) => Datum::from(value),
            Value::Int4(value) => Datum::from(value),
            Value::Bool(value) => Datum::from(value),
            Value::Float8(value) => Datum::from(value.to_bits()),
            Value::Oid(value) => Datum::from(value),
            Value::Text(value) => varlena(value.as_bytes()),
            Value::Bytea(value) => varlena(value),
            Value::Texts(values) => values.to_vec().into_datum().unwrap_or(Datum::null()),
            Value::Json(value) => JsonB(value.clone()).into_datum().unwrap_or(Datum::null()),
            Value::Uuid(value) => {
                // SAFETY: writes 16 bytes into memory of that size.
                unsafe {
                    let bytes = pg_sys::palloc(16).cast::<[u8; 16]>();
                    bytes.write(*value.as_bytes());
                    Datum::from(bytes)
                }
            }
        }
    }

    /// The function by which an index finds it.
    fn equality(self) -> pg_sys::Oid {
        pg_sys::Oid::from(match self {
            Value::Int8(_) => 467,
            Value::Text(_) => 67,
            Value::Uuid(_) => 2956,
            Value::Int4(_) => 65,
            _ => 0,
        })
    }
}

fn varlena(bytes: &[u8]) -> Datum {
    // SAFETY: the bytes are copied into a new value of their length.
    unsafe { Datum::from(pg_sys::cstring_to_text_with_len(bytes.as_ptr().cast(), bytes.len() as i32)) }
}

/// A table of this extension, open until dropped; its lock is kept until the end of the transaction.
pub struct Table {
    relation: pg_sys::Relation,
    /// Its indexes, and what PostgreSQL knows of each.
    indexes: Vec<(pg_sys::Relation, *mut pg_sys::IndexInfo)>,
    /// What it takes to write; `None` if it was opened to read.
    writer: Option<Writer>,
    /// Where the row to be replaced stands; a row that was found.
    old: *mut pg_sys::TupleTableSlot,
    /// What datums are made in.
    scratch: pg_sys::MemoryContext,
}

/// What it takes to write to a table.
#[derive(Clone, Copy)]
struct Writer {
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    /// A row to write.
    new: *mut pg_sys::TupleTableSlot,
}

impl Table {
    /// Opens the table called `name` with the lock of a writer.
    pub fn open(name: &str) -> Self {
        // SAFETY: as the apply worker of logical replication prepares to write a table
        // (create_edata_for_relation): everything lives until `drop`, or, after an error, as long as
        // the transaction's memory. The arrays have the stated length.
        unsafe {
            let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
            let relation = pg_sys::table_open(transaction::relation(name), lock);
            let estate = pg_sys::CreateExecutorState();
            let result =
                pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            pg_sys::InitResultRelInfo(result, relation, 0, ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(result, false);
            if !(*result).ri_TrigDesc.is_null() {
                pg_sys::AfterTriggerBeginQuery();
            }
            let indexes = match (*result).ri_NumIndices as usize {
                0 => Vec::new(),
                count => {
                    let open = std::slice::from_raw_parts((*result).ri_IndexRelationDescs, count);
                    let infos = std::slice::from_raw_parts((*result).ri_IndexRelationInfo, count);
                    open.iter().copied().zip(infos.iter().copied()).collect()
                }
            };
            let new = pg_sys::table_slot_create(relation, ptr::null_mut());
            Self::of(relation, indexes, Some(Writer { estate, result, new }))
        }
    }

    /// Opens the table called `name` with the lock of a reader, whom nobody keeps waiting.
    pub fn open_to_read(name: &str) -> Self {
        // SAFETY: table and indexes are open until `drop`, or, after an error, the end of the
        // transaction.
        unsafe {
            let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
            let relation = pg_sys::table_open(transaction::relation(name), lock);
            let oids = PgList::<c_void>::from_pg(pg_sys::RelationGetIndexList(relation));
            let open = |oid| {
                let index = pg_sys::index_open(oid, lock);
                (index, pg_sys::BuildIndexInfo(index))
            };
            let indexes = oids.iter_oid().map(open).collect();
            Self::of(relation, indexes, None)
        }
    }

    /// # Safety
    /// All of it is open.
    unsafe fn of(
        relation: pg_sys::Relation,
        indexes: Vec<(pg_sys::Relation, *mut pg_sys::IndexInfo)>,
        writer: Option<Writer>,
    ) -> Self {
        // SAFETY: by contract.
        unsafe {
            let scratch = pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"identity_resolve row".as_ptr(),
                0,
                // Contexts of these sizes are kept by PostgreSQL for reuse.
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            let old = pg_sys::table_slot_create(relation, ptr::null_mut());
            Table { relation, indexes, writer, old, scratch }
        }
    }

    /// Whether nothing was ever written to it since it was last emptied.
    pub fn is_empty(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(self.relation, pg_sys::ForkNumber::MAIN_FORKNUM) == 0
        }
    }

    /// The index on exactly the columns of these numbers.
    fn index(&self, columns: &[i16]) -> pg_sys::Relation {
        // There may be others, that a DBA has made or that a REINDEX has left.
        let has = |(index, info): &&(pg_sys::Relation, *mut pg_sys::IndexInfo)| {
            // SAFETY: indexes are open as long as the table.
            unsafe {
                let key = (**index).rd_index;
                let count = (*key).indnkeyatts as usize;
                (*key).indisvalid
                    && (**info).ii_Am == pg_sys::BTREE_AM_OID
                    && (**info).ii_Predicate.is_null()
                    && (**info).ii_Expressions.is_null()
                    && (*key).indkey.values.as_slice(count) == columns
            }
        };
        self.indexes.iter().find(has).expect("the table has this index").0
    }

    /// What it takes to write.
    fn writer(&self) -> Writer {
        self.writer.expect("the table is open for writing")
    }

    /// Finds rows by the index on `columns` under the active snapshot; each search gives a value for
    /// the first of them, or for all. Shows each row found, and where it stands.
    pub fn find<'v>(
        &mut self,
        columns: &[i16],
        searches: impl IntoIterator<Item = [Value<'v>; 2]>,
        each: impl FnMut(&Row, Place),
    ) {
        self.find_some(columns, searches, usize::MAX, each);
    }

    /// The same, for the first `most` rows of each search, in the order of the index.
    pub fn find_some<'v>(
        &mut self,
        columns: &[i16],
        searches: impl IntoIterator<Item = [Value<'v>; 2]>,
        most: usize,
        mut each: impl FnMut(&Row, Place),
    ) {
        let index = self.index(columns);
        let mut searches = searches.into_iter().peekable();
        let Some(first) = searches.peek() else { return };
        let keys = first.iter().filter(|value| !matches!(value, Value::Null)).count();
        // SAFETY: table and index are open, the active snapshot outlives the scan, every search has
        // `keys` values, and rows are looked at before the next is fetched. Datums live in `scratch`
        // until their search is over.
        unsafe {
            let scan = pg_sys::index_beginscan(
                self.relation,
                index,
                pg_sys::GetActiveSnapshot(),
                keys as i32,
                0,
            );
            let mut scan_keys: [pg_sys::ScanKeyData; 2] = std::mem::zeroed();
            for search in searches {
                PgMemoryContexts::For(self.scratch).switch_to(|_| {
                    for (place, value) in search.iter().take(keys).enumerate() {
                        pg_sys::ScanKeyEntryInitialize(
                            &mut scan_keys[place],
                            0,
                            place as i16 + 1,
                            pg_sys::BTEqualStrategyNumber as u16,
                            pg_sys::InvalidOid,
                            *(*index).rd_indcollation.add(place),
                            value.equality(),
                            value.datum(),
                        );
                    }
                });
                pg_sys::index_rescan(scan, scan_keys.as_mut_ptr(), keys as i32, ptr::null_mut(), 0);
                let mut found = 0;
                while found < most
                    && pg_sys::index_getnext_slot(
                        scan,
                        pg_sys::ScanDirection::ForwardScanDirection,
                        self.old,
                    )
                {
                    self.show(&mut each);
                    found += 1;
                }
                pg_sys::MemoryContextReset(self.scratch);
                pgrx::check_for_interrupts!();
            }
            pg_sys::index_endscan(scan);
            clear(self.old);
        }
    }

    /// Shows each row that the active snapshot sees.
    pub fn scan(&mut self, mut each: impl FnMut(&Row)) {
        // SAFETY: the table is open, the active snapshot outlives the scan, and a row is looked at before
        // the next is fetched.
        unsafe {
            let snapshot = pg_sys::GetActiveSnapshot();
            let scan = pg_sys::table_beginscan(self.relation, snapshot, 0, ptr::null_mut());
            let mut seen = 0;
            while pg_sys::table_scan_getnextslot(
                scan,
                pg_sys::ScanDirection::ForwardScanDirection,
                self.old,
            ) {
                self.show(&mut |row, _| each(row));
                pg_sys::MemoryContextReset(self.scratch);
                seen += 1;
                if seen % transaction::PULSE == 0 {
                    pgrx::check_for_interrupts!();
                }
            }
            pg_sys::table_endscan(scan);
            clear(self.old);
        }
    }

    /// Shows the row in `old`. Under REPEATABLE READ and SERIALIZABLE, fails (40001) if the
    /// transaction does not see it: what is built on it would not fit what the transaction reads.
    ///
    /// # Safety
    /// `old` holds a row.
    unsafe fn show(&self, each: &mut impl FnMut(&Row, Place)) {
        // SAFETY: by contract; deforming fills as many values as there are columns.
        unsafe {
            if transaction::uses_one_snapshot()
                && !pg_sys::table_tuple_satisfies_snapshot(
                    self.relation,
                    self.old,
                    pg_sys::GetTransactionSnapshot(),
                )
            {
                ErrorReport::from(Error::Serialization).report(PgLogLevel::ERROR);
            }
            let columns = (*(*self.old).tts_tupleDescriptor).natts;
            pg_sys::slot_getsomeattrs_int(self.old, columns);
            let columns = columns as usize;
            let values = std::slice::from_raw_parts((*self.old).tts_values, columns);
            let nulls = std::slice::from_raw_parts((*self.old).tts_isnull, columns);
            PgMemoryContexts::For(self.scratch)
                .switch_to(|_| each(&Row::new(values, nulls), (*self.old).tts_tid));
        }
    }

    /// Inserts a row: a value for each column.
    pub fn insert(&mut self, row: &[Value]) {
        // SAFETY: the row fits the table.
        unsafe {
            let Writer { estate, result, new } = self.writer();
            self.fill(row);
            pg_sys::ExecSimpleRelationInsert(result, estate, new);
            self.forget_row();
        }
    }

    /// Replaces the row that stands at `place`.
    pub fn update(&mut self, place: Place, row: &[Value]) {
        // SAFETY: the row fits the table; a version stands at `place` that nobody else may change,
        // as its key is locked.
        unsafe {
            let Writer { estate, result, new } = self.writer();
            self.fill(row);
            let mut recheck = self.aim(place);
            pg_sys::ExecSimpleRelationUpdate(result, estate, &mut recheck, self.old, new);
            self.forget_row();
        }
    }

    /// Deletes the row that stands at `place`.
    pub fn delete(&mut self, place: Place) {
        // SAFETY: as in `update`.
        unsafe {
            let Writer { estate, result, .. } = self.writer();
            let mut recheck = self.aim(place);
            pg_sys::ExecSimpleRelationDelete(result, estate, &mut recheck, self.old);
            self.forget_row();
        }
    }

    /// Puts `row` into `new`.
    unsafe fn fill(&mut self, row: &[Value]) {
        // SAFETY: the slot has a place for each column, and `row` has no more. Its datums live until
        // `forget_row`.
        unsafe {
            let new = self.writer().new;
            clear(new);
            debug_assert_eq!((*(*new).tts_tupleDescriptor).natts as usize, row.len());
            PgMemoryContexts::For(self.scratch).switch_to(|_| {
                for (column, value) in row.iter().enumerate() {
                    *(*new).tts_isnull.add(column) = matches!(value, Value::Null);
                    *(*new).tts_values.add(column) = value.datum();
                }
            });
            pg_sys::ExecStoreVirtualTuple(new);
        }
    }

    /// Points `old` at a row to be replaced.
    unsafe fn aim(&mut self, place: Place) -> pg_sys::EPQState {
        // SAFETY: both are initialised as their functions want.
        unsafe {
            pg_sys::ExecStoreAllNullTuple(self.old);
            (*self.old).tts_tid = place;
            let mut recheck: pg_sys::EPQState = std::mem::zeroed();
            pg_sys::EvalPlanQualInit(
                &mut recheck,
                self.writer().estate,
                ptr::null_mut(),
                ptr::null_mut(),
                -1,
            );
            recheck
        }
    }

    /// Frees what one row took.
    unsafe fn forget_row(&mut self) {
        // SAFETY: nothing of the row is used any more.
        unsafe {
            let Writer { estate, new, .. } = self.writer();
            clear(new);
            clear(self.old);
            pg_sys::MemoryContextReset(self.scratch);
            let context = (*estate).es_per_tuple_exprcontext;
            if !context.is_null() {
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            }
        }
    }
}

/// Empties a slot.
unsafe fn clear(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: every kind of slot has this function.
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            clear(slot);
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // After an error the transaction's end cleans up.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: undoes what opened it; locks stay.
        unsafe {
            let keep = pg_sys::NoLock as pg_sys::LOCKMODE;
            pg_sys::ExecDropSingleTupleTableSlot(self.old);
            match self.writer {
                Some(Writer { estate, result, new }) => {
                    if !(*result).ri_TrigDesc.is_null() {
                        pg_sys::AfterTriggerEndQuery(estate);
                    }
                    pg_sys::ExecDropSingleTupleTableSlot(new);
                    pg_sys::ExecCloseIndices(result);
                    pg_sys::FreeExecutorState(estate);
                }
                None => self.indexes.iter().for_each(|&(index, _)| pg_sys::index_close(index, keep)),
            }
            pg_sys::MemoryContextDelete(self.scratch);
            pg_sys::table_close(self.relation, keep);
        }
    }
}
