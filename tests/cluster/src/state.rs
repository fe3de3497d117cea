//! What a database knows, to be compared.

use postgres::Client;
use std::fmt;

/// Lines in an order of their own.
#[derive(PartialEq, Eq)]
pub struct State(Vec<String>);

impl State {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many lines begin so.
    pub fn count(&self, prefix: &str) -> usize {
        self.0.iter().filter(|line| line.starts_with(prefix)).count()
    }

    /// The lines of a query with one column of text.
    pub fn of(client: &mut Client, query: &str) -> Self {
        let mut lines: Vec<String> =
            client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect();
        lines.sort_unstable();
        State(lines)
    }

    /// The first lines in which two states differ, if they do.
    pub fn difference(&self, expected: &State) -> Option<String> {
        if self == expected {
            return None;
        }
        let only = |here: &State, there: &State| -> Vec<String> {
            let other = |line: &&String| there.0.binary_search(line).is_err();
            here.0.iter().filter(other).take(5).map(|line| line.chars().take(300).collect()).collect()
        };
        Some(format!(
            "{} and {} lines\nonly found:    {:#?}\nonly expected: {:#?}",
            self.0.len(),
            expected.0.len(),
            only(self, expected),
            only(expected, self)
        ))
    }

    /// Panics with the first lines in which two states differ.
    #[track_caller]
    pub fn assert_is(&self, expected: &State, what: &str) {
        if let Some(difference) = self.difference(expected) {
            panic!("{what}: {difference}");
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

/// Everything that is known, save numbers and profile ids: of a profile, its first identifier
/// stands for the id. `evidence` is an expression for the evidence of a row `r`.
fn graph(client: &mut Client, evidence: &str) -> State {
    State::of(
        client,
        &format!(
            "WITH profile AS (
                 SELECT i.profile, min(i.identifier) AS name FROM identity_resolve.identifier AS i
                 WHERE i.profile IS NOT NULL GROUP BY i.profile)
             SELECT concat_ws(' ', 'identifier', r.identifier, r.standing, 'of', p.name, r.first_seen, r.last_seen, {evidence})
             FROM identity_resolve.identifier AS r LEFT JOIN profile AS p USING (profile)
             UNION ALL
             SELECT concat_ws(' ', 'link', a.identifier, b.identifier, r.asserted, r.probability,
                              coalesce(r.held_reason::text, 'in force'), {evidence})
             FROM identity_resolve.link AS r
             JOIN identity_resolve.identifier AS a ON a.id = r.a
             JOIN identity_resolve.identifier AS b ON b.id = r.b"
        ),
    )
}

/// All that the sources of a database told and what follows from it, to the byte.
pub fn state(client: &mut Client) -> State {
    let mut state = graph(client, "r.evidence");
    state.0.extend(
        State::of(
            client,
            "SELECT concat_ws(' ', 'source', s.name, s.rows_read, s.malformed, s.blocked) FROM identity_resolve.source AS s
             UNION ALL
             SELECT concat_ws(' ', 'rejection', r.source, r.row_key, r.column_name, r.value, r.error)
             FROM identity_resolve.rejections AS r WHERE r.row_key IS NULL OR r.row_key NOT LIKE '(%'",
        )
        .0,
    );
    state.0.sort_unstable();
    state
}

/// The same, whichever source told it.
pub fn meaning(client: &mut Client) -> State {
    graph(
        client,
        "(SELECT string_agg(concat_ws('/', e.channel, e.device_type, e.day, e.sightings), ' '
                            ORDER BY e.channel, e.device_type, e.day)
          FROM (SELECT channel, device_type, day, sum(sightings) AS sightings
                FROM identity_resolve.evidence(r.evidence) GROUP BY 1, 2, 3) AS e)",
    )
}

/// The same, with what each source told decoded, under its name.
pub fn decoded(client: &mut Client) -> State {
    graph(
        client,
        "(SELECT string_agg(format('%s %L/%L/%s %s', s.name, e.channel, e.device_type, e.day, e.sightings), ' '
                            ORDER BY s.name, e.channel, e.device_type, e.day)
          FROM identity_resolve.evidence(r.evidence) AS e
          LEFT JOIN identity_resolve.source AS s ON s.id = e.source)",
    )
}

/// Where each stored row stands and which transaction wrote it: the same only if none was written.
pub fn versions(client: &mut Client) -> String {
    let table = |name| {
        format!(
            "SELECT '{name}', count(*), md5(coalesce(string_agg(t.ctid::text || t.xmin::text, ' ' ORDER BY t.ctid), ''))
             FROM identity_resolve.{name} AS t"
        )
    };
    let query = ["identifier", "link", "former_member"].map(table).join(" UNION ALL ");
    let query = format!("SELECT string_agg(v::text, ' ' ORDER BY v::text) FROM ({query}) AS v");
    client.query_one(&query, &[]).unwrap().get(0)
}
