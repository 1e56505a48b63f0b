//! Enums of what Kafka names by strings, open to names that come later.

/// Defines such an enum from its variants and their names, and adds `Other` for every other name.
/// Names are read in any case.
macro_rules! named {
    (
        $(#[$of_enum:meta])*
        pub enum $Enum:ident {
            $($(#[$of_variant:meta])* $Variant:ident = $name:literal,)+
        }
    ) => {
        $(#[$of_enum])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $Enum {
            $($(#[$of_variant])* $Variant,)+
            /// Something newer than this client, or nothing where the broker is too old to tell.
            Other(String),
        }

        impl $Enum {
            /// The names that this client knows, as Kafka spells them.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            pub(super) fn from_name(name: String) -> Self {
                $(if name.eq_ignore_ascii_case($name) {
                    return Self::$Variant;
                })+
                Self::Other(name)
            }

            /// The name as Kafka spells it.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$Variant => $name,)+
                    Self::Other(name) => name,
                }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(super) use named;

#[cfg(test)]
mod tests {
    use super::super::{GroupState, GroupType, TransactionState};

    #[test]
    fn names_are_read_in_any_case_and_unknown_ones_are_kept() {
        for name in GroupState::NAMES {
            let state = GroupState::from_name(name.to_ascii_lowercase());
            assert_eq!(state.to_string(), *name);
            assert!(!matches!(state, GroupState::Other(_)));
        }
        assert_eq!(GroupType::from_name("Classic".to_owned()).name(), "classic");
        let dead = TransactionState::from_name("Dead".to_owned());
        assert_eq!(dead, TransactionState::Dead);
        let newer = TransactionState::from_name("Thinking".to_owned());
        assert_eq!(newer, TransactionState::Other("Thinking".to_owned()));
        assert_eq!(newer.name(), "Thinking");
    }
}
