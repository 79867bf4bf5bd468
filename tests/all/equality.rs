//! The documentation of equality says what the engine does.

use rowsync_engine::domain::Domain;

#[test]
fn the_rules_of_equality_are_documented_word_for_word() {
    let documented = include_str!("../../docs/equality.md");
    for domain in Domain::ALL {
        assert!(documented.contains(&format!("| {} |\n", domain.rule())), "docs/equality.md lacks: {}", domain.rule());
    }
}
