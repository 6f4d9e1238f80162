"""Stateless pieces that attacks are made of: tensors in, tensors out."""
