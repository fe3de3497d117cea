//! Servers.

use postgres::{Client, Config, NoTls};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

/// A running server, and how to reach it.
#[derive(Clone)]
pub struct Cluster {
    /// The name under which `tests/bin/cluster` knows it, where it is ours.
    name: Option<String>,
    settings: Vec<String>,
    environment: HashMap<String, String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A program of the server's version, such as pg_dump.
pub fn program(name: &str) -> Command {
    let environment = std::fs::read_to_string(root().join("target/pg.env")).unwrap_or_default();
    let pg_config = environment
        .lines()
        .find_map(|line| line.strip_prefix("export PG_CONFIG="))
        .unwrap_or("pg_config");
    let out = Command::new(pg_config).arg("--bindir").output().expect("pg_config runs");
    Command::new(PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()).join(name))
}

fn script(arguments: &[&str]) -> String {
    let out = Command::new(root().join("tests/bin/cluster"))
        .args(arguments)
        .output()
        .expect("tests/bin/cluster runs");
    assert!(out.status.success(), "cluster {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

impl Cluster {
    /// The one of the environment.
    pub fn running() -> Self {
        let value = |name: &str| {
            let value = std::env::var(name);
            (name.to_owned(), value.unwrap_or_else(|_| panic!("{name} is not set: run tests/bin/test")))
        };
        let environment = ["PGHOST", "PGPORT", "PGUSER"].map(value).into();
        Cluster { name: None, settings: Vec::new(), environment }
    }

    /// One of our own, which is removed in the end.
    pub fn start(name: &str, settings: &[&str]) -> Self {
        script(&[&["start", name], settings].concat());
        let environment = script(&["env", name])
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        let settings = settings.iter().copied().map(str::to_owned).collect();
        Cluster { name: Some(name.to_owned()), settings, environment }
    }

    /// Kills every process of it at once, as a power failure would, and starts it again.
    pub fn crash(&self) {
        let name = self.name.as_deref().expect("only a cluster of our own may be killed");
        script(&["crash", name]);
        let settings = self.settings.iter().map(String::as_str);
        script(&["start", name].into_iter().chain(settings).collect::<Vec<_>>());
    }

    pub fn environment(&self) -> &HashMap<String, String> {
        &self.environment
    }

    pub fn connect(&self, database: &str) -> Result<Client, postgres::Error> {
        Config::new()
            .host(&self.environment["PGHOST"])
            .port(self.environment["PGPORT"].parse().expect("PGPORT is a number"))
            .user(&self.environment["PGUSER"])
            .dbname(database)
            .connect(NoTls)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // After a failure it stays, to be looked at.
        if let Some(name) = self.name.as_deref().filter(|_| !std::thread::panicking()) {
            script(&["destroy", name]);
        }
    }
}
