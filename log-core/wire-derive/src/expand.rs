use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{DeriveInput, Expr, Ident, Lit};

use crate::attributes::{KafkaField, MessageAttributes};

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let message = MessageAttributes::parse(input)?;
    let fields = KafkaField::parse_all(input)?;
    let mut tagged: Vec<_> = fields.iter().filter(|field| field.tag.is_some()).collect();
    tagged.sort_by_key(|field| field.tag);
    if let Some([_, second]) = tagged.windows(2).find(|pair| pair[0].tag == pair[1].tag) {
        return Err(syn::Error::new_spanned(second.name, "the tag is taken"));
    }

    let default = default_impl(name, &fields);
    let put = put_body(name, &fields, &tagged);
    let take = take_body(&fields, &tagged);
    let schema = fields.iter().map(field_schema);
    let message = message
        .map(|message| message_impl(name, &message, &fields))
        .transpose()?;
    Ok(quote! {
        #default

        impl ::headwater_wire::codec::Value for #name {
            const TYPE: ::headwater_wire::codec::FieldType =
                ::headwater_wire::codec::FieldType::Structure(
                    <Self as ::headwater_wire::codec::Structure>::FIELDS,
                );

            fn put(
                &self,
                out: &mut ::headwater_wire::codec::Encoder,
                version: i16,
            ) -> ::core::result::Result<(), ::headwater_wire::codec::EncodeError> {
                let _ = version;
                #put
            }

            fn take(
                input: &mut ::headwater_wire::codec::Decoder,
                version: i16,
            ) -> ::core::result::Result<Self, ::headwater_wire::codec::DecodeError> {
                let _ = version;
                #take
            }
        }

        impl ::headwater_wire::codec::Structure for #name {
            const FIELDS: &'static [::headwater_wire::codec::Field] = &[#(#schema),*];
        }

        #message
    })
}

fn message_impl(
    name: &Ident,
    message: &MessageAttributes,
    fields: &[KafkaField<'_>],
) -> syn::Result<TokenStream> {
    let min = message.versions.min;
    let max = message
        .versions
        .max
        .ok_or_else(|| syn::Error::new_spanned(name, "a message's versions have an end"))?;
    let flexible = message.flexible.map_or(i16::MAX, |flexible| flexible.min);
    let request = message.request.as_ref().map(|(key, response)| {
        quote! {
            impl ::headwater_wire::codec::Request for #name {
                const KEY: ::headwater_wire::ApiKey = ::headwater_wire::ApiKey::#key;
                type Response = #response;
            }
        }
    });
    let error_code = fields.iter().find(|field| field.name == "error_code");
    let refusal = error_code.map(|field| {
        let is_there = field.versions.condition().unwrap_or(quote!(true));
        quote! {
            fn refusal(error_code: i16, version: i16) -> ::core::option::Option<Self> {
                let _ = version;
                (#is_there).then(|| Self { error_code, ..::core::default::Default::default() })
            }
        }
    });
    Ok(quote! {
        impl ::headwater_wire::codec::Message for #name {
            const NAME: &'static str = stringify!(#name);
            const MIN_VERSION: i16 = #min;
            const MAX_VERSION: i16 = #max;
            const FLEXIBLE_FROM: i16 = #flexible;

            #refusal
        }

        #request
    })
}

/// The field's attributes as data.
fn field_schema(field: &KafkaField<'_>) -> TokenStream {
    let (name, ty) = (field.name, field.ty);
    let versions = field.versions.to_tokens();
    let nullable = match field.nullable {
        Some(nullable) => {
            let nullable = nullable.to_tokens();
            quote!(::core::option::Option::Some(#nullable))
        }
        None => quote!(::core::option::Option::None),
    };
    let tag = match field.tag {
        Some(tag) => quote!(::core::option::Option::Some(#tag)),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        ::headwater_wire::codec::Field {
            name: stringify!(#name),
            versions: #versions,
            nullable: #nullable,
            tag: #tag,
            holds: <#ty as ::headwater_wire::codec::Value>::TYPE,
        }
    }
}

fn default_impl(name: &Ident, fields: &[KafkaField<'_>]) -> TokenStream {
    let names = fields.iter().map(|field| field.name);
    let defaults = fields.iter().map(default_value);
    quote! {
        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#names: #defaults),* }
            }
        }
    }
}

fn default_value(field: &KafkaField<'_>) -> TokenStream {
    let inner = match &field.default {
        None if field.is_option => quote!(::core::default::Default::default()),
        None => {
            let ty = field.ty;
            quote!(<#ty as ::core::default::Default>::default())
        }
        Some(Expr::Path(path)) if path.path.is_ident("null") => {
            return quote!(::core::option::Option::None);
        }
        Some(Expr::Lit(literal)) if matches!(literal.lit, Lit::Str(_)) => {
            quote!(::std::string::String::from(#literal))
        }
        Some(other) => quote!(#other),
    };
    if field.is_option {
        quote!(::core::option::Option::Some(#inner))
    } else {
        inner
    }
}

/// Writes the plain fields in order and the tagged ones, which are set, by their tags.
fn put_body(name: &Ident, fields: &[KafkaField<'_>], tagged: &[&KafkaField<'_>]) -> TokenStream {
    let plain = fields
        .iter()
        .filter(|field| field.tag.is_none())
        .map(|field| {
            let put = put_field(name, field);
            let Some(condition) = field.versions.condition() else {
                return quote!(#put?;);
            };
            let otherwise = refuse_if_set(name, field);
            quote! {
                if #condition { #put?; } else { #otherwise }
            }
        });
    let flags: Vec<_> = tagged
        .iter()
        .map(|field| format_ident!("{}_is_set", field.name))
        .collect();
    let decide = tagged.iter().zip(&flags).map(|(field, flag)| {
        let is_set = is_set(field);
        let condition = field.versions.condition().unwrap_or(quote!(true));
        let otherwise = refuse_if_set(name, field);
        quote! {
            let #flag = (#condition) && #is_set;
            if !(#condition) { #otherwise }
        }
    });
    let write = tagged.iter().zip(&flags).map(|(field, flag)| {
        let put = put_field(name, field);
        let tag = field.tag;
        quote! {
            if #flag { out.put_tagged(#tag, |out| #put)?; }
        }
    });
    quote! {
        #(#plain)*
        #(#decide)*
        if out.is_flexible() {
            out.put_varint(0 #(+ u32::from(#flags))*);
            #(#write)*
        }
        ::core::result::Result::Ok(())
    }
}

/// An expression that writes the field in a version that has it.
fn put_field(name: &Ident, field: &KafkaField<'_>) -> TokenStream {
    let field_name = field.name;
    let put = quote!(::headwater_wire::codec::Value::put(&self.#field_name, out, version));
    let Some(nullable) = field
        .nullable
        .filter(|nullable| !nullable.covers(field.versions))
    else {
        return put;
    };
    let put_present = quote! {
        ::headwater_wire::codec::put_present(
            self.#field_name.as_ref(),
            out,
            version,
            stringify!(#name),
            stringify!(#field_name),
        )
    };
    match nullable.condition() {
        None => put,
        Some(condition) => quote!(if #condition { #put } else { #put_present }),
    }
}

/// A condition that the field differs from its default.
fn is_set(field: &KafkaField<'_>) -> TokenStream {
    let field_name = field.name;
    let default = default_value(field);
    quote!(self.#field_name != #default)
}

/// A statement for versions without the field.
fn refuse_if_set(name: &Ident, field: &KafkaField<'_>) -> TokenStream {
    if field.is_ignorable {
        return TokenStream::new();
    }
    let field_name = field.name;
    let is_set = is_set(field);
    quote! {
        if #is_set {
            return ::core::result::Result::Err(
                ::headwater_wire::codec::EncodeError::FieldNotInVersion {
                    message: stringify!(#name),
                    field: stringify!(#field_name),
                    version,
                },
            );
        }
    }
}

fn take_body(fields: &[KafkaField<'_>], tagged: &[&KafkaField<'_>]) -> TokenStream {
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    let locals: Vec<_> = fields.iter().map(local).collect();
    let plain = fields.iter().map(|field| {
        let local = local(field);
        let ty = field.ty;
        let default = default_value(field);
        if field.tag.is_some() {
            return quote!(let mut #local: #ty = #default;);
        }
        let take = take_field(field);
        match field.versions.condition() {
            None => quote!(let #local: #ty = #take;),
            Some(condition) => quote!(let #local: #ty = if #condition { #take } else { #default };),
        }
    });
    let arms = tagged.iter().map(|field| {
        let (local, tag, take) = (local(field), field.tag, take_field(field));
        let condition = field
            .versions
            .condition()
            .map(|condition| quote!(if #condition));
        quote!(#tag #condition => #local = #take,)
    });
    let tags = if tagged.is_empty() {
        quote!(input.skip_tagged()?;)
    } else {
        quote! {
            input.take_tagged(|tag, input| {
                match tag {
                    #(#arms)*
                    _ => return ::core::result::Result::Ok(false),
                }
                ::core::result::Result::Ok(true)
            })?;
        }
    };
    quote! {
        #(#plain)*
        if input.is_flexible() { #tags }
        ::core::result::Result::Ok(Self { #(#names: #locals),* })
    }
}

/// An expression that reads the field in a version that has it.
fn take_field(field: &KafkaField<'_>) -> TokenStream {
    let take = quote!(::headwater_wire::codec::Value::take(input, version)?);
    let Some(nullable) = field
        .nullable
        .filter(|nullable| !nullable.covers(field.versions))
    else {
        return take;
    };
    match nullable.condition() {
        None => take,
        Some(condition) => {
            quote!(if #condition { #take } else { ::core::option::Option::Some(#take) })
        }
    }
}

/// The variable that a field is read into; its own name could be that of a parameter.
fn local(field: &KafkaField<'_>) -> Ident {
    format_ident!("read_{}", field.name)
}

#[cfg(test)]
mod tests;
