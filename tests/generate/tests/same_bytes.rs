//! The same seed writes the same bytes, on every machine and with every toolchain.

use std::fs;
use std::path::{Path, PathBuf};

/// An empty folder under cargo's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// FNV-1a, 64 bits.
fn digest(file: &Path) -> u64 {
    let bytes = fs::read(file).unwrap();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn the_committed_shop_is_what_the_generator_writes() {
    let (written, committed) =
        (folder("shop"), Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/shop"));
    generate::shop::write(&written).unwrap();
    let mut tables = 0;
    for file in fs::read_dir(&written).unwrap() {
        let name = file.unwrap().file_name();
        let same = fs::read(written.join(&name)).unwrap() == fs::read(committed.join(&name)).unwrap();
        assert!(same, "{name:?} differs: cargo run -p generate --bin shop tests/data/shop");
        tables += 1;
    }
    assert_eq!(tables, 11);
}

#[test]
fn a_log_has_a_digest() {
    let folder = folder("events");
    generate::events::write(&generate::events::generate(20_000, 1), 1, &folder).unwrap();
    let digests = ["events.csv", "truth.csv"].map(|name| digest(&folder.join(name)));
    assert_eq!(
        digests,
        [7_331_050_410_687_756_471, 9_395_216_324_787_411_919],
        "benchmark figures of different logs cannot be compared"
    );
    assert_eq!(fs::read_to_string(folder.join("events.csv")).unwrap().lines().count(), 20_001);
}

#[test]
fn persons_have_a_digest() {
    use generate::persons::{Country, write};

    let folder = folder("persons");
    fs::create_dir_all(&folder).unwrap();
    let digests = [Country::Us, Country::Fr, Country::De].map(|country| {
        let file = folder.join(format!("{country:?}.csv"));
        write(20_000, 1, country, &file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 20_001);
        digest(&file)
    });
    assert_eq!(
        digests,
        [3_245_637_203_329_441_108, 15_770_095_425_811_463_672, 4_899_550_260_236_764_712],
        "benchmark figures of different persons cannot be compared"
    );
}
