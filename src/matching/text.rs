//! Texts as they are compared: without case, accents, punctuation and what stands for nothing.

use deunicode::deunicode_char;

/// A text in lower-case ASCII letters and digits, words parted by one blank. Other scripts are
/// transliterated.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut push = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            folded.push(byte.to_ascii_lowercase() as char);
        } else if byte != b'\'' && !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    };
    for c in text.chars() {
        if c.is_ascii() {
            push(c as u8);
        } else {
            deunicode_char(c).unwrap_or(" ").bytes().for_each(&mut push);
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Whether a text only says that there is no value.
pub fn is_void(text: &str) -> bool {
    let text = text.trim();
    !text.chars().any(char::is_alphanumeric)
        || [
            "null",
            "none",
            "nan",
            "n/a",
            "n.a.",
            "#n/a",
            "unknown",
            "unk",
            "undefined",
            "anonymous",
            "missing",
        ]
        .iter()
        .any(|void| text.eq_ignore_ascii_case(void))
        || ["not known", "not available", "not provided", "not given", "no data"]
            .iter()
            .any(|void| text.eq_ignore_ascii_case(void))
}

/// Whether a number only fills its field: one digit all over, or 123456…
pub fn is_filler(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    bytes.len() >= 4
        && (bytes.windows(2).all(|pair| pair[0] == pair[1])
            || bytes.len() >= 6 && bytes.windows(2).all(|pair| pair[1] == pair[0] + 1))
}

/// Soundex (US patents 1,261,167 and 1,435,663; as the National Archives code it) of a folded text.
pub fn soundex(folded: &str) -> String {
    let code = |byte: u8| match byte {
        b'b' | b'f' | b'p' | b'v' => b'1',
        b'c' | b'g' | b'j' | b'k' | b'q' | b's' | b'x' | b'z' => b'2',
        b'd' | b't' => b'3',
        b'l' => b'4',
        b'm' | b'n' => b'5',
        b'r' => b'6',
        b'h' | b'w' => 0,
        _ => 1,
    };
    let mut letters = folded.bytes().filter(u8::is_ascii_alphabetic);
    let Some(first) = letters.next() else { return String::new() };
    let mut coded = vec![first];
    let mut last = code(first);
    for letter in letters {
        let code = code(letter);
        if code == 0 {
            continue;
        }
        if code > 1 && code != last {
            coded.push(code);
        }
        last = code;
    }
    coded.resize(4, b'0');
    coded.into_iter().map(char::from).collect()
}

/// How a folded name sounds, roughly and in most of Europe's languages: letters that are written for
/// one another made one, vowels after the first left out.
pub fn skeleton(folded: &str) -> String {
    let bytes: Vec<u8> = folded.bytes().filter(u8::is_ascii_alphabetic).collect();
    let mut sounds = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let (byte, next) = (bytes[i], bytes.get(i + 1).copied().unwrap_or(0));
        let (sound, length) = match (byte, next) {
            (b'p', b'h') => (b'f', 2),
            (b's', b'h') | (b'c', b'h') | (b's', b'z') | (b'c', b'z') | (b't', b's') => (b's', 2),
            (b'c', b'k') | (b'k', b'h') | (b'g', b'h') => (b'k', 2),
            (b't', b'h') => (b't', 2),
            (b'c', b'e' | b'i' | b'y') => (b's', 1),
            (b'c' | b'q' | b'g', _) => (b'k', 1),
            (b'z' | b'x', _) => (b's', 1),
            (b'w' | b'v', _) => (b'v', 1),
            (b'd', _) => (b't', 1),
            (b'b', _) => (b'p', 1),
            (b'j' | b'y', _) => (b'i', 1),
            (b'm', _) => (b'n', 1),
            _ => (byte, 1),
        };
        i += length;
        let vowel = matches!(sound, b'a' | b'e' | b'i' | b'o' | b'u' | b'h');
        let sound = if vowel { b'a' } else { sound };
        if (vowel && !sounds.is_empty()) || sounds.last() == Some(&sound) {
            continue;
        }
        sounds.push(sound);
    }
    sounds.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds() {
        for (text, folded) in [
            ("  Müller-Lüdenscheidt ", "muller ludenscheidt"),
            ("O'Brien", "obrien"),
            ("Straße 12 b", "strasse 12 b"),
            ("Юрий", "iurii"),
            ("", ""),
            ("...", ""),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn void_is_no_value() {
        for void in ["", " ", "-", "N/A", "null", "Unknown", "…"] {
            assert!(is_void(void), "{void}");
        }
        for value in ["Na", "Noname", "0", "Nullmeyer"] {
            assert!(!is_void(value), "{value}");
        }
        for filler in ["0000", "99999999", "123456789"] {
            assert!(is_filler(filler), "{filler}");
        }
        assert!(!is_filler("111") && !is_filler("1231") && !is_filler("4921"));
    }

    #[test]
    fn soundex_as_the_archives_code_it() {
        for (name, code) in [
            ("robert", "r163"),
            ("rupert", "r163"),
            ("ashcraft", "a261"),
            ("tymczak", "t522"),
            ("pfister", "p236"),
            ("honeyman", "h555"),
            ("lee", "l000"),
        ] {
            assert_eq!(soundex(name), code, "{name}");
        }
    }

    #[test]
    fn names_that_sound_alike() {
        for (a, b) in
            [("meyer", "maier"), ("schmidt", "schmitt"), ("katherine", "catherine"), ("philip", "filip")]
        {
            assert_eq!(skeleton(a), skeleton(b), "{a} {b}");
        }
        assert_ne!(skeleton("smith"), skeleton("jones"));
    }
}
