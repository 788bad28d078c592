//! What banks call a character set.

use crate::format::charset::Charset;

impl Charset {
    /// The names banks use for it, the one that we write first. `UTF-16` alone is not among them: it
    /// says nothing of the order of bytes.
    pub(super) const NAMES: [(Self, &'static [&'static str]); 34] = [
        (Self::Gb18030, &["GB18030", "GB18030-2022", "GB18030-2005", "CP54936"]),
        (Self::Gbk, &["GBK", "CP936", "MS936", "WINDOWS-936"]),
        (Self::Gb2312, &["GB2312", "GB2312-80", "GB_2312-80", "EUC-CN", "EUC_CN"]),
        (Self::Utf8, &["UTF-8", "UTF8"]),
        (Self::Utf16Be, &["UTF-16BE", "UTF16BE"]),
        (Self::Utf16Le, &["UTF-16LE", "UTF16LE"]),
        (Self::Ascii, &["US-ASCII", "ASCII", "CP367", "IBM367"]),
        (Self::Latin1, &["ISO-8859-1", "ISO8859-1", "ISO8859_1", "LATIN1", "CP819", "IBM819"]),
        (Self::Windows1252, &["windows-1252", "CP1252", "MS1252"]),
        (Self::Big5, &["Big5", "CP950", "MS950", "WINDOWS-950"]),
        (
            Self::ShiftJis,
            &["Shift_JIS", "SHIFT-JIS", "SJIS", "CP932", "MS932", "WINDOWS-31J", "CP943C"],
        ),
        (Self::EucKr, &["EUC-KR", "EUC_KR", "CP949", "MS949", "WINDOWS-949"]),
        (Self::Cp037, &["IBM037", "CP037", "IBM-037", "IBM-37", "CP37", "EBCDIC-CP-US"]),
        (Self::Cp935, &["IBM935", "CP935", "IBM-935", "X-IBM935"]),
        (Self::Cp1388, &["IBM1388", "CP1388", "IBM-1388", "X-IBM1388", "GB13488"]),
        (Self::Page(0), &["windows-1250", "CP1250", "MS1250"]),
        (Self::Page(1), &["windows-1251", "CP1251", "MS1251"]),
        (Self::Page(2), &["windows-1253", "CP1253"]),
        (Self::Page(3), &["windows-1254", "CP1254"]),
        (Self::Page(4), &["windows-1255", "CP1255"]),
        (Self::Page(5), &["windows-1256", "CP1256"]),
        (Self::Page(6), &["windows-1257", "CP1257"]),
        (Self::Page(7), &["windows-874", "CP874", "TIS-620"]),
        (Self::Page(8), &["ISO-8859-2", "LATIN2", "ISO8859-2", "CP912"]),
        (Self::Page(9), &["ISO-8859-5", "ISO8859-5"]),
        (Self::Page(10), &["ISO-8859-7", "ISO8859-7"]),
        (Self::Page(11), &["ISO-8859-9", "LATIN5", "ISO8859-9"]),
        (Self::Page(12), &["ISO-8859-15", "LATIN9", "ISO8859-15"]),
        (Self::Page(13), &["KOI8-R"]),
        (Self::Page(14), &["IBM437", "CP437"]),
        (Self::Page(15), &["IBM850", "CP850"]),
        (Self::Page(16), &["IBM852", "CP852"]),
        (Self::Page(17), &["IBM858", "CP858"]),
        (Self::Page(18), &["IBM866", "CP866"]),
    ];

    /// The character set with this name, in any case. GB2312 is no name of GBK: a bank that says
    /// GB2312 has fewer characters.
    pub fn parse(name: &str) -> Option<Self> {
        let known = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        Self::NAMES.iter().find(|(_, names)| known(names)).map(|(charset, _)| *charset)
    }

    /// One name for each.
    pub fn first_names() -> Vec<&'static str> {
        Self::NAMES.iter().filter_map(|(_, names)| names.first().copied()).collect()
    }

    /// The name that a format declares it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gb18030 => "GB18030",
            Self::Gbk => "GBK",
            Self::Gb2312 => "GB2312",
            Self::Utf8 => "UTF-8",
            Self::Utf16Be => "UTF-16BE",
            Self::Utf16Le => "UTF-16LE",
            Self::Ascii => "US-ASCII",
            Self::Latin1 => "ISO-8859-1",
            Self::Windows1252 => "windows-1252",
            Self::Big5 => "Big5",
            Self::ShiftJis => "Shift_JIS",
            Self::EucKr => "EUC-KR",
            Self::Cp037 => "IBM037",
            Self::Cp935 => "IBM935",
            Self::Cp1388 => "IBM1388",
            Self::Page(_) => {
                let known = Self::NAMES.iter().find(|(charset, _)| *charset == self);
                known.and_then(|(_, names)| names.first()).copied().unwrap_or_default()
            }
        }
    }

    /// All names, for who wrote one that is none.
    pub fn names() -> Vec<&'static str> {
        Self::NAMES.iter().flat_map(|(_, names)| *names).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banks_names_of_character_sets() {
        for (name, charset) in [
            ("gb18030", Charset::Gb18030),
            ("GB18030-2022", Charset::Gb18030),
            ("cp54936", Charset::Gb18030),
            ("cp936", Charset::Gbk),
            ("ms936", Charset::Gbk),
            ("windows-936", Charset::Gbk),
            ("gb2312", Charset::Gb2312),
            ("GB_2312-80", Charset::Gb2312),
            ("euc-cn", Charset::Gb2312),
            ("utf-8", Charset::Utf8),
            ("utf8", Charset::Utf8),
            ("utf-16be", Charset::Utf16Be),
            ("UTF-16LE", Charset::Utf16Le),
            ("ASCII", Charset::Ascii),
            ("ibm367", Charset::Ascii),
            ("iso-8859-1", Charset::Latin1),
            ("latin1", Charset::Latin1),
            ("Windows-1252", Charset::Windows1252),
            ("cp1252", Charset::Windows1252),
            ("BIG5", Charset::Big5),
            ("cp950", Charset::Big5),
            ("ms950", Charset::Big5),
            ("shift_jis", Charset::ShiftJis),
            ("sjis", Charset::ShiftJis),
            ("cp932", Charset::ShiftJis),
            ("ms932", Charset::ShiftJis),
            ("windows-31j", Charset::ShiftJis),
            ("ms949", Charset::EucKr),
            ("cp037", Charset::Cp037),
            ("IBM-037", Charset::Cp037),
            ("cp935", Charset::Cp935),
            ("ibm935", Charset::Cp935),
            ("cp1388", Charset::Cp1388),
            ("IBM1388", Charset::Cp1388),
            ("GB13488", Charset::Cp1388),
            ("windows-1251", Charset::Page(1)),
            ("cp852", Charset::Page(16)),
        ] {
            assert_eq!(Charset::parse(name), Some(charset), "{name}");
        }
        for unclear in ["UTF-16", "GB", "Big5-HKSCS", "EBCDIC", "JIS", ""] {
            assert_eq!(Charset::parse(unclear), None, "{unclear}");
        }
    }

    #[test]
    fn every_name_leads_to_one_character_set() {
        let names = || {
            Charset::NAMES.iter().flat_map(|(charset, names)| {
                names.iter().map(|name| (name.to_ascii_uppercase(), *charset))
            })
        };
        for (name, charset) in names() {
            assert_eq!(names().filter(|(other, _)| *other == name).count(), 1, "{name}");
            assert_eq!(Charset::parse(&name), Some(charset));
        }
        assert!(Charset::names().iter().all(|name| Charset::parse(name).is_some()));
        for charset in Charset::all() {
            assert_eq!(Charset::parse(charset.as_str()), Some(charset));
        }
    }
}
