//! Pearson's χ² for tables of two by two.
//!
//! Source of the method and of the critical values for one degree of freedom: NIST/SEMATECH e-Handbook of
//! Statistical Methods, 1.3.6.7.4 (the upper tail of the table).

/// What one in twenty tables of independent things exceeds.
pub(super) const CRITICAL_5_PERCENT: f64 = 3.841;
/// What one in a thousand exceeds.
pub(super) const CRITICAL_1_PER_MILLE: f64 = 10.828;

/// The statistic of a table `[[both, only the first], [only the second, neither]]`.
pub(super) fn chi_square(table: [[u64; 2]; 2]) -> f64 {
    let cell = |row: usize, column: usize| table[row][column] as f64;
    let row = |at: usize| cell(at, 0) + cell(at, 1);
    let column = |at: usize| cell(0, at) + cell(1, at);
    let total = row(0) + row(1);
    let mut sum = 0.0;
    for at in 0..2 {
        for to in 0..2 {
            let expected = row(at) * column(to) / total;
            sum += (cell(at, to) - expected).powi(2) / expected;
        }
    }
    sum
}

#[test]
fn it_is_what_a_textbook_computes() {
    // 4 · (30 − 25)² / 25, with all sums alike.
    assert!((chi_square([[30, 20], [20, 30]]) - 4.0).abs() < 1e-12);
    assert!(chi_square([[10, 90], [20, 180]]).abs() < 1e-12);
}
