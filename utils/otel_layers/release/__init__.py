"""Publishing: plan (pure), execute (thin, resumable), receipt (what is there now), notes (what users read)."""
