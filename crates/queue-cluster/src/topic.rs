//! Topic patterns (R-X3).

/// Whether a routing key matches a pattern: words between dots, `*` for one word, `#` for any number of words.
#[must_use]
pub fn matches(pattern: &str, key: &str) -> bool {
    let pattern: Vec<&str> = words(pattern);
    let key: Vec<&str> = words(key);
    walk(&pattern, &key)
}

/// R-X3: an empty key has no words at all, while `a..b` has an empty one in the middle.
fn words(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('.').collect() }
}

/// Goes back to the last `#` on a mismatch, so that time is the product of both lengths at the most.
fn walk(pattern: &[&str], key: &[&str]) -> bool {
    let (mut at, mut word) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while word < key.len() {
        match pattern.get(at) {
            Some(&"#") => {
                retry = Some((at, word));
                at += 1;
                continue;
            }
            Some(&part) if part == "*" || part == key[word] => {
                at += 1;
                word += 1;
                continue;
            }
            _ => {}
        }
        let Some((hash, from)) = retry else { return false };
        retry = Some((hash, from + 1));
        at = hash + 1;
        word = from + 1;
    }
    pattern[at..].iter().all(|part| *part == "#")
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn r_x3_words_stars_and_hashes() {
        let patterns = ["a.b.c", "a.*.c", "*.#", "#", "#.#", "a.*", "a.b.#"];
        let matching = |key: &str| -> Vec<usize> {
            patterns.iter().enumerate().filter(|(_, p)| matches(p, key)).map(|(i, _)| i + 1).collect()
        };
        assert_eq!(matching("a.b.c"), [1, 2, 3, 4, 5, 7]);
        assert_eq!(matching("a.b"), [3, 4, 5, 6, 7]);
        assert_eq!(matching(""), [4, 5]);
        assert_eq!(matching("zen.rabbit"), [3, 4, 5]);
        assert!(matches("a.*.b", "a..b") && matches("a#", "a#") && !matches("a#", "ab"));
        assert!(matches("*", "*") && matches("#.b.#.d", "a.b.x.b.c.d"));
    }
}
