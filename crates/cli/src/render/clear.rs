//! What was cleared, as a table for people, and the verdict.

use super::{Style, style_data};
use crate::text::{line, size, width};
use std::fmt::Write;
use unstale_flow::clear::{Amount, ClearReport, StoreReport};

/// The table, what is left and why, the space, the verdict.
pub fn clear(report: &ClearReport, dry_run: bool) -> String {
    if dry_run {
        return format!("{}\nnothing was cleared: a dry run\n", stores(report, false));
    }
    let mut text = stores(report, true);
    let _ = writeln!(
        text,
        "\nTotal reclaimed space: {}",
        size(report.reclaimed_bytes())
    );
    let verdict = if report.proven() {
        let words = "cleared, and proven: nothing that was to be cleared can answer a step of the next build";
        style_data(words, Style::Bold)
    } else {
        style_data("not proven: the next build may reuse what is left", Style::Error)
    };
    let _ = writeln!(text, "{verdict}");
    text
}

/// The stores with what they hold, before and after they were cleared if they were, and what is left.
pub fn stores(report: &ClearReport, cleared: bool) -> String {
    let row = |store: &StoreReport| match cleared {
        true => [
            name(store),
            amount(store, store.before),
            amount(store, store.after),
        ],
        false => [name(store), amount(store, store.before), String::new()],
    };
    let rows: Vec<[String; 3]> = report.stores.iter().map(row).collect();
    let head = match cleared {
        true => ["STORE", "BEFORE", "AFTER"],
        false => ["STORE", "HOLDS", ""],
    };
    let head = head.map(str::to_owned);
    let widest = |column: usize| {
        rows.iter()
            .chain([&head])
            .map(|row| width(&row[column]))
            .max()
            .unwrap_or(0)
    };
    let widths = [widest(0), widest(1), widest(2)];
    let mut text = String::new();
    for row in [&head].into_iter().chain(&rows) {
        let mut cells = String::new();
        for (cell, widest) in row.iter().zip(widths) {
            let _ = write!(
                cells,
                "{cell}{}  ",
                " ".repeat(widest.saturating_sub(width(cell)))
            );
        }
        let _ = writeln!(text, "{}", cells.trim_end());
    }
    for store in report.stores.iter().filter(|store| store.shared_with_images > 0) {
        let _ = writeln!(
            text,
            "\n{}: {} share layers with images; `docker builder prune` leaves those without -a, and builds reuse them",
            name(store),
            store.shared_with_images
        );
    }
    let left = report
        .stores
        .iter()
        .flat_map(|store| store.leftovers.iter().map(move |left| (store, left)));
    for (number, (store, left)) in left.enumerate() {
        if number == 0 {
            text.push('\n');
        }
        let _ = writeln!(text, "{}: {}", name(store), line(&left.reason));
        if let Some(hint) = &left.hint {
            let _ = writeln!(text, "  hint: {}", line(hint));
        }
    }
    text
}

fn name(store: &StoreReport) -> String {
    match &store.builder {
        Some(builder) => format!("{} of {}", store.store, line(builder)),
        None => store.store.to_owned(),
    }
}

fn amount(store: &StoreReport, amount: Amount) -> String {
    match amount {
        _ if !store.is_known => "unknown".to_owned(),
        Amount { records: 0, .. } => "empty".to_owned(),
        Amount { records, bytes: 0 } => records.to_string(),
        Amount { records, bytes } => format!("{records} ({})", size(bytes)),
    }
}
