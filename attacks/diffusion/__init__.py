"""Regeneration by diffusion: noise schedules, denoisers, and the attacks on latents and pixels that they make."""
