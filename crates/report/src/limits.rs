//! What bounds the size of a page, whatever it shows.

/// Classes whose confusion matrix is drawn; of more, the most frequent confusions are listed.
pub const CONFUSION_CLASSES: usize = 100;

/// Confusions that are listed below the matrix, the most frequent first.
pub const CONFUSIONS: usize = 200;

/// Classes whose accuracies are drawn: of more, those with the lowest and the highest ones. The table has
/// [`TABLE_ROWS`] of them.
pub const CLASS_BARS: usize = 50;

/// Rows of a table.
pub const TABLE_ROWS: usize = 2000;

/// Points of a curve: of more steps, each point is the mean of several.
pub const CURVE_POINTS: usize = 80;

/// Points of the curve behind the others, which shows how much single steps differ.
pub const FAINT_POINTS: usize = 600;

/// Side of a thumbnail in pixels.
pub const THUMBNAIL: u32 = 160;

/// Runs on a page.
pub const RUNS: usize = 20;
