//! Tags, the declaration, and text where no value stands, out of the window on the bytes.

use crate::format::charset::{Charset, Controls};
use crate::format::error::shape;
use crate::format::lines::read::One;
use crate::format::reading::Stop;
use crate::format::xml::read::{LOOK_BYTES, Stage, VALUE_BYTES_MAX, XmlReader, cdata_end};
use crate::format::xml::scan::{self, CDATA, CDATA_END, NoTag, Pair, Tag};

/// The longest tag with its attributes.
pub(super) const TAG_BYTES_MAX: usize = 16 * 1024;

impl XmlReader<'_> {
    /// The tag that begins here, copied with its attributes; it is not passed.
    pub(super) fn tag(&mut self, from: usize, end: u8) -> Result<Tag, Stop> {
        for least in [LOOK_BYTES, TAG_BYTES_MAX] {
            let there = self.look(least)?;
            let window = self.input.seen(0, there.min(TAG_BYTES_MAX));
            match scan::tag(window, from, end, &mut self.pairs) {
                Ok(tag) => {
                    self.tag.clear();
                    self.tag.extend_from_slice(&window[..tag.length]);
                    return Ok(tag);
                }
                Err(NoTag::Cut) if there >= TAG_BYTES_MAX && least == TAG_BYTES_MAX => {
                    return Err(
                        self.here(&format!("a tag of at most {TAG_BYTES_MAX} bytes"), "more")
                    );
                }
                Err(NoTag::Cut) if there < least => {
                    return Err(self.here("the whole document", "its end"));
                }
                Err(NoTag::Cut) => {}
                Err(NoTag::TooMany) => {
                    let expected = format!("at most {} attributes", scan::ATTRIBUTES_MAX);
                    return Err(self.here(&expected, "more"));
                }
                Err(NoTag::Wrong(at, expected)) => {
                    return Err(self.stop(self.input.place(at), "", "something else", expected));
                }
            }
        }
        Err(self.here("a whole tag", "a part of it"))
    }

    /// A comment, which says nothing to us wherever it stands between elements.
    pub(super) fn comment(&mut self) -> Result<Option<One>, Stop> {
        self.remark(scan::comment, "a comment")
    }

    /// The declaration of the document, or an instruction to somebody else.
    pub(super) fn instruction(&mut self) -> Result<Option<One>, Stop> {
        let there = self.look(LOOK_BYTES)?;
        let window = self.input.seen(0, there);
        if window.starts_with(b"<?xml") && window.get(5).is_some_and(|b| scan::is_blank(*b)) {
            return self.declaration();
        }
        self.remark(scan::instruction, "a processing instruction")
    }

    /// Passes over what is said to nobody here; in text of the declared encoding it must be.
    fn remark(
        &mut self,
        length: fn(&[u8]) -> Result<usize, NoTag>,
        kind: &str,
    ) -> Result<Option<One>, Stop> {
        if !self.declared && self.plan.declared {
            return Err(self.here(&format!("a declaration of {}", self.plan.encoding), kind));
        }
        let there = self.look(VALUE_BYTES_MAX)?.min(VALUE_BYTES_MAX);
        let length = match length(self.input.seen(0, there)) {
            Ok(length) => length,
            Err(NoTag::Wrong(at, expected)) => {
                return Err(self.stop(self.input.place(at), "", "something else", expected));
            }
            Err(NoTag::Cut | NoTag::TooMany) => {
                let expected = format!("{kind} of at most {VALUE_BYTES_MAX} bytes");
                return Err(self.here(&expected, "more, or the end"));
            }
        };
        self.decoded(0, length)?;
        self.input.pass(length);
        self.remarks = true;
        Ok(None)
    }

    /// The declaration of the document, of which there is one at most.
    fn declaration(&mut self) -> Result<Option<One>, Stop> {
        let tag = self.tag(2, b'?')?;
        let named = |name: &[u8]| {
            let pair = self.pairs.iter().find(|pair| self.tag.get(pair.name.clone()) == Some(name));
            pair.and_then(|pair| std::str::from_utf8(self.tag.get(pair.value.clone())?).ok())
        };
        let known = |pair: &Pair| {
            let name = self.tag.get(pair.name.clone()).unwrap_or_default();
            matches!(name, b"version" | b"encoding" | b"standalone")
        };
        let encoding = match named(b"encoding") {
            Some(name) => {
                name.eq_ignore_ascii_case(&self.plan.encoding)
                    || Charset::parse(name) == Some(self.plan.respelled.unwrap_or(self.charset))
                    || (self.plan.respelled.is_some() && name.eq_ignore_ascii_case("UTF-16"))
            }
            // A document that names none is in UTF-8, or in UTF-16 as its mark says.
            None => self.charset == Charset::Utf8,
        };
        let alone = named(b"standalone").is_none_or(|word| matches!(word, "yes" | "no"));
        let good = named(b"version") == Some("1.0") && self.pairs.iter().all(known) && alone;
        // Blanks before it would have been refused; so it is the first thing there is.
        let first = self.stage == Stage::Prolog && !self.declared && !self.remarks;
        if !first || !encoding || !good || !tag.empty {
            let expected = format!("one declaration of {}", self.plan.encoding);
            return Err(self.here(&expected, "another declaration"));
        }
        self.input.pass(tag.length);
        self.declared = true;
        Ok(None)
    }

    /// Text where no value stands: nothing to us in what is passed over, a fault elsewhere.
    pub(super) fn characters(&mut self, there: usize) -> Result<Option<One>, Stop> {
        let window = self.input.seen(0, there);
        if window.first() == Some(&b'&') {
            let length = match scan::reference(self.charset, window) {
                Some((_, length)) if self.skipping.is_some() => length,
                Some(_) => return Err(self.here("elements alone", "a reference")),
                None => return Err(self.here("text in the declared encoding", "a reference")),
            };
            self.input.pass(length);
            return Ok(None);
        }
        let end = window.iter().position(|byte| matches!(byte, b'<' | b'&'));
        let whole = there < LOOK_BYTES;
        let length = end.unwrap_or_else(|| {
            if whole { there } else { self.charset.cut(window, there.saturating_sub(8)) }
        });
        let found = shape(window.get(..length).unwrap_or_default());
        self.decoded(0, length)?;
        if self.skipping.is_none() {
            return Err(self.here("elements alone", &found));
        }
        self.input.pass(length);
        Ok(None)
    }

    /// Is what stands here text in the character set of the part?
    pub(super) fn decoded(&mut self, from: usize, to: usize) -> Result<(), Stop> {
        self.text.clear();
        let bytes = self.input.seen(from, to);
        let decoded = self.charset.decode_into(bytes, Controls::Layout, &mut self.text);
        decoded.map_err(|bad| {
            let expected = format!("text in {}", self.charset.as_str());
            self.stop(self.input.place(from + bad.at), "", &bad.why, &expected)
        })
    }

    pub(super) fn skipped_cdata(&mut self) -> Result<Option<One>, Stop> {
        let there = self.look(VALUE_BYTES_MAX)?;
        let end = cdata_end(self.charset, self.input.seen(0, there));
        let Some(end) = end else {
            let expected = format!("a CDATA section of at most {VALUE_BYTES_MAX} bytes");
            return Err(self.here(&expected, "more, or the end"));
        };
        self.decoded(CDATA.len(), end)?;
        self.input.pass(end + CDATA_END.len());
        Ok(None)
    }
}
