"""All stores keep the same promises."""
