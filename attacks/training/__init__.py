"""How the networks that ship with ``attacks`` were trained."""
