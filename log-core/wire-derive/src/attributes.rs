use syn::{Attribute, Data, DeriveInput, Expr, Field, Fields, Ident, LitInt, LitStr, Path, Type};

use crate::versions::Versions;

/// `#[message(..)]`: the struct stands on its own.
pub(crate) struct MessageAttributes {
    pub(crate) versions: Versions,
    pub(crate) flexible: Option<Versions>,
    /// Key and response of a request.
    pub(crate) request: Option<(Ident, Path)>,
}

impl MessageAttributes {
    pub(crate) fn parse(input: &DeriveInput) -> syn::Result<Option<Self>> {
        let Some(attribute) = only(&input.attrs, "message")? else {
            return Ok(None);
        };
        let (mut versions, mut flexible, mut key, mut response) = (None, None, None, None);
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("versions") {
                versions = Some(Versions::parse(&meta.value()?.parse::<LitStr>()?)?);
            } else if meta.path.is_ident("flexible") {
                flexible = Some(Versions::parse(&meta.value()?.parse::<LitStr>()?)?);
            } else if meta.path.is_ident("key") {
                key = Some(meta.value()?.parse::<Ident>()?);
            } else if meta.path.is_ident("response") {
                response = Some(meta.value()?.parse::<Path>()?);
            } else {
                return Err(meta.error("expected versions, flexible, key or response"));
            }
            Ok(())
        })?;
        let versions = versions
            .ok_or_else(|| syn::Error::new_spanned(attribute, "a message needs its versions"))?;
        let request = match (key, response) {
            (Some(key), Some(response)) => Some((key, response)),
            (None, None) => None,
            _ => {
                return Err(syn::Error::new_spanned(
                    attribute,
                    "key and response come together",
                ));
            }
        };
        Ok(Some(Self {
            versions,
            flexible,
            request,
        }))
    }
}

/// A field with its `#[kafka(..)]`.
pub(crate) struct KafkaField<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) is_option: bool,
    pub(crate) versions: Versions,
    pub(crate) nullable: Option<Versions>,
    pub(crate) tag: Option<u32>,
    pub(crate) default: Option<Expr>,
    pub(crate) is_ignorable: bool,
}

impl<'a> KafkaField<'a> {
    pub(crate) fn parse_all(input: &'a DeriveInput) -> syn::Result<Vec<Self>> {
        match &input.data {
            Data::Struct(data) => match &data.fields {
                Fields::Named(fields) => fields.named.iter().map(Self::parse).collect(),
                Fields::Unit => Ok(Vec::new()),
                Fields::Unnamed(_) => Err(syn::Error::new_spanned(input, "fields need names")),
            },
            _ => Err(syn::Error::new_spanned(input, "only structs are messages")),
        }
    }

    fn parse(field: &'a Field) -> syn::Result<Self> {
        let missing = || syn::Error::new_spanned(field, "the field needs #[kafka(versions = ..)]");
        let attribute = only(&field.attrs, "kafka")?.ok_or_else(missing)?;
        let (mut versions, mut nullable, mut tag, mut default) = (None, None, None, None);
        let mut is_ignorable = false;
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("versions") {
                versions = Some(Versions::parse(&meta.value()?.parse::<LitStr>()?)?);
            } else if meta.path.is_ident("nullable") {
                nullable = Some(Versions::parse(&meta.value()?.parse::<LitStr>()?)?);
            } else if meta.path.is_ident("tag") {
                tag = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?);
            } else if meta.path.is_ident("default") {
                default = Some(meta.value()?.parse::<Expr>()?);
            } else if meta.path.is_ident("ignorable") {
                is_ignorable = true;
            } else {
                return Err(meta.error("expected versions, nullable, tag, default or ignorable"));
            }
            Ok(())
        })?;
        let is_option = is_option(&field.ty);
        if is_option != nullable.is_some() {
            return Err(syn::Error::new_spanned(
                field,
                "Option and nullable come together",
            ));
        }
        Ok(Self {
            name: field.ident.as_ref().ok_or_else(missing)?,
            ty: &field.ty,
            is_option,
            versions: versions.ok_or_else(missing)?,
            nullable,
            tag,
            default,
            is_ignorable,
        })
    }
}

fn only<'a>(attributes: &'a [Attribute], name: &str) -> syn::Result<Option<&'a Attribute>> {
    let mut found = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident(name));
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(second) => Err(syn::Error::new_spanned(
            second,
            "the attribute stands twice",
        )),
    }
}

fn is_option(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path
        .segments
        .last()
        .is_some_and(|segment| segment.ident == "Option")
}
