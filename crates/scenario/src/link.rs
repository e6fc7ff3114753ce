//! Share links: the whole document in a page's fragment, `1.<document>.<digest>`.
//!
//! The document's text is deflated with a preset dictionary, led by a check sum of four bytes (so that damage is seen
//! and never played as another run), and written in base64url. The number in front names the
//! form; every form that was ever published stays readable.

use crate::document::Document;
use crate::read::{self, Refusal, TEXT_MAX};
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// Text that documents are full of. It belongs to form 1 for ever: a change of it would break every link.
const DICTIONARY: &str = include_str!("link_dictionary_1.txt");

/// What a link holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The document.
    pub document: Document,
    /// The digest that the run came to where the link was made; `None` if the link does not say.
    pub digest: Option<u64>,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut word = 0u32;
        for letter in chunk {
            word = word << 6 | ALPHABET.iter().position(|known| known == letter)? as u32;
        }
        word <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

/// Deflates `text` as the continuation of the dictionary, whose own compressed form is thrown away.
fn deflate(text: &[u8]) -> Vec<u8> {
    let mut compressor = CompressorOxide::new(create_comp_flags_from_zip_params(9, -15, 0));
    let mut scratch = vec![0; DICTIONARY.len() * 2 + 1_024];
    compress(&mut compressor, DICTIONARY.as_bytes(), &mut scratch, TDEFLFlush::Sync);
    let mut out = vec![0; text.len() * 2 + 1_024];
    let (status, _, written) = compress(&mut compressor, text, &mut out, TDEFLFlush::Finish);
    assert_eq!(status, TDEFLStatus::Done, "deflate: the buffer holds twice the text");
    out.truncate(written);
    out
}

fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = DICTIONARY.len();
    let mut out = vec![0; start + TEXT_MAX];
    out[..start].copy_from_slice(DICTIONARY.as_bytes());
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = DecompressorOxide::new();
    let (status, _, written) = decompress(&mut state, bytes, &mut out, start, flags);
    (status == TINFLStatus::Done).then(|| out[start..start + written].to_vec())
}

fn check_sum(text: &str) -> [u8; 4] {
    let mut digest = sim::Digest::default();
    digest.mix_text(text);
    (digest.value() as u32).to_be_bytes()
}

/// Makes the fragment of a document, without `#`.
#[must_use]
pub fn encode(document: &Document, digest: Option<u64>) -> String {
    let text = read::write(document);
    let mut bytes = check_sum(&text).to_vec();
    bytes.extend(deflate(text.as_bytes()));
    let text = to_base64(&bytes);
    match digest {
        Some(digest) => format!("1.{text}.{digest:016x}"),
        None => format!("1.{text}"),
    }
}

/// Reads a fragment, with or without `#`, or a whole address that ends in one.
///
/// # Errors
/// What is wrong with it. A damaged link is never read as another document.
pub fn decode(link: &str) -> Result<Link, Refusal> {
    let damaged = |what: &str| Refusal::one("", format!("the link is damaged: {what}"));
    if link.len() > 4 * TEXT_MAX {
        return Err(damaged("it is too long"));
    }
    let fragment = link.rsplit('#').next().unwrap_or(link).trim();
    let mut parts = fragment.split('.');
    match parts.next() {
        Some("1") => {}
        Some(form) if form.parse::<u32>().is_ok() => {
            return Err(Refusal::one(
                "",
                format!("the link is of form {form}, which this version does not know: open it in a newer one"),
            ));
        }
        _ => return Err(damaged("it should begin with `1.`")),
    }
    let text = parts.next().filter(|text| !text.is_empty()).ok_or_else(|| damaged("it holds no document"))?;
    let digest = match parts.next() {
        None => None,
        Some(hex) if hex.len() == 16 => {
            Some(u64::from_str_radix(hex, 16).map_err(|_| damaged("its digest is unreadable"))?)
        }
        Some(_) => return Err(damaged("its digest is cut off")),
    };
    if parts.next().is_some() {
        return Err(damaged("something follows its end"));
    }
    let bytes = from_base64(text).ok_or_else(|| damaged("it has characters that do not belong there"))?;
    let (sum, bytes) = bytes.split_at_checked(4).ok_or_else(|| damaged("it is cut off"))?;
    let bytes = inflate(bytes)
        .ok_or_else(|| damaged("its document cannot be unpacked; perhaps it was cut off when it was copied"))?;
    let text = String::from_utf8(bytes).map_err(|_| damaged("its document is no text"))?;
    if check_sum(&text) != sum {
        return Err(damaged("its check sum does not agree"));
    }
    Ok(Link { document: read::read(&text)?, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length_comes_back() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|n: u8| n.wrapping_mul(37)).collect();
            assert_eq!(from_base64(&to_base64(&bytes)), Some(bytes));
        }
        assert_eq!(from_base64("ab!c"), None);
    }

    #[test]
    fn the_dictionary_of_form_1_is_frozen() {
        let mut digest = sim::Digest::default();
        digest.mix_text(DICTIONARY);
        assert_eq!(format!("{:016x}", digest.value()), "d567db176d2d7091");
    }
}
