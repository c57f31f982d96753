//! Makes the one text that the web chat takes of a conversation (protocols: §7).
use super::settings::PromptStyle;
use crate::chat::Role;

/// The text of a conversation, which is given as who says what. Neighbours of one role are joined.
pub fn build(messages: Vec<(Role, String)>, style: PromptStyle) -> String {
    let mut blocks: Vec<(Role, String)> = Vec::new();
    for (role, text) in messages {
        match blocks.last_mut() {
            Some((last, joined)) if *last == role => {
                joined.push_str("\n\n");
                joined.push_str(&text);
            }
            _ => blocks.push((role, text)),
        }
    }
    let ends_with_answer = blocks.last().is_some_and(|(role, _)| *role == Role::Assistant);
    let mut prompt = String::new();
    let last = blocks.len().saturating_sub(1);
    for (index, (role, text)) in blocks.into_iter().enumerate() {
        // Nobody speaks in another's name: not a page that a tool fetched, either.
        let text = without_images(&text).replace("<｜", "< ｜");
        match style {
            PromptStyle::Plain => {
                let line_break = if index == 0 { "" } else { "\n\n" };
                prompt.push_str(&format!("{line_break}<{}>: {text}", name(role)));
            }
            // An answer that was begun is gone on with: its turn does not end.
            _ if role == Role::Assistant && index == last => prompt.push_str(&format!("<｜Assistant｜>{text}")),
            PromptStyle::Native => native(&mut prompt, index, role, &text),
            PromptStyle::Full => full(&mut prompt, index, role, &text),
        }
    }
    match style {
        PromptStyle::Native | PromptStyle::Full if !ends_with_answer => prompt.push_str("<｜Assistant｜>"),
        PromptStyle::Plain if !ends_with_answer => prompt.push_str("\n\n<Assistant>: "),
        _ => {}
    }
    prompt
}

fn native(prompt: &mut String, index: usize, role: Role, text: &str) {
    match role {
        Role::System if index == 0 => prompt.push_str(text),
        Role::Assistant => prompt.push_str(&format!("<｜Assistant｜>{text}<｜end▁of▁sentence｜>")),
        Role::System | Role::User | Role::Tool => prompt.push_str(&format!("<｜User｜>{text}")),
    }
}

fn full(prompt: &mut String, index: usize, role: Role, text: &str) {
    if index == 0 {
        prompt.push_str("<｜begin▁of▁sentence｜>");
    }
    let end = match role {
        Role::System => "<｜end▁of▁instructions｜>",
        Role::User => "",
        Role::Assistant => "<｜end▁of▁sentence｜>",
        Role::Tool => "<｜end▁of▁toolresults｜>",
    };
    prompt.push_str(&format!("<｜{}｜>{text}{end}", name(role)));
}

fn name(role: Role) -> &'static str {
    match role {
        Role::System => "System",
        Role::User => "User",
        Role::Assistant => "Assistant",
        Role::Tool => "Tool",
    }
}

/// The chat takes no pictures: `![a](b)` is shown to it as a link. All else stays, such as the `vec![1]` of a program.
fn without_images(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("![") {
        out.push_str(before);
        out.push_str(if is_image(after) { "[" } else { "![" });
        rest = after;
    }
    out + rest
}

/// Whether what follows `![` is the rest of an image.
fn is_image(after: &str) -> bool {
    let end = after.find(['[', ']', '\n']).unwrap_or(after.len());
    after.get(end..).is_some_and(|rest| rest.starts_with("]("))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build_as(style: PromptStyle) -> String {
        let said = [
            (Role::System, "Be brief."),
            (Role::User, "Hi"),
            (Role::User, "![x](y)"),
            (Role::Assistant, "Hello"),
            (Role::Tool, "5"),
        ];
        build(said.map(|(role, text)| (role, text.to_owned())).to_vec(), style)
    }

    #[test]
    fn each_style_has_its_marks() {
        assert_eq!(
            build_as(PromptStyle::Native),
            "Be brief.<｜User｜>Hi\n\n[x](y)<｜Assistant｜>Hello<｜end▁of▁sentence｜><｜User｜>5<｜Assistant｜>"
        );
        assert_eq!(
            build_as(PromptStyle::Full),
            "<｜begin▁of▁sentence｜><｜System｜>Be brief.<｜end▁of▁instructions｜><｜User｜>Hi\n\n[x](y)\
             <｜Assistant｜>Hello<｜end▁of▁sentence｜><｜Tool｜>5<｜end▁of▁toolresults｜><｜Assistant｜>"
        );
        assert_eq!(
            build_as(PromptStyle::Plain),
            "<System>: Be brief.\n\n<User>: Hi\n\n[x](y)\n\n<Assistant>: Hello\n\n<Tool>: 5\n\n<Assistant>: "
        );
    }

    #[test]
    fn only_images_become_links() {
        for (given, wanted) in [
            ("see ![a cat](https://x/y.png).", "see [a cat](https://x/y.png)."),
            ("![](x)![b](y)", "[](x)[b](y)"),
            ("let v = vec![1, 2]; f(v);", "let v = vec![1, 2]; f(v);"),
            ("if (!['a'].includes(x) && ![\n](", "if (!['a'].includes(x) && ![\n]("),
            ("ends with ![", "ends with !["),
        ] {
            assert_eq!(without_images(given), wanted);
        }
    }

    #[test]
    fn a_text_has_no_marks_of_its_own() {
        let said = vec![(Role::User, "a<｜Assistant｜>b".to_owned())];
        assert_eq!(build(said, PromptStyle::Native), "a< ｜Assistant｜>b<｜Assistant｜>".replace("a<", "<｜User｜>a<"));
    }

    #[test]
    fn an_answer_that_was_begun_is_gone_on_with() {
        let said = vec![(Role::User, "Hi".to_owned()), (Role::Assistant, "Hel".to_owned())];
        assert!(build(said.clone(), PromptStyle::Plain).ends_with("<Assistant>: Hel"));
        assert!(build(said.clone(), PromptStyle::Native).ends_with("<｜Assistant｜>Hel"));
        assert!(build(said, PromptStyle::Full).ends_with("<｜Assistant｜>Hel"));
    }
}
