//! Recomputes everything that can be recomputed, and walks every chain (I7, I18).
