//! Rows of a customer's table as a trigger sees them: from datums to text, without a query.

use super::configuration::Configuration;
use super::cursor::Row;
use super::source::{self, Source};
use super::spi;
use crate::error::Error;
use crate::source::batch::{Batch, RowHead};
use crate::source::row::{RowReader, Time};
use crate::source::seen_at;
use pgrx::pg_sys::{self, Datum};
use rustc_hash::FxHasher;
use serde_json::{Map, Value as Json};
use std::cell::RefCell;
use std::ffi::CStr;
use std::hash::{Hash, Hasher};

/// A relation whose rows tell what a source's mapping says: the source itself, or a partition or
/// child of it.
pub struct Watched {
    pub source: Source,
    pub rows: RowReader,
    time: Option<(usize, Time)>,
    /// The relation, and what it inherits from: if one of these changes, so may this.
    pub lineage: Vec<pg_sys::Oid>,
    /// The columns of the relation by place; `None` for one that was dropped.
    names: Vec<Option<String>>,
    /// How each column that is read becomes text, and where it stands.
    columns: Vec<(usize, AsText)>,
    /// Whether the text of a value depends on settings, which must then be pinned.
    pub depends_on_settings: bool,
    /// Tells packed rows that were made for another mapping.
    pub shape: u64,
}

/// How a value becomes text: as `value::text` has it, casts that users have made apart.
enum AsText {
    /// It is text.
    Already,
    /// By a function that returns text.
    Cast(RefCell<Box<pg_sys::FmgrInfo>>),
    /// By its type's output function.
    Output(RefCell<Box<pg_sys::FmgrInfo>>),
}

impl Watched {
    /// Prepares to read the rows of the relation of this oid; `None` if no source is about it.
    pub fn new(configuration: &Configuration, oid: pg_sys::Oid) -> Result<Option<Self>, Error> {
        let Some(source) = source::of_relation(oid)? else { return Ok(None) };
        let columns = source::columns(oid);
        let mut relation = source::relation(oid)?;
        // The rows come to us; nobody's right to read the table is asked.
        relation.readable = true;
        let Configuration { rules, rejections_kept, .. } = configuration;
        source::check(&source.mapping, rules, &relation, &columns)?;
        let (rows, time) = source.row_reader(rules, &columns, *rejections_kept)?;
        let column = |name: &str| columns.iter().find(|column| column.name == name);
        let place = |name: &str| column(name).map_or(0, |column| column.number as usize - 1);
        let text_columns = rows.columns.iter().filter_map(|name| column(name));
        let mut hasher = FxHasher::default();
        (&source.mapping_text, &rows.columns).hash(&mut hasher);
        let mut names = vec![None; columns.last().map_or(0, |column| column.number as usize)];
        for column in &columns {
            names[column.number as usize - 1] = Some(column.name.clone());
        }
        Ok(Some(Watched {
            names,
            lineage: source::lineage(oid),
            time: time.map(|(name, kind)| (place(&name), kind)),
            depends_on_settings: text_columns.clone().any(|column| depends_on_settings(column.type_oid)),
            columns: text_columns
                .map(|column| (column.number as usize - 1, AsText::of(column.type_oid)))
                .collect(),
            shape: hasher.finish(),
            rows,
            source,
        }))
    }

    /// A query for all rows of a relation, with a value in the place of every column that it ever had.
    pub fn select_all(&self, relation: &str) -> String {
        let columns: Vec<String> = self
            .names
            .iter()
            .map(|name| name.as_deref().map_or("NULL".to_owned(), super::scan::quoted))
            .collect();
        format!("SELECT {} FROM ONLY {relation}", columns.join(", "))
    }

    /// The values of a batch's first row, by the names of their columns.
    pub fn named(&self, batch: &Batch) -> Map<String, Json> {
        let Some(row) = batch.rows(self.width()).next() else { return Map::new() };
        let text = |column| row.value(column).map_or(Json::Null, Json::from);
        let mut named: Map<String, Json> =
            self.rows.columns.iter().cloned().zip((0..self.width()).map(text)).collect();
        if let (Some((place, kind)), Some(time)) = (self.time, row.head.time)
            && let Some(Some(name)) = self.names.get(place)
        {
            let text = match kind {
                Time::Date => seen_at::date_text(time as i32),
                Time::Timestamp | Time::Text => seen_at::timestamp_text(time),
            };
            named.insert(name.clone(), text.into());
        }
        named
    }

    /// How many values each row has.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Adds a row to a batch.
    pub fn push(&self, row: &Row, taken_back: bool, batch: &mut Batch) {
        let time = self.time.and_then(|(place, kind)| match kind {
            Time::Timestamp => row.int8(place),
            Time::Date => row.int4(place).map(i64::from),
            Time::Text => None,
        });
        batch.push_row(RowHead { time, place: None, taken_back });
        for (place, as_text) in &self.columns {
            as_text.show(row, *place, |text| batch.push_value(text));
        }
    }
}

/// A column's value as text, in SQL.
pub fn text_of(column: &str, type_oid: pg_sys::Oid) -> String {
    match AsText::of(type_oid) {
        AsText::Already | AsText::Cast(_) => format!("{column}::pg_catalog.text"),
        // The output function, whatever casts there are.
        AsText::Output(_) => {
            format!("CASE WHEN {column} IS NOT NULL THEN pg_catalog.format('%s', {column}) END")
        }
    }
}

impl AsText {
    fn of(type_oid: pg_sys::Oid) -> Self {
        let mut cast = pg_sys::InvalidOid;
        // SAFETY: looks up the catalog for a type that a column has.
        let pathway = unsafe {
            pg_sys::find_coercion_pathway(
                pg_sys::TEXTOID,
                type_oid,
                pg_sys::CoercionContext::COERCION_EXPLICIT,
                &mut cast,
            )
        };
        match pathway {
            _ if type_oid == pg_sys::TEXTOID => AsText::Already,
            pg_sys::CoercionPathType::COERCION_PATH_RELABELTYPE => AsText::Already,
            // One that a user has made would run with the rights of this extension's owner.
            pg_sys::CoercionPathType::COERCION_PATH_FUNC
                if cast.to_u32() < pg_sys::FirstNormalObjectId =>
            {
                AsText::Cast(function(cast))
            }
            _ => {
                let mut output = pg_sys::InvalidOid;
                let mut is_varlena = false;
                // SAFETY: every type has an output function.
                unsafe { pg_sys::getTypeOutputInfo(type_oid, &mut output, &mut is_varlena) };
                AsText::Output(function(output))
            }
        }
    }

    fn show(&self, row: &Row, place: usize, mut each: impl FnMut(Option<&str>)) {
        let Some(datum) = row.datum(place) else { return each(None) };
        match self {
            AsText::Already => each(row.text(place)),
            // SAFETY: the function takes a value of the column's type, and returns a text that lives
            // in the current memory context.
            AsText::Cast(function) => unsafe {
                let text = [call(function, datum)];
                each(Row::new(&text, &[false]).text(0));
            },
            // SAFETY: the same, with a string that ends with a nought.
            AsText::Output(function) => unsafe {
                let text: *const std::ffi::c_char = call(function, datum).cast_mut_ptr();
                each(Some(CStr::from_ptr(text).to_str().unwrap_or_default()));
            },
        }
    }
}

/// A function, ready to be called as long as this backend lives.
fn function(oid: pg_sys::Oid) -> RefCell<Box<pg_sys::FmgrInfo>> {
    let mut info = Box::new(pg_sys::FmgrInfo::default());
    // SAFETY: looks up a function that exists; what it keeps lives as long as the backend.
    unsafe { pg_sys::fmgr_info_cxt(oid, &mut *info, pg_sys::TopMemoryContext) };
    RefCell::new(info)
}

/// Calls a function of one argument. A cast may take the type's modifier and whether it is explicit.
unsafe fn call(function: &RefCell<Box<pg_sys::FmgrInfo>>, datum: Datum) -> Datum {
    let mut function = function.borrow_mut();
    // SAFETY: by contract of the caller.
    unsafe {
        match function.fn_nargs {
            1 => pg_sys::FunctionCall1Coll(&mut **function, pg_sys::InvalidOid, datum),
            _ => pg_sys::FunctionCall3Coll(
                &mut **function,
                pg_sys::InvalidOid,
                datum,
                Datum::from(-1i32),
                Datum::from(true),
            ),
        }
    }
}

/// Whether the text of a value depends on more than the value.
fn depends_on_settings(type_oid: pg_sys::Oid) -> bool {
    let plain = [
        pg_sys::TEXTOID,
        pg_sys::VARCHAROID,
        pg_sys::BPCHAROID,
        pg_sys::NAMEOID,
        pg_sys::CHAROID,
        pg_sys::INT2OID,
        pg_sys::INT4OID,
        pg_sys::INT8OID,
        pg_sys::OIDOID,
        pg_sys::NUMERICOID,
        pg_sys::BOOLOID,
        pg_sys::UUIDOID,
        pg_sys::INETOID,
        pg_sys::CIDROID,
        pg_sys::MACADDROID,
    ];
    !plain.contains(&type_oid)
}

/// The tables that hold a relation's rows: itself, and its partitions and children of all levels.
/// Foreign ones, whose rows come without triggers, are left out.
pub fn tree(oid: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    spi::all(
        "WITH RECURSIVE t AS (
             SELECT $1 AS oid
             UNION SELECT i.inhrelid FROM t JOIN pg_inherits AS i ON i.inhparent = t.oid)
         SELECT c.oid FROM t JOIN pg_class AS c ON c.oid = t.oid WHERE c.relkind IN ('r', 'p') ORDER BY c.oid",
        &[oid.into()],
        |row| row.oid(0).unwrap_or(pg_sys::InvalidOid),
    )
}
