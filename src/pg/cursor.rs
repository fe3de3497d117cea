//! Reading many rows: a cursor whose rows are looked at where they lie.
//!
//! pgrx copies each value into the transaction's memory and frees no batch before the end; for
//! two million rows that is 574 MB against none here.

use pgrx::datum::DatumWithOid;
use pgrx::{Spi, check_for_interrupts, pg_sys, varlena};
use std::ffi::CString;
use std::ptr;

/// Rows that are fetched at a time: between them a cancel is noticed.
const BATCH: i64 = 1000;

/// A row of a result, valid while it is looked at.
pub struct Row<'a> {
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
}

impl<'a> Row<'a> {
    /// A row of these values and null flags, one for each column.
    pub(super) fn new(values: &'a [pg_sys::Datum], nulls: &'a [bool]) -> Self {
        Row { values, nulls }
    }

    /// A column of type oid, or of an enum, whose values are oids.
    pub fn oid(&self, column: usize) -> Option<pg_sys::Oid> {
        self.datum(column).map(|datum| pg_sys::Oid::from(datum.value() as u32))
    }

    /// A column of type text (or varchar).
    pub fn text(&self, column: usize) -> Option<&'a str> {
        // A database in UTF8 (the extension refuses others) holds valid UTF-8 only.
        self.bytes(column).map(|bytes| std::str::from_utf8(bytes).unwrap_or_default())
    }

    /// A column of type bytea, or of any other variable-length type.
    pub fn bytes(&self, column: usize) -> Option<&'a [u8]> {
        let datum = self.datum(column)?;
        // SAFETY: the caller's query makes this a varlena. It, or its detoasted copy in the batch's
        // memory context, outlives 'a, which ends before the next row is fetched.
        unsafe {
            let packed = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
            Some(varlena::varlena_to_byte_slice(packed))
        }
    }

    /// A column of type bigint, or the microseconds since 2000 of a timestamp.
    pub fn int8(&self, column: usize) -> Option<i64> {
        self.datum(column).map(|datum| datum.value() as i64)
    }

    /// A column of type int, or the days since 2000 of a date.
    pub fn int4(&self, column: usize) -> Option<i32> {
        self.datum(column).map(|datum| datum.value() as i32)
    }

    /// A column of type float8.
    pub fn float8(&self, column: usize) -> Option<f64> {
        self.datum(column).map(|datum| f64::from_bits(datum.value() as u64))
    }

    /// A column of type boolean.
    pub fn bool(&self, column: usize) -> Option<bool> {
        self.datum(column).map(|datum| datum.value() & 0xff != 0)
    }

    /// A column of type uuid.
    pub fn uuid(&self, column: usize) -> Option<uuid::Uuid> {
        let datum = self.datum(column)?;
        // SAFETY: the caller's query makes this a uuid: 16 bytes, by reference.
        let bytes = unsafe { ptr::read(datum.cast_mut_ptr::<[u8; 16]>()) };
        Some(uuid::Uuid::from_bytes(bytes))
    }

    /// A column of type tid: block and place in the block.
    pub fn tid(&self, column: usize) -> Option<(u32, u16)> {
        let datum = self.datum(column)?;
        // SAFETY: the caller's query makes this a tid, by reference.
        let tid = unsafe { ptr::read(datum.cast_mut_ptr::<pg_sys::ItemPointerData>()) };
        Some((u32::from(tid.ip_blkid.bi_hi) << 16 | u32::from(tid.ip_blkid.bi_lo), tid.ip_posid))
    }

    /// A column of type tid, as what stands there is found by.
    pub fn place(&self, column: usize) -> pg_sys::ItemPointerData {
        let (block, posid) = self.tid(column).unwrap_or_default();
        pg_sys::ItemPointerData {
            ip_blkid: pg_sys::BlockIdData { bi_hi: (block >> 16) as u16, bi_lo: block as u16 },
            ip_posid: posid,
        }
    }

    /// A column of any type.
    pub(super) fn datum(&self, column: usize) -> Option<pg_sys::Datum> {
        if self.nulls[column] { None } else { Some(self.values[column]) }
    }
}

/// Runs `query` under the active snapshot and shows each row to `each`, in bounded memory.
pub fn stream(query: &str, args: &[DatumWithOid], mut each: impl FnMut(&Row)) {
    let query = CString::new(query).expect("queries of this extension hold no NUL");
    let mut types: Vec<pg_sys::Oid> = args.iter().map(DatumWithOid::oid).collect();
    let mut values: Vec<pg_sys::Datum> = args
        .iter()
        .map(|arg| arg.datum().map_or(pg_sys::Datum::null(), |d| d.sans_lifetime()))
        .collect();
    let nulls: Vec<std::ffi::c_char> =
        args.iter().map(|arg| if arg.datum().is_some() { b' ' } else { b'n' } as _).collect();
    Spi::connect(|_| {
        // SAFETY: we are connected to SPI; the argument arrays have one entry for each argument and
        // outlive the call. Rows are only looked at before their batch is freed. An error leaves the
        // portal and the memory context to the end of the transaction.
        unsafe {
            let portal = pg_sys::SPI_cursor_open_with_args(
                ptr::null(),
                query.as_ptr(),
                args.len() as i32,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr(),
                true,
                pg_sys::CURSOR_OPT_NO_SCROLL as i32,
            );
            let batch = pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"identity_resolve batch".as_ptr(),
                0,
                8192,
                8 << 20,
            );
            loop {
                pg_sys::SPI_cursor_fetch(portal, true, BATCH as _);
                let table = pg_sys::SPI_tuptable;
                let rows = pg_sys::SPI_processed as usize;
                if rows > 0 {
                    let caller = pg_sys::MemoryContextSwitchTo(batch);
                    show_batch(table, rows, &mut each);
                    pg_sys::MemoryContextSwitchTo(caller);
                    pg_sys::MemoryContextReset(batch);
                }
                pg_sys::SPI_freetuptable(table);
                if rows == 0 {
                    break;
                }
                check_for_interrupts!();
            }
            pg_sys::MemoryContextDelete(batch);
            pg_sys::SPI_cursor_close(portal);
        }
    });
}

/// Shows a row of a table.
///
/// # Safety
/// `tuple` is a row as `descriptor` describes it.
pub unsafe fn show_tuple<T>(
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
    each: impl FnOnce(&Row) -> T,
) -> T {
    // SAFETY: by contract; one value and one null flag for each column.
    unsafe {
        let columns = (*descriptor).natts as usize;
        let mut values = vec![pg_sys::Datum::null(); columns];
        let mut nulls = vec![false; columns];
        pg_sys::heap_deform_tuple(tuple, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        each(&Row { values: &values, nulls: &nulls })
    }
}

/// Shows each row of a batch.
///
/// # Safety
/// `table` holds at least `rows` rows.
unsafe fn show_batch(table: *mut pg_sys::SPITupleTable, rows: usize, each: &mut impl FnMut(&Row)) {
    // SAFETY: by contract; heap_deform_tuple fills one value and one null flag for each column.
    unsafe {
        let descriptor = (*table).tupdesc;
        let columns = (*descriptor).natts as usize;
        let mut values = vec![pg_sys::Datum::null(); columns];
        let mut nulls = vec![false; columns];
        for row in 0..rows {
            let tuple = *(*table).vals.add(row);
            pg_sys::heap_deform_tuple(tuple, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
            each(&Row { values: &values, nulls: &nulls });
        }
    }
}
