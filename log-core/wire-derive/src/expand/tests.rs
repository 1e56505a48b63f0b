use syn::parse_quote;

use super::*;

/// What the derive says to a struct it refuses.
fn refusal(input: DeriveInput) -> String {
    expand(&input)
        .expect_err("the struct must be refused")
        .to_string()
}

#[test]
fn a_correct_message_is_accepted() {
    let input = parse_quote! {
        #[message(key = Fetch, response = Answer, versions = "0-3", flexible = "2+")]
        struct Question {
            #[kafka(versions = "0+", default = -1)]
            id: i32,
            #[kafka(versions = "1+", nullable = "2+", default = null, ignorable)]
            name: Option<String>,
            #[kafka(versions = "2+", tag = 0)]
            partitions: Vec<i32>,
        }
    };
    assert!(expand(&input).is_ok());
    assert!(expand(&parse_quote! { struct Empty; }).is_ok());
}

#[test]
fn fields_must_be_described() {
    let message = refusal(parse_quote! { struct Part { id: i32 } });
    assert!(message.contains("needs #[kafka(versions"));
    let message = refusal(parse_quote! { struct Part { #[kafka(default = 1)] id: i32 } });
    assert!(message.contains("needs #[kafka(versions"));
    let message = refusal(parse_quote! { struct Part { #[kafka(versions = "5-2")] id: i32 } });
    assert!(message.contains("versions are"));
    let message = refusal(parse_quote! { struct Part { #[kafka(version = "1+")] id: i32 } });
    assert!(message.starts_with("expected versions, nullable"));
    let twice = parse_quote! {
        struct Part { #[kafka(versions = "0+")] #[kafka(versions = "1+")] id: i32 }
    };
    assert_eq!(refusal(twice), "the attribute stands twice");
}

#[test]
fn null_needs_an_option_and_an_option_null() {
    let message = refusal(parse_quote! {
        struct Part { #[kafka(versions = "0+", nullable = "0+")] name: String }
    });
    assert_eq!(message, "Option and nullable come together");
    let message = refusal(parse_quote! {
        struct Part { #[kafka(versions = "0+")] name: Option<String> }
    });
    assert_eq!(message, "Option and nullable come together");
}

#[test]
fn tags_are_unique() {
    let message = refusal(parse_quote! {
        struct Part {
            #[kafka(versions = "0+", tag = 1)]
            one: i32,
            #[kafka(versions = "0+", tag = 1)]
            other: i32,
        }
    });
    assert_eq!(message, "the tag is taken");
}

#[test]
fn messages_have_an_end_and_requests_a_response() {
    let message = refusal(parse_quote! { #[message(versions = "0+")] struct Endless {} });
    assert_eq!(message, "a message's versions have an end");
    let message = refusal(parse_quote! { #[message(flexible = "0+")] struct Lost {} });
    assert_eq!(message, "a message needs its versions");
    let message = refusal(parse_quote! { #[message(versions = "0", key = Fetch)] struct Mute {} });
    assert_eq!(message, "key and response come together");
    assert_eq!(
        refusal(parse_quote! { struct Tuple(i32); }),
        "fields need names"
    );
    assert_eq!(
        refusal(parse_quote! { enum Either { A, B } }),
        "only structs are messages"
    );
}
