//! The board under test, as the harness sees it.
