//! How strongly a trait goes together with a result.

/// How strongly groups differ in how many of them succeed, from 0 (not at all) to 1 (the group decides it).
/// Each pair is a group's successes and failures. What many small groups show by chance alone is taken off.
///
/// Source: H. Cramér, "Mathematical Methods of Statistics", 1946, § 21.9, with the correction of W. Bergsma, "A
/// bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society 42 (2013).
#[must_use]
pub fn cramers_v(groups: &[(u64, u64)]) -> f64 {
    let groups: Vec<(f64, f64)> = (groups.iter())
        .filter(|(successes, failures)| successes + failures > 0)
        .map(|(successes, failures)| (*successes as f64, *failures as f64))
        .collect();
    let successes: f64 = groups.iter().map(|(successes, _)| successes).sum();
    let failures: f64 = groups.iter().map(|(_, failures)| failures).sum();
    let all = successes + failures;
    if groups.len() < 2 || successes == 0.0 || failures == 0.0 || all < 3.0 {
        return 0.0;
    }
    let chi_square: f64 = (groups.iter())
        .map(|(yes, no)| {
            let size = yes + no;
            let part = |seen: f64, total: f64| {
                let expected = size * total / all;
                (seen - expected).powi(2) / expected
            };
            part(*yes, successes) + part(*no, failures)
        })
        .sum();
    let rows = groups.len() as f64;
    let by_chance = (rows - 1.0) / (all - 1.0);
    let square = (chi_square / all - by_chance).max(0.0);
    let corrected_rows = rows - (rows - 1.0).powi(2) / (all - 1.0);
    let corrected_columns = 2.0 - 1.0 / (all - 1.0);
    let most = (corrected_rows - 1.0).min(corrected_columns - 1.0);
    if most <= 0.0 {
        0.0
    } else {
        (square / most).sqrt().min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::cramers_v;

    #[test]
    fn groups_that_decide_it_give_one_and_groups_that_are_alike_give_zero() {
        assert!((cramers_v(&[(1_000, 0), (0, 1_000)]) - 1.0).abs() < 1e-9);
        assert_eq!(cramers_v(&[(100, 900), (10, 90), (1, 9)]), 0.0);
        assert_eq!(cramers_v(&[(5, 5)]), 0.0);
        assert_eq!(cramers_v(&[]), 0.0);
    }

    #[test]
    fn a_two_by_two_table_gives_what_a_textbook_does_with_the_correction() {
        // Rates of 0.3 and 0.1 among 500 each: χ² = 62.5, so φ² = 0.0625.
        let strength = cramers_v(&[(150, 350), (50, 450)]);
        let expected = ((0.0625 - 1.0 / 999.0) / (1.0 - 1.0 / 999.0_f64)).sqrt();
        assert!((strength - expected).abs() < 1e-9, "{strength}");
    }
}
