//! Payments set aside: each reason from real input, and what becomes of them.
