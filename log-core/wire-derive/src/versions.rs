use proc_macro2::TokenStream;
use quote::quote;
use syn::LitStr;

/// An inclusive range of versions, written `"2"`, `"2-5"` or `"2+"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) min: i16,
    /// `None`: without end.
    pub(crate) max: Option<i16>,
}

impl Versions {
    pub(crate) fn parse(literal: &LitStr) -> syn::Result<Self> {
        let text = literal.value();
        let parsed = if let Some(min) = text.strip_suffix('+') {
            min.parse().ok().map(|min| Self { min, max: None })
        } else if let Some((min, max)) = text.split_once('-') {
            min.parse()
                .ok()
                .zip(max.parse().ok())
                .map(|(min, max)| Self {
                    min,
                    max: Some(max),
                })
        } else {
            text.parse().ok().map(|only| Self {
                min: only,
                max: Some(only),
            })
        };
        parsed
            .filter(|versions| {
                versions.min >= 0 && versions.max.is_none_or(|max| versions.min <= max)
            })
            .ok_or_else(|| syn::Error::new(literal.span(), "versions are \"2\", \"2-5\" or \"2+\""))
    }

    /// A condition on `version`; `None` if every version fulfils it.
    pub(crate) fn condition(self) -> Option<TokenStream> {
        let Self { min, max } = self;
        match (min, max) {
            (0, None) => None,
            (min, None) => Some(quote!(version >= #min)),
            (0, Some(max)) => Some(quote!(version <= #max)),
            (min, Some(max)) if min == max => Some(quote!(version == #min)),
            (min, Some(max)) => Some(quote!((#min..=#max).contains(&version))),
        }
    }

    /// The range as a value of the schema.
    pub(crate) fn to_tokens(self) -> TokenStream {
        let Self { min, max } = self;
        let max = max.unwrap_or(i16::MAX);
        quote!(::headwater_wire::codec::Versions { min: #min, max: #max })
    }

    /// Whether every version of `other` is one of these.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.min <= other.min
            && match (self.max, other.max) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(max), Some(other_max)) => max >= other_max,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Versions> {
        Versions::parse(&LitStr::new(text, proc_macro2::Span::call_site())).ok()
    }

    #[test]
    fn ranges_are_read_as_kafka_writes_them() {
        assert_eq!(
            parse("2"),
            Some(Versions {
                min: 2,
                max: Some(2)
            })
        );
        assert_eq!(
            parse("2-5"),
            Some(Versions {
                min: 2,
                max: Some(5)
            })
        );
        assert_eq!(parse("2+"), Some(Versions { min: 2, max: None }));
        for wrong in ["", "+", "5-2", "-1", "-1+", "1-", "a", "1,2"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_range_covers_what_lies_within_it() {
        let covers = |outer, inner| {
            parse(outer)
                .zip(parse(inner))
                .map(|(outer, inner)| outer.covers(inner))
        };
        assert_eq!(covers("0+", "3+"), Some(true));
        assert_eq!(covers("0-7", "2-7"), Some(true));
        assert_eq!(covers("2-7", "0-7"), Some(false));
        assert_eq!(covers("0-7", "2+"), Some(false));
    }
}
